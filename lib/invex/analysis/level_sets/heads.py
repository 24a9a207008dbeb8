"""Where a monotone head g reaches a level, and why it does not."""

import math
from collections.abc import Callable

import torch
from scipy.optimize import brentq
from torch import Tensor

from invex.analysis.level_sets.rays import LevelNotReached, LevelSetError

Gap = Callable[[float], float]


def head_level(head: Callable[[Tensor], Tensor], level: float, like: Tensor, limit: float) -> float:
    """g^-1(level); see `invex.analysis.level_sets.level_before`."""

    def value(y: float) -> float:
        with torch.no_grad():
            return float(head(like.new_tensor([y]))) - level

    def gap(y: float) -> float:
        found = value(y)
        if math.isnan(found):
            raise LevelSetError(f"the head is not a number at {y:g}")
        return found

    positive = math.isnan(value(-1.0))
    low, high = _bracket(gap, level, limit, positive)
    if 0 in (gap(low), gap(high)):
        found = low if gap(low) == 0 else high
    else:
        found = brentq(gap, low, high, xtol=1e-14 * (low if positive else 1.0))
    _check(gap, found, level, torch.finfo(like.dtype).eps, found if positive else max(1.0, abs(found)))
    return found


def _bracket(gap: Gap, level: float, limit: float, positive: bool) -> tuple[float, float]:
    """Two numbers between which g passes the level, about zero or, if only there it is defined, above."""
    reach, signs = 1.0, set()
    while True:
        low, high = reach**-2 / 2 if positive else -reach, reach
        below, above = math.copysign(1, gap(low)), math.copysign(1, gap(high))
        signs |= {below, above}
        if gap(low) == 0 == gap(high) or (below == above and len(signs) > 1):
            raise LevelSetError(f"the head is not strictly monotone between {low:g} and {high:g}")
        if below != above or 0 in (gap(low), gap(high)):
            return low, high
        if reach >= limit:
            raise LevelNotReached(f"the head does not reach {level:g} between {low:g} and {high:g}")
        reach = min(2 * reach, limit)


def _check(gap: Gap, y: float, level: float, eps: float, size: float) -> None:
    """That g passes the level at y, of that size: from one side to the other, and without a jump."""
    near, far = max(8 * eps, 1e-13) * size, eps**0.25 * size
    before, after = gap(y - far), gap(y + far)
    if before == 0 or after == 0:
        raise LevelNotReached(
            f"the head is flat at {y:g}, where it comes up to {level:g} and does not pass it"
        )
    if (before > 0) == (after > 0):
        raise LevelSetError(f"the head is not monotone at {y:g}: it touches {level:g} and turns back")
    if abs(gap(y + near) - gap(y - near)) > 0.5 * abs(after - before):
        raise LevelSetError(f"the head jumps at {y:g}, past {level:g}")
