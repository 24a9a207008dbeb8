"""Paths on the boundary of a convex set: walks, great circles of directions, and short paths by a string."""

from contextlib import suppress

import torch
from torch import Tensor

from invex.analysis.level_sets.rays import LevelSetError, UnboundedLevelSet, value
from invex.analysis.level_sets.sampling import directions, normals
from invex.analysis.level_sets.shortening import shortened, ways_round
from invex.analysis.level_sets.strings import (
    GAIN,
    SPECK,
    TURN,
    Map,
    Surface,
    gaps_of,
    halved,
    length,
    pull,
    tangential,
    turns,
)

MOST = 1500
"""Points that a path may need."""


class PathNotResolved(LevelSetError):  # noqa: N818 - named after the finding
    """A path that more points than allowed do not keep on the set."""


def great_circle(a: Tensor, b: Tensor, n: int) -> Tensor:
    """n unit vectors (n, d) from the direction of a to that of b, both (d,), at equal angles.

    Opposite directions have no shorter way: the path then leans towards the axis least aligned with them.
    """
    a, b = a / a.norm(), b / b.norm()
    chord = b - a  # from which, unlike from b itself, little is taken away where a and b are near
    across = chord - (a @ chord) * a
    full = 2 * torch.atan2(chord.norm(), (a + b).norm())
    if float(across.norm()) < 1e2 * torch.finfo(a.dtype).eps:
        axis = torch.zeros_like(a)
        axis[a.abs().argmin()] = 1.0
        across = axis - (a @ axis) * a
    across = across / across.norm()
    angle = torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)[:, None] * full
    return angle.cos() * a + angle.sin() * across


def steps_along(
    surface: Surface,
    points: Tensor,
    steps: int,
    size: float,
    way: Tensor | None,
    generator: torch.Generator | None,
) -> Tensor:
    """Steps from points (m, d) of a surface, in directions (m, d) or random ones: (steps + 1, m, d).

    `LevelSet.walk` says the rest.
    """
    trail = [points]
    for _ in range(steps):
        drawn = directions(len(points), surface.centre, generator) if way is None else way
        along = tangential(drawn, normals(surface.f, points, surface.chunk))
        length = along.norm(dim=1, keepdim=True)
        if bool((length <= 1e2 * torch.finfo(length.dtype).eps * drawn.norm(dim=1, keepdim=True)).any()):
            raise ValueError("a direction of the walk has no part along the set: give another, or none")
        along = along / length
        points = surface.retract(points + size * along)
        way = None if way is None else along
        trail.append(points)
    return torch.stack(trail)


def short_path(surface: Surface, a: Tensor, b: Tensor, n: int, embed: Map | None = None) -> Tensor:
    """n points of a short path on a surface from a to b, both (d,), at equal distances along it: (n, d).

    Several ways round (`ways_round`) are pulled tight, and the shortest of them is returned. Each is shortest
    nearby; that no other is shorter is shown only where the straight line lies on the set, and in two
    dimensions, where the shorter arc is returned. A polygon through the body is shorter than any way round
    it: so where the set is smooth no segment may turn by more than `JUMP`, and the string has more points
    than n where it bends. Where the set has edges, the path is made shorter piece by piece (`shortened`),
    and a segment across an edge cuts the corner: on a cube, between nine random pairs, 801 points gave
    lengths by up to 6e-4 below those that the cube's nets give, and none above. Where a set bends as sharply
    as at an edge in very many places, a path may end up longer; no margin is known there.

    Raises:
        UnboundedLevelSet: no way round ends.
        PathNotResolved: a curve in two dimensions bends too sharply too often for `MOST` points.
    """
    if len(a) == 1:
        raise ValueError("in one dimension a level set is two points, which no path joins")
    if n < 3 or torch.equal(a, b):
        return torch.stack([a, b])[[0] * (n - 1) + [1]]
    if len(a) == 2:
        return _spaced(surface, _shorter_arc(surface, a, b, embed), n, embed)
    share = torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)[:, None]
    line = torch.lerp(a, b, share)
    if embed is None and bool(
        (value(surface.f, line, surface.chunk) >= surface.level - surface.accepted()).all()
    ):
        return torch.cat([a[None], line[1:-1], b[None]])
    starts = ways_round(surface, a, b, embed)
    if not starts:
        raise UnboundedLevelSet("no way round the set from one point to the other ends within the limit")
    paths = []
    for start in starts:
        with suppress(PathNotResolved):
            paths.append(_string(surface, start, n, embed))
    if not paths:
        paths = [_even(surface, shortened(surface, start, embed), n, embed) for start in starts]
    return min(paths, key=lambda path: length(path, embed))


