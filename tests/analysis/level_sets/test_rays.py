"""What rays meet: edges of the domain of f, values that are not numbers, dtypes and modes."""

import math

import pytest
import torch
from convex_functions import square
from invex.analysis.level_sets import LevelSetError, radius
from invex.analysis.level_sets.rays import Function, value
from invex.analysis.level_sets.sampling import directions
from invex.analysis.level_sets.search.restricted import WIDE
from invex.nn.convex import ConvexNetwork
from torch import Tensor, nn

EYE = torch.eye(2, dtype=torch.float64)
ORIGIN = torch.zeros(2, dtype=torch.float64)


def entropy(z: Tensor) -> Tensor:
    return (z * z.log()).sum(1)


def lower_sphere(z: Tensor) -> Tensor:
    return -(1 - square(z)).sqrt()


def indicator(z: Tensor) -> Tensor:
    return torch.where(square(z) <= 1, square(z), torch.inf)


@pytest.mark.parametrize(
    ("f", "centre", "sense", "beyond", "within"),
    [
        (entropy, ORIGIN + math.exp(-1), -1.0, 0.5, -0.5),
        (lower_sphere, ORIGIN, 1.0, 0.5, -0.5),
        (lower_sphere, ORIGIN, 1.0, 1e-3, -1e-3),
        (indicator, ORIGIN, 1.0, 2.0, 0.5),
    ],
)
@pytest.mark.parametrize("n", [2, 200])
def test_a_level_above_all_values_in_the_domain_is_not_reached_and_one_among_them_is(
    f: Function, centre: Tensor, sense: float, beyond: float, within: float, n: int
) -> None:
    u = sense * EYE.repeat(n // 2, 1)
    missed = radius(f, centre, u, beyond)
    assert not missed.reached.any()
    assert missed.radius.isnan().all()
    assert missed.residual.isnan().all()
    met = radius(f, centre, u, within)
    assert met.reached.all()
    torch.testing.assert_close(f(centre + met.radius[:, None] * u), torch.full((n,), within).double())


def test_a_barrier_is_solved_up_to_where_its_points_can_be_told_apart() -> None:
    barrier = lambda z: -(1 - z.abs()).log().sum(1)  # noqa: E731
    found = radius(barrier, ORIGIN, EYE, 30.0)
    assert found.reached.all()
    assert (1 - found.radius - math.exp(-30)).abs().max() < 4e-16
    assert not radius(barrier, ORIGIN, EYE, 100.0).reached.any()


def test_a_direction_of_nan_is_not_reached_and_costs_no_evaluation() -> None:
    seen = []

    def watched(z: Tensor) -> Tensor:
        seen.append(len(z))
        return square(z)

    found = radius(watched, ORIGIN, torch.full((1, 2), math.nan).double(), 1.0)
    assert not found.reached.any()
    assert sum(seen) == 1
    mixed = radius(square, ORIGIN, torch.cat([EYE, math.inf * EYE]), 1.0)
    assert mixed.reached.tolist() == [True, True, False, False]


def test_a_start_or_a_level_that_is_no_number_is_refused() -> None:
    with pytest.raises(LevelSetError, match=r"ray 0, .*not a finite number where it starts"):
        radius(lambda z: square(z) * math.nan, ORIGIN, EYE, 1.0)
    with pytest.raises(LevelSetError, match=r"ray 1, .*not a finite number where it starts"):
        radius(entropy, torch.tensor([[0.3, 0.3], [-1.0, 0.3]]).double(), EYE, 1.0)
    for level in (math.nan, math.inf):
        with pytest.raises(LevelSetError, match=f"the level is {level}"):
            radius(square, ORIGIN, EYE, level)


@pytest.mark.parametrize("above", [5e-7, 1e-6, 3e-6])
def test_a_level_barely_above_the_minimum_is_reached_on_every_ray(above: float) -> None:
    for seed in range(5):
        u = directions(20, torch.zeros(3).double(), torch.Generator().manual_seed(seed))
        found = radius(lambda z: square(z) + 1e3, torch.zeros(3).double(), u, 1e3 + above)
        assert found.reached.all()
        assert (found.radius >= 0).all()


def test_a_restriction_to_rays_may_round_otherwise_where_f_is_about_zero() -> None:
    centre = torch.zeros(WIDE)
    for seed in range(10):
        torch.manual_seed(seed)
        f, u = ConvexNetwork(WIDE, (64, 64)).requires_grad_(False), torch.randn(3, WIDE) / WIDE**0.5
        with torch.no_grad():
            f.inputs[-1].bias -= f(centre + u[:1])
        assert radius(f, centre, u, f(centre).item() + 0.1, limit=10.0).radius.shape == (3,)


@pytest.mark.parametrize("error", [AssertionError, TypeError, KeyError])
def test_a_module_that_insists_on_float64_is_solved_so(error: type[Exception]) -> None:
    class Insists(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            if z.dtype != torch.float64:
                raise error("float64 wanted")
            return square(z)

    torch.testing.assert_close(radius(Insists(), ORIGIN, EYE, 4.0).radius, torch.full((2,), 2.0).double())


def test_dtypes_that_do_not_fit_are_named() -> None:
    with pytest.raises(TypeError, match=r"float32 or float64, not torch\.float16"):
        radius(square, ORIGIN.half(), EYE.half(), 1.0)
    with pytest.raises(TypeError, match=r"points are torch\.float64, the parameters of f torch\.float32"):
        radius(ConvexNetwork(2, (8,)), ORIGIN, EYE, 1.0)


def test_inference_mode_and_directions_made_in_it_change_nothing() -> None:
    f = ConvexNetwork(2, (8,)).double()
    level = f(ORIGIN).item() + 1
    expected = radius(f, ORIGIN, torch.cat([EYE, -EYE]), level)
    with torch.inference_mode():
        found = radius(f, ORIGIN.clone(), torch.cat([EYE, -EYE]), level)
    assert found.reached.any()
    torch.testing.assert_close(found.radius, expected.radius, equal_nan=True)


def test_no_rays_give_no_radii() -> None:
    found = radius(square, ORIGIN, EYE[:0], 1.0)
    assert found.radius.shape == found.reached.shape == found.residual.shape == (0,)
    assert found.reached.dtype == torch.bool


def test_values_keep_their_chunk() -> None:
    largest = []

    def watched(z: Tensor) -> Tensor:
        largest.append(len(z))
        return square(z)

    points = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(value(watched, points, 7), square(points))
    assert max(largest) == 7
