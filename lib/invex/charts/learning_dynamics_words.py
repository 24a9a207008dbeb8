"""What recorded training runs show, in sentences that the data choose."""

import math
from collections.abc import Mapping

import pandas as pd

from invex.charts.learning_dynamics_tables import CHANCE, TITLES, gain, ratio, select
from invex.charts.sentences import listed

PRINCIPLED, DEFAULT, ORDINARY = "ICNN + init", "ICNN", "non-convex"
VARIATIONS = {  # what it is called, what it is compared with, and what is said of it
    "noise": (
        f"{PRINCIPLED} (β = 0.5)",
        PRINCIPLED,
        {
            "more": "Random biases let more networks learn",
            "fewer": "With random biases fewer networks learn",
            "mixed": "Random biases help in some cases and hinder in others",
            "open": "Random biases do not clearly change how many networks learn",
        },
    ),
    "shift": (
        f"{PRINCIPLED} (only shift)",
        PRINCIPLED,
        {
            "more": "With the shift alone more networks learn than with the whole initialisation",
            "fewer": "The shift alone does not replace the whole initialisation; fewer networks learn",
            "mixed": "The shift alone is better in some cases than the whole initialisation, and worse in "
            "others",
            "open": "How many networks learn with the shift alone does not clearly differ",
        },
    ),
    "less": (
        f"{PRINCIPLED} (ρ = 0.1)",
        PRINCIPLED,
        {
            "more": "Asking for less correlation lets more networks learn",
            "fewer": "Asking for less correlation lets fewer networks learn",
            "mixed": "Asking for less correlation helps in some cases and hinders in others",
            "open": "Asking for less correlation does not clearly change how many networks learn",
        },
    ),
    "exponential": (
        f"{PRINCIPLED} (exponential)",
        f"{DEFAULT} (exponential)",
        {
            "more": "With exponential weights, too, more networks learn from the principled start",
            "fewer": "With exponential weights fewer networks learn from the principled start",
            "mixed": "With exponential weights the principled start helps here and hinders there",
            "open": "With exponential weights no clear difference is seen between the two starts",
        },
    ),
}
FEW = 2  # runs of each kind, without which nothing is said of a difference


def learnt(left: pd.DataFrame, **values: object) -> str:
    """``7 of 10``: how many of these runs learn; all of them if `left` says so; ``none``; or nothing."""
    steps = select(left, values)["left"]
    if steps.empty:
        return ""
    return f"{steps.notna().sum()} of {len(steps)}" if steps.notna().any() else f"none of {len(steps)}"


def start_in_words(left: pd.DataFrame) -> str:
    """How many networks learn from the principled start and from the default one, by data set.

    Args:
        left: as `starts` gives it, of one depth.
    """
    parts, gains = [], []
    for dataset in dict.fromkeys(left["dataset"]):
        own, other = (learnt(left, dataset=dataset, method=method) for method in (PRINCIPLED, DEFAULT))
        if own and other:
            parts.append(f"{own} against {other} on {TITLES[dataset]}")
            sides = ({"dataset": dataset, "method": method} for method in (PRINCIPLED, DEFAULT))
            gains.append(gain(left, *sides))
    return _direction(gains, "networks learn from the principled start than from the default one") + (
        f": {', '.join(parts)}." if parts else "."
    )


def _direction(gains: list[dict[str, float]], than: str) -> str:
    more, fewer = any(g["low"] > 0 for g in gains), any(g["high"] < 0 for g in gains)
    if more and not fewer:
        return f"More {than}"
    if fewer and not more:
        return f"Fewer {than}"
    return f"On some data more, on other data fewer {than}" if more else f"It is not clear that more {than}"


def depth_in_words(left: pd.DataFrame, method: str = PRINCIPLED) -> str:
    """How many runs of a method learn at each depth, by data set; those that always learn together."""
    always, others = [], []
    for dataset, own in select(left, {"method": method}).groupby("dataset", sort=False):
        if own["left"].notna().all():
            always.append(TITLES[str(dataset)])
            continue
        parts = [
            f"{learnt(each, method=method)} with {depth} layers" for depth, each in own.groupby("hidden")
        ]
        others.append(f"on {TITLES[str(dataset)]} {listed(parts)}")
    said = [f"every principled network learns on {listed(always)}, at every depth"] if always else []
    said += [f"{each} learn" for each in others]
    words = "; ".join(said)
    return f"{words[:1].upper()}{words[1:]}." if words else "No principled network is recorded."


def changed_in_words(left: pd.DataFrame, one: str, other: str, words: Mapping[str, str]) -> str:
    """What a variation changes in how many runs learn, where the interval of the difference leaves out zero.

    Args:
        left: as `starts` gives it.
        one: name of the variation.
        other: of what it is compared with.
        words: for `more`, `fewer`, `mixed` and `open`.
    """
    cells, seen = [], 0
    for (dataset, hidden), own in left.groupby(["dataset", "hidden"], sort=False):
        found = gain(own, {"method": one}, {"method": other})
        if not found or found["n"] < FEW:
            continue
        seen += 1
        if found["low"] > 0 or found["high"] < 0:
            sides = f"{learnt(own, method=one)} against {learnt(own, method=other)}"
            clarity = abs(found["value"]) * found["n"] ** 0.5
            cells.append((clarity, found["value"], f"{sides} on {TITLES[str(dataset)]} with {hidden} layers"))
    if not seen:
        return "Too few runs are recorded to say."
    values = [value for _, value, _ in cells]
    kind = "open" if not cells else "more" if min(values) > 0 else "fewer" if max(values) < 0 else "mixed"
    shown = [text for _, _, text in sorted(cells, key=lambda cell: -cell[0])]
    rest = f"; {len(shown) - 3} more stand in the figure" if len(shown) > 3 else ""
    return f"{words[kind]}: {listed(shown[:3])}{rest}." if cells else f"{words[kind]}."


