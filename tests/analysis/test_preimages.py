"""Pre-images of ReLU layers (Behrmann, 2019, Theorem 3.3): against brute force, and as polytopes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.omnidirectional import omnidirectional
from invex.analysis.preimages import COMPACT, KINDS, SINGLETON, UNBOUNDED, input_with_output, kinds, preimage
from torch import Generator, Tensor

FAR, NEAR = 1e6, 1e-6


def layer(seed: int, rows: int, size: int, whole: bool) -> tuple[Tensor, Tensor, Tensor]:
    """A random layer and a point; of small whole numbers, so that ties and equal directions are common."""
    generator = Generator().manual_seed(seed)
    if whole:
        weight, bias, point = (
            torch.randint(-2, 3, shape, generator=generator).double()
            for shape in ((rows, size), (rows,), (size,))
        )
    else:
        weight, bias, point = (
            torch.randn(shape, generator=generator, dtype=torch.float64)
            for shape in ((rows, size), (rows,), (size,))
        )
    return weight, bias, point


def directions(weight: Tensor) -> Tensor:
    """All edges that a cone between these hyperplanes can have, in 2-D or 3-D, and many other directions."""
    size = weight.shape[1]
    others = torch.randn(500, size, generator=Generator().manual_seed(0), dtype=torch.float64)
    if size == 2:
        edges = torch.stack([-weight[:, 1], weight[:, 0]], 1)
    else:
        pairs = torch.cartesian_prod(torch.arange(len(weight) + 3), torch.arange(len(weight) + 3))
        padded = torch.cat([weight, torch.eye(3, dtype=torch.float64)])
        edges = torch.linalg.cross(padded[pairs[:, 0]], padded[pairs[:, 1]])
    edges = edges[edges.norm(dim=1) > 1e-9]
    found = torch.cat([edges, -edges, others])
    return found / found.norm(dim=1, keepdim=True)


def by_brute_force(weight: Tensor, bias: Tensor, point: Tensor) -> int:
    """Walk a little and very far in every direction, and see whether the output stays."""

    def output(x: Tensor) -> Tensor:
        return (x @ weight.T + bias).relu()

    way = directions(weight)

    def stays(reach: float) -> bool:
        change = (output(point + reach * way) - output(point)).abs().amax(1)
        return bool((change < 1e-7 * reach).any())

    if not stays(NEAR):
        return SINGLETON
    return UNBOUNDED if stays(FAR) else COMPACT


@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([2, 3]), st.booleans())
@settings(max_examples=150, deadline=None)
def test_theorem_3_3_agrees_with_brute_force(seed: int, rows: int, size: int, whole: bool) -> None:
    weight, bias, point = layer(seed, rows, size, whole)
    assert kinds(weight, bias, point[None]).item() == by_brute_force(weight, bias, point)


@given(st.integers(0, 10**6), st.integers(3, 12), st.integers(2, 4), st.booleans())
@settings(max_examples=60, deadline=None)
def test_some_preimage_is_unbounded_exactly_if_the_layer_is_not_omnidirectional(
    seed: int, rows: int, size: int, whole: bool
) -> None:
    weight, bias, _ = layer(seed, rows, size, whole)
    points = 20 * torch.randn(300, size, generator=Generator().manual_seed(seed), dtype=torch.float64)
    found = kinds(weight, bias, points)
    if omnidirectional(weight):
        assert not (found == UNBOUNDED).any()
    else:
        from invex.analysis.omnidirectional import recession_direction

        away = recession_direction(weight)
        assert away is not None
        assert kinds(weight, bias, 1e5 * away[None]).item() == UNBOUNDED


@given(st.integers(0, 10**6), st.integers(1, 7), st.sampled_from([2, 3]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_polytope_is_the_preimage(seed: int, rows: int, size: int, whole: bool) -> None:
    weight, bias, point = layer(seed, rows, size, whole)
    found = preimage(weight, bias, point)
    assert found.kind == KINDS[kinds(weight, bias, point[None]).item()]
    corners = found.vertices(within=50.0)
    shares = torch.rand(40, len(corners), generator=Generator().manual_seed(seed), dtype=torch.float64)
    inside = shares / shares.sum(1, keepdim=True) @ corners
    output = (torch.cat([corners, inside, point[None]]) @ weight.T + bias).relu()
    torch.testing.assert_close(output, output[-1:].expand_as(output), rtol=1e-7, atol=1e-6)
    reach = (corners - point).abs().max()
    assert reach <= 50 * (1 + 1e-9)
    assert (found.kind == "singleton") == bool(reach < 1e-9)
    if found.kind == "unbounded":
        assert found.direction is not None
        far = point + FAR * found.direction
        torch.testing.assert_close((weight @ far + bias).relu(), output[-1], rtol=1e-6, atol=1e-3)


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_area_of_a_polygon_by_counting(seed: int) -> None:
    weight, bias, point = layer(seed, 5, 2, False)
    bias = -weight @ point - bias.abs() - 0.1  # every unit is off at the point
    corners = (preimage(weight, bias, point).vertices(within=3.0) - point).numpy()
    across, up = corners.T
    area = 0.5 * abs(np.dot(across, np.roll(up, -1)) - np.dot(up, np.roll(across, -1)))
    axis = torch.linspace(-3, 3, 601, dtype=torch.float64)
    cells = point + torch.cartesian_prod(axis, axis)
    share = ((cells @ weight.T + bias) <= 0).all(1).double().mean().item()
    assert area == pytest.approx(36 * share, abs=0.3)


def test_the_four_kinds_of_theorem_3_3() -> None:
    triangle = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]])
    origin = torch.zeros(1, 2)
    assert kinds(triangle, torch.zeros(3), origin).item() == SINGLETON  # ii: only p satisfies all three
    assert kinds(triangle, -torch.ones(3), origin).item() == COMPACT  # iii
    assert kinds(triangle[:2], -torch.ones(2), origin).item() == UNBOUNDED
    assert kinds(triangle, torch.ones(3), origin).item() == SINGLETON  # i: all units on


def test_compact_preimage_without_area() -> None:
    weight = torch.tensor([[0.0, 1.0], [0.0, -1.0], [1.0, 0.0], [-1.0, 0.0]])
    found = preimage(weight, torch.tensor([0.0, 0.0, -1.0, -2.0]), torch.zeros(2))
    assert found.kind == "compact"
    torch.testing.assert_close(found.vertices().abs().sum(0), torch.tensor([3.0, 0.0]).double())


def test_rows_of_zeros_and_a_layer_of_them() -> None:
    weight, point = torch.zeros(2, 3), torch.zeros(1, 3)
    assert kinds(weight, torch.tensor([1.0, -1.0]), point).item() == UNBOUNDED
    more = torch.cat([torch.eye(3), weight])
    assert kinds(more, torch.tensor([1.0, 1.0, 1.0, -1.0, 0.0]), point).item() == SINGLETON


def test_units_within_the_tolerance_of_zero_are_off() -> None:
    weight, bias = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]]).double(), torch.zeros(3).double()
    assert kinds(weight, bias, torch.full((1, 2), 1e-13).double()).item() != SINGLETON  # relative to its size
    near = torch.tensor([[1.0, 1.0 + 1e-12]]).double()
    assert (
        kinds(weight, torch.tensor([-1.0, 0.0, 2.0]).double(), near).item()
        == kinds(weight, torch.tensor([-1.0, 0.0, 2.0]).double(), torch.ones(1, 2).double()).item()
    )


def test_patterns_are_decided_alike_in_threads() -> None:
    weight, bias, _ = layer(5, 9, 4, False)
    points = 3 * torch.randn(200, 4, generator=Generator().manual_seed(1), dtype=torch.float64)
    assert torch.equal(kinds(weight, bias, points), kinds(weight, bias, points, workers=3))


@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_an_input_is_found_for_an_output(seed: int, rows: int, size: int) -> None:
    weight, bias, point = layer(seed, rows, size, False)
    output = (weight @ point + bias).relu()
    found = input_with_output(weight, bias, output)
    torch.testing.assert_close((weight @ found + bias).relu(), output, atol=1e-7, rtol=1e-7)
    assert kinds(weight, bias, found[None]).item() == kinds(weight, bias, point[None]).item()


def test_bad_input_is_named() -> None:
    weight, bias = torch.eye(2), torch.zeros(2)
    with pytest.raises(ValueError, match="no input has this output"):
        input_with_output(torch.cat([weight, weight]), torch.zeros(4), torch.tensor([1.0, 0.0, 2.0, 0.0]))
    with pytest.raises(ValueError, match="2 numbers, none negative"):
        input_with_output(weight, bias, torch.tensor([1.0, -1.0]))
    with pytest.raises(ValueError, match="2 inputs"):
        kinds(weight, bias, torch.zeros(1, 3))
    with pytest.raises(ValueError, match="as many biases"):
        kinds(weight, torch.zeros(3), torch.zeros(1, 2))
    with pytest.raises(ValueError, match="not finite"):
        kinds(weight * torch.nan, bias, torch.zeros(1, 2))
    with pytest.raises(ValueError, match="not finite"):
        preimage(weight, bias, torch.full((2,), torch.inf))
    with pytest.raises(ValueError, match="give `within`"):
        preimage(weight, bias - 1, torch.zeros(2)).vertices()