def _string(surface: Surface, start: Tensor, n: int, embed: Map | None) -> Tensor:
    """A path pulled tight as a string, where the set is smooth all along.

    Raises:
        PathNotResolved: it is not, or the string does not settle.
    """
    _refuse_edges(surface, start, embed)
    path = _even(surface, start, n, embed)
    if not bool((turns(surface, path) < TURN).all()):
        path = _spaced(surface, _tight(surface, start, embed), n, embed)
        if not bool((turns(surface, path) < TURN).all()):
            return path
    path, settled = pull(path, surface, embed, None, 1000, GAIN[path.dtype])
    if not settled or not bool((turns(surface, path) < TURN).all()):
        raise PathNotResolved(_STUCK)
    return path


def _refuse_edges(surface: Surface, path: Tensor, embed: Map | None) -> None:
    """Raise `PathNotResolved` where normals jump between points however near."""
    path = _split(surface, path, embed, TURN)
    if bool((turns(surface, path) > TURN).any()):
        raise PathNotResolved(f"{_STUCK}: the set has an edge on the way")


def _even(surface: Surface, path: Tensor, n: int, embed: Map | None) -> Tensor:
    """n points (n, d) of the set at equal distances along a path whose points are near each other."""
    along = torch.cat([path.new_zeros(1), gaps_of(path, embed).cumsum(0)])
    wanted = torch.linspace(0, 1, n, dtype=path.dtype, device=path.device)[1:-1] * along[-1]
    after = torch.searchsorted(along, wanted).clamp(1, len(path) - 1)
    share = (wanted - along[after - 1]) / (along[after] - along[after - 1])
    inner = surface.retract(torch.lerp(path[after - 1], path[after], share[:, None]))
    return torch.cat([path[:1], inner, path[-1:]])


def _placed(surface: Surface, directions: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Points of the surface in directions (n, d), the first and the last replaced by a and b."""
    return torch.cat([a[None], surface.points(directions[1:-1]), b[None]])


def _shorter_arc(surface: Surface, a: Tensor, b: Tensor, embed: Map | None) -> Tensor:
    """The shorter of the two ways round a closed curve, by points with small turns between them."""
    one = great_circle(a - surface.centre, b - surface.centre, 33)
    middle = -one[16]
    other = torch.cat([great_circle(one[0], middle, 33), great_circle(middle, one[-1], 33)[1:]])
    paths = [_split(surface, _placed(surface, one, a, b), embed, TURN)]
    with suppress(UnboundedLevelSet):
        paths.append(_split(surface, _placed(surface, other, a, b), embed, TURN))
    return min(paths, key=lambda path: length(path, embed))


def _tight(surface: Surface, path: Tensor, embed: Map | None) -> Tensor:
    """A string that follows the surface, pulled tight; points are moved to where it bends meanwhile."""
    path = _split(surface, path, embed, TURN)
    for _ in range(60):
        gaps = gaps_of(path, embed)
        before = path
        path, settled = pull(path, surface, embed, gaps / gaps.sum(), 30, enough=1e-8, aside=True)
        if settled:
            return path
        if path is before:
            break
        path = _split(surface, _thinned(surface, path, embed), embed, TURN)
    raise PathNotResolved(f"{_STUCK}: its length, {length(path, embed):.6g}, still falls")


_STUCK = "no path was pulled tight; choose points nearer to each other"


def _split(surface: Surface, path: Tensor, embed: Map | None, turn: float, gap: float = torch.inf) -> Tensor:
    """A path with points added until no segment turns by more than `turn` or is longer than `gap`."""
    for _ in range(40):
        gaps = gaps_of(path, embed)
        wide = (turns(surface, path) > turn) & (gaps > SPECK * gaps.sum()) | (gaps > gap)
        if not bool(wide.any()):
            break
        if len(path) + int(wide.sum()) > MOST:
            raise PathNotResolved(f"{_STUCK}: {MOST} points do not follow the bends of the set between them")
        path = halved(surface, path, wide)
    return path


def _thinned(surface: Surface, path: Tensor, embed: Map | None) -> Tensor:
    """A path without every other point at which it neither turns much nor goes far."""
    bends, gaps = turns(surface, path), gaps_of(path, embed)
    idle = (bends[1:] + bends[:-1] < TURN / 2) & (gaps[1:] + gaps[:-1] < gaps.sum() / 32)
    keep = torch.ones(len(path), dtype=torch.bool, device=path.device)
    keep[1:-1:2] = ~idle[::2]
    return path[keep]


def _spaced(surface: Surface, path: Tensor, n: int, embed: Map | None) -> Tensor:
    """n points at equal distances along a path, measured by points that are near each other."""
    path = _split(surface, path, embed, TURN / 10, length(path, embed) / min(n, 300))
    return _even(surface, path, n, embed)
