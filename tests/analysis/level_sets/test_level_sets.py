"""Level sets as surfaces: grids, interpolation, uniform samples, geodesics and walks."""

import math

import numpy as np
import pytest
import torch
from convex_functions import FAMILIES, Softplus, ellipsoid, off_level, seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.level_sets import (
    LevelSet,
    NotConvexAlongRay,
    NotOnLevel,
    UnboundedLevelSet,
    level_before,
    minimum,
    to_angles,
)
from invex.analysis.level_sets.sampling import directions, shake_and_bake
from invex.nn.bijections import autoregressive_flow
from scipy.integrate import solve_ivp
from scipy.optimize import fsolve


@settings(max_examples=15)
@given(st.sampled_from(FAMILIES), st.sampled_from([2, 3, 10]), st.integers(0, 2**31))
def test_everything_stays_on_the_level(family: type, dimension: int, seed: int) -> None:
    f = family(dimension, seeded(seed)).requires_grad_(False)
    found = minimum(f, torch.zeros(dimension, dtype=torch.float64))
    level_set = LevelSet(f, found.value + 1.0, found.point)
    a, b = level_set.points(directions(2, found.point, seeded(seed)))
    paths = [level_set.interpolate(a, b, 9), level_set.geodesic(a, b, 9)]
    walks = [level_set.walk(a, 5, 0.1, generator=seeded()), level_set.walk(a, 5, 0.1, direction=b - a)]
    samples = level_set.sample(20, steps=0, generator=seeded())
    samples = shake_and_bake(f, samples, level_set.level, 2, generator=seeded())
    for points in (*paths, *walks, samples):
        assert off_level(level_set, points) <= 2e-9 * max(abs(found.value + 1), abs(found.value))
    for path in paths:
        assert torch.equal(path[0], a)
        assert torch.equal(path[-1], b)


def test_grid_of_an_ellipse_goes_once_round_by_angle() -> None:
    level_set = ellipsoid(3.0, 1.0, centre=(0.5, -0.2))
    curve = level_set.grid(200)
    angle = torch.atan2(*(curve - level_set.centre).T.flip(0)) % (2 * math.pi)
    torch.testing.assert_close(angle, torch.arange(200).double() * 2 * math.pi / 200)
    assert off_level(level_set, curve) < 1e-8


def test_grid_in_three_dimensions() -> None:
    level_set = ellipsoid(1.0, 2.0, 3.0)
    grid = level_set.grid(5, 8)
    assert grid.shape == (5, 8, 3)
    torch.testing.assert_close(grid[0], torch.tensor([1.0, 0.0, 0.0]).double().expand(8, 3))
    with pytest.raises(ValueError, match="one count an angle"):
        level_set.grid(5)


def test_interpolation_takes_the_shorter_way_round() -> None:
    level_set = ellipsoid(1.0, 1.0)
    angle = torch.tensor([3.0, -3.0]).double()
    path = level_set.interpolate(*torch.stack([angle.cos(), angle.sin()], 1), 5)
    assert (path[:, 0] < -0.98).all()


