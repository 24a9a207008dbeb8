"""Where training ends and when it starts, from recorded runs: tables, checks and sentences."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from invex.analysis.bootstrap import Statistic, interval, median, ratio_of_medians
from invex.analysis.training_runs import departure
from invex.charts.learning_dynamics import labelled

TITLES = {"mnist": "MNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100", "digits": "digits (stand-in)"}
CHANCE = {name: float(np.log(100 if name == "cifar100" else 10)) for name in TITLES}
"""Loss of guessing on each data set, in nats."""
FIELDS = ["dataset", "hidden", "correlation", "bias_noise", "seed"]


class Recorded(Protocol):
    """A run as the records give it."""

    config: Mapping[str, Any]
    provenance: Mapping[str, Any]


def select(rows: pd.DataFrame, values: Mapping[str, object]) -> pd.DataFrame:
    """The rows with these values in these columns; a list stands for any of its entries."""
    for name, value in values.items() if len(rows) else ():
        rows = rows[rows[name].isin(value if isinstance(value, list) else [value])]
    return rows


def starts(curves: pd.DataFrame) -> pd.DataFrame:
    """When each run left the plateau of guessing: its loss stays a tenth below that of guessing.

    Args:
        curves: `step` and `loss` of runs, with `dataset`, `hidden`, `method` and `seed`.

    Returns:
        one row a run, `left` the step, or NaN for a run that never left.
    """
    columns = ["dataset", "hidden", "method", "seed"]
    rows = [
        (*key, departure(run["step"], run["loss"], 0.9 * CHANCE[key[0]]))
        for key, run in (curves.groupby(columns, sort=False) if len(curves) else ())
    ]
    return pd.DataFrame(rows, columns=[*columns, "left"]).astype({"hidden": int, "seed": int, "left": float})


def endings(runs: pd.DataFrame, left: pd.DataFrame) -> pd.DataFrame:
    """One row a data set and method: loss and accuracy with their intervals, how many runs beat guessing.

    Args:
        runs: `dataset`, `method`, `final_loss` and `test_accuracy` of runs; NaN where one failed.
        left: as `starts` gives it.
    """
    rows = []
    for (dataset, method), own in runs.groupby(["dataset", "method"], sort=False) if len(runs) else ():
        row: dict[str, Any] = {"data": TITLES[dataset], "method": method}
        for name, column in (("loss", "final_loss"), ("test accuracy", "test_accuracy")):
            if len(values := own[column].dropna()) == 1:
                row[name] = values.item()  # has no interval
            elif len(values):
                row |= dict(zip((name, f"{name} low", f"{name} high"), interval(median, values), strict=True))
        steps = select(left, {"dataset": dataset, "method": method})["left"]
        rows.append(row | {"below guessing": f"{steps.notna().sum()} of {len(own)}"})
    table = pd.DataFrame(rows)
    return table.drop(columns="data") if len(rows) and table["data"].nunique() == 1 else table


def by_depth(runs: pd.DataFrame, left: pd.DataFrame) -> pd.DataFrame:
    """One row a data set and depth: median last loss of each method, and how many runs beat guessing.

    Args:
        runs: `dataset`, `hidden`, `method` and `final_loss` of runs; NaN where one failed.
        left: as `starts` gives it.
    """
    rows = []
    for (dataset, depth), own in runs.groupby(["dataset", "hidden"], sort=False) if len(runs) else ():
        row: dict[str, Any] = {"data": TITLES[dataset], "layers": depth}
        for method, mine in own.groupby("method", sort=False):
            steps = select(left, {"dataset": dataset, "hidden": depth, "method": method})["left"]
            loss = mine["final_loss"].median()
            text = f"{loss:.3g}" if loss < 1000 else f"{loss:,.0f}"
            row[method] = f"{text} ({steps.notna().sum()}/{len(mine)})"
        rows.append(row)
    order = list(TITLES.values())
    return pd.DataFrame(sorted(rows, key=lambda row: (order.index(row["data"]), row["layers"]))).fillna("–")


def departures(left: pd.DataFrame, dataset: str, method: str) -> str:
    """How many runs of a method left the plateau, and between which steps, in words."""
    steps = select(left, {"dataset": dataset, "method": method})["left"]
    if steps.empty:
        return "not recorded"
    count, first, last = steps.notna().sum(), steps.min(), steps.max()
    when = f"by step {first:,.0f}" if first == last else f"between steps {first:,.0f} and {last:,.0f}"
    return f"{count} of {len(steps)}, {when}" if count else f"none of {len(steps)}"


def left_in_words(left: pd.DataFrame) -> str:
    """Which runs fell below the loss of guessing, by data set and, where there are several, by depth."""
    parts, shallow_first = [], left.sort_values("hidden", kind="stable")
    for (dataset, depth), runs in shallow_first.groupby(["dataset", "hidden"], sort=False):
        layers = f" with {depth} layers" if left["hidden"].nunique() > 1 else ""
        parts.append(f"on {TITLES[str(dataset)]}{layers} {_counted(runs)}")
    return f"Below the loss of guessing come {'; '.join(parts)}."


def _counted(runs: pd.DataFrame) -> str:
    """``all non-convex, all 3 ICNN + skip, 7 of 10 ICNN + init, no ICNN``: the methods of these runs."""
    counts = runs.groupby("method", sort=False)["left"].agg(["count", "size"])
    every, none = counts["count"] == counts["size"], counts["count"] == 0
    most = counts["size"].max()
    parts = [
        f"all {'' if size == most else f'{size} '}{_list(names)}" for size, names in _by_size(counts[every])
    ]
    parts += [f"{count} of {size} {name}" for name, count, size in counts[~(every | none)].itertuples()]
    parts += [
        f"no {_list(names, 'or')}" if size == most else f"none of {size} {_list(names, 'or')}"
        for size, names in _by_size(counts[none])
    ]
    return ", ".join(parts)


def _by_size(counts: pd.DataFrame) -> list[tuple[int, list[str]]]:
    """Methods by how many runs they have."""
    return [(size, list(group.index)) for size, group in counts.groupby("size", sort=False)]


def best_in_words(runs: pd.DataFrame) -> str:
    """The method whose median loss ends lowest on each data set and depth, and where one stands alone."""
    wins: dict[str, dict[str, list[str]]] = {}
    alone: dict[str, dict[str, list[str]]] = {}
    learnt = runs.dropna(subset="final_loss").sort_values("hidden", kind="stable")
    for (dataset, depth), own in learnt.groupby(["dataset", "hidden"], sort=False):
        medians = own.groupby("method", sort=False)["final_loss"].median()
        places = (wins if len(medians) > 1 else alone).setdefault(str(medians.idxmin()), {})
        places.setdefault(TITLES[dataset], []).append(str(depth))
    said = {"The loss ends lowest with": wins, "Recorded alone:": alone}
    return " ".join(f"{words} {_places(methods)}." for words, methods in said.items() if methods)


def _places(methods: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    return "; ".join(
        f"{method} on {', '.join(f'{name} with {_list(depths)} layers' for name, depths in where.items())}"
        for method, where in methods.items()
    )


def _list(words: Sequence[str], joint: str = "and") -> str:
    return f" {joint} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def ratio(runs: pd.DataFrame, above: Mapping[str, object], below: Mapping[str, object]) -> dict[str, float]:
    """Median last loss of the runs with one set of values over that of another; empty where one is lacking.

    Returns:
        value, low, high and n, as `Chapter.result` takes them.
    """
    return _compared(ratio_of_medians, *(_losses(runs, values) for values in (above, below)))


def gain(runs: pd.DataFrame, above: Mapping[str, object], below: Mapping[str, object]) -> dict[str, float]:
    """Share of runs that learn with one set of values, less that with another; empty where one is lacking.

    Args:
        runs: with `left` as `starts` gives it.

    Returns:
        value, low, high and n, as `Chapter.result` takes them.
    """
    kinds = [select(runs, values) for values in (above, below)]
    learnt = [kind["left"].notna().tolist() if len(kind) else [] for kind in kinds]
    return _compared(lambda one, other: one.mean(-1) - other.mean(-1), *learnt)


def _compared(statistic: Statistic, *samples: list[float]) -> dict[str, float]:
    if not all(samples):
        return {}
    value, low, high = interval(statistic, *samples)
    return {"value": value, "low": low, "high": high, "n": min(map(len, samples))}


def order(runs: pd.DataFrame, dataset: str, methods: Sequence[str]) -> dict[str, Any]:
    """Each method's median last loss with its interval, smallest first, and n; empty where one has no run."""
    samples = {method: _losses(runs, {"dataset": dataset, "method": method}) for method in methods}
    if not all(samples.values()):
        return {}
    found = {method: list(interval(median, losses)) for method, losses in samples.items()}
    ranked = dict(sorted(found.items(), key=lambda pair: pair[1][0]))
    return {"value": ranked, "n": min(map(len, samples.values()))}


