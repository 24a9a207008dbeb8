"""Ways down a convex function within a box: quasi-Newton, Newton's method, cutting planes."""

import numpy as np
from scipy.optimize import linprog, minimize

from invex.analysis.level_sets.problem import Problem, Spot

FALL = 1e-4
"""Part of the fall that a step promises which it must keep (Armijo)."""


class _Left(Exception):  # noqa: N818 - not an error
    """A search left the domain of f."""


def quasi_newton(problem: Problem, start: Spot, tolerance: float) -> Spot:
    """The lowest point that L-BFGS-B sees, until it ends or leaves the domain of f."""
    lowest = start

    def look(x: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal lowest
        spot = problem.at(x)
        if not spot.finite:
            raise _Left
        lowest = min(lowest, spot, key=lambda each: each.value)
        return spot.value, spot.gradient

    bounds = np.stack([problem.lower, problem.upper], 1)
    options = {"ftol": 0.0, "gtol": tolerance, "maxiter": 10_000, "maxcor": 30}
    try:
        end = minimize(look, start.x, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    except _Left:
        return lowest
    reached = Spot(end.x, float(end.fun), end.jac)
    noise = problem.eps * abs(lowest.value)
    return reached if reached.value <= lowest.value + noise else lowest


def newton(problem: Problem, spot: Spot, enough: float, steps: int = 60) -> tuple[Spot, float]:
    """Newton's method in the coordinates that no side holds (Bertsekas, 1982), halving steps until f falls.

    Returns:
        The end, and half the Newton decrement: by how much f can still fall, were it a parabola. The method
        ends when that is at most `enough`; infinite if f has no second derivatives.
    """
    gap = np.inf
    for _ in range(steps):
        found = _step(problem, spot)
        if found is None:
            return spot, np.inf
        step, gap = found
        lower = _fall(problem, spot, step)
        if lower is None:
            break
        spot = lower
        if gap <= enough:
            break
    return spot, gap


def _step(problem: Problem, spot: Spot) -> tuple[np.ndarray, float] | None:
    """Newton's step (d,) and half its decrement."""
    matrix = problem.hessian(spot.x)
    free = np.flatnonzero(~problem.held(spot))
    step = np.zeros_like(spot.x)
    if matrix is None or not len(free):
        return None if matrix is None else (step, 0.0)
    curvature, axes = np.linalg.eigh(matrix[np.ix_(free, free)])
    floor = len(spot.x) * problem.eps * abs(curvature).max()
    if floor == 0:
        return None
    along = axes.T @ spot.gradient[free]
    step[free] = -axes @ (along / np.maximum(curvature, floor))
    return step, float((along**2 / np.maximum(curvature, floor)).sum() / 2)


def _fall(problem: Problem, spot: Spot, step: np.ndarray) -> Spot | None:
    """The first halved step on which f falls by enough, or, within its rounding, its slope by half."""
    noise = 4 * problem.eps * abs(spot.value)
    flatter = np.linalg.norm(problem.slope(spot)) / 2
    for halvings in range(50):
        tried = problem.at(spot.x + 0.5**halvings * step)
        if not tried.finite:
            continue
        promised = spot.gradient @ (tried.x - spot.x)
        if promised < 0 and tried.value < spot.value + FALL * promised:
            return tried
        level = tried.value <= spot.value + noise
        if level and np.linalg.norm(problem.slope(tried)) <= flatter:
            return tried
        if abs(promised) <= noise:
            return None
    return None


def cutting_planes(problem: Problem, spot: Spot, enough: float) -> tuple[Spot, float]:
    """Kelley's method (1960): go to the lowest point under all tangents seen, and take the tangent there.

    Made for kinks, which tangents on both sides describe exactly. The lowest point is sought within a
    trust box that grows when it is met.

    Returns:
        The lowest point seen, and how far above the infimum in the box its value can lie at most.
    """
    reach, gap, best = max(1.0, float(abs(spot.x - problem.seen[0].x).max())), np.inf, spot
    cuts = [*list(problem.seen)[-4 * len(spot.x) - 20 :], spot]
    for _ in range(30 + 15 * len(spot.x)):
        found = _under(problem, cuts, best, reach)
        if found is None:
            break
        step, depth, whole = found
        gap = min(gap, depth) if whole else gap
        if gap <= enough:
            break
        reach = reach if whole else 10 * reach
        tried = problem.at(best.x + step)
        if not tried.finite:
            reach /= 100
            continue
        cuts.append(tried)
        if tried.value < best.value:
            gap, best = gap - (best.value - tried.value), tried
    return best, max(0.0, gap)


def _under(
    problem: Problem, cuts: list[Spot], best: Spot, reach: float
) -> tuple[np.ndarray, float, bool] | None:
    """The step to the lowest point under the cuts, how far below f it lies, and whether `reach` allows it."""
    slopes = np.stack([cut.gradient for cut in cuts])
    heights = np.array([cut.value + cut.gradient @ (best.x - cut.x) - best.value for cut in cuts])
    size = max(float(abs(slopes).max()) * reach, np.finfo(float).tiny)
    low, high = (np.clip((side - best.x) / reach, -1, 1) for side in (problem.lower, problem.upper))
    matrix = np.column_stack([slopes * (reach / size), -np.ones(len(cuts))])
    bounds = [*zip(low, high, strict=True), (None, None)]
    cost = np.append(np.zeros(len(best.x)), 1.0)
    options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    found = linprog(cost, matrix, -heights / size, bounds=bounds, method="highs", options=options)
    if found.status != 0:
        return None
    step = found.x[:-1]
    end = best.x + reach * step
    inside = (abs(step) < 1) | (end <= problem.lower) | (end >= problem.upper)
    return reach * step, -float(found.fun) * size, bool(inside.all())
