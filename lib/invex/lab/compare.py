"""How far a run that was made again comes out from its record, number by number."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from invex.lab.attestations import Tolerance
from invex.lab.records import Record

WIDENED = 0.5
"""A range of recorded seeds is widened by this share of its width on either side: it is that of few draws."""
SEEDS = 3
"""Recorded runs that a spread takes."""

Numbers = Mapping[str, Sequence[Any]]


def largest_deviation(kept: Record, again: Record, tolerance: Tolerance) -> tuple[float | None, str]:
    """The largest relative difference of the numbers of a record, and where it is in words.

    A metric or a column counts relative to the largest size of its numbers. What the run gives besides is not
    compared. None stands for what has no difference: numbers that are missing, texts, tables of other length.
    """
    new, worst, place = dict(_numbers(again, tolerance)), 0.0, ""
    for name, before in _numbers(kept, tolerance):
        found = _deviation(before, new.get(name, ()), tolerance.floor)
        if found is None or found > worst:
            worst, place = found or 0.0, f"{name}: {_said(before, new.get(name, ()))}"
        if found is None:
            return None, place
    if (kept.failed or None) != (again.failed or None):
        return None, f"{again.failed or 'did not fail'}, recorded: {kept.failed or 'did not fail'}"
    return worst, place


def outside(again: Record, kept: Sequence[Record], tolerance: Tolerance) -> str | None:
    """Metrics that lie outside the spread of those recorded with other seeds; empty where none does.

    Args:
        again: a run that was made again.
        kept: the records of its kind, with all seeds.

    Returns:
        None where there are fewer than `SEEDS` records.
    """
    if len(kept) < SEEDS:
        return None
    strays = []
    for name, value in again.metrics.items():
        known = [number for item in kept if _is_number(number := item.metrics.get(name))]
        if name in tolerance.times or not known:
            continue
        low, high = min(known), max(known)
        spare = WIDENED * (high - low)
        if not _is_number(value) or not low - spare <= value <= high + spare:
            strays.append(f"{name} {_text(value)}, recorded {low:.6g} to {high:.6g}")
    return "; ".join(strays)


def _numbers(item: Record, tolerance: Tolerance) -> Iterator[tuple[str, Sequence[Any]]]:
    """Each metric, column and tensor by its name, as a sequence of numbers or texts."""
    for name, value in item.metrics.items():
        if name not in tolerance.times:
            yield f"metric {name}", [value]
    for table, columns in item.tables.items():
        for column, values in columns.items():
            if column not in tolerance.times:
                yield f"{table}.{column}", values
    for name, tensor in item.tensors().items():
        yield f"tensor {name}", tensor.double().flatten().tolist()


def _deviation(before: Sequence[Any], after: Sequence[Any], floor: float) -> float | None:
    if list(before) == list(after):
        return 0.0
    pairs = list(zip(before, after, strict=False))
    if len(before) != len(after) or not all(
        one == two or (_is_number(one) and _is_number(two)) for one, two in pairs
    ):
        return None
    numbers = [(one, two) for one, two in pairs if _is_number(one)]
    scale = max([floor, *(abs(number) for pair in numbers for number in pair)])
    return max(abs(one - two) for one, two in numbers) / scale if scale else 0.0


def _said(before: Sequence[Any], after: Sequence[Any]) -> str:
    """The first place where they differ most, in words."""
    if len(before) != len(after):
        return f"{len(after)} values, recorded {len(before)}" if after else "missing"
    differ = [(one, two) for one, two in zip(before, after, strict=True) if one != two]
    one, two = max(differ, key=_distance)
    return f"{_text(two)}, recorded {_text(one)}"


def _distance(pair: tuple[Any, Any]) -> float:
    return abs(pair[0] - pair[1]) if all(map(_is_number, pair)) else math.inf


def _text(value: Any) -> str:
    return f"{value:.9g}" if _is_number(value) else "not finite" if value is None else repr(value)


def _is_number(value: Any) -> TypeGuard[float]:
    return type(value) in (int, float) and math.isfinite(value)