def variations_in_words(left: pd.DataFrame) -> dict[str, str]:
    """A sentence for each of `VARIATIONS`; takes what `changed_in_words` takes."""
    return {name: changed_in_words(left, *variation) for name, variation in VARIATIONS.items()}


def similar_in_words(runs: pd.DataFrame) -> str:
    """The last loss of principled networks over that of ordinary ones at five layers, by data set."""
    parts, found = [], []
    for dataset in dict.fromkeys(runs["dataset"]) if len(runs) else ():
        here = {"dataset": dataset, "hidden": 5}
        each = ratio(runs, here | {"method": PRINCIPLED}, here | {"method": ORDINARY})
        if each and each["n"] >= FEW:
            found.append(each)
            value, low, high = (_factor(each[name]) for name in ("value", "low", "high"))
            parts.append(f"{value} ({low} to {high}) on {TITLES[dataset]}")
    if not found:
        return "Too few runs are recorded to compare their losses."
    above, below = all(f["low"] > 1 for f in found), all(f["high"] < 1 for f in found)
    side = "ends above" if above else "ends below" if below else "is compared with"
    return (
        f"Its loss {side} that of the ordinary network: with five layers the ratio of their medians is "
        f"{listed(parts)}, with 95 % intervals."
    )


def _factor(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def silence_in_words(runs: pd.DataFrame) -> str:
    """How many principled runs that never learn started with a silent last layer, over all data.

    Args:
        runs: as `activity` gives it.
    """
    failed = runs[runs["left"].isna()]
    silent = (failed["active"] == 0).sum()
    lucky = ((runs["active"] == 0) & runs["left"].notna()).sum()
    if failed.empty:
        return "Every principled network that is recorded learns."
    share = "all" if silent == len(failed) else f"{silent}" if silent else "none"
    started = (
        f"Of {len(failed)} principled networks that never learn, {share} had a silent last layer before the "
        "first step"
    )
    if not (runs["active"] == 0).any():
        return f"{started}."
    escape = (
        "none of those that start so learns" if not lucky else f"{lucky} that start so learn all the same"
    )
    return f"{started}; {escape}."


def confident_in_words(runs: pd.DataFrame) -> str:
    """A method whose median loss ends above guessing though it classifies far better than guessing does."""
    for (dataset, method), own in runs.groupby(["dataset", "method"], sort=False) if len(runs) else ():
        loss, accuracy, guessed = (
            own["final_loss"].median(),
            own["test_accuracy"].median(),
            CHANCE[str(dataset)],
        )
        if loss > 1.05 * guessed and accuracy > 2 * math.exp(-guessed):
            return (
                "A loss above that of guessing need not mean that nothing is learnt: that of "
                f"{method} on {TITLES[str(dataset)]} ends at {loss:.3g} nats, and {accuracy:.0%} of the "
                "test images "
                "are classified rightly. Where such a network is wrong, it is very sure."
            )
    return "No loss above that of guessing hides a network that has learnt."


def lower_in_words(runs: pd.DataFrame, one: str, other: str) -> str:
    """Where the median last loss of one method lies below that of another, by intervals of their ratio."""
    said = []
    for method, rival in ((one, other), (other, one)):
        places = []
        for dataset, own in runs.groupby("dataset", sort=False) if len(runs) else ():
            depths = [hidden for hidden, each in own.groupby("hidden") if _lower(each, method, rival)]
            every = len(depths) == own["hidden"].nunique()
            layers = "at every depth" if every else f"with {listed([str(depth) for depth in depths])} layers"
            places += [f"{TITLES[str(dataset)]} {layers}"] if depths else []
        said += [f"{method} ends lower on {listed(places)}"] if places else []
    return f"{'; '.join(said)}." if said else "Neither ends clearly lower."


def _lower(runs: pd.DataFrame, method: str, rival: str) -> bool:
    found = ratio(runs, {"method": method}, {"method": rival})
    return bool(found) and found["n"] >= FEW and found["high"] < 1


def precision_in_words(rows: pd.DataFrame) -> str:
    """Whether training with products in bfloat16 ends where that in float32 does, by its intervals."""
    if "loss low" not in rows:
        return "Training with products in bfloat16 beside float32."
    wide = rows.pivot(index="method", columns="products")
    low, high = wide["loss low"], wide["loss high"]
    apart = (low["bfloat16"] > high["float32"]) | (low["float32"] > high["bfloat16"])
    if not apart.any():
        return (
            "No difference shows between products in bfloat16 and in float32: for every method the "
            "intervals overlap."
        )
    return f"Products in bfloat16 end elsewhere than in float32 for {listed(list(apart.index[apart]))}."