@pytest.mark.parametrize("dimension", [3, 8])
def test_geodesics_of_a_sphere_are_great_circles(dimension: int) -> None:
    centre = (0.2, -0.3) + (0.1,) * (dimension - 2)
    level_set = ellipsoid(*(1.0,) * dimension, centre=centre)
    a, b = torch.nn.functional.normalize(torch.randn(2, dimension, dtype=torch.float64, generator=seeded(3)))
    path = level_set.geodesic(a, b, 33)
    angle = torch.arccos(a @ b)
    share = torch.linspace(0, 1, 33, dtype=torch.float64)[:, None]
    circle = (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / angle.sin()
    torch.testing.assert_close(path, circle, rtol=0, atol=2e-5)


def shot(axes: np.ndarray, a: np.ndarray, b: np.ndarray, guess: np.ndarray) -> float:
    """Length of the geodesic of an ellipsoid from a to b, by shooting with the geodesic equation (SciPy)."""
    metric = 1 / axes**2

    def equation(_: float, state: np.ndarray) -> np.ndarray:
        x, v = np.split(state, 2)
        normal = metric * x
        return np.append(v, -(v @ (metric * v)) / (normal @ normal) * normal)

    def miss(velocity: np.ndarray) -> np.ndarray:
        tangent = velocity - (velocity @ (metric * a)) / ((metric * a) @ (metric * a)) * metric * a
        end = solve_ivp(equation, (0, 1), np.append(a, tangent), rtol=1e-10, atol=1e-12).y[:3, -1]
        return end - b + (velocity - tangent)

    velocity = fsolve(miss, guess, xtol=1e-12)
    assert np.abs(miss(velocity)).max() < 1e-8
    return float(np.linalg.norm(velocity))


def test_geodesic_of_an_ellipsoid_has_the_length_that_shooting_finds() -> None:
    level_set = ellipsoid(1.0, 2.0, 3.0, centre=(0.1, 0.2, -0.1))
    a, b = level_set.points(torch.tensor([[1.0, 0.2, 0.1], [-0.1, 0.4, 0.9]], dtype=torch.float64))
    lengths = []
    for n in (33, 65):
        path = level_set.geodesic(a, b, n)
        lengths.append(path.diff(dim=0).norm(dim=1).sum().item())
    axes, start = np.array([1.0, 2.0, 3.0]), (path[1] - path[0]).numpy() * 64
    exact = shot(axes, a.numpy(), b.numpy(), start)
    extrapolated = lengths[1] + (lengths[1] - lengths[0]) / 3  # chords fall short by O(1 / n^2)
    assert abs(extrapolated - exact) < 1e-5 * exact
    angles = level_set.interpolate(a, b, 65).diff(dim=0).norm(dim=1).sum().item()
    assert lengths[1] < angles - 1e-3


def test_geodesic_measured_after_a_map_is_the_shortest_there() -> None:
    """After z -> z / axes an ellipsoid is the unit sphere, whose geodesics are great circles."""
    level_set, axes = ellipsoid(1.0, 2.0, 3.0), torch.tensor([1.0, 2.0, 3.0]).double()
    a, b = level_set.points(torch.tensor([[1.0, 0.2, 0.1], [-0.1, 0.4, 0.9]], dtype=torch.float64))
    path = level_set.geodesic(a, b, 65, embed=lambda z: z / axes)
    length = (path / axes).diff(dim=0).norm(dim=1).sum().item()
    assert abs(length - torch.arccos((a / axes) @ (b / axes)).item()) < 1e-4


def test_a_straight_walk_on_a_sphere_is_a_great_circle_and_a_random_one_spreads() -> None:
    level_set = ellipsoid(1.0, 1.0, 1.0)
    a, way = torch.eye(3, dtype=torch.float64)[:2]
    trail = level_set.walk(a, 50, 0.1, direction=way)
    assert trail.shape == (51, 3)
    assert trail[:, 2].abs().max() < 1e-9
    torch.testing.assert_close(
        (trail[1:] * trail[:-1]).sum(1), torch.full((50,), math.cos(math.atan(0.1))).double()
    )
    turned = torch.arange(51).double() * math.atan(0.1)  # most of the way round, not to and fro
    torch.testing.assert_close(trail[:, :2], torch.stack([turned.cos(), turned.sin()], 1))
    many = level_set.walk(a.expand(200, 3), 60, 0.3, generator=seeded())
    assert many.shape == (61, 200, 3)
    assert many[-1].mean(0).norm() < 0.25


def test_float32_samples_keep_dtype_and_level() -> None:
    level_set = ellipsoid(3.0, 1.0, 2.0, dtype=torch.float32)
    points = level_set.sample(50, generator=seeded())
    assert points.dtype == torch.float32
    assert off_level(level_set, points) < 2e-5
    path = level_set.geodesic(points[0], points[1], 17)
    assert path.dtype == torch.float32
    assert off_level(level_set, path) < 2e-5


def test_points_are_as_near_to_the_level_as_the_tolerance_asks_for() -> None:
    f = Softplus(5, seeded()).requires_grad_(False)
    found = minimum(f, torch.zeros(5).double())
    u = directions(300, found.point, seeded())
    off = {}
    for tolerance in (1e-2, None, 1e-13):
        level_set = LevelSet(f, found.value + 1, found.point, tolerance=tolerance)
        off[tolerance] = off_level(level_set, level_set.points(u))
    assert 1e-2 >= off[1e-2] > 1e-6 > off[None] > 1e-13 >= off[1e-13]


def test_a_point_off_the_level_is_named() -> None:
    level_set = ellipsoid(1.0, 1.0)
    on, off = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.5, 0.0]).double()
    for call in (level_set.interpolate, level_set.geodesic):
        with pytest.raises(NotOnLevel, match=r"point 1, \(0.5, 0\): f = 0.25, the level is 1"):
            call(on, off, 5)
    with pytest.raises(NotOnLevel, match="point 0"):
        level_set.walk(off, 3, 0.1)


