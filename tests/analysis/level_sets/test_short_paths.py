"""Several ways round a set, pulled tight: lengths beside exact ones, edges or none."""

import math
from itertools import pairwise

import pytest
import torch
from convex_functions import seeded
from invex.analysis.level_sets import LevelSet
from invex.analysis.level_sets.sampling import directions
from invex.analysis.level_sets.sections import across, cut, descend
from invex.analysis.level_sets.shortening import shortened, ways_round
from scipy import special
from torch import Tensor

AXES = torch.tensor([1.0, 1.0, 0.2], dtype=torch.float64)


def length(path: Tensor) -> float:
    return float(path.diff(dim=0).norm(dim=1).sum())


def point(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


@pytest.fixture(scope="module")
def lens() -> LevelSet:
    """x^2 + y^2 + 25 z^2 = 1."""
    return LevelSet(lambda z: (z / AXES).square().sum(1), 1.0, torch.zeros_like(AXES))


@pytest.fixture(scope="module")
def octahedron() -> LevelSet:
    return LevelSet(lambda z: z.abs().sum(1), 1.0, point(0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def cube() -> LevelSet:
    return LevelSet(lambda z: z.abs().amax(1), 1.0, point(0.0, 0.0, 0.0))


def test_over_the_pole_and_not_round_the_rim(lens: LevelSet) -> None:
    """Half the rim has the length pi; half the ellipse over the pole is 2 E(24 / 25) long."""
    path = lens.geodesic(point(1, 0, 0), point(-1, 0, 0), 101)
    exact = 2 * float(special.ellipe(0.96))
    assert exact == pytest.approx(2.1010, abs=1e-4)
    assert exact - 2e-3 < length(path) < exact
    assert path[50, 2].abs() == pytest.approx(0.2, abs=1e-6)


def test_a_way_round_that_is_longest_nearby_is_left(lens: LevelSet) -> None:
    """The rim itself is a geodesic; a half plane beside it turns towards a pole, one on it stays."""
    a, b = point(1, 0, 0)[None], point(-1, 0, 0)[None]
    on_rim = descend(lens, cut(lens, a, b, point(0, 1, 0)[None], None), None, 40)
    assert on_rim.lengths.item() == pytest.approx(math.pi, rel=1e-2)
    beside = across(point(0, 1, 0.05)[None], b - a)
    assert descend(lens, cut(lens, a, b, beside, None), None, 40).lengths.item() < 2.15


def test_opposite_vertices_of_an_octahedron(octahedron: LevelSet) -> None:
    """Over the middle of an edge: 2 sqrt(3 / 2)."""
    path = octahedron.geodesic(point(1, 0, 0), point(-1, 0, 0), 101)
    assert 6**0.5 * (1 - 1.5 / 101) < length(path) < 6**0.5 * (1 + 1e-3)
    assert (octahedron.f(path) - 1).abs().max() < 1e-9


@pytest.mark.parametrize(
    ("a", "b", "exact"),
    [
        ((1, 1, 1), (-1, -1, -1), 20**0.5),  # two faces unfolded: a rectangle of 2 by 4
        ((1, 0.3, 0.2), (0.1, 1, -0.4), (1.6**2 + 0.6**2) ** 0.5),  # across one edge
        ((1, 0.3, 0.2), (1, -0.5, -0.4), 1.0),  # on one face, straight
    ],
)
def test_paths_on_a_cube_are_those_of_its_net(
    cube: LevelSet, a: tuple[float, ...], b: tuple[float, ...], exact: float
) -> None:
    """n points cut the corner at each edge by less than a segment."""
    n = 401
    path = cube.geodesic(point(*a), point(*b), n)
    assert exact - 1.5 * exact / n < length(path) < exact * (1 + 1e-3)
    assert (cube.f(path) - 1).abs().max() < 1e-9


def test_in_seven_dimensions_a_network_of_rectifiers_has_a_path() -> None:
    """No bound says how short: it is shorter than the way along a great circle, longer than the chord."""
    draw = {"generator": seeded(), "dtype": torch.float64}
    inner, outer = torch.randn(40, 7, **draw), torch.rand(16, 40, **draw)
    centre = torch.zeros(7, dtype=torch.float64)

    def f(z: Tensor) -> Tensor:
        return torch.relu(torch.relu(z @ inner.T + 0.1) @ outer.T - 1).sum(1)

    level_set = LevelSet(f, float(f(centre[None])) + 20.0, centre)
    a, b = level_set.points(directions(2, centre, seeded(3)))
    path = level_set.geodesic(a, b, 65)
    assert float((a - b).norm()) < length(path) < length(level_set.interpolate(a, b, 400))
    assert (f(path) - level_set.level).abs().max() < 1e-7


def test_the_outline_of_an_arc_is_longer_and_on_a_polyhedron_exact(
    lens: LevelSet, octahedron: LevelSet
) -> None:
    """Chords are shorter than the arc, the polygon of tangents longer; on one edge the latter is the arc."""
    a, b = point(1, 0, 0)[None], point(-1, 0, 0)[None]
    over = cut(lens, a, b, point(0, 0, 1)[None], None)
    exact = 2 * float(special.ellipe(0.96))
    chords = length(torch.cat([a, over.points[0], b]))
    assert chords < exact < over.lengths.item() < exact * 1.02
    edge = cut(octahedron, a, b, across(point(0, 0.6, 0.8)[None], b - a), None)
    # the plane meets the edge between the second and the third axis at (0, 3, 4) / 7
    assert edge.lengths.item() == pytest.approx(2 * (1 + 25 / 49) ** 0.5, abs=1e-6)


def test_the_derivative_of_a_length_by_the_half_plane(octahedron: LevelSet) -> None:
    a, b, way = (
        point(1, 0, 0)[None],
        point(-1, 0, 0)[None],
        across(point(0, 0.6, 0.8)[None], point(1, 0, 0)[None]),
    )
    found = cut(octahedron, a, b, way, None)
    turn = across(torch.linalg.cross(way, point(1, 0, 0)[None]), b - a)
    tilted = [
        cut(octahedron, a, b, math.cos(e) * way + math.sin(e) * turn, None, found.turn).lengths.item()
        for e in (1e-4, -1e-4)
    ]
    assert float((found.uphill * turn).sum()) == pytest.approx((tilted[0] - tilted[1]) / 2e-4, rel=1e-4)


def test_a_path_is_shortened_across_edges_to_that_of_the_net(cube: LevelSet) -> None:
    """A control: the start, over the top and not straight, is longer by far."""
    corners = torch.stack([point(1, 0.3, 0.2), point(1, 0.9, 1), point(0.6, 1, 1), point(0.1, 1, -0.4)])
    share = torch.linspace(0, 1, 30, dtype=torch.float64)[:, None]
    start = torch.cat([torch.lerp(*pair, share) for pair in pairwise(corners)])
    start = cube.retract(start.unique_consecutive(dim=0))
    exact = (1.6**2 + 0.6**2) ** 0.5
    assert length(start) > 1.4 * exact
    assert length(shortened(cube, start, None)) == pytest.approx(exact, rel=2e-3)


def test_where_no_way_round_ends_there_is_none() -> None:
    slab = LevelSet(lambda z: z[:, 0].square() + 0 * z[:, 1], 1.0, point(0, 0, 0))
    assert ways_round(slab, point(1, 0, 0), point(-1, 0, 0), None) == []
