"""The radius of a level along rays, and the minimum: Sec. 3.3 and 3.3.1 of Nesterov et al. (2022)."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from convex_functions import FAMILIES, LogSumExp, Quadratic, Softplus
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.level_sets import (
    LevelNotReached,
    MinimumNotAttained,
    NotConvexAlongRay,
    level_before,
    minimum,
    radius,
)
from invex.analysis.level_sets.sampling import directions
from invex.analysis.level_sets.search.restricted import WIDE
from invex.nn.convex import ConvexNetwork
from scipy.optimize import brentq
from torch import Tensor, nn

Family = Callable[[int, torch.Generator], nn.Module]


def setting(
    family: Family, dimension: int, seed: int, n: int = 40
) -> tuple[nn.Module, Tensor, float, Tensor]:
    """A function, its minimum, a level above it, and directions."""
    generator = torch.Generator().manual_seed(seed)
    f = family(dimension, generator)
    found = minimum(f, torch.zeros(dimension, dtype=torch.float64))
    above = float(torch.rand((), generator=generator, dtype=torch.float64)) * 10 + 0.1
    return f, found.point, found.value + above, directions(n, found.point, generator)


@settings(max_examples=25)
@given(st.sampled_from([1, 2, 3, 7, 20, 50]), st.integers(0, 2**31), st.floats(1e-6, 1e6))
def test_radius_of_a_quadratic_is_exact(dimension: int, seed: int, above: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    f = Quadratic(dimension, generator)
    centre, level = f.minimum.detach(), f.offset.item() + above
    u = directions(30, centre, generator)
    found = radius(f, centre, u, level, tolerance=1e-12 * max(above, abs(level)))
    assert found.reached.all()
    exact = f.radius(u, above)
    slope = 2 * above / exact
    allowed = (1e-11 * max(above, abs(level)) / slope).clamp_min(1e-13 * exact)
    assert ((found.radius - exact).abs() <= allowed).all()


@settings(max_examples=25)
@given(st.sampled_from(FAMILIES), st.sampled_from([1, 2, 5, 20, 50]), st.integers(0, 2**31))
def test_every_point_is_on_its_level_and_the_radius_is_scipys(
    family: Family, dimension: int, seed: int
) -> None:
    f, centre, level, u = setting(family, dimension, seed)
    found = radius(f, centre, u, level)
    assert found.reached.all()
    with torch.no_grad():
        values = f(centre + found.radius[:, None] * u).flatten()
    assert (values - level).abs().max() <= 2e-9 * max(abs(level), abs(f(centre[None]).item()))
    torch.testing.assert_close(values - level, found.residual, rtol=0, atol=1e-12)
    gap = lambda r: f((centre + r * u[0])[None]).item() - level  # noqa: E731
    expected = brentq(gap, 0, 1e5, xtol=1e-13)
    assert abs(found.radius[0].item() - expected) <= 1e-7 * expected


@pytest.mark.parametrize("dimension", [2, 20])
@pytest.mark.parametrize("family", FAMILIES)
def test_few_evaluations_are_enough(family: Family, dimension: int) -> None:
    f, centre, level, u = setting(family, dimension, 0, n=1000)
    seen = {"values": 0, "slopes": 0}

    def counted(z: Tensor) -> Tensor:
        seen["slopes" if z.requires_grad else "values"] += len(z)
        return f(z)

    radius(counted, centre, u, level)
    assert 3 * seen["slopes"] + seen["values"] <= 7 * len(u)


def test_directions_have_the_units_of_the_radius() -> None:
    f, centre, level, u = setting(Softplus, 5, 1)
    one, ten = (radius(f, centre, scale * u, level).radius for scale in (1, 10))
    torch.testing.assert_close(one, 10 * ten, rtol=1e-8, atol=0)


def test_a_plain_function_and_a_module_give_the_same() -> None:
    f, centre, level, u = setting(LogSumExp, 4, 2, n=600)
    module, plain = radius(f, centre, u, level), radius(lambda z: f(z), centre, u, level)
    torch.testing.assert_close(module.radius, plain.radius, rtol=1e-8, atol=0)


@pytest.mark.parametrize("several_centres", [False, True])
@pytest.mark.parametrize("start", [None, 1.0])
def test_a_function_restricted_to_rays_gives_the_same(several_centres: bool, start: float | None) -> None:
    torch.manual_seed(0)
    f = ConvexNetwork(WIDE, (16, 16)).double().requires_grad_(False)
    u = directions(200, torch.zeros(WIDE).double(), torch.Generator().manual_seed(0))
    centre = 0.1 * torch.randn(200, WIDE, dtype=torch.float64)
    centre = centre if several_centres else centre[0]
    level = f(centre).max().item() + 1
    begin = None if start is None else torch.full((200,), start, dtype=torch.float64)
    seen: list[Tensor] = []
    hook = f.register_forward_hook(lambda module, args, values: seen.append(values))
    restricted = radius(f, centre, u, level, start=begin)
    hook.remove()
    # the starts of the rays, and one point where both are compared
    assert sum(values.numel() for values in seen) == len(centre.view(-1, WIDE)) + 1
    plain = radius(lambda z: f(z), centre, u, level, start=begin)
    assert bool(restricted.reached.any())
    assert torch.equal(restricted.reached, plain.reached)
    torch.testing.assert_close(restricted.radius, plain.radius, rtol=1e-7, atol=0, equal_nan=True)


def test_a_restriction_to_rays_that_is_of_another_function_is_refused() -> None:
    class Steeper(ConvexNetwork):
        def forward(self, z: Tensor) -> Tensor:
            return super().forward(z) + z.square().sum(-1)

    f, centre = Steeper(WIDE, (8,)).double(), torch.zeros(WIDE).double()
    with pytest.raises(ValueError, match=r"Steeper\.on_rays does not give the values of Steeper"):
        radius(f, centre, directions(3, centre, torch.Generator().manual_seed(0)), f(centre).item() + 1)


def test_a_module_that_float32_cannot_evaluate_is_solved_in_float64() -> None:
    class Holds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = torch.eye(3, dtype=torch.float64)  # neither parameter nor buffer

        def forward(self, z: Tensor) -> Tensor:
            return (z @ self.rows).square().sum(1)

    u = directions(20, torch.zeros(3, dtype=torch.float64), torch.Generator().manual_seed(0))
    found = radius(Holds(), torch.zeros(3, dtype=torch.float64), u, 4.0)
    torch.testing.assert_close(found.radius, torch.full((20,), 2.0).double(), rtol=1e-9, atol=0)


@settings(max_examples=15)
@given(st.sampled_from(FAMILIES), st.sampled_from([1, 2, 10, 50]), st.integers(0, 2**31))
def test_float32_keeps_its_stated_error(family: Family, dimension: int, seed: int) -> None:
    f, centre, level, u = setting(family, dimension, seed)
    found = radius(f.float(), centre.float(), u.float(), level)
    assert found.radius.dtype == torch.float32
    size = max(abs(level), abs(f(centre.float()[None]).item()))
    f.double()  # the same rounded parameters, evaluated exactly
    values = f((centre.float() + found.radius[:, None] * u.float()).double()).flatten()
    assert (values - level).abs().max() <= 2 * 8e-6 * size


def test_chunks_change_nothing() -> None:
    f, centre, level, u = setting(Softplus, 3, 3, n=700)
    whole, chunked = radius(f, centre, u, level), radius(f, centre, u, level, chunk=64)
    torch.testing.assert_close(whole.radius, chunked.radius, rtol=1e-7, atol=0)
    assert whole.reached.all()
    assert chunked.reached.all()


def test_chunks_bound_what_is_evaluated_at_once() -> None:
    f, centre, level, u = setting(Softplus, 3, 3, n=700)
    largest = []

    def watched(z: Tensor) -> Tensor:
        largest.append(len(z))
        return f(z)

    radius(watched, centre, u, level, chunk=64)
    assert max(largest) <= 64


def test_rays_that_leave_the_box_first_are_reported_and_not_guessed() -> None:
    f = lambda z: z.square().sum(1)  # noqa: E731
    u = torch.eye(2, dtype=torch.float64).repeat(2, 1) * torch.tensor([[1.0], [1.0], [-1.0], [-1.0]])
    found = radius(f, torch.zeros(2).double(), u, 4.0, box=(torch.tensor([-1.0, -5.0]), 3.0))
    assert found.reached.tolist() == [True, True, False, True]
    assert found.radius.isnan().tolist() == found.residual.isnan().tolist() == [False, False, True, False]
    torch.testing.assert_close(found.radius[found.reached], torch.full((3,), 2.0).double())


def test_an_unbounded_direction_is_reported() -> None:
    f = lambda z: z[:, 0].square() + torch.exp(-z[:, 1])  # noqa: E731
    u = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], dtype=torch.float64)
    found = radius(f, torch.zeros(2).double(), u, 2.0)
    assert found.reached.tolist() == [True, False, True]


@pytest.mark.parametrize("chunk", [2, 8192])
def test_rays_may_start_anywhere_inside(chunk: int) -> None:
    f = lambda z: z.square().sum(1)  # noqa: E731
    starts = torch.tensor([[0.5, 0.0], [-1.0, 0.0], [0.0, 0.9]], dtype=torch.float64)
    u = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, -1.0]], dtype=torch.float64)
    found = radius(f, starts, u, 1.0, chunk=chunk)
    torch.testing.assert_close(found.radius, torch.tensor([0.5, 2.0, 1.9]).double())


def test_a_level_below_the_start_names_the_ray() -> None:
    f = lambda z: z.square().sum(1)  # noqa: E731
    u = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    with pytest.raises(LevelNotReached, match=r"ray 0, direction \(1, 0\): .* above the level -1"):
        radius(f, torch.zeros(2).double(), u, -1.0)


@pytest.mark.parametrize("chunk", [1, 8])
def test_a_ray_on_which_f_bends_down_is_named(chunk: int) -> None:
    f = lambda z: z[:, 0].square() + torch.where(z[:, 1] > 0, z[:, 1].abs().sqrt(), z[:, 1].square())  # noqa: E731
    u = torch.tensor([[1.0, 0.0], [0.0, -1.0], [0.0, 1.0]], dtype=torch.float64)
    with pytest.raises(NotConvexAlongRay, match=r"ray 2, direction \(0, 1\)"):
        radius(f, torch.zeros(2).double(), u, 2.0, chunk=chunk)
    found = radius(f, torch.zeros(2).double(), u[:2], 2.0)
    torch.testing.assert_close(found.radius, torch.full((2,), 2**0.5).double())


@settings(max_examples=20)
@given(st.sampled_from([1, 2, 10, 50]), st.integers(0, 2**31))
def test_minimum_of_a_quadratic(dimension: int, seed: int) -> None:
    f = Quadratic(dimension, torch.Generator().manual_seed(seed))
    found = minimum(f, torch.zeros(dimension, dtype=torch.float64))
    assert (found.point - f.minimum).norm() < 1e-6
    assert abs(found.value - f.offset.item()) < 1e-10
    assert found.gradient_norm < 1e-6


@settings(max_examples=20)
@given(st.sampled_from([2, 5, 20]), st.integers(0, 2**31))
def test_minimum_in_a_box_meets_the_optimality_conditions(dimension: int, seed: int) -> None:
    f = Quadratic(dimension, torch.Generator().manual_seed(seed))
    lower, upper = f.minimum.detach() - 0.1, f.minimum.detach() + 0.5
    lower[0], upper[0] = f.minimum[0].item() + 0.2, f.minimum[0].item() + 0.4
    found = minimum(f, torch.zeros(dimension, dtype=torch.float64), box=(lower, upper))
    point = found.point.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(f(point[None]).sum(), point)
    assert ((found.point >= lower) & (found.point <= upper)).all()
    assert (gradient[found.point == lower] >= -1e-6).all()
    assert (gradient[found.point == upper] <= 1e-6).all()
    assert (gradient[(found.point > lower) & (found.point < upper)].abs() <= 1e-6).all()


def test_float32_minimum_keeps_dtype() -> None:
    f = Quadratic(5, torch.Generator().manual_seed(0), condition=4.0)
    expected = f.minimum.detach().clone()
    found = minimum(f.float(), torch.zeros(5))
    assert found.point.dtype == torch.float32
    assert (found.point - expected).norm() < 1e-3


def test_an_infimum_that_is_not_attained_names_the_point() -> None:
    with pytest.raises(MinimumNotAttained, match=r"still falls at \("):
        minimum(lambda z: z.sum(1), torch.zeros(2, dtype=torch.float64))


def test_level_before_a_monotone_head() -> None:
    head = lambda y: torch.tanh(y) * torch.pi / 4 + 0.1 * y  # noqa: E731
    before = level_before(head, 0.6)
    assert abs(float(head(torch.tensor(before))) - 0.6) < 1e-6
    assert level_before(lambda y: y.exp(), 5.0) == pytest.approx(np.log(5.0), abs=1e-12)
    with pytest.raises(LevelNotReached, match="head does not reach 2"):
        level_before(torch.tanh, 2.0)


def test_level_before_a_head_that_falls_or_is_reached_late() -> None:
    assert level_before(lambda y: -y, 0.5) == pytest.approx(-0.5, abs=1e-12)
    assert level_before(lambda y: y, 8e5) == pytest.approx(8e5, rel=1e-12)


def test_what_many_alike_rays_predict_beyond_the_box_is_not_reached() -> None:
    f = lambda z: z.square().sum(1)  # noqa: E731
    u = directions(200, torch.zeros(50).double(), torch.Generator().manual_seed(0))
    few = torch.linspace(0, 199, 4).long()
    u[few, 0] = -u[few, 0].abs()  # the rays that are looked at first do not meet the wall
    wall = torch.full((50,), 10.0).double()
    wall[0] = 0.1
    found = radius(f, torch.zeros(50).double(), u, 2.0, box=(-10.0, wall))
    inside = 2**0.5 * u[:, 0] <= 0.1
    assert 0 < inside.sum() < 200
    assert torch.equal(found.reached, inside)
    assert torch.equal(found.radius.isnan(), ~inside)


@pytest.mark.parametrize(
    ("f", "dimension", "level"),
    [
        (lambda z: z.square().sum(1) * (-z.square().sum(1) / 2).exp(), 2, 0.5),
        (lambda z: z.norm(dim=1).sqrt(), 40, 2.1),
    ],
)
@pytest.mark.parametrize("n", [20, 200])
def test_a_function_that_bends_down_is_refused_on_few_rays_and_on_many(
    f: Callable[[Tensor], Tensor], dimension: int, level: float, n: int
) -> None:
    centre = torch.zeros(dimension).double()
    with pytest.raises(NotConvexAlongRay, match=r"ray \d+, direction \("):
        radius(f, centre, directions(n, centre, torch.Generator().manual_seed(0)), level)


def test_a_start_outside_the_box_and_a_direction_of_nan_are_not_reached() -> None:
    f = lambda z: z.square().sum(1)  # noqa: E731
    u = torch.tensor([[1.0, 0.0], [torch.nan, 0.0]]).double()
    found = radius(f, torch.zeros(2).double(), u, 1.0, box=(-10.0, torch.tensor([-5.0, 10.0])))
    assert not found.reached.any()


@pytest.mark.parametrize("n", [20, 200])
def test_a_module_that_cancels_in_float32_is_solved_in_float64(n: int) -> None:
    class Cancels(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return (z + 1000).square().sum(1) - 2000 * z.sum(1) - 1e6 * z.shape[1]

    u = directions(n, torch.zeros(2).double(), torch.Generator().manual_seed(0))
    found = radius(Cancels(), torch.zeros(2).double(), u, 1.0)
    assert (found.radius - 1).abs().max() < 1e-6


def test_a_module_that_computes_in_float64_by_itself_is_solved_so() -> None:
    class Widens(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return z.double().square().sum(1)

    u = directions(20, torch.zeros(2).double(), torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        radius(Widens(), torch.zeros(2).double(), u, 4.0).radius, torch.full((20,), 2.0).double()
    )


def test_more_than_one_value_a_point_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 10\)"):
        radius(nn.Linear(2, 10).double(), torch.zeros(2).double(), torch.eye(2).double(), 1.0)