def test_an_unbounded_set_names_the_ray() -> None:
    level_set = LevelSet(lambda z: z[:, 0].square(), 1.0, torch.zeros(2).double())
    with pytest.raises(UnboundedLevelSet, match=r"ray 1, direction \(0, 1\): level 1 is not reached"):
        level_set.points(torch.eye(2, dtype=torch.float64))
    boxed = LevelSet(level_set.f, 1.0, level_set.centre, box=(-3.0, 3.0))
    assert boxed.points(torch.eye(2, dtype=torch.float64)).isnan().any(1).tolist() == [False, True]


def test_a_concave_function_is_refused() -> None:
    f = Softplus(3, seeded()).requires_grad_(False)
    bent = LevelSet(
        lambda z: 4 * torch.tanh(f(z) - f(torch.zeros(1, 3).double())), 3.0, torch.zeros(3).double()
    )
    with pytest.raises(NotConvexAlongRay, match="ray"):
        bent.points(directions(20, bent.centre, seeded()))


def test_a_walk_along_the_normal_is_refused() -> None:
    level_set = ellipsoid(1.0, 1.0)
    along = torch.tensor([1.0, 0.0]).double()
    with pytest.raises(ValueError, match="no part along the set"):
        level_set.walk(along, 3, 0.1, direction=along)


def test_angles_of_an_interpolation_are_equally_spaced_in_five_dimensions() -> None:
    level_set = ellipsoid(1.0, 2.0, 1.5, 1.0, 0.5, centre=(0.1, 0.0, 0.2, 0.0, 0.0))
    a, b = level_set.points(directions(2, level_set.centre, seeded(3)))
    _, angles = to_angles(level_set.interpolate(a, b, 7) - level_set.centre)
    steps = torch.remainder(angles.diff(dim=0) + math.pi, 2 * math.pi) - math.pi
    torch.testing.assert_close(steps, steps[:1].expand_as(steps), rtol=0, atol=1e-7)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_model_with_head_and_bijection_is_constant_on_its_level_set(sign: int) -> None:
    """g(f(h(x))) = alpha at x = h^-1(z) for z on the level set of f at g^-1(alpha), in five dimensions."""
    torch.manual_seed(0)
    h, f = autoregressive_flow(5, 3, (16, 16)).double(), Softplus(5, seeded()).requires_grad_(False)
    centre = minimum(f, torch.zeros(5).double()).point
    head = lambda y: sign * torch.tanh(y / 4)  # noqa: E731
    alpha = float(head(f(centre[None]) + 1.0))
    level_set = LevelSet(f, level_before(head, alpha), centre)
    with torch.no_grad():
        x = h.inverse(level_set.sample(200, steps=0, generator=seeded()))
        assert (head(f(h(x))) - alpha).abs().max() < 1e-8
        assert (head(f(h(1.01 * x))) - alpha).abs().max() > 1e-3  # elsewhere it is not
