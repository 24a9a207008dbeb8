"""Paths on the boundary of a convex set: great circles of directions, and geodesics by a relaxed string."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from invex.analysis.rays import Function, LevelSetError
from invex.analysis.sampling import normals

Map = Callable[[Tensor], Tensor]
TURN = 0.3
"""Angle between the normals at the ends of a segment above which it is split."""
JUMP = 2 * TURN
"""The same above which a step is not taken: it might lead through the body instead of round it."""
SPECK = 1e-5
"""Part of a path's length below which a segment may turn as it likes: the set has an edge there."""
MOST = 1500
"""Points that a path may need."""
GAIN = {torch.float64: 1e-12, torch.float32: 1e-6}
"""Part of the energy that the next step must promise for the string to go on."""


class PathNotResolved(LevelSetError):  # noqa: N818 - named after the finding
    """A path that more points than allowed do not keep on the set."""


class Surface(Protocol):
    """What a path needs of a level set, as `invex.analysis.level_sets.LevelSet` offers it."""

    @property
    def f(self) -> Function:
        """The function, whose gradient is normal to the set."""

    @property
    def centre(self) -> Tensor:
        """A point (d,) inside."""

    @property
    def chunk(self) -> int:
        """Points evaluated at once."""

    def points(self, directions: Tensor) -> Tensor:
        """Points of the set in directions (n, d)."""

    def retract(self, points: Tensor) -> Tensor:
        """Points (n, d) moved to the set along their rays."""


def great_circle(a: Tensor, b: Tensor, n: int) -> Tensor:
    """n unit vectors (n, d) from the direction of a to that of b, both (d,), at equal angles.

    Opposite directions have no shorter way: the path then leans towards the axis least aligned with them.
    """
    a, b = a / a.norm(), b / b.norm()
    across = b - (a @ b) * a
    if float(across.norm()) < 1e2 * torch.finfo(a.dtype).eps:
        axis = torch.zeros_like(a)
        axis[a.abs().argmin()] = 1.0
        across = axis - (a @ axis) * a
    across = across / across.norm()
    angle = torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)[:, None] * torch.atan2(across @ b, a @ b)
    return angle.cos() * a + angle.sin() * across


def tangential(vectors: Tensor, normal: Tensor) -> Tensor:
    """Vectors (n, d) without their part along unit normals (n, d)."""
    return vectors - (vectors * normal).sum(-1, keepdim=True) * normal


def shortest(surface: Surface, a: Tensor, b: Tensor, n: int, embed: Map | None = None) -> Tensor:
    """n points of a shortest path on a surface from a to b, both (d,): (n, d).

    A string of n points is pulled tight where that many follow the surface all along. Elsewhere, as at the
    rim of a flat body, a string of fewer than `MOST` points is, with more of them where the surface bends;
    n points at equal distances along it are returned. A polygon through the body is shorter than any way
    round it, so no segment may turn by more than `JUMP`. In two dimensions the shorter arc is returned.

    Raises:
        PathNotResolved: the surface bends too sharply too often for `MOST` points.
    """
    if len(a) == 1:
        raise ValueError("in one dimension a level set is two points, which no path joins")
    if n < 3 or torch.equal(a, b):
        return torch.stack([a, b])[[0] * (n - 1) + [1]]
    if len(a) == 2:
        return _spaced(surface, _shorter_arc(surface, a, b, embed), n, embed)
    path = _placed(surface, great_circle(a - surface.centre, b - surface.centre, n), a, b)
    if bool((_turns(surface, path) < TURN).all()):
        path = relax(path, surface, embed=embed)
        if bool((_turns(surface, path) < TURN).all()):
            return path
    start = great_circle(a - surface.centre, b - surface.centre, 33)
    path = _spaced(surface, _tight(surface, _placed(surface, start, a, b), embed), n, embed)
    return relax(path, surface, embed=embed) if bool((_turns(surface, path) < TURN).all()) else path


