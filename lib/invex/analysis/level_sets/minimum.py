"""The minimum of a convex function, also within a box (Sec. 3.3 and 3.3.1 of Nesterov et al. 2022)."""

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from invex.analysis.level_sets import arguments
from invex.analysis.level_sets.descent import cutting_planes, newton, quasi_newton
from invex.analysis.level_sets.problem import Problem, Spot, widened
from invex.analysis.level_sets.rays import Box, Function, LevelSetError, name_of
from invex.analysis.modes import outside_inference

NEWTON = (200, 1000)
"""Dimensions up to which second derivatives are taken: where first ones have sufficed, and where not."""
CUTS = 50
"""Dimensions up to which kinks are looked after."""
ACCEPT = {torch.float64: 1e-6, torch.float32: 1e-3}
"""Largest gap to accept, as a part of |f| and of the fall of f."""


class MinimumNotFound(LevelSetError):  # noqa: N818 - named after the finding
    """The search for a minimum ended at a point that is not known to be one."""


class MinimumNotAttained(MinimumNotFound):
    """The search for a minimum ran away: the infimum is not attained, or lies beyond the limit."""


@dataclass(frozen=True)
class Minimum:
    """A minimum.

    Attributes:
        point: (d,).
        value: f there.
        gradient_norm: norm of the projected gradient; at a kink it need not be small.
        iterations: points at which f was evaluated.
        gap: how far above the minimum the value may lie: half the Newton decrement where f is smooth, a
            bound by tangents at a kink, NaN where neither was looked at.
    """

    point: Tensor
    value: float
    gradient_norm: float
    iterations: int
    gap: float


@outside_inference
def minimum(
    f: Function, start: Tensor, *, box: Box | None = None, tolerance: float | None = None, limit: float = 1e6
) -> Minimum:
    """Minimum of a convex function, within a box where one is given.

    By L-BFGS-B, then Newton's method, and cutting planes where f has kinks; in float64 where f can be
    evaluated so. Steps out of the domain of f, to values that are not finite, are taken back.

    Args:
        f: (n, d) -> (n,) or (n, 1), convex and differentiable almost everywhere.
        start: (d,), where f is finite; the minimum keeps its dtype and device.
        box: lower and upper corner, (d,) or a number each (Sec. 3.3.1).
        tolerance: largest element of the projected gradient to accept, and the largest `gap` as a part of
            |f| and of the fall of f; the first is relative to the gradient at the start if that is below 1.
            By default the square root of the rounding for the first, and 1e-6 for the second (1e-3 where f
            computes in float32).
        limit: distance from `start`, in each coordinate, at which the search has run away.

    Raises:
        MinimumNotAttained: f still falls at the limit; the message names the point.
        MinimumNotFound: f is not finite at the start, or the search ended too early; the message names the
            point and how much lower f may lie.
        TypeError: the start is neither float32 nor float64, or f is a module of another dtype.
        ValueError: the box is not in order, f is not the same twice, or a shape, a device or a number is
            wrong.
    """
    start = arguments.point("start", start).detach()
    arguments.positive(tolerance=tolerance, limit=limit)
    arguments.box_in_order(box, start)
    like: dict[str, Any] = {"dtype": start.dtype, "device": start.device}
    corners = (-torch.inf, torch.inf) if box is None else box
    low, high = (torch.as_tensor(corner, **like).expand_as(start) for corner in corners)
    arguments.steady(f, start.clamp(low, high), "start")
    wide, inside = widened(f, start.clamp(low, high))
    first, lower, upper = (part.double().cpu().numpy() for part in (inside, low, high))
    below, above = np.isinf(lower), np.isinf(upper)
    sides = np.where(below, first - limit, lower), np.where(above, first + limit, upper)
    problem = Problem(wide, inside, *sides, below, above)
    spot, gap = _search(problem, first, tolerance)
    if not _attained(problem, spot, first):
        where = f"at {_name(spot.x)}, f = {spot.value:.7g}"
        raise MinimumNotAttained(f"f still falls {where}, and has no minimum within {limit:g} of the start")
    point = torch.as_tensor(spot.x).to(start).clamp(low, high)
    norm = float(np.linalg.norm(problem.slope(spot)))
    return Minimum(point, spot.value, norm, problem.evaluations, gap)


def _search(problem: Problem, first: np.ndarray, tolerance: float | None) -> tuple[Spot, float]:
    """Where the search from `first` ends, and the gap there."""
    start = problem.at(first)
    if not start.finite:
        raise MinimumNotFound(f"f is not finite at the start, {_name(start.x)}: start within its domain")
    steep = float(abs(problem.slope(start)).max())
    if steep == 0:
        return start, 0.0
    level = (tolerance or problem.eps**0.5) * min(1.0, steep)
    spot = quasi_newton(problem, start, level)
    size = abs(spot.value) + abs(start.value - spot.value)
    ended = abs(problem.slope(spot)).max() <= level
    few = len(first) <= NEWTON[0 if ended else 1]
    spot, gap = newton(problem, spot, problem.eps * size) if few else (spot, np.nan)
    if abs(problem.slope(spot)).max() <= level:
        return spot, gap if np.isfinite(gap) else np.nan
    if gap <= 1e3 * problem.eps * size:
        return spot, gap
    if len(first) <= CUTS:
        spot, gap = cutting_planes(problem, spot, problem.eps**0.5 * size / 10)
    if gap <= (tolerance or ACCEPT[problem.like.dtype]) * size or problem.at_limit(spot):
        return spot, gap
    _refuse(problem, spot, gap)


def _refuse(problem: Problem, spot: Spot, gap: float) -> NoReturn:
    known = np.isfinite(gap)
    lower = f"f may lie up to {gap:.2g} lower" if known else "it is not known how much lower f may lie"
    where = f"{_name(spot.x)}, f = {spot.value:.7g}, gradient {np.linalg.norm(problem.slope(spot)):.2g}"
    raise MinimumNotFound(
        f"the search ended at {where}: {lower}. Smooth the kinks of f, if it has any, start nearer to the "
        "minimum, or accept more with tolerance="
    )


def _attained(problem: Problem, spot: Spot, first: np.ndarray) -> bool:
    """Whether f rises from here to the limit, on the way that the search took and down the gradient.

    On a convex f without a minimum the gradient fades like one near a minimum, but f never rises again.
    """
    if problem.at_limit(spot):
        return False
    slope = problem.slope(spot)
    for way in (spot.x - first, -slope):
        if not slope.any() or not way.any():
            continue
        free = (way != 0) & np.where(way < 0, problem.below, problem.above)
        side = np.where(way < 0, problem.lower, problem.upper)
        away = np.divide(side - spot.x, way, where=free, out=np.full_like(way, np.inf)).min()
        if free.any() and problem.at(spot.x + away * np.where(free, way, 0.0)).value <= spot.value:
            return False
    return True


def _name(x: np.ndarray) -> str:
    return name_of(torch.as_tensor(x))
