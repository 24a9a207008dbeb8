"""Radii to start from, predicted from those of a few rays."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from invex.analysis.level_sets.rays import Rays
from invex.analysis.level_sets.search.secant import by_values

NEAR = 32
"""Dimensions up to which other directions tell something of a direction: beyond, all are about orthogonal."""
FEW, COUNT = 4, 32
"""Rays on which nothing is known beforehand; rays searched from the mean of these, in few dimensions."""
DISTANCES = torch.arange(-10.0, 21.0)
"""Logarithms to base 2 of the distances from the centre at which the first few rays are looked at."""


@dataclass(frozen=True)
class Guess:
    """Radii and slopes of all rays, with the largest relative errors to expect of them.

    Attributes:
        bend: second derivative of log(phi - phi(0)) by log r at the level, about the same for all rays.
    """

    radius: Tensor
    slope: Tensor
    bend: float
    radius_error: float
    slope_error: float


def guess(rays: Rays, close: Tensor) -> Guess:
    """Radius and slope on every ray, from a search on a few of them.

    Up to `NEAR` dimensions a Gaussian process over directions carries their logarithms to the other rays:
    with the smoothness of a level set, to many digits in two or three dimensions. Beyond, radii hardly
    vary, and their mean does. The errors are those of leaving each known ray out.
    """
    r = torch.ones_like(rays.origin).minimum(rays.cap)
    unknown = Guess(r, r, 0.0, torch.inf, torch.inf)
    if len(r) < 4 * COUNT or rays.centre.dim() > 1:
        return unknown
    length = rays.directions.norm(dim=1)
    known, bend = _ladder(rays, length)
    if not bool(known.isfinite().all()):
        return unknown
    missed = known - known.mean(0)
    predicted = known.mean(0).expand(len(r), 2)
    if rays.directions.shape[1] <= NEAR:
        few = _spread(COUNT, rays)
        start, rise = _at(predicted[few], length[few], r.dtype)
        found, slope = by_values(rays.subset(few), start.minimum(rays.cap[few]), rise, bend, close[few] / 10)
        if not bool(found.reached.all()):
            return unknown
        known = torch.stack([found.radius * length[few], slope / length[few]], 1).double().log()
        unit = (rays.directions / length[:, None]).double()
        predicted, missed = _interpolate(unit, few, known - known.mean(0))
        predicted = known.mean(0) + predicted
    predicted = predicted.clamp(known.amin(0) - 1, known.amax(0) + 1)
    return Guess(*_at(predicted, length, r.dtype), bend, *missed.abs().amax(0).tolist())


def _spread(count: int, rays: Rays) -> Tensor:
    return torch.linspace(0, len(rays.origin) - 1, count, device=rays.origin.device).long()


def _at(logarithms: Tensor, length: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Radii and slopes on rays of some length from the logarithms of those on rays of length one."""
    radius, slope = logarithms.exp().to(dtype).T
    return radius / length, slope * length


def _ladder(rays: Rays, length: Tensor) -> tuple[Tensor, float]:
    """Logarithms of radius and slope on a few rays of length one, (few, 2), and the mean bend.

    One evaluation at distances that double; a parabola through the logarithms at the last distance below the
    level and the next two. NaN where the level is not reached within the last distance but one or the cap.
    """
    few = _spread(FEW, rays).repeat_interleave(len(DISTANCES))
    here, own = rays.subset(few), DISTANCES.to(length).repeat(FEW)
    r = 2**own / length[few]
    climbed = (here.value(torch.arange(len(r), device=r.device), r) - here.origin).view(FEW, -1).double()
    depth = -here.origin.view(FEW, -1)[:, 0].double()
    climbed[(r >= here.cap).view(FEW, -1)] = torch.nan
    after = (climbed >= depth[:, None]).int().argmax(1).clamp(1, len(DISTANCES) - 2)
    _refuse_bend(here, r, climbed, after + 1)
    below, above, beyond = (climbed.gather(1, after[:, None] + k)[:, 0].log() for k in (-1, 0, 1))
    power, bend, part = above - below, beyond - 2 * above + below, depth.log() - below
    share = part / power
    for _ in range(3):
        share = (part - bend * share * (share - 1) / 2) / power
    share[(share < 0) | (share > 1)] = torch.nan
    step = math.log(2)
    radius = step * (DISTANCES.to(share)[after - 1] + share)
    slope = ((power + bend * (share - 0.5)) / step * depth).log() - radius
    return torch.stack([radius, slope], 1), float(bend.mean()) / step**2


def _refuse_bend(here: Rays, r: Tensor, climbed: Tensor, last: Tensor) -> None:
    """No chord is steeper than the next: checked on each ray up to the distance with the number `last`."""
    heights, distances = (nn.functional.pad(part, (1, 0)) for part in (climbed, r.view(climbed.shape)))
    length = distances.diff(dim=1)
    steepness = heights.diff(dim=1) / length
    size = heights.abs() + here.origin.abs().view(climbed.shape)[:, :1] + abs(here.level)
    slack = torch.finfo(r.dtype).eps ** 0.5 * (size[:, 1:-1] + size[:, 2:]) / length[:, :-1]
    seen = torch.arange(1, climbed.shape[1], device=last.device) <= last[:, None]
    bent = seen & (steepness.diff(dim=1) < -slack)
    if bool(bent.any()):
        strayed, _ = here.rounding(torch.arange(len(r), device=r.device), r)
        noise = nn.functional.pad(strayed.view(climbed.shape), (1, 0), mode="replicate").double()
        bent &= (
            steepness.diff(dim=1)
            < -slack - 4 * (noise[:, :-2] + 2 * noise[:, 1:-1] + noise[:, 2:]) / length[:, :-1]
        )
        rung = torch.arange(len(bent), device=last.device) * climbed.shape[1]
        here.refuse_bend(bent.any(1), rung)


def _interpolate(unit: Tensor, few: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Values at unit vectors (n, d) from those known at a few; errors of leaving each of these out."""
    kernel = torch.exp(2 * (unit @ unit[few].T - 1))
    noise = 1e-10 * torch.eye(len(few), dtype=kernel.dtype, device=kernel.device)
    inverse = torch.linalg.inv(kernel[few] + noise)
    weights = inverse @ known
    return kernel @ weights, weights / inverse.diagonal()[:, None]
