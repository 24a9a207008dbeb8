"""The radius at which a convex function reaches a level, on all rays at once (Nesterov et al., Sec. 3.3)."""

import math
from contextlib import suppress
from typing import NoReturn

import torch
from torch import Tensor

from invex.analysis.level_sets import arguments
from invex.analysis.level_sets.rays import (
    Box,
    Function,
    LevelNotReached,
    LevelSetError,
    Rays,
    UnboundedLevelSet,
    exit_radius,
    name_of,
    value,
)
from invex.analysis.level_sets.search import pilot
from invex.analysis.level_sets.search.newton import Radii, newton
from invex.analysis.level_sets.search.restricted import on_rays
from invex.analysis.level_sets.search.secant import by_values
from invex.analysis.modes import outside_inference

PRECISION = {torch.float64: 1e-9, torch.float32: 8e-6}
"""Accepted |f - level| as a part of the values' magnitude."""
COARSE = 1e-4
"""The same for the first search, after which one more step gives about twice as many digits."""


@outside_inference
@torch.no_grad()
def radius(
    f: Function,
    centre: Tensor,
    directions: Tensor,
    level: float,
    *,
    box: Box | None = None,
    tolerance: float | None = None,
    start: Tensor | None = None,
    limit: float = 1e6,
    chunk: int = 8192,
) -> Radii:
    """Radius r > 0 with f(centre + r u) = level for every direction u.

    A secant search by values alone from radii that a few rays suggest; a safeguarded Newton method on the
    rays that it gives up, and from the beginning where `start` is given or there are few rays.

    A module in float64 is first solved with its parameters rounded to float32, at half the cost; the float32
    radii and slopes then start a refinement in float64, as in the iterative refinement of linear systems.
    Where the input is wide and f offers itself restricted to rays, as `invex.nn.convex.ConvexNetwork` does,
    its products with the input are taken once a ray (`invex.analysis.level_sets.rays.OnRays` says what to
    offer).

    Args:
        f: (n, d) -> (n,) or (n, 1), convex. Its dtype and device are those of `centre`.
        centre: (d,), or (n, d) for rays that start at different points; f there is at most the level.
        directions: (n, d), of any length.
        level: the value to reach.
        box: lower and upper corner, (d,) or a number each: a ray ends where it leaves the box.
        tolerance: largest |f - level| to accept; by default 1e-9 of the values' magnitude in float64 and
            8e-6 of it in float32. Where the rounding of f allows no better, the residual says so.
        start: (n,) radii to start from.
        limit: radius beyond which a level counts as not reached, in multiples of a direction's length.
        chunk: rays evaluated at once; bounds the memory, changes no result beyond rounding.

    Returns:
        `reached` is false where the ray ends first, where its direction is not a number, and where f jumps
        over the level or is not a number from some radius on.

    Raises:
        LevelNotReached: the level is below f at the start of a ray.
        LevelSetError: the level, or f at the start of a ray, is not a finite number.
        TypeError: the centre is neither float32 nor float64, or directions or a module f have another dtype.
        ValueError: a shape or a device does not fit the centre's, the box is not in order, or tolerance,
            limit or chunk is not positive.
        NotConvexAlongRay: f contradicts convexity where it was evaluated; of many rays that are much alike,
            most are evaluated at their end alone.
    """
    _check_numbers(centre, level)
    arguments.positive(tolerance=tolerance, limit=limit, chunk=chunk)
    arguments.box_in_order(box, centre.reshape(-1, centre.shape[-1])[0])
    arguments.alike("directions", directions, (None, centre.shape[-1]), centre)
    if centre.dim() > 1:
        arguments.alike("centres", centre, tuple(directions.shape), centre)
    if start is not None:
        arguments.alike("radii to start from", start, (len(directions),), centre)
    parts = [_nowhere(directions[:0])]
    for first in range(0, len(directions), chunk):
        here = slice(first, first + chunk)
        own_centre = centre[here] if centre.dim() > 1 else centre
        origin = (value(f, own_centre.reshape(-1, centre.shape[-1])) - level).expand(len(directions[here]))
        cap = torch.full_like(origin, limit)
        if box is not None:
            cap = torch.minimum(cap, exit_radius(own_centre, directions[here], box))
        number = torch.arange(first, first + len(origin), device=origin.device)
        restricted = on_rays(f, own_centre, directions[here])
        rays = Rays(f, own_centre, directions[here], level, origin, cap, number, restricted)
        parts.append(_solve_numbers(rays, tolerance, None if start is None else start[here]))
    return Radii(
        torch.cat([part.radius for part in parts]),
        torch.cat([part.reached for part in parts]),
        torch.cat([part.residual for part in parts]),
        max(part.iterations for part in parts),
    )


