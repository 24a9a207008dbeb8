"""A string on a surface, pulled tight: energies, steps, and what keeps it from going through the body."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from invex.analysis.level_sets.rays import Function
from invex.analysis.level_sets.sampling import normals

Map = Callable[[Tensor], Tensor]
TURN = 0.3
"""Angle between the normals at the ends of a segment above which it is split."""
JUMP = 2 * TURN
"""The same above which a step is not taken: it might lead through the body instead of round it."""
SPECK = 1e-5
"""Part of a path's length below which a segment may turn as it likes: the set has an edge there."""
GAIN = {torch.float64: 1e-12, torch.float32: 1e-6}
"""Part of the energy that the next step must promise for the string to go on."""


class Surface(Protocol):
    """What a path needs of a level set, as `invex.analysis.level_sets.LevelSet` offers it."""

    @property
    def f(self) -> Function:
        """The function, whose gradient is normal to the set."""

    @property
    def level(self) -> float:
        """The function on the set."""

    @property
    def centre(self) -> Tensor:
        """A point (d,) inside."""

    @property
    def limit(self) -> float:
        """Distance at which a ray counts as endless."""

    @property
    def chunk(self) -> int:
        """Points evaluated at once."""

    def accepted(self) -> float:
        """Largest |f - level| of a point of the set."""

    def points(self, directions: Tensor) -> Tensor:
        """Points of the set in directions (n, d)."""

    def retract(self, points: Tensor) -> Tensor:
        """Points (n, d) moved to the set along their rays."""


def tangential(vectors: Tensor, normal: Tensor) -> Tensor:
    """Vectors (n, d) without their part along unit normals (n, d)."""
    return vectors - (vectors * normal).sum(-1, keepdim=True) * normal


def turns(surface: Surface, path: Tensor) -> Tensor:
    """Angles between the normals at the ends of each segment, (n - 1,)."""
    return angles(normals(surface.f, path, surface.chunk))


def angles(normal: Tensor) -> Tensor:
    """Angles between consecutive unit vectors (n, d), without the cancellation of a cosine near 1."""
    return 2 * torch.atan2(normal.diff(dim=0).norm(dim=1), (normal[1:] + normal[:-1]).norm(dim=1))


def halved(surface: Surface, path: Tensor, wide: Tensor) -> Tensor:
    """A path (n, d) with a point of the surface in the middle of each segment for which (n - 1,) is true."""
    added = surface.retract((path[1:] + path[:-1])[wide] / 2)
    place = torch.arange(len(path), device=path.device)
    order = torch.cat([place.double(), place[:-1][wide] + 0.5]).argsort()
    return torch.cat([path, added])[order]


def gaps_of(path: Tensor, embed: Map | None) -> Tensor:
    """Lengths of the segments, (n - 1,), measured after `embed`."""
    with torch.no_grad():
        return (path if embed is None else embed(path)).diff(dim=0).norm(dim=1)


def length(path: Tensor, embed: Map | None) -> float:
    """Length of a path, measured after `embed`."""
    return float(gaps_of(path, embed).sum())


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
    return pull(path, surface, embed, shares, iterations, GAIN[path.dtype])[0]


def pull(
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

    Nor does a step count that promises less than the energy's rounding: the differences of n points lose
    about n units in the last place.

    With `aside` points do not move along the string, whose length that would not change: at a sharp bend
    they would slide off it on both sides, as the segment between them cuts the corner.
    """
    weight = 1 / shares if shares is not None else torch.full_like(path[1:, 0], len(path) - 1)
    factor = torch.linalg.cholesky(_stiffness(weight))
    size, normal = 1.0, normals(surface.f, path, surface.chunk)
    energy, gradient = _energy(path, weight, embed)
    enough = max(enough, len(path) * torch.finfo(path.dtype).eps)
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
    gaps, turns = path.diff(dim=0).norm(dim=1), angles(normal)
    no_worse = (turns <= angles(normal_before)) & (gaps <= before.diff(dim=0).norm(dim=1))
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
