"""Arcs that half planes cut out of the boundary of a convex set: ways round from one point to another.

A half plane that ends in the chord between two points cuts the boundary in one convex arc between them, and
the direction in which it leaves the chord says which. Where the set is smooth a short geodesic is such an arc
up to third order, and where it crosses one edge of a polyhedron exactly. No normal is followed from point to
point, so that edges do no harm.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from invex.analysis.level_sets.radius import radius
from invex.analysis.level_sets.rays import value
from invex.analysis.level_sets.sampling import normals
from invex.analysis.level_sets.strings import Map, Surface

RAYS = 25
"""Rays from the middle of a chord that describe an arc."""
LEVEL = 1e-6
"""Angle between normals below which two points count as on one face."""


@dataclass(frozen=True)
class Arcs:
    """k arcs, the polygons that touch them and those polygons' lengths.

    Attributes:
        a, b: (k, d) the ends.
        ways: (k, d) unit vectors across the chords, towards which the half planes go.
        turn: (k, j) angles of the rays at the middle of the chord, in (0, pi), from a.
        points: (k, j, d) where they meet the set.
        outline: (k, 2 j + 3, d) the polygon round the arc: ends and points, with the crossings of the
            tangents in between. It is longer than the arc, and on a polyhedron whose edges lie one by one
            between the points the arc itself.
        lengths: (k,) of the outline; infinite where the half plane meets no end of the set.
        uphill: (k, d) derivative of the lengths by the ways, across both way and chord.
    """

    a: Tensor
    b: Tensor
    ways: Tensor
    turn: Tensor
    points: Tensor
    outline: Tensor
    lengths: Tensor
    uphill: Tensor

    def subset(self, index: Tensor) -> Self:
        """The arcs at these places (m,), or where this (k,) is true."""
        return type(self)(**{name: part[index] for name, part in vars(self).items()})

    def better(self, other: Self) -> Self:
        """Of each pair of arcs the shorter."""
        shorter = other.lengths < self.lengths
        parts = {
            name: torch.where(shorter.view(-1, *[1] * (part.dim() - 1)), getattr(other, name), part)
            for name, part in vars(self).items()
        }
        return type(self)(**parts)


def across(ways: Tensor, chords: Tensor) -> Tensor:
    """Unit parts of vectors (k, d) across chords (k, d); zero where there is none."""
    along = torch.nn.functional.normalize(chords)
    part = ways - (ways * along).sum(1, keepdim=True) * along
    size = part.norm(dim=1, keepdim=True)
    return torch.where(
        size > 1e-6 * ways.norm(dim=1, keepdim=True), part / size.clamp_min(torch.finfo(size.dtype).tiny), 0.0
    )


def cut(
    surface: Surface, a: Tensor, b: Tensor, ways: Tensor, embed: Map | None, turn: Tensor | None = None
) -> Arcs:
    """The arcs from a to b, both (k, d), in the half planes towards ways (k, d); lengths after `embed`.

    Without `turn` the rays are spread so that the points lie about equally far apart, wherever the set bends.
    """
    if turn is None:
        angles = torch.linspace(0, torch.pi, RAYS + 2, dtype=a.dtype, device=a.device)[1:-1]
        turn = angles.expand(len(a), RAYS)
        for _ in range(2):
            turn = _spread(turn, _points(surface, a, b, ways, turn), a, b)
    points = _points(surface, a, b, ways, turn)
    found = torch.stack([a, b], 1), torch.cat([a[:, None], points, b[:, None]], 1)
    normal = normals(surface.f, found[1].flatten(0, 1), surface.chunk).view_as(found[1])
    with torch.enable_grad():
        way = ways.detach().requires_grad_()
        outline = _outline(found[0], way, turn, found[1], normal.nan_to_num(0.0))
        placed = outline if embed is None else embed(outline.flatten(0, 1)).unflatten(0, outline.shape[:2])
        lengths = placed.diff(dim=1).square().sum(-1).clamp_min(torch.finfo(a.dtype).tiny)
        lengths = lengths.sqrt().sum(1)
        (uphill,) = torch.autograd.grad(lengths.nan_to_num(0.0).sum(), way)
    uphill = uphill - (uphill * ways).sum(1, keepdim=True) * ways
    chord = torch.nn.functional.normalize(b - a)
    uphill = (uphill - (uphill * chord).sum(1, keepdim=True) * chord).nan_to_num(0.0, 0.0, 0.0)
    return Arcs(a, b, ways, turn, points, outline.detach(), lengths.detach().nan_to_num(torch.inf), uphill)


def descend(surface: Surface, arcs: Arcs, embed: Map | None, steps: int, size: float = 0.3) -> Arcs:
    """Arcs whose half planes are turned about their chords until none is shorter nearby.

    A step turns a way down its gradient by an angle that grows where the arc becomes shorter and shrinks
    where it does not.
    """
    angle = torch.full_like(arcs.lengths, size)
    for step in range(steps):
        down = -torch.nn.functional.normalize(arcs.uphill)
        way = angle.cos()[:, None] * arcs.ways + angle.sin()[:, None] * down
        way = across(way, arcs.b - arcs.a)  # of a gradient of about zero only rounding is left
        tried = cut(surface, arcs.a, arcs.b, way, embed, arcs.turn)
        shorter = tried.lengths < arcs.lengths * (1 - 1e-12)
        angle = torch.where(shorter, 1.5 * angle, angle / 4).clamp_max(1.0)
        arcs = arcs.better(tried)
        if bool((angle < 1e-5).all()):
            break
        if step % 8 == 7:  # the arc has moved: so should the rays
            arcs = arcs.better(cut(surface, arcs.a, arcs.b, arcs.ways, embed))
    return arcs


def _points(surface: Surface, a: Tensor, b: Tensor, ways: Tensor, turn: Tensor) -> Tensor:
    """Points of the set (k, j, d) on rays at angles (k, j); NaN where a ray does not end."""
    middle, along = (a + b) / 2, torch.nn.functional.normalize(a - b)
    rays = turn.cos()[..., None] * along[:, None] + turn.sin()[..., None] * ways[:, None]
    start = middle[:, None].expand_as(rays).flatten(0, 1)
    origin = value(surface.f, middle, surface.chunk)
    accepted = max(surface.accepted(), float((origin - surface.level).max()))
    found = radius(
        surface.f,
        start,
        rays.flatten(0, 1),
        surface.level,
        tolerance=accepted,
        limit=surface.limit,
        chunk=surface.chunk,
    )
    flat = (origin >= surface.level - accepted).repeat_interleave(turn.shape[1])
    far = torch.where(flat & ~found.reached, 0.0, found.radius)
    return torch.addcmul(start, far[:, None], rays.flatten(0, 1)).view_as(rays)


def _spread(turn: Tensor, points: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Angles (k, j) at which points lie more evenly along the arc, by those found at other angles."""
    path = torch.cat([a[:, None], points, b[:, None]], 1)
    gaps = path.diff(dim=1).norm(dim=-1).nan_to_num(1.0)
    angles = torch.nn.functional.pad(turn, (1, 1))
    angles[:, -1] = torch.pi
    # a third by angle: a sharp tip seen from far away is short, and still has to be seen
    pace = gaps / gaps.sum(1, keepdim=True) + 0.5 * angles.diff(dim=1) / torch.pi
    place = torch.nn.functional.pad(pace.cumsum(1), (1, 0)) / pace.sum(1, keepdim=True)
    wanted = torch.linspace(0, 1, turn.shape[1] + 2, dtype=turn.dtype, device=turn.device)[1:-1]
    wanted = wanted.expand_as(turn).contiguous()
    after = torch.searchsorted(place.contiguous(), wanted).clamp(1, place.shape[1] - 1)
    low, high = place.gather(1, after - 1), place.gather(1, after)
    share = ((wanted - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
    return torch.lerp(angles.gather(1, after - 1), angles.gather(1, after), share)


def _outline(ends: Tensor, way: Tensor, turn: Tensor, path: Tensor, normal: Tensor) -> Tensor:
    """The polygon of `Arcs.outline`, with the derivative by the way (k, d) that the arc has.

    As the plane turns, a point moves along its ray to the tangent plane of the set: that gives the derivative
    of the point, whatever its value.
    """
    middle = ends.mean(1, keepdim=True)
    along = torch.nn.functional.normalize(ends[:, 0] - ends[:, 1])[:, None]
    side = way[:, None]
    rays = turn.cos()[..., None] * along + turn.sin()[..., None] * side
    inner, inner_normal = path[:, 1:-1], normal[:, 1:-1]
    height = (inner_normal * (inner - middle)).sum(-1, keepdim=True)
    rise = (inner_normal * rays).sum(-1, keepdim=True)
    inner = middle + height / rise.clamp_min(1e-12) * rays
    path = torch.cat([path[:, :1], inner, path[:, -1:]], 1)
    flat = torch.stack([(normal * along).sum(-1), (normal * side).sum(-1)], -1)
    flat = torch.nn.functional.normalize(flat, dim=-1)
    corners = _crossings(path, flat, along, side)
    woven = torch.stack([path[:, :-1], corners], 2).flatten(1, 2)
    return torch.cat([woven, path[:, -1:]], 1)


def _crossings(path: Tensor, normal: Tensor, along: Tensor, side: Tensor) -> Tensor:
    """Where the tangents at neighbouring points of arcs (k, j, d) cross, (k, j - 1, d).

    `normal` (k, j, 2) are those within the plane spanned by `along` and `side`. Halfway where they are
    parallel.
    """
    step = path.diff(dim=1)
    chord = torch.stack([(step * along).sum(-1), (step * side).sum(-1)], -1)
    tangent = torch.stack([-normal[:, :-1, 1], normal[:, :-1, 0]], -1)
    sine = (normal[:, 1:] * tangent).sum(-1)
    gap = chord.detach().norm(dim=-1)
    reach = (normal[:, 1:] * chord).sum(-1) / torch.where(sine > LEVEL, sine, 1.0)
    reach = torch.minimum(reach.clamp_min(0.0), 4 * gap)
    crossing = path[:, :-1] + (reach[..., None] * (tangent[..., :1] * along + tangent[..., 1:] * side))
    return torch.where((sine > LEVEL)[..., None], crossing, path[:, :-1] + step / 2)