def precision(dtype: torch.dtype) -> float:
    """`PRECISION` of a dtype; TypeError if it has none."""
    if dtype not in PRECISION:
        raise TypeError(f"a level set needs float32 or float64, not {dtype}: convert the centre and f")
    return PRECISION[dtype]


def _check_numbers(centre: Tensor, level: float) -> None:
    precision(centre.dtype)
    if not math.isfinite(level):
        raise LevelSetError(f"the level is {level}: it has to be a finite number")


def _nowhere(directions: Tensor) -> Radii:
    """Rays that reach nothing."""
    radius = torch.full_like(directions[:, 0], torch.nan)
    return Radii(radius, torch.zeros_like(radius, dtype=torch.bool), radius.clone(), 0)


def refuse_ray(
    f: Function, centre: Tensor, direction: Tensor, level: float, limit: float, name: str
) -> NoReturn:
    """Raise an error that says why f does not reach a level along a ray (d,) up to a distance `limit`."""
    name, length = f"{name}, direction {name_of(direction)}", float(direction.norm())
    if not 0 < length < math.inf:
        raise LevelSetError(f"{name}: its length is {length:g}, so it leads nowhere")
    end = float(value(f, (centre + limit / length * direction)[None]))
    missed = f"level {level:g} is not reached"
    if end < level:
        way_out = "a larger limit, or a box if the set is unbounded"
        raise UnboundedLevelSet(f"{name}: {missed} within {limit:g}, where f = {end:g}; give {way_out}")
    raise LevelNotReached(
        f"{name}: {missed}, as f jumps, or is not a number, before it; choose a lower level"
    )


def _solve_numbers(rays: Rays, tolerance: float | None, start: Tensor | None) -> Radii:
    """`_solve` where the direction is a number: along NaN or infinity nothing is reached."""
    finite = rays.directions.sum(1).isfinite()
    if bool(finite.all()):
        return _solve(rays, tolerance, start)
    found, some = _nowhere(rays.directions), torch.nonzero(finite)[:, 0]
    if len(some):
        solved = _solve(rays.subset(some), tolerance, None if start is None else start[some])
        found.radius[some], found.reached[some] = solved.radius, solved.reached
        found.residual[some], found.iterations = solved.residual, solved.iterations
    return found


def _solve(rays: Rays, tolerance: float | None, start: Tensor | None) -> Radii:
    """A first search, in float32 where possible; then values alone; Newton again where they fail."""
    size = (rays.origin + rays.level).abs().clamp_min(abs(rays.level))
    accept = precision(size.dtype) * size if tolerance is None else torch.full_like(size, tolerance)
    if tolerance is not None:  # a start on a level of about zero does not show the size of f's terms
        blind = (rays.origin.abs() <= tolerance) & (size <= 100 * tolerance)
        size = torch.where(blind, tolerance / precision(size.dtype), size)
    _refuse_starts(rays, accept)
    found, slope = _first(rays, size, accept, start)
    _refine(rays, found, slope, accept)
    doubtful = torch.nonzero(~(found.residual.abs() <= accept) | (found.radius <= 0))[:, 0]
    if len(doubtful):
        r = torch.where(found.radius > 0, found.radius, rays.cap / 2)[doubtful].minimum(rays.cap[doubtful])
        again, _ = newton(rays.subset(doubtful), r, accept[doubtful], last_step=False)
        found.radius[doubtful], found.residual[doubtful] = again.radius, again.residual
        found.reached[doubtful] = again.reached
        found.iterations += again.iterations
    found.reached &= (found.radius >= 0) & (found.radius <= rays.cap)
    _drop_jumps(rays, found, accept)
    found.radius[~found.reached] = found.residual[~found.reached] = torch.nan
    return found