def _losses(runs: pd.DataFrame, values: Mapping[str, object]) -> list[float]:
    """Mean loss of the last epoch of each run with these values that did not fail."""
    chosen = select(runs, values)
    return chosen["final_loss"].dropna().tolist() if len(chosen) else []


def activity(layers: pd.DataFrame, runs: pd.DataFrame, left: pd.DataFrame) -> pd.DataFrame:
    """Principled runs with the share of units of the last hidden layer that were `active` before training.

    Args:
        layers: `layer` and `active`, with `dataset`, `hidden`, `correlation`, `bias_noise` and `seed`.
        runs: the same fields, and `final_loss`.
        left: as `starts` gives it from the curves of the runs, labelled by `charts.labelled`.
    """
    if layers.empty or runs.empty:
        return pd.DataFrame(columns=[*FIELDS, "method", "active", "final_loss", "left"])
    last = layers[layers["layer"] == layers["hidden"]]
    found = labelled(runs).merge(last[[*FIELDS, "active"]], on=FIELDS)
    return found.merge(left)[[*FIELDS, "method", "active", "final_loss", "left"]]


def activity_in_words(runs: pd.DataFrame) -> str:
    """How many runs with and without active units before training learn, by data set."""
    return " ".join(_told(TITLES[str(name)], own) for name, own in runs.groupby("dataset", sort=False))


def _told(title: str, runs: pd.DataFrame) -> str:
    learnt, silent = runs["left"].notna(), runs["active"] == 0
    least = runs["active"][learnt & ~silent].min()
    others = f"{learnt[~silent].sum()} of {(~silent).sum()}"
    reach = "" if least != least else f", down to an active share of {least:.0e}"
    if silent.any():
        first = (
            f"{learnt[silent].sum()} of {silent.sum()} principled runs that start with a silent last layer"
        )
        return f"On {title} {first} learn, and {others} others{reach}."
    return f"On {title} no principled run starts with a silent last layer and {others} learn{reach}."
