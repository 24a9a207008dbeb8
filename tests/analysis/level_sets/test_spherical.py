"""Hyperspherical coordinates: App. A.2 of Nesterov et al. (2022)."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from invex.analysis.level_sets.spherical import from_angles, to_angles


def by_definition(point: np.ndarray) -> np.ndarray:
    """App. A.2 as printed: arccos of quotients, then 2 arccot, in NumPy and float64."""
    tails = np.sqrt(np.cumsum(point[::-1] ** 2)[::-1])
    polar = np.arccos(np.clip(point[:-2] / tails[:-2], -1, 1))
    x, y = point[-2:]
    last = 2 * (np.pi / 2 - np.arctan((x + np.hypot(x, y)) / y))
    return np.append(polar, last if y > 0 else last - 2 * np.pi)


@given(st.integers(2, 50), st.integers(0, 2**31))
def test_angles_equal_the_paper_formula(dimension: int, seed: int) -> None:
    point = np.random.default_rng(seed).normal(size=dimension)
    _, angles = to_angles(torch.tensor(point))
    np.testing.assert_allclose(angles.numpy(), by_definition(point), atol=1e-7)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 2e-5)])
@given(st.integers(2, 200), st.integers(0, 2**31), st.sampled_from([1e-12, 1.0, 1e15]))
def test_round_trip(dtype: torch.dtype, tolerance: float, dimension: int, seed: int, size: float) -> None:
    points = size * torch.randn(7, dimension, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    radius, angles = to_angles(points)
    assert radius.dtype == angles.dtype == dtype
    torch.testing.assert_close(radius, points.norm(dim=1), rtol=tolerance, atol=0)
    error = (from_angles(radius, angles) - points).norm(dim=1) / radius
    assert error.max() < tolerance


@given(st.integers(2, 20), st.integers(0, 2**31))
def test_ranges_and_round_trip_of_angles(dimension: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    angles = torch.rand(5, dimension - 1, dtype=torch.float64, generator=generator) * (torch.pi - 0.2) + 0.1
    angles[:, -1] = 2 * angles[:, -1] - torch.pi
    radius = torch.rand(5, dtype=torch.float64, generator=generator) + 0.5
    again = to_angles(from_angles(radius, angles))
    torch.testing.assert_close(again[0], radius)
    torch.testing.assert_close(again[1], angles, rtol=1e-6, atol=1e-6)
    _, any_angles = to_angles(torch.randn(50, dimension, dtype=torch.float64, generator=generator))
    assert (any_angles[:, :-1] >= 0).all()
    assert (any_angles.abs() <= torch.pi).all()


def test_last_angle_is_computed_row_by_row_in_every_quadrant() -> None:
    points = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]], dtype=torch.float64)
    _, angles = to_angles(points)
    torch.testing.assert_close(angles[:, 0], torch.tensor([0.25, 0.75, -0.75, -0.25]).double() * torch.pi)


def test_near_an_axis_every_digit_is_kept_where_arccos_loses_half() -> None:
    small = torch.tensor(1e-9, dtype=torch.float64)
    point = torch.stack([torch.ones_like(small), small, small])
    _, angles = to_angles(point)
    assert abs(float(angles[0]) / (2**0.5 * 1e-9) - 1) < 1e-12
    assert float(torch.arccos(point[0] / point.norm())) == 0.0


@given(st.integers(2, 12), st.integers(0, 2**31))
def test_jacobian_determinant_is_that_of_the_volume_element(dimension: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    angles = torch.rand(dimension - 1, dtype=torch.float64, generator=generator) * 2.5 + 0.3
    polar = torch.cat([torch.tensor([1.7], dtype=torch.float64), angles])
    jacobian = torch.func.jacrev(lambda c: from_angles(c[0], c[1:]))(polar)
    powers = torch.arange(dimension - 2, 0, -1)
    volume = 1.7 ** (dimension - 1) * (angles[:-1].sin() ** powers).prod()
    torch.testing.assert_close(jacobian.det().abs(), volume.abs(), rtol=1e-9, atol=0)
    back = torch.func.jacrev(lambda x: torch.cat([to_angles(x)[0][None], to_angles(x)[1]]))
    torch.testing.assert_close(
        back(from_angles(polar[0], polar[1:])) @ jacobian, torch.eye(dimension).double(), rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("point", [[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [-2.0, 0.0, 0.0], [0.0, -3.0, 0.0]])
def test_on_an_axis_values_and_gradients_are_finite(point: list[float]) -> None:
    points = torch.tensor([point], dtype=torch.float64, requires_grad=True)
    radius, angles = to_angles(points)
    torch.testing.assert_close(from_angles(radius, angles), points, atol=1e-15, rtol=0)
    (radius.sum() + angles.sum()).backward()
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()


def test_a_point_that_is_not_a_number_has_no_radius() -> None:
    """As `LevelSet.points` gives where a box comes before the level."""
    radius, angles = to_angles(torch.tensor([[torch.nan, torch.nan, torch.nan], [3.0, 0.0, 4.0]]))
    assert radius.isnan().tolist() == [True, False]
    assert angles.isnan().all(1).tolist() == [True, False]


def test_too_few_coordinates_are_refused() -> None:
    with pytest.raises(ValueError, match="two dimensions or more"):
        to_angles(torch.ones(3, 1))
    with pytest.raises(ValueError, match="one angle or more"):
        from_angles(torch.ones(3), torch.ones(3, 0))
