"""Sentences of the Rosenbrock chapter that the data choose."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from invex.charts.rosenbrock_seeds import NOTHING, median_run, middle, usable


def model_in_words(seed: int, drawn: Any, runs: Sequence[Any], epochs: int) -> str:
    """Which model the page draws: the recorded seed of median error, another, or one trained for it."""
    count = len(usable(runs))
    if drawn is None:
        return f"The model drawn was trained for this page, from seed {seed}, for {epochs} epochs."
    rmse = f"an RMSE of {drawn.metrics['rmse']:.3f}"
    if count == 1:
        return f"The model drawn is that of the one recorded seed, {seed}, with {rmse}."
    if drawn is not median_run(runs):
        return f"The model drawn is that of seed {seed}, as was asked for, with {rmse}."
    which = "the median" if count % 2 else "the better of the two in the middle"
    those = f"{count} by error" if count == len(runs) else f"the {count} that have a minimum, by error"
    return f"The model drawn is that of seed {seed}, {which} of {those}, with {rmse}."


def agreement_in_words(by_curve: int, by_value: int, level: float) -> str:
    """How often a straight pointer in input space crosses the curve, counted in two ways."""
    if by_curve == by_value:
        return (
            "How often does a straight pointer in input space cross the level curve? At the level "
            f"{level:.2f} at most {by_curve} times, counted on the curve that is drawn, and as often if one "
            "forgets the curve and looks where F itself passes the level along those rays."
        )
    return (
        f"A straight pointer in input space crosses the curve of level {level:.2f} up to {by_curve} times, "
        f"counted on the curve that is drawn, and {by_value} times where F itself passes the level along "
        "those rays. The second count is the safer one: a drawn curve has corners and leaves the picture."
    )


def piece_in_words(piece: Any, far: Mapping[float, float]) -> str:
    """What looks like a second valley in the window, and how far its level curve goes between the two."""
    if piece is None:
        return "In this window each sub-level set is in one piece."
    first, second = piece.place.tolist()
    side = f"{'top' if second > 0.4 else 'bottom'} {'right' if first > 0 else 'left'}"
    near = min(far, key=lambda level: abs(level - piece.level))
    return (
        f"What looks like a second valley, {side}, around ({first:.2f}, {second:.2f}), is no second minimum: "
        f"F is {piece.value:.2f} at its lowest point in view, and the curve of level {near:.2f} around "
        "it is the same closed curve that runs around the first. Between the two it leaves the picture and "
        f"goes out to a coordinate of {_power(far[near])}. Nothing was learnt there, and the model's valley "
        "turns and comes back."
    )


def _power(value: float) -> str:
    if value < 1000:
        return f"{value:.3g}"
    digits = int(np.floor(np.log10(value)))
    raised = str(digits).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"about {value / 10**digits:.0f} × 10{raised}"


def valley_in_words(seeds: pd.DataFrame) -> str:
    """Whether the valley runs on beyond the data, over the seeds."""
    if seeds.empty:
        return f"{NOTHING}, so whether the valley runs on in most of them is open."
    found = middle(seeds["stray"].tolist())
    count = int(seeds["valley"].sum())
    ends = f"{found['low']:.1f} to {found['high']:.1f}"
    if len(seeds) == 1:
        strayed = f"{found['value']:.1f} steps of the training grid"
        return f"In the one recorded seed the valley's floor strays by {strayed}."
    which = (
        "Beyond the data the valley runs on within one step of the training grid"
        if found["high"] <= 1
        else "Beyond the data the valley does not keep within one step of the training grid"
        if found["low"] > 1
        else "Whether the valley runs on within one step of the training grid depends on the seed"
    )
    return (
        f"{which}: it does in {count} of {len(seeds)} seeds, and the largest stray is {found['value']:.1f} "
        f"steps in the median (95 % interval {ends})."
    )


def missing_in_words(seeds: pd.DataFrame) -> str:
    """How many trained networks have no minimum at all, and what that means for the pointer."""
    lost = int((seeds["one_point"] == "no minimum").sum()) if len(seeds) else 0
    if not lost:
        return ""
    best = seeds.sort_values("rmse")["one_point"].iloc[0] == "no minimum"
    which = ", the best fit among them," if best else ""
    return (
        f"In {lost} of {len(seeds)} seeds{which} the trained f has no minimum at all: it falls for ever in "
        "some direction. Theorem 3.3 asks for a minimum, but training does not see to it; without one the "
        "level sets are unbounded, and the pointer has no centre."
    )


def course_in_words(stray: float) -> str:
    """Whether the valley of one model runs on, by the largest stray of its floor in steps of the grid."""
    if stray <= 1:
        return "The valley runs on where there were no data"
    if stray <= 3:
        return "The valley runs on where there were no data, a little beside its course"
    return "The valley of this model leaves its course where there were no data"


def theorems_in_words(others: Sequence[bool], points: Sequence[str]) -> str:
    """What the certificates say of the theorems, on the model drawn and over the seeds that are decided."""
    if not all(others) or "no" in points:
        return "One of the certificates contradicts a theorem, which is shown below."
    decided = (
        f" and wherever our check of one stationary point is decided ({len(points)} trained models), it holds"
        if points
        else " while our check of one stationary point is not decided"
    )
    return f"On the trained model every ray crosses each level once and every level set is whole,{decided}."


def conditions_in_words(lacking: Sequence[str]) -> str:
    """Which theorems lack a condition as they are printed."""
    if not lacking:
        return "Both theorems hold as printed, on the examples that we tried."
    if len(lacking) == 1:
        return f"Theorem {lacking[0]} needs one more condition than is printed."
    return f"Theorems {' and '.join(lacking)} need one more condition each than is printed."


def schedules_in_words(schedules: Sequence[str], table: pd.DataFrame) -> str:
    """Whether the schedules of the code and of the text have rows, and what they give beside ours."""
    there = [name for name in schedules if len(table) and name in set(table["choice"])]
    lacking = [name for name in schedules if name not in there]
    said = []
    if there:
        rows = table.set_index("choice")["RMSE"]
        said.append(f"The {' and the '.join(f'{name} gives an RMSE of {rows[name]:.3f}' for name in there)}.")
    if lacking:
        verb = "is" if len(lacking) == 1 else "are"
        said.append(f"The {' and the '.join(lacking)} {verb} not recorded yet, and so not in the table.")
    return " ".join(said)
