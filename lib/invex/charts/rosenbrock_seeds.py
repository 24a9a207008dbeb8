"""What ten trained Rosenbrock models have in common: medians, shares with intervals, sentences of them."""

from collections.abc import Sequence
from itertools import combinations
from statistics import median_low
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from invex.analysis.bootstrap import interval, median
from invex.charts.sentences import listed

RELEASED = 0.10
"""RMSE that the released code reports of its model."""
NOTHING = "No seed is recorded yet"
TERMS = {"property": "the property's", "input": "the input's", "divergence": "the divergence's"}


def usable(runs: Sequence[Any]) -> list[Any]:
    """Runs with a minimum, of which a page can draw one."""
    return [run for run in runs if run.failed is None and "closed" in run.metrics]


def median_run(runs: Sequence[Any]) -> Any:
    """The run of median RMSE among `usable` ones, the lower of two; None where there is none."""
    own = {float(run.metrics["rmse"] or 0): run for run in usable(runs)}
    return own[median_low(own)] if own else None


def chosen(runs: Sequence[Any], seed: int) -> Any:
    """The run that a page draws: of the seed asked for, for 0 the median; None if it is not there."""
    own = [run for run in usable(runs) if run.config["seed"] == seed]
    return median_run(runs) if seed == 0 else own[0] if own else None


def middle(values: Sequence[float]) -> dict[str, Any]:
    """Median with its bootstrap interval and n, as `Chapter.result` takes them."""
    found = interval(median, values)
    return {"value": found.value, "low": found.low, "high": found.high, "n": len(values)}


def share(holds: Sequence[bool]) -> dict[str, Any]:
    """Share of seeds with its exact 95 % interval (Clopper and Pearson), and n; where all agree, a bootstrap
    would have no width."""
    ends = stats.binomtest(sum(holds), len(holds)).proportion_ci(method="exact")
    return {
        "value": sum(holds) / len(holds),
        "low": float(ends.low),
        "high": float(ends.high),
        "n": len(holds),
    }


def share_in_words(holds: Sequence[bool]) -> str:
    """``6 of 10 seeds (26 to 88 % of all, by a 95 % interval)``."""
    found = share(holds)
    ends = f"{100 * found['low']:.0f} to {100 * found['high']:.0f} %"
    return f"{sum(holds)} of {len(holds)} seeds ({ends} of all seeds, with 95 % confidence)"


def seed_frame(runs: Sequence[Any], spacing: float) -> pd.DataFrame:
    """One row a seed: errors, whether valley and curves are as the paper shows them, and one point or more.

    `valley` is whether the floor strays by at most ``spacing``; `eight` whether all levels of Fig. 3 are
    there and closed; `open` how many of those above the minimum are not closed; `loss` the last of training.
    """
    rows = []
    for run in runs:
        found = run.metrics
        if "rmse" not in found:
            continue
        minimum = "minimum" in found
        rows.append(
            {
                "seed": run.config["seed"], "rmse": found["rmse"], "stray": found["valley_away"] / spacing,
                "valley": found["valley_away"] <= spacing, "minimum": found.get("minimum", np.nan),
                "levels": found.get("levels", 0), "eight": found.get("closed", 0) == 8,
                "open": found["levels"] - found["closed"] if minimum and "closed" in found else 0,
                "one_point": found.get("one_point", "no minimum" if not minimum else "not decided"),
                "loss": final_loss(run), **{name: run.tables["curve"][name][-1] for name in TERMS},
            }
        )  # fmt: skip
    return pd.DataFrame(rows).sort_values("seed", ignore_index=True) if rows else pd.DataFrame()


def final_loss(run: Any) -> float:
    """The training loss of the last epoch (Eq. 7)."""
    last = {name: run.tables["curve"][name][-1] for name in TERMS}
    return float(last["input"] + last["property"] + run.config["final_beta"] * last["divergence"])