def _refuse_starts(rays: Rays, accept: Tensor) -> None:
    """An error for rays on which f is no number at the start, or above the level by more than rounding."""
    everything = torch.arange(len(accept), device=accept.device)
    above = ~(rays.origin <= 2 * accept)
    if bool(above.any()):
        rays.refuse(
            ~rays.origin.isfinite(), everything, LevelSetError, "f is not a finite number where it starts"
        )
        some = everything[above]
        start = torch.zeros_like(accept[some])
        noise = rays.shaken(some, start) + rays.rounding(some, start)[0]
        above[some] = rays.origin[some] > 2 * accept[some] + 8 * noise
        why = f"it starts above the level {rays.level:g}: start from the minimum, or raise the level"
        rays.refuse(above, everything, LevelNotReached, why)


def _drop_jumps(rays: Rays, found: Radii, accept: Tensor) -> None:
    """Not reached: rays on which f is off the level by more than it changes within the rounding of a point.

    There it jumps over the level, or is not a number beyond: a convex f does that at the edge of its domain.
    """
    off = torch.nonzero(found.reached & ~(found.residual.abs() <= accept))[:, 0]
    if len(off):
        r, residual = found.radius[off], found.residual[off]
        step = torch.finfo(r.dtype).eps * rays.coarsest(off, r)
        change = torch.stack([rays.value(off, r + k * step) - residual for k in (-8, -3, 3, 8)])
        rounding = change.abs().nan_to_num(0.0, 0.0, 0.0).amax(0)
        found.reached[off] = residual.abs() <= torch.maximum(accept[off], 8 * rounding)


def _first(rays: Rays, size: Tensor, accept: Tensor, start: Tensor | None) -> tuple[Radii, Tensor]:
    """The first search, in float32 where that is possible and finds no fault: f may cancel there."""
    rounded = rays.in_single_precision()
    if rounded is not None:
        with suppress(LevelSetError):
            return _search(rounded, size, accept, start)
    return _search(rays, size, accept, start)


def _search(rays: Rays, size: Tensor, accept: Tensor, start: Tensor | None) -> tuple[Radii, Tensor]:
    """Radii to about four digits and slopes, by Newton or, where a guess is as good as that, without."""
    close = torch.maximum(COARSE * size, accept).to(rays.origin.dtype)
    if start is None:
        guess = pilot.guess(rays, close)
        climb = guess.radius * guess.slope
        gap = guess.radius_error * climb
        steep = climb >= -rays.origin * (1 - torch.finfo(climb.dtype).eps ** 0.25)  # as f is convex
        if bool((steep & (gap * min(1.0, guess.slope_error) <= accept)).all()):
            found = Radii(
                guess.radius, torch.ones_like(gap, dtype=torch.bool), torch.full_like(gap, torch.nan), 0
            )
            return _as(found, guess.slope, size.dtype)
        r = guess.radius.minimum(rays.cap)
        if guess.radius_error < torch.inf:
            return _as(*by_values(rays, r, guess.slope, guess.bend, close), size.dtype)
    else:
        r = torch.where(start > 0, start, 1.0).to(close.dtype)
    return _as(*newton(rays, r.minimum(rays.cap), close, last_step=True), size.dtype)


def _as(found: Radii, slope: Tensor, dtype: torch.dtype) -> tuple[Radii, Tensor]:
    found.radius, found.residual = found.radius.to(dtype), found.residual.to(dtype)
    return found, slope.to(dtype)


def _refine(rays: Rays, found: Radii, slope: Tensor, accept: Tensor) -> None:
    """Newton with slopes kept: a step costs a value alone and gains as many digits as the slopes have."""
    active = torch.nonzero(found.reached)[:, 0]
    for _ in range(3):
        if not len(active):
            return
        gap = rays.value(active, found.radius[active])
        found.residual[active] = gap
        found.iterations += 1
        wide = (gap.abs() > accept[active]) & (slope[active] > 0)
        active, gap = active[wide], gap[wide]
        found.radius[active] -= gap / slope[active]
