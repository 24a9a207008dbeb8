"""The verdict on a measured value, computed from the claim and its declared tolerance; it cannot be typed."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from invex.press.claims import RELATIONS, Claim

REPRODUCED, SAME_ORDER, DIFFERS, UNDECIDED = "reproduced", "same order", "differs", "undecided"
IN_PART, QUICK, NOT_ATTEMPTED = "in part", "quick", "not attempted"
VERDICTS = {
    REPRODUCED: "all that is claimed of it was checked, with all its runs, and holds",
    SAME_ORDER: "values miss their tolerance, but a ranking or trend holds",
    DIFFERS: "a check fails; the cause stands beneath it as far as it was found",
    IN_PART: "what was decided holds, but checks or runs are missing, or too few to decide",
    UNDECIDED: "the interval of what was measured holds values that agree and values that do not",
    QUICK: "from stand-in data or fewer steps, and not compared",
    NOT_ATTEMPTED: "not in the book yet",
}


def verdict(claim: Claim, value: Any, interval: tuple[float, float] | None = None) -> str:
    """Compare a measured value with the paper's.

    ``value``: a number within ``tolerance`` of the paper's; a mapping of numbers, all within it, or at least
    ranked as in the paper (`SAME_ORDER`). ``order``: names in the paper's order, best first; a nested list is
    a tie. ``trend``: true. ``bound``: the relation holds. A number that is not finite differs. Where its
    ``interval`` holds numbers that would be judged otherwise, it is `UNDECIDED`.
    """
    if claim.kind == "order":
        return REPRODUCED if _ordered(claim.paper, list(value)) else DIFFERS
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


def _ordered(paper: list[Any], measured: list[str]) -> bool:
    for group in ([entry] if isinstance(entry, str) else entry for entry in paper):
        head, measured = measured[: len(group)], measured[len(group) :]
        if sorted(head) != sorted(group):
            return False
    return not measured
