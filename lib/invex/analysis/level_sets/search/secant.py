"""A search by values alone, for rays whose radius and slope are nearly known."""

import torch
from torch import Tensor

from invex.analysis.level_sets.rays import Rays
from invex.analysis.level_sets.search.newton import Radii, newton

EVALUATIONS = 5


def by_values(rays: Rays, r: Tensor, rise: Tensor, bend: float, accept: Tensor) -> tuple[Radii, Tensor]:
    """Radii and slopes as `secant` finds them, and Newton's method on the rays that it gives up."""
    found, slope = secant(rays, r, rise, bend, accept)
    left = torch.nonzero(~found.reached)[:, 0]
    if len(left):
        rest, slope[left] = newton(rays.subset(left), r[left], accept[left], last_step=True)
        found.radius[left], found.reached[left] = rest.radius, rest.reached
        found.iterations += rest.iterations
    return found, slope


def secant(rays: Rays, r: Tensor, rise: Tensor, bend: float, accept: Tensor) -> tuple[Radii, Tensor]:
    """Radii one step after |phi| <= accept, and slopes there; "not reached" where that did not happen.

    The secant method on log(phi - phi(0)) against log r, in which every power of r is a straight line; it
    costs no derivative. A ray is given up that leaves safe ground: phi below its start, chords that
    contradict convexity, a radius at the cap or far from where it began. Newton's method then finds out why.

    Args:
        rays: all of them are searched.
        r: radii to start from, (n,).
        rise: slopes phi' expected there, (n,).
        bend: second derivative of the logarithms, about the same on all rays; 0 if it is not known.
        accept: |phi| at which one more step is the last, (n,).
    """
    begin, depth, eps = r, -rays.origin, torch.finfo(r.dtype).eps
    active = torch.arange(len(r), device=r.device)
    climbed = rays.value(active, r) + depth
    power, slope = r * rise / climbed, rise.clone()
    found = Radii(r.clone(), torch.zeros_like(active, dtype=torch.bool), torch.full_like(r, torch.nan), 1)
    while True:
        step = _step((depth[active] / climbed).log(), power, bend).exp()
        found.radius[active], slope[active] = r * step, power * climbed / r
        safe = (climbed > 0) & (power > 1 - eps**0.25)
        found.reached[active] = safe & ((climbed - depth[active]).abs() <= accept[active])
        safe &= (r * step - begin[active]).abs() <= begin[active] / 2
        going = safe & ~found.reached[active] & (r * step < rays.cap[active])
        active, r, climbed, power, step = (part[going] for part in (active, r, climbed, power, step))
        if not len(active) or found.iterations == EVALUATIONS:
            return found, slope
        before, climbed_before = r, climbed
        r = r * step
        climbed = rays.value(active, r) + depth[active]
        found.iterations += 1
        # log phi is known to about eps: between points nearer than its root a slope would be noise
        far = step.log().abs() > eps**0.5
        width = (r / before).log()
        power = torch.where(far, (climbed / climbed_before).log() / width + bend * width / 2, power)


def _step(rise: Tensor, power: Tensor, bend: float) -> Tensor:
    """How far log r has to go for a parabola of this slope and bend to rise so much."""
    straight = rise / power
    return straight - bend * straight.square() / (2 * power)
