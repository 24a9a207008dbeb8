"""The verdict on a measured value, computed from the claim and its declared tolerance; it cannot be typed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from invex.press.claims import RELATIONS, Claim

REPRODUCED, SAME_ORDER, DIFFERS, UNDECIDED = "reproduced", "same order", "differs", "undecided"
IN_PART, QUICK, NOT_ATTEMPTED = "in part", "quick", "not attempted"
SHOWN, FULL_SCALE, MET, MISSED = "shown", "needs full scale", "met", "missed"
VERDICTS = {
    REPRODUCED: "all that the work claims of it was checked, with all its runs, and holds",
    SAME_ORDER: "values miss their tolerance, but a ranking or trend holds",
    DIFFERS: "a check fails; the cause stands beneath it as far as it was found",
    IN_PART: "what was decided holds, but checks or runs are missing, or too few to decide",
    UNDECIDED: "the interval of what was measured holds values that agree and values that do not; or one "
    "network alone, which decides nothing about training",
    FULL_SCALE: "only the full scale can show it, and what is recorded is reduced",
    SHOWN: "drawn, and the work makes no claim of it that could be checked",
    QUICK: "from stand-in data or fewer steps, and not compared",
    NOT_ATTEMPTED: "not in the book yet",
    MET: "an aim of our own, no claim of a work, holds",
    MISSED: "an aim of our own fails",
}
AIMS = {REPRODUCED: MET, SAME_ORDER: MISSED, DIFFERS: MISSED}
JUDGED = (REPRODUCED, SAME_ORDER, DIFFERS, IN_PART, UNDECIDED)
"""Verdicts that say at which scale they were found."""
FEW = 2
"""Networks or seeds that a claim about training takes."""


def verdict(
    claim: Claim, value: Any, interval: tuple[float, float] | None = None, n: int | None = None
) -> str:
    """Compare a measured value with the paper's; an aim of our own is `MET` or `MISSED` by the same rules.

    ``value``: a number within ``tolerance`` of the paper's; a mapping of numbers, all within it, or at least
    ranked as in the paper (`SAME_ORDER`). ``order``: names in the paper's order, or each name's number with
    its interval, `[value, low, high]`: it holds where the intervals are apart, and a nested list is a group
    whose members are not ranked. ``similar``: the interval of a ratio lies within the limits. ``trend``:
    true. ``bound``: the relation holds. A number that is not finite differs.

    Where its ``interval`` holds numbers that would be judged otherwise, it is `UNDECIDED`; so is what is said
    of training and measured on fewer than `FEW` networks.
    """
    found = _verdict(claim, value, interval)
    if claim.training and (n is None or n < FEW):
        found = UNDECIDED
    return AIMS.get(found, found) if claim.own else found


def _verdict(claim: Claim, value: Any, interval: tuple[float, float] | None) -> str:
    if claim.kind == "order":
        return _order(claim, value)
    if claim.kind == "similar":
        return _similar(claim, interval)
    if claim.kind == "trend":
        return REPRODUCED if value is True else DIFFERS
    if isinstance(claim.paper, Mapping):
        return _mapping(claim, value)
    nearest = [min(max(claim.paper, interval[0]), interval[1])] if interval and claim.kind == "value" else []
    held = {_agrees(claim, number) for number in (value, *(interval or ()), *nearest)}
    return UNDECIDED if len(held) > 1 else REPRODUCED if held == {True} else DIFFERS


def _agrees(claim: Claim, value: float) -> bool:
    if claim.kind == "bound":
        return math.isfinite(value) and bool(RELATIONS[claim.relation](value, claim.paper))
    return _near(value, claim)


def _mapping(claim: Claim, value: Mapping[str, float]) -> str:
    if value.keys() != claim.paper.keys() or not all(map(math.isfinite, value.values())):
        return DIFFERS
    if all(_near(value[name], replace(claim, paper=paper)) for name, paper in claim.paper.items()):
        return REPRODUCED
    ranked = sorted(value, key=value.__getitem__) == sorted(value, key=claim.paper.__getitem__)
    return SAME_ORDER if ranked else DIFFERS


def _near(value: float, claim: Claim) -> bool:
    """Say whether a number agrees; the slack of 1e-12 forgives decimal tolerances their binary form."""
    allowed = (claim.tolerance or 0.0) + 1e-12 * abs(claim.paper)
    return math.isfinite(value) and abs(value - claim.paper) <= allowed


def _similar(claim: Claim, interval: tuple[float, float] | None) -> str:
    """Judge a ratio by its interval alone: that two medians look alike says nothing."""
    if interval is None or claim.limits is None:
        return UNDECIDED
    low, high = claim.limits
    if low <= interval[0] and interval[1] <= high:
        return REPRODUCED
    return DIFFERS if interval[0] > high or interval[1] < low else UNDECIDED


def _order(claim: Claim, value: Any) -> str:
    groups = [[entry] if isinstance(entry, str) else entry for entry in claim.paper]
    if isinstance(value, Mapping):
        return _apart(groups, value, claim.best)
    if claim.training:
        return UNDECIDED  # names alone do not say whether they are apart
    return REPRODUCED if _ordered(groups, list(value)) else DIFFERS


def _apart(groups: list[list[str]], value: Mapping[str, Sequence[float]], best: str) -> str:
    """Judge each pair that the paper ranks: all apart as it says, one apart otherwise, or neither."""
    if {name for group in groups for name in group} != set(value):
        return DIFFERS
    sign = 1.0 if best == "min" else -1.0
    ends = {name: sorted((sign * low, sign * high)) for name, (_, low, high) in value.items()}
    pairs = [
        (first, second)
        for place, group in enumerate(groups)
        for first in group
        for later in groups[place + 1 :]
        for second in later
    ]
    finite = all(math.isfinite(end) for both in ends.values() for end in both)
    if not finite or any(ends[second][1] < ends[first][0] for first, second in pairs):
        return DIFFERS
    return REPRODUCED if all(ends[one][1] < ends[two][0] for one, two in pairs) else UNDECIDED


def _ordered(groups: list[list[str]], measured: list[str]) -> bool:
    for group in groups:
        head, measured = measured[: len(group)], measured[len(group) :]
        if sorted(head) != sorted(group):
            return False
    return not measured