def seed_table(frame: pd.DataFrame) -> pd.DataFrame:
    """The seeds as a reader sees them, best first."""
    if frame.empty:
        return frame
    shown = frame.sort_values("rmse")
    levels = [f"{n} of 8" if n else "none" for n in shown["levels"]]
    least = ["none" if np.isnan(value) else f"{value:.2f}" for value in shown["minimum"]]
    return pd.DataFrame(
        {
            "seed": shown["seed"], "RMSE": shown["rmse"], "stray (steps)": shown["stray"],
            "least F": least, "levels above it": levels, "training loss": shown["loss"],
            "one stationary point": shown["one_point"],
        }
    )  # fmt: skip


def seeds_in_words(frame: pd.DataFrame) -> str:
    """The finding of the table of seeds."""
    if frame.empty:
        return f"{NOTHING}."
    good = [bool(value) for value in frame["rmse"] <= RELEASED]
    if len(frame) == 1:
        return f"One seed is recorded, with an RMSE of {frame['rmse'][0]:.3f}."
    found = middle(frame["rmse"].tolist())
    ends = f"from {found['low']:.3f} to {found['high']:.3f}"
    return (
        f"{share_in_words(good)} fit as well as the released model, whose RMSE is {RELEASED:.2f}, or better; "
        f"the median is {found['value']:.3f}, with a 95 % interval {ends}."
    )


def points_in_words(frame: pd.DataFrame) -> str:
    """Theorem 3.2 over the seeds: how often it is confirmed, undecided or contradicted."""
    if frame.empty:
        return f"{NOTHING}."
    counts = frame["one_point"].value_counts()
    words = {
        "yes": "the descents end in one point", "no": "they end in different points",
        "not decided": "some stop too early to tell", "no minimum": "f has no minimum",
    }  # fmt: skip
    parts = [f"in {counts[name]} {said}" for name, said in words.items() if name in counts]
    return f"Of {len(frame)} recorded seed{'s' * (len(frame) > 1)}, {listed(parts)}."


def causes_in_words(frame: pd.DataFrame) -> str:
    """Which term of the loss is larger in the seeds that fit worse than the released model."""
    if len(frame) < 2:
        return (
            f"{NOTHING if frame.empty else 'One seed is recorded'}, so nothing can be said of what differs."
        )
    bad = frame["rmse"] > RELEASED
    if bad.all() or not bad.any():
        return f"{'All' if bad.all() else 'None'} of them miss it, so there is no difference to explain."
    gap = {name: frame.loc[bad, name].median() - frame.loc[~bad, name].median() for name in TERMS}
    worse = frame.loc[bad, "loss"].median() - frame.loc[~bad, "loss"].median()
    largest = max(("property", "input"), key=lambda name: gap[name])
    other = "input" if largest == "property" else "property"
    rank = stats.spearmanr(frame["loss"], frame["rmse"]).statistic
    linked = f" The rank correlation of training loss and error over the seeds is {rank:.2f}."
    return (
        f"What sets the {int(bad.sum())} worse seeds apart is {TERMS[largest]} term of the loss: it ends "
        f"{gap[largest]:.2f} nats a point higher in the median "
        f"({TERMS[other]} by {gap[other]:+.2f}), and the loss as a whole by {worse:+.2f}."
        + (linked if len(frame) > 2 else "")
    )


def best_of(frame: pd.DataFrame, starts: int = 3) -> list[float]:
    """RMSE of the run with the least training loss, for each choice of so many of the seeds."""
    rows = frame[["loss", "rmse"]].to_numpy()
    return [float(min(chosen, key=lambda row: row[0])[1]) for chosen in combinations(rows, starts)]


def best_in_words(frame: pd.DataFrame, starts: int = 3) -> str:
    """What it would bring to start several times and keep the run with the least training loss."""
    if len(frame) <= starts:
        return ""
    found = best_of(frame, starts)
    good, alone = np.mean(np.array(found) <= RELEASED), np.mean(frame["rmse"] <= RELEASED)
    return (
        f"Keeping the one of {starts} starts with the least training loss, which asks for no further data, "
        f"takes the share of good fits from {alone:.0%} to {good:.0%} and the median RMSE to "
        f"{np.median(found):.3f}."
    )
