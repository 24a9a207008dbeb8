"""Numerical certificates for Theorems 3.2-3.4 of Nesterov et al. (2022), on any differentiable function.

Each function looks at the function itself, not at how it was built, and returns its evidence; ``holds`` says
whether the evidence supports the theorem's conclusion. No finite set of evaluations proves a theorem: what
these can do is fail, and on a function without the property they do.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from invex.analysis.level_sets.gradients import values_and_gradients
from invex.analysis.level_sets.rays import Function, name_of
from invex.analysis.modes import outside_inference
from invex.analysis.stationary import descend, hessians


@dataclass(frozen=True)
class StationaryPoints:
    """Theorem 3.2: descent from many starts ends in one point.

    Attributes:
        point: (d,) the end with the smallest value.
        ends: (n, d) where each descent ended.
        gradient: largest gradient norm at an end.
        spread: largest distance of an end from ``point``.
        elsewhere: smallest gradient norm at a start further than ``apart`` from ``point``.
        apart: that distance.
    """

    point: Tensor
    ends: Tensor
    gradient: float
    spread: float
    elsewhere: float
    apart: float

    @property
    def holds(self) -> bool:
        """All descents ended, and less than a thousandth of ``apart`` from each other."""
        ended = self.gradient < 1e-4 * self.elsewhere
        return ended and self.spread < 1e-3 * self.apart


@dataclass(frozen=True)
class SubLevelSets:
    """Theorem 3.3: sub-level sets are connected and compact.

    Attributes:
        levels: the levels looked at.
        components: connected components of each sub-level set among the grid points of a box.
        inside: whether each of them keeps away from the sides of the box.
    """

    levels: tuple[float, ...]
    components: tuple[int, ...]
    inside: tuple[bool, ...]

    @property
    def holds(self) -> bool:
        """Every sub-level set is in one piece and ends within the box, and there is one."""
        return bool(self.levels) and all(count == 1 for count in self.components) and all(self.inside)


@dataclass(frozen=True)
class Crossings:
    """Sec. 3.3: every ray from the minimum crosses the level set once.

    Attributes:
        counts: (rays,) changes of sign of f - level along each ray.
    """

    counts: Tensor

    @property
    def holds(self) -> bool:
        """Each ray crosses exactly once, and there is one."""
        return len(self.counts) > 0 and bool((self.counts == 1).all())


@dataclass(frozen=True)
class Curvature:
    """Theorem 3.4: strict convexity.

    Attributes:
        smallest: (n,) smallest eigenvalue of the Hessian at each point.
        largest: (n,) the largest.
    """

    smallest: Tensor
    largest: Tensor

    @property
    def holds(self) -> bool:
        """Every Hessian is positive definite, beyond rounding, and there is one."""
        rounding = torch.finfo(self.smallest.dtype).eps * self.largest.abs().clamp_min(1)
        return len(self.smallest) > 0 and bool((self.smallest > 10 * rounding).all())


@dataclass(frozen=True)
class Evidence:
    """The four certificates of one model F = f(h(x)): of F in input space, of f after the bijection."""

    stationary: StationaryPoints
    sub_levels: SubLevelSets
    crossings: Crossings
    curvature: Curvature

    @property
    def verdicts(self) -> tuple[bool, bool, bool, bool]:
        """Whether each of them holds."""
        return self.stationary.holds, self.sub_levels.holds, self.crossings.holds, self.curvature.holds


def certify(
    f: Function,
    bijection: Function,
    starts: Tensor,
    levels: Sequence[float],
    box: tuple[Tensor, Tensor],
    *,
    apart: float,
    rays: int = 60,
    side: int = 100,
) -> Evidence:
    """All certificates for F = f(h(x)) in two dimensions.

    Args:
        f: latent (n, 2) -> (n,).
        bijection: h, input (n, 2) -> latent (n, 2).
        starts: (n, 2) input points to descend from; curvature is looked at in their latent images in the box.
        levels: of f; each must be reached within the box.
        box: lower and upper corner, (2,) each, in latent space.
        apart: see `stationary_points`.
        rays: directions, at equal angles, in which to look for crossings.
        side: grid points of the box along each axis.
    """
    stationary = stationary_points(lambda x: f(bijection(x)), starts, apart=apart)
    with torch.no_grad():
        centre, latent = bijection(stationary.point[None])[0], bijection(starts)
    angles = torch.arange(rays).to(centre) * (2 * math.pi / rays)
    directions = torch.stack([angles.cos(), angles.sin()], dim=1)
    reach = (box[1] - box[0]).norm().item()
    counts = [crossings(f, centre, directions, level, reach=reach, side=side).counts for level in levels]
    inside = latent[((latent >= box[0]) & (latent <= box[1])).all(1)]
    sub_levels = sub_level_sets(f, levels, *box, side=side)
    return Evidence(stationary, sub_levels, Crossings(torch.cat(counts)), curvature(f, inside))


@outside_inference
def stationary_points(function: Function, starts: Tensor, *, apart: float) -> StationaryPoints:
    """Descend from every start (n, d), and look for places where the gradient vanishes without a minimum.

    Args:
        function: (n, d) -> (n,) or (n, 1), differentiable.
        starts: where to start; a fine grid also serves to bound the gradient away from the minimum.
        apart: distance from the minimum within which a small gradient is its own.

    Raises:
        ValueError: no start is further than that from where the descents end.
    """
    _, at_start = values_and_gradients(function, starts)
    steep = at_start.norm(dim=1)
    ends = descend(function, starts, tolerance=1e-8 * min(1.0, steep.max().item()))
    values, gradient = values_and_gradients(function, ends)
    point = ends[values.argmin()]
    far = (starts - point).norm(dim=1) > apart
    if not bool(far.any()):
        raise ValueError(f"no start is further than {apart:g} from {name_of(point)}, where the descents end")
    return StationaryPoints(
        point,
        ends,
        gradient.norm(dim=1).max().item(),
        (ends - point).norm(dim=1).max().item(),
        steep[far].min().item(),
        apart,
    )


def sub_level_sets(
    function: Function, levels: Sequence[float], lower: Tensor, upper: Tensor, side: int = 200
) -> SubLevelSets:
    """Pieces of {function <= level} on a side^d grid of the box from ``lower`` to ``upper``, both (d,).

    Grid points are neighbours if they differ by one step along one axis.
    """
    axes = [
        lower[i] + (upper[i] - lower[i]) * torch.linspace(0, 1, side).to(lower) for i in range(len(lower))
    ]
    with torch.no_grad():
        found = function(torch.cartesian_prod(*axes).reshape(-1, len(axes)))
    values = found.reshape([side] * len(axes)).cpu().numpy()
    core = tuple(slice(1, -1) for _ in axes)
    components, inside = [], []
    for level in levels:
        below = values <= level
        components.append(int(ndimage.label(below)[1]))
        inside.append(bool(np.count_nonzero(below) == np.count_nonzero(below[core])))
    return SubLevelSets(tuple(levels), tuple(components), tuple(inside))


def crossings(
    function: Function, centre: Tensor, directions: Tensor, level: float, *, reach: float, side: int = 400
) -> Crossings:
    """Changes of sign of function - level at ``side`` steps along each ray (n, d) of length ``reach``.

    The centre is looked at too: above the level, a ray that ends above it crosses it 0, 2, 4 ... times.
    """
    steps = torch.linspace(0, reach, side + 1, dtype=centre.dtype, device=centre.device)
    points = centre + steps[:, None] * directions[:, None, :]
    with torch.no_grad():
        above = function(points.reshape(-1, len(centre))).reshape(len(directions), side + 1) > level
    return Crossings(above.diff(dim=1).sum(1))


def curvature(function: Function, points: Tensor) -> Curvature:
    """Extreme eigenvalues of the Hessian at points (n, d), for an activation that is smooth."""
    eigenvalues = torch.linalg.eigvalsh(hessians(function, points))
    return Curvature(eigenvalues[:, 0], eigenvalues[:, -1])
