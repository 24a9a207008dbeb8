"""A safeguarded Newton search for the zero of a convex function on many rays at once.

Along a ray phi(r) = f(centre + r u) - level is convex and starts below zero, so it has one zero at most.
Convexity gives the safeguards: a tangent at a radius where phi rises meets zero at or beyond the crossing, so
Newton's method from the right is monotone; and no tangent may lie above the function, which every pair of
evaluations tests.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from invex.analysis.level_sets.rays import Rays

ITERATIONS = 200


@dataclass
class Radii:
    """Where rays meet a level.

    Attributes:
        radius: (n,) in multiples of each direction's length; NaN where the level is not reached.
        reached: (n,) bool.
        residual: (n,) f - level, measured at that radius; NaN where the level is not reached.
        iterations: the largest number of evaluations that a ray needed.
    """

    radius: Tensor
    reached: Tensor
    residual: Tensor
    iterations: int


def newton(rays: Rays, r: Tensor, accept: Tensor, last_step: bool) -> tuple[Radii, Tensor]:
    """Bracketed Newton search until |phi| <= accept, and the slopes found.

    With `last_step` the radius is the step after the last evaluation, and its residual is not known.
    """
    found = Radii(r.clone(), torch.ones_like(r, dtype=torch.bool), torch.full_like(r, torch.nan), 0)
    low, high, slope = torch.zeros_like(r), torch.full_like(r, torch.inf), torch.zeros_like(r)
    before, gap_before = torch.zeros_like(r), rays.origin.clone()
    active, noise = torch.arange(len(r), device=r.device), torch.zeros(2, len(r)).to(r)
    while len(active) and found.iterations < ITERATIONS:
        found.iterations += 1
        late = found.iterations > 12
        x = found.radius[active]
        gap, rise = rays.slope(active, x)
        _refuse_bend(rays, active, (before[active], gap_before[active], slope[active]), (x, gap, rise), noise)
        before[active], gap_before[active], slope[active] = x, gap, rise
        below = gap < 0
        low[active] = torch.where(below, x, low[active])
        high[active] = torch.where(below, high[active], x)
        outside = below & (x >= rays.cap[active])
        found.reached[active] = ~outside
        bracket = (low[active], high[active])
        close = (gap.abs() <= accept[active]) & (rise > 0)
        done = outside | close | _stuck(rays, active, (x, gap, rise), bracket, late)
        halve = late and found.iterations % 2 == 0
        following = _next(x, gap, rise, rays.origin[active], bracket, halve).minimum(rays.cap[active])
        final = torch.where(close, x - gap / rise, x) if last_step else x
        found.radius[active] = torch.where(done, final, following)
        found.residual[active] = gap
        active = active[~done]
    if last_step:
        found.residual.fill_(torch.nan)
    return found, slope


def _stuck(
    rays: Rays, active: Tensor, now: tuple[Tensor, Tensor, Tensor], bracket: tuple[Tensor, Tensor], late: bool
) -> Tensor:
    """Whether the bracket, or Newton's step, is as small as rounding; that of points is looked at late."""
    x, gap, rise = now
    eps = torch.finfo(x.dtype).eps
    width = rays.finest(active, x) if late else x
    no_step = (gap.abs() <= eps / 2 * rise * x) & rise.isfinite()
    return no_step | (bracket[1] - bracket[0] <= 4 * eps * width)


def _next(
    x: Tensor, gap: Tensor, rise: Tensor, origin: Tensor, bracket: tuple[Tensor, Tensor], halve: bool
) -> Tensor:
    """The next radius: Newton's step on log(phi - phi(0)) against log r, exact for every power of r.

    For a convex phi that starts at its minimum this step never overshoots more than Newton's own, which takes
    over where the logarithms do not exist; outside the bracket, bisection or growth by eight takes over.
    """
    low, high = bracket
    climbed = gap - origin
    power = (x * rise / climbed).clamp_min(1)
    newton = torch.where(rise > 0, x - gap / rise, torch.nan)
    logarithmic = x * (-origin / climbed).pow(1 / power)
    usable = (climbed > 0) & (origin < 0) & (rise > 0) & torch.isfinite(logarithmic)
    step = torch.where(usable, logarithmic, newton)
    step = torch.where((step > low) & (step < high), step, newton)
    safe = torch.where(high.isinf(), 8 * x, (low + high) / 2)
    inside = (step > low) & (step < high) & (step <= 64 * x)
    if halve:
        inside &= high.isinf()
    return torch.where(inside, step, safe)


def _refuse_bend(
    rays: Rays,
    active: Tensor,
    before: tuple[Tensor, Tensor, Tensor],
    now: tuple[Tensor, Tensor, Tensor],
    noise: Tensor,
) -> None:
    """Every tangent lies below the function: checked at the last two radii and at the start of the ray.

    Where one does not, the `noise` of phi and phi' on that ray, kept as (2, n), is measured first.
    """
    (x0, gap0, rise0), (x, gap, rise) = before, now
    step, origin = x - x0, rays.origin[active]
    size = abs(rays.level) + gap.abs() + gap0.abs() + step.abs() * (rise.abs() + rise0.abs())
    excess = torch.stack([gap0 + rise0 * step - gap, gap - rise * step - gap0])
    excess[0] = torch.where(x0 > 0, excess[0], -torch.inf)
    from_start = gap - rise * x - origin
    slack = torch.finfo(x.dtype).eps ** 0.5
    over = excess.amax(0) - slack * size
    over = torch.maximum(over, from_start - slack * (size + (rise * x).abs() + origin.abs()))
    for measured in (False, True):
        strayed, turned = noise[:, active]
        bent = over > 4 * (strayed + turned * torch.maximum(x, x0))
        if measured or not bool(bent.any()):
            break
        some = active[bent]
        noise[:, some] = torch.maximum(noise[:, some], torch.stack(rays.rounding(some, x[bent])))
    rays.refuse_bend(bent, active)
