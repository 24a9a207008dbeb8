"""Shortest paths round thin bodies, where a polygon through the body would be shorter."""

import math
from dataclasses import replace

import pytest
import torch
from invex.analysis.level_sets import LevelSet
from invex.analysis.level_sets.paths import PathNotResolved, great_circle
from scipy import special
from torch import Tensor


def body(*axes: float, chunk: int = 8192) -> LevelSet:
    """The ellipsoid with these half axes."""
    scale = torch.tensor(axes, dtype=torch.float64)
    return LevelSet(lambda z: (z / scale).square().sum(1), 1.0, torch.zeros_like(scale), chunk=chunk)


def arc(a: float, b: float, start: float, end: float) -> float:
    """Length of an ellipse's arc between two angles of (a cos, b sin), by elliptic integrals (SciPy)."""
    return float(b * (special.ellipeinc(end, 1 - (a / b) ** 2) - special.ellipeinc(start, 1 - (a / b) ** 2)))


def length(path: Tensor) -> float:
    return float(path.diff(dim=0).norm(dim=1).sum())


def on_surface(level_set: LevelSet, path: Tensor) -> bool:
    return bool(((level_set.f(path) - 1).abs() < 1e-8).all())


@pytest.mark.parametrize("n", [33, 65, 257])
def test_from_pole_to_pole_of_a_thin_spheroid(n: int) -> None:
    """Half an ellipse 10 : 1; chords fall short of it, never by more than they would on its own points."""
    level_set, pole = body(10.0, 10.0, 1.0), torch.tensor([0.0, 0.0, 1.0]).double()
    path = level_set.geodesic(pole, -pole, n)
    exact = arc(1.0, 10.0, 0.0, math.pi)
    assert exact - 0.08 < length(path) < exact
    gaps = path.diff(dim=0).norm(dim=1)
    assert gaps.max() < 1.02 * exact / (n - 1)
    assert on_surface(level_set, path)


@pytest.mark.parametrize("n", [3, 9, 33, 65, 400])
def test_the_arc_of_a_long_ellipse(n: int) -> None:
    level_set, tip = body(10.0, 1.0), math.acos(0.3)
    a, b = torch.tensor([[3.0, math.sin(tip)], [3.0, -math.sin(tip)]]).double()
    path = level_set.geodesic(*level_set.retract(torch.stack([a, b])), n)
    exact = arc(10.0, 1.0, -tip, tip)
    assert (path[:, 0] > 2.9).all()
    assert (path[1:-1, 1].diff() <= 0).all()
    parameter = torch.atan2(path[:, 1], path[:, 0] / 10)
    gaps = [
        arc(10.0, 1.0, *pair) for pair in zip(parameter[1:].tolist(), parameter[:-1].tolist(), strict=True)
    ]
    assert gaps == pytest.approx([exact / (n - 1)] * (n - 1), rel=5e-3)


def test_near_directions_in_float32_are_not_overrun() -> None:
    """On a thin ellipse; the difference of the directions is one of numbers that are nearly equal."""
    axes, ends = torch.tensor([1.0, 1e-4]), ((0.22398514, 9.7459254e-5), (0.55472964, 8.3203071e-5))
    level_set = LevelSet(lambda z: (z / axes).square().sum(1), 1.0, torch.zeros(2))
    path = level_set.geodesic(*torch.tensor(ends), 40)
    assert length(path) == pytest.approx(math.dist(*ends), rel=1e-3)


def test_the_shorter_arc_is_not_the_one_of_the_smaller_angle() -> None:
    """Over the tip of a drop, seen from a centre near its blunt end, an angle under pi is the longer way."""
    level_set = LevelSet(body(10.0, 1.0).f, 1.0, torch.tensor([-9.5, 0.0]).double())
    a, b = level_set.points(torch.tensor([[0.2, 1.0], [0.2, -1.0]]).double())
    path = level_set.geodesic(a, b, 50)
    assert path[25, 0] < -9.9


def test_the_shorter_arc_is_the_one_after_a_map_and_so_are_equal_distances() -> None:
    """The map draws out the right half of a circle sixfold, and heights threefold."""

    def embed(z: Tensor) -> Tensor:
        return torch.stack([torch.where(z[:, 0] > 0, 6 * z[:, 0], z[:, 0]), 3 * z[:, 1]], 1)

    level_set, up = body(1.0, 1.0), 0.96**0.5
    ends = torch.tensor([[0.2, up], [0.2, -up]]).double()
    assert level_set.geodesic(*ends, 41)[20, 0] > 0.9
    path = level_set.geodesic(*ends, 41, embed=embed)
    assert path[20, 0] < -0.9
    gaps = [points.diff(dim=0).norm(dim=1) for points in (embed(path), path)]
    assert gaps[0].max() < 1.05 * gaps[0].min()
    assert gaps[1].max() > 1.5 * gaps[1].min()