def _placed(surface: Surface, directions: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Points of the surface in directions (n, d), the first and the last replaced by a and b."""
    return torch.cat([a[None], surface.points(directions[1:-1]), b[None]])


def _shorter_arc(surface: Surface, a: Tensor, b: Tensor, embed: Map | None) -> Tensor:
    """The shorter of the two ways round a closed curve, by points with small turns between them."""
    one = great_circle(a - surface.centre, b - surface.centre, 33)
    middle = -one[16]
    other = torch.cat([great_circle(one[0], middle, 33), great_circle(middle, one[-1], 33)[1:]])
    paths = []
    for directions in (one, other):
        path = _placed(surface, directions, a, b)
        paths.append(_split(surface, path, embed, TURN))
    return min(paths, key=lambda path: _length(path, embed))


def _tight(surface: Surface, path: Tensor, embed: Map | None) -> Tensor:
    """A string that follows the surface, pulled tight; points are moved to where it bends meanwhile."""
    path = _split(surface, path, embed, TURN)
    for _ in range(60):
        gaps = _gaps(path, embed)
        before = path
        path, settled = _pull(path, surface, embed, gaps / gaps.sum(), 30, enough=1e-8, aside=True)
        if settled:
            return path
        if path is before:
            break
        path = _split(surface, _thinned(surface, path, embed), embed, TURN)
    raise PathNotResolved(f"{_STUCK}: its length, {_length(path, embed):.6g}, still falls")


_STUCK = "no shortest path was found; choose points nearer to each other"


def _split(surface: Surface, path: Tensor, embed: Map | None, turn: float, gap: float = torch.inf) -> Tensor:
    """A path with points added until no segment turns by more than `turn` or is longer than `gap`."""
    for _ in range(40):
        gaps = _gaps(path, embed)
        wide = (_turns(surface, path) > turn) & (gaps > SPECK * gaps.sum()) | (gaps > gap)
        if not bool(wide.any()):
            break
        if len(path) + int(wide.sum()) > MOST:
            raise PathNotResolved(f"{_STUCK}: {MOST} points do not follow the bends of the set between them")
        added = surface.retract((path[1:] + path[:-1])[wide] / 2)
        place = torch.arange(len(path), device=path.device)
        order = torch.cat([place.double(), place[:-1][wide] + 0.5]).argsort()
        path = torch.cat([path, added])[order]
    return path


def _thinned(surface: Surface, path: Tensor, embed: Map | None) -> Tensor:
    """A path without every other point at which it neither turns much nor goes far."""
    turns, gaps = _turns(surface, path), _gaps(path, embed)
    idle = (turns[1:] + turns[:-1] < TURN / 2) & (gaps[1:] + gaps[:-1] < gaps.sum() / 32)
    keep = torch.ones(len(path), dtype=torch.bool, device=path.device)
    keep[1:-1:2] = ~idle[::2]
    return path[keep]


def _spaced(surface: Surface, path: Tensor, n: int, embed: Map | None) -> Tensor:
    """n points at equal distances along a path, measured by points that are near each other."""
    path = _split(surface, path, embed, TURN / 10, _length(path, embed) / min(n, 300))
    along = torch.cat([path.new_zeros(1), _gaps(path, embed).cumsum(0)])
    wanted = torch.linspace(0, 1, n, dtype=path.dtype, device=path.device)[1:-1] * along[-1]
    after = torch.searchsorted(along, wanted).clamp(1, len(path) - 1)
    share = (wanted - along[after - 1]) / (along[after] - along[after - 1])
    inner = surface.retract(torch.lerp(path[after - 1], path[after], share[:, None]))
    return torch.cat([path[:1], inner, path[-1:]])


def _turns(surface: Surface, path: Tensor) -> Tensor:
    """Angles between the normals at the ends of each segment, (n - 1,)."""
    return _angles(normals(surface.f, path, surface.chunk))


def _angles(normal: Tensor) -> Tensor:
    """Angles between consecutive unit vectors (n, d), without the cancellation of a cosine near 1."""
    return 2 * torch.atan2(normal.diff(dim=0).norm(dim=1), (normal[1:] + normal[:-1]).norm(dim=1))


def _gaps(path: Tensor, embed: Map | None) -> Tensor:
    """Lengths of the segments, (n - 1,), measured after `embed`."""
    with torch.no_grad():
        return (path if embed is None else embed(path)).diff(dim=0).norm(dim=1)


def _length(path: Tensor, embed: Map | None) -> float:
    return float(_gaps(path, embed).sum())


def relax(
    path: Tensor,
    surface: Surface,
    *,
    embed: Map | None = None,
    shares: Tensor | None = None,
    iterations: int = 1000,
) -> Tensor:
    """Shortens a path on a surface to a geodesic between its ends: a string with given shares of its length.

    Minimises the energy sum |x_{i+1} - x_i|^2 / share_i, whose minimum is a shortest path at that pace.
    A step goes along the tangential gradient, smoothed by the inverse of the string's own stiffness, so
    that the number of steps does not grow with that of the points; it is pulled back on the surface, and
    halved until the energy falls and no segment turns by more than `JUMP`.

    Args:
        path: (n, d) points of the surface, n >= 3.
        surface: a level set.
        embed: (n, d) -> (n, e), differentiable: the length is measured there, for example after h^-1.
        shares: (n - 1,) of each segment; by default equal.
        iterations: largest number of steps.

    Returns:
        (n, d), the ends unchanged.
    """
    return _pull(path, surface, embed, shares, iterations, GAIN[path.dtype])[0]


def _pull(
    path: Tensor,
    surface: Surface,
    embed: Map | None,
    shares: Tensor | None,
    iterations: int,
    enough: float,
    *,
    aside: bool = False,
) -> tuple[Tensor, bool]:
    """`relax`, and whether it ended because a step promised less than `enough` of the energy.

    With `aside` points do not move along the string, whose length that would not change: at a sharp bend
    they would slide off it on both sides, as the segment between them cuts the corner.
    """
    weight = 1 / shares if shares is not None else torch.full_like(path[1:, 0], len(path) - 1)
    factor = torch.linalg.cholesky(_stiffness(weight))
    size, normal = 1.0, normals(surface.f, path, surface.chunk)
    energy, gradient = _energy(path, weight, embed)
    for _ in range(iterations):
        along = _along(path, normal) if aside else torch.zeros_like(path[1:-1])
        slope = tangential(tangential(gradient, normal[1:-1]), along)
        step = -tangential(tangential(torch.cholesky_solve(slope, factor), normal[1:-1]), along)
        gain = -float((step * slope).sum())
        if gain <= enough * energy:
            return path, True
        trial = torch.cat([path[:1], surface.retract(path[1:-1] + size * step), path[-1:]])
        trial_energy, trial_gradient = _energy(trial, weight, embed)
        there = normals(surface.f, trial, surface.chunk)
        if trial_energy < energy - 0.1 * size * gain and _follows(trial, there, path, normal):
            path, energy, gradient, normal = trial, trial_energy, trial_gradient, there
            size = min(2.0, 1.5 * size)
        elif size < 1e-5:
            break
        else:
            size /= 2
    return path, False


def _along(path: Tensor, normal: Tensor) -> Tensor:
    """Unit tangents of a path at its inner points, (n - 2, d), along the surface."""
    ways = torch.nn.functional.normalize(path.diff(dim=0))
    return torch.nn.functional.normalize(tangential(ways[1:] + ways[:-1], normal[1:-1]))


def _follows(path: Tensor, normal: Tensor, before: Tensor, normal_before: Tensor) -> bool:
    """Whether no segment turns too much, unless it did before or is as short as at an edge."""
    gaps, turns = path.diff(dim=0).norm(dim=1), _angles(normal)
    no_worse = (turns <= _angles(normal_before)) & (gaps <= before.diff(dim=0).norm(dim=1))
    return bool(((turns < JUMP) | no_worse | (gaps < 10 * SPECK * gaps.sum())).all())


def _stiffness(weight: Tensor) -> Tensor:
    """Second derivative of the energy by the inner points, where the surface is flat: (n - 2, n - 2)."""
    beside = torch.diag(weight[1:-1], 1)
    return 2 * (torch.diag(weight[1:] + weight[:-1]) - beside - beside.T)


def _energy(path: Tensor, weight: Tensor, embed: Map | None) -> tuple[float, Tensor]:
    """Energy of a path and its gradient by the inner points."""
    with torch.enable_grad():
        z = path.detach().requires_grad_()
        placed = z if embed is None else embed(z)
        energy = (weight * placed.diff(dim=0).square().sum(1)).sum()
        (gradient,) = torch.autograd.grad(energy, z)
    return float(energy.detach()), gradient[1:-1]
