"""Radii to start from, predicted from those of a few rays."""

from dataclasses import dataclass

import torch
from torch import Tensor

from invex.analysis.newton import newton
from invex.analysis.rays import Rays
from invex.analysis.secant import by_values

NEAR = 32
"""Dimensions up to which other directions tell something of a direction: beyond, all are about orthogonal."""
FEW, COUNT = 8, 32
"""Rays on which nothing is known beforehand; rays that are searched from the mean of these, in few dimensions."""
ROUGH = 100
"""How much less precise than asked the first few may be: they tell where to start."""


@dataclass(frozen=True)
class Guess:
    """Radii and slopes of all rays, with the largest relative errors to expect of them."""

    radius: Tensor
    slope: Tensor
    radius_error: float
    slope_error: float


def guess(rays: Rays, close: Tensor) -> Guess:
    """Radius and slope on every ray, from a Newton search on a few of them.

    Up to `NEAR` dimensions a Gaussian process over directions carries their logarithms to the other rays:
    with the smoothness of a level set, to many digits in two or three dimensions. Beyond, radii hardly
    vary, and their mean does. The errors are those of leaving each known ray out.
    """
    r = torch.ones_like(rays.origin).minimum(rays.cap)
    unknown = Guess(r, r, torch.inf, torch.inf)
    if len(r) < 4 * COUNT or rays.centre.dim() > 1:
        return unknown
    near = rays.directions.shape[1] <= NEAR
    length = rays.directions.norm(dim=1)
    few = torch.linspace(0, len(r) - 1, FEW, device=r.device).long()
    found, slope = newton(rays.subset(few), r[few], ROUGH * close[few], last_step=True)
    known = torch.stack([found.radius * length[few], slope / length[few]], 1).double().log()
    if near and bool(found.reached.all()):
        r, slope = (known.mean(0).exp().to(r.dtype) * torch.stack([1 / length, length], 1)).T
        few = torch.linspace(0, len(r) - 1, COUNT, device=r.device).long()
        found, slope = by_values(rays.subset(few), r[few].minimum(rays.cap[few]), slope[few], close[few] / 10)
        known = torch.stack([found.radius * length[few], slope / length[few]], 1).double().log()
    if not bool(found.reached.all()):
        return unknown
    mean = known.mean(0)
    predicted, missed = mean.expand(len(r), 2), known - mean
    if near:
        unit = (rays.directions / length[:, None]).double()
        predicted, missed = _interpolate(unit, few, missed)
        predicted = mean + predicted
    predicted = predicted.clamp(known.amin(0) - 1, known.amax(0) + 1).exp().to(r.dtype)
    return Guess(predicted[:, 0] / length, predicted[:, 1] * length, *missed.abs().amax(0).tolist())


def _interpolate(unit: Tensor, few: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Values at unit vectors (n, d) from those known at a few; errors of leaving each of these out."""
    kernel = torch.exp(2 * (unit @ unit[few].T - 1))
    noise = 1e-10 * torch.eye(len(few), dtype=kernel.dtype, device=kernel.device)
    inverse = torch.linalg.inv(kernel[few] + noise)
    weights = inverse @ known
    return kernel @ weights, weights / inverse.diagonal()[:, None]