def test_where_one_way_round_is_unbounded_the_other_is_taken() -> None:
    """On the parabola z2 = z1^2, seen from within."""
    parabola = LevelSet(lambda z: z[:, 0].square() - z[:, 1], 0.0, torch.tensor([0.0, 1.0]).double())
    path = parabola.geodesic(*torch.tensor([[-1.0, 1.0], [0.5, 0.25]]).double(), 21)
    assert (path[:, 0].diff() > 0).all()
    torch.testing.assert_close(path[:, 1], path[:, 0].square(), rtol=0, atol=1e-8)


def test_a_box_plays_no_part_on_the_way() -> None:
    boxed = replace(body(1.0, 1.0, 1.0), box=(-2.0, torch.tensor([2.0, 2.0, 0.5])))
    ends = torch.tensor([[0.84**0.5, 0.0, 0.4], [-(0.84**0.5), 0.0, 0.4]]).double()
    assert boxed.geodesic(*ends, 9)[4, 2] > 0.99
    assert boxed.points(ends.mean(0)[None]).isnan().all()


@pytest.mark.parametrize("axis", [5.0, 10.0])
def test_a_generic_pair_goes_over_the_rim_of_a_disc(axis: float) -> None:
    """A little longer than the shortest way over the rim of a disc without thickness."""
    level_set = body(axis, axis, 1.0)
    drawn = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    a, b = level_set.points(drawn)
    path = level_set.geodesic(a, b, 129)
    angle = torch.linspace(0, 2 * math.pi, 10_001, dtype=torch.float64)
    rim = axis * torch.stack([angle.cos(), angle.sin()], 1)
    flat = float(((a[:2] - rim).norm(dim=1) + (b[:2] - rim).norm(dim=1)).min())
    assert flat < length(path) < flat + 1.0
    assert path.diff(dim=0).norm(dim=1).max() < 1.05 * length(path) / 128


def test_what_does_not_settle_is_refused_and_never_a_jump() -> None:
    level_set = body(3000.0, 3000.0, 1.0, 1.0)
    drawn = torch.randn(2, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    a, b = level_set.points(drawn)
    try:
        path = level_set.geodesic(a, b, 33)
    except PathNotResolved as error:
        assert "nearer to each other" in str(error)  # noqa: PT017 - either is right, a jump is not
    else:
        between = (path[1:] + path[:-1]) / 2
        assert (level_set.retract(between) - between).norm(dim=1).max() < 0.5 * length(path) / 32


def test_a_geodesic_keeps_to_the_chunk() -> None:
    seen: list[int] = []
    whole = body(10.0, 10.0, 1.0, chunk=64)

    def f(z: Tensor) -> Tensor:
        seen.append(len(z))
        return whole.f(z)

    level_set, pole = LevelSet(f, 1.0, whole.centre, chunk=64), torch.tensor([0.0, 0.0, 1.0]).double()
    level_set.geodesic(pole, -pole, 257)
    assert max(seen) <= 64


@pytest.mark.parametrize("axis", range(3))
def test_a_great_circle_joins_opposite_directions_at_equal_angles(axis: int) -> None:
    a = torch.eye(3, dtype=torch.float64)[axis]
    path = great_circle(a, -a, 9)
    torch.testing.assert_close(path @ a, torch.linspace(0, math.pi, 9, dtype=torch.float64).cos())
    torch.testing.assert_close(
        (path[1:] * path[:-1]).sum(1), torch.full((8,), math.cos(math.pi / 8)).double()
    )


def test_in_one_dimension_there_is_no_path() -> None:
    level_set = LevelSet(lambda z: z.square().sum(1), 1.0, torch.zeros(1).double())
    with pytest.raises(ValueError, match="one dimension"):
        level_set.geodesic(torch.ones(1).double(), -torch.ones(1).double(), 9)


def test_from_a_point_to_itself() -> None:
    level_set, pole = body(10.0, 10.0, 1.0), torch.tensor([0.0, 0.0, 1.0]).double()
    assert torch.equal(level_set.geodesic(pole, pole, 5), pole.expand(5, 3))
    assert torch.equal(level_set.geodesic(pole, -pole, 2), torch.stack([pole, -pole]))
