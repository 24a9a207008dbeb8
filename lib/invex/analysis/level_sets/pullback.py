"""Level curves of F = f(h(x)) in two dimensions: found where f is convex, carried back by h^-1 (Sec. 3.3)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from invex.analysis.level_sets import LevelSet
from invex.analysis.level_sets.rays import flat

Map = Callable[[Tensor], Tensor]
Window = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Curves:
    """Level curves at common angles of the pointer.

    Attributes:
        levels: (k,) as they were asked for.
        angles: (n,) increasing, in [0, 2 pi).
        latent: (k, n, 2) points with f = level.
        input: (k, n, 2) the same points in input space.
        error: largest |f - level| over all points, evaluated anew.
        round_trip: largest difference between ``latent`` and h of ``input``.
    """

    levels: Tensor
    angles: Tensor
    latent: Tensor
    input: Tensor
    error: float
    round_trip: float


def level_curves(
    f: Map,
    bijection: Map,
    inverse: Map,
    centre: Tensor,
    levels: Sequence[float],
    *,
    angles: int = 300,
    window: Window = ((-math.inf, math.inf), (-math.inf, math.inf)),
    step: float = math.inf,
) -> Curves:
    """Level curves of a convex f around its minimum ``centre`` (2,), at equal angles and more where needed.

    An angle is added between two whose points of some level lie more than ``step`` apart in input space, with
    one of the two within ``window``, ((low1, high1), (low2, high2)): h^-1 stretches some arcs a hundredfold.
    """
    turn = torch.arange(angles, dtype=centre.dtype, device=centre.device) * (2 * math.pi / angles)
    latent = _latent(f, centre, levels, turn)
    for _ in range(8):
        with torch.no_grad():
            wide = _too_wide(inverse(latent), window, step)
        if not wide.any():
            break
        following = torch.cat([turn[1:], turn[:1] + 2 * math.pi])
        between = (0.5 * (turn + following))[wide]
        turn, order = torch.cat([turn, between]).sort()
        latent = torch.cat([latent, _latent(f, centre, levels, between)], dim=1)[:, order]
    with torch.no_grad():
        points = inverse(latent)
        heights = centre.new_tensor(levels)
        values = flat(f(latent.flatten(0, 1))).view(latent.shape[:2])
        error = (values - heights[:, None]).abs().max()
        round_trip = (bijection(points) - latent).abs().max()
    return Curves(heights, turn, latent, points, error.item(), round_trip.item())


def _latent(f: Map, centre: Tensor, levels: Sequence[float], angles: Tensor) -> Tensor:
    directions = torch.stack([angles.cos(), angles.sin()], dim=1)
    return torch.stack([LevelSet(f, level, centre).points(directions) for level in levels])


def _too_wide(points: Tensor, window: Window, step: float) -> Tensor:
    """Which gaps (n,), from each angle to the next, are too wide on some level."""
    following = points.roll(-1, dims=1)
    low, high = torch.tensor(window, dtype=points.dtype, device=points.device).T
    seen = ((points >= low) & (points <= high)).all(-1)
    seen |= seen.roll(-1, dims=1)
    return (seen & ((following - points).norm(dim=-1) > step)).any(0)


def pointers(inverse: Map, centre: Tensor, tips: Tensor, steps: int = 60) -> tuple[Tensor, Tensor]:
    """Straight lines from ``centre`` (2,) to ``tips`` (m, 2), and h^-1 of them: (m, steps, 2) each."""
    share = torch.linspace(0, 1, steps).to(centre)[:, None]
    latent = centre + share * (tips - centre)[:, None]
    with torch.no_grad():
        return latent, inverse(latent)


def pointer_crossings(curve: Tensor, centre: Tensor, angles: Tensor) -> Tensor:
    """How often a straight ray from ``centre`` (2,) at each angle (m,) crosses a closed curve (n, 2)."""
    directions = torch.stack([angles.cos(), angles.sin()], dim=1)
    start = curve - centre
    end = start.roll(-1, dims=0)
    side, side_end = (_cross(directions[:, None], each) for each in (start, end))
    share = side / (side - side_end)
    along = torch.einsum("md,nd->mn", directions, start)
    along = along + share * (torch.einsum("md,nd->mn", directions, end) - along)
    return (((side > 0) != (side_end > 0)) & (along > 0)).sum(1)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
