"""Ways round a convex set from point to point, and a path made shorter piece by piece, edges or none."""

from itertools import pairwise, product

import torch
from torch import Tensor

from invex.analysis.level_sets.sampling import normals
from invex.analysis.level_sets.sections import Arcs, across, cut, descend
from invex.analysis.level_sets.strings import TURN, Map, Surface, gaps_of, halved, length, turns

DRAWN = 16
"""Directions tried beside those that the ends, the centre and the axes suggest."""
AXES = 16
"""Dimensions up to which every axis is tried."""
KEPT = 3
"""Ways round that are followed to the end."""
EDGE = 1e-4
"""Part of a path's length below which two of its points count as one."""


def ways_round(surface: Surface, a: Tensor, b: Tensor, embed: Map | None) -> list[Tensor]:
    """Up to `KEPT` paths on the set from a to b, both (d,), each within half a plane, the shortest first.

    Half planes are tried towards and away from the centre, along the normals at the ends, the axes, the
    diagonals between these and directions drawn at random; the best of them are turned about the chord until
    they are shortest nearby. Empty where none meets an end of the set.
    """
    guesses = across(_guesses(surface, a, b), (b - a)[None])
    guesses = guesses[guesses.norm(dim=1) > 0.5]
    arcs = cut(surface, a.expand_as(guesses), b.expand_as(guesses), guesses, embed)
    arcs = _distinct(arcs, 2 * KEPT, 0.9)
    if not len(arcs.lengths):
        return []
    arcs = _distinct(descend(surface, arcs, embed, 40), KEPT, 0.98)
    return followed(surface, arcs.subset(arcs.lengths <= 1.05 * arcs.lengths.min()))


def followed(surface: Surface, arcs: Arcs) -> list[Tensor]:
    """Of each arc points of the set (m, d), among them those at the edges that it crosses."""
    corners = surface.retract(arcs.outline[:, 1::2].flatten(0, 1)).view_as(arcs.outline[:, 1::2])
    paths = arcs.outline.clone()
    paths[:, 1::2] = torch.where(corners.isfinite(), corners, paths[:, 1::2])
    paths[:, 2:-1:2] = arcs.points
    return [_with_edges(surface, _apart(path)) for path in paths]


def _with_edges(surface: Surface, path: Tensor) -> Tensor:
    """A path with points so near the edges that it crosses that no segment cuts a corner worth counting."""
    for _ in range(10):
        gaps = gaps_of(path, None)
        wide = (turns(surface, path) > TURN) & (gaps > EDGE * gaps.sum())
        if not bool(wide.any()):
            break
        path = halved(surface, path, wide)
    return path


def _apart(path: Tensor) -> Tensor:
    """A path without the points that are next to their predecessors, as where edges meet."""
    gaps = path.diff(dim=0).norm(dim=1)
    keep = torch.ones(len(path), dtype=torch.bool, device=path.device)
    keep[1:-1] = gaps[:-1] > EDGE * gaps.sum()
    keep[1:-1] &= gaps[1:] > EDGE * gaps.sum()
    return path[keep]


def shortened(surface: Surface, path: Tensor, embed: Map | None) -> Tensor:
    """A path (m, d) made shorter piece by piece (Birkhoff, 1917).

    Between places along it, by turns these and the ones halfway between, each piece is replaced by the
    shortest arc within half a plane from one place to the next. The pieces grow shorter when they no longer
    make the path so.
    """
    path = _with_edges(surface, path)
    for pieces in (2, 4, 8):
        for _ in range(8):
            before = length(path, embed)
            for halfway in (False, True):
                path = _renewed(surface, path, embed, pieces, halfway)
            if length(path, embed) > before * (1 - 1e-4):
                break
    return path


def _guesses(surface: Surface, a: Tensor, b: Tensor) -> Tensor:
    """Directions (k, d) in which a way round may lie."""
    d = len(a)
    axes = torch.eye(d, dtype=a.dtype, device=a.device)[: AXES if d <= AXES else 0]
    drawn = torch.randn(DRAWN, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(a)
    middle = (a + b)[None] / 2 - surface.centre
    ends = normals(surface.f, torch.stack([a, b]), surface.chunk).nan_to_num(0.0)
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=d))).to(a) if d <= 4 else drawn.sign()
    return torch.cat([middle, -middle, ends, ends.sum(0, keepdim=True), axes, -axes, signs, drawn, -drawn])


def _distinct(arcs: Arcs, most: int, alike: float) -> Arcs:
    """The shortest arcs, of those towards directions whose cosine is above `alike` one alone."""
    kept: list[int] = []
    for place in arcs.lengths.argsort(stable=True).tolist():
        near = arcs.ways[kept] @ arcs.ways[place] > alike
        if bool(arcs.lengths[place].isfinite()) and not bool(near.any()):
            kept.append(place)
        if len(kept) == most:
            break
    return arcs.subset(torch.tensor(kept, dtype=torch.long, device=arcs.lengths.device))


def _renewed(surface: Surface, path: Tensor, embed: Map | None, pieces: int, halfway: bool) -> Tensor:
    """The path with each of its pieces replaced where an arc is shorter."""
    along = torch.nn.functional.pad(gaps_of(path, embed).cumsum(0), (1, 0))
    share = torch.arange(pieces + 1, dtype=path.dtype, device=path.device)
    share = (share[:-1] + 0.5) / pieces if halfway else share[1:-1] / pieces
    inner = torch.searchsorted(along, share * along[-1]).clamp(1, len(path) - 2)
    marks = [0, *sorted(set(inner.tolist())), len(path) - 1]
    old = [path[low : high + 1] for low, high in pairwise(marks)]
    new = _arcs_of(surface, old, embed)
    chosen = [min(pair, key=lambda part: length(part, embed)) for pair in zip(old, new, strict=True)]
    return torch.cat([chosen[0][:1], *(part[1:] for part in chosen)])


def _arcs_of(surface: Surface, parts: list[Tensor], embed: Map | None) -> list[Tensor]:
    """For each part of a path the shortest arc nearby between its ends; a straight part as it is."""
    a, b = torch.stack([part[0] for part in parts]), torch.stack([part[-1] for part in parts])
    highest = torch.stack([_bulge(part) for part in parts])
    ways = across(highest, b - a)
    bent = torch.nonzero((ways.norm(dim=1) > 0.5) & (highest.norm(dim=1) > 1e-9 * (b - a).norm(dim=1)))[:, 0]
    found = list(parts)
    if len(bent):
        arcs = descend(surface, cut(surface, a[bent], b[bent], ways[bent], embed), embed, 10, size=0.2)
        for place, path, size in zip(bent.tolist(), followed(surface, arcs), arcs.lengths, strict=True):
            found[place] = path if bool(size.isfinite()) else found[place]
    return found


def _bulge(part: Tensor) -> Tensor:
    """The way (d,) from the chord of a path (m, d) to its point farthest from it."""
    chord = part[-1:] - part[:1]
    offsets = part - part[:1]
    along = torch.nn.functional.normalize(chord)
    away = offsets - (offsets @ along.T) * along
    return away[away.norm(dim=1).argmax()]
