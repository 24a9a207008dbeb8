"""The tables of the chapter on densities, and which runs of several it draws."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from invex.analysis.invertible_layers import PROPERTIES, Facts
from invex.charts.density_modelling import NAMES
from invex.data.planar import LIMIT, LOG_DENSITIES, SIDE

THESIS = {"mnist": 1.06, "cifar10": 3.45}
QUOTED = [
    ("NICE", 4.36, 4.48),
    ("MADE", 2.04, 5.67),
    ("MAF", 1.89, 4.31),
    ("Real NVP", 1.06, 3.49),
    ("Glow", 1.05, 3.35),
    ("FFJORD", 0.99, 3.40),
    ("i-ResNet, thesis", 1.06, 3.45),
]
"""Table 5.1 as printed: bits per dimension on MNIST and CIFAR10."""
TICKS: dict[str, tuple[bool | None, ...]] = {
    "NICE": (False, True, True, False, True, None),
    "Real NVP": (False, True, True, True, True, None),
    "Glow": (False, True, False, True, True, None),
    "FFJORD": (True, False, False, True, False, True),
    "i-ResNet": (True, True, False, True, False, False),
}
"""Table 5.2 as printed, in the order of `PROPERTIES`."""


def scale(row: Mapping[str, Any]) -> str:
    """A run in a few words: "6-6 blocks × 32, 6 epochs"."""
    blocks = row["blocks"].split(", ") if isinstance(row["blocks"], str) else map(str, row["blocks"])
    grey = "" if row["margin"] else ", no logit"
    epochs = "1 epoch" if row["epochs"] == 1 else f"{row['epochs']} epochs"
    return f"{'-'.join(blocks)} blocks × {row['filters']}, {epochs}{grey}"


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with the run in words."""
    if frame.empty:
        return frame
    return frame.assign(run=[scale(row) for row in frame.to_dict("records")])


def usable(metrics: pd.DataFrame) -> pd.DataFrame:
    """Runs that did not fail, with their scale in words; of a data set the ones with the least bits first."""
    if metrics.empty:
        return metrics
    return labelled(metrics[metrics["failed"] == ""]).sort_values(
        ["dataset", "bits"], ascending=[False, True]
    )


def bits(metrics: pd.DataFrame) -> pd.DataFrame:
    """Table 5.1: the rows of the thesis, then a row for each kind of run of ours, medians over seeds."""
    rows = [
        {"model": f"{name} (quoted)", "MNIST": f"{mnist:.2f}", "CIFAR10": f"{cifar:.2f}"}
        for name, mnist, cifar in QUOTED
    ]
    if not metrics.empty:
        for (dataset, run), group in metrics.groupby(["dataset", "run"], sort=False):
            hours, size = group["training_seconds"].median() / 3600, group["parameters"].median() / 1e6
            took = f"{size:.2g} million parameters, {hours:.1f} h of training, n = {len(group)}"
            found = f"{group['bits'].median():.3f} ± {_spread(group):.3f}"
            rows.append({"model": f"i-ResNet here: {run}", NAMES[dataset]: found, "ours took": took})
    return pd.DataFrame(rows).fillna("")


def _spread(group: pd.DataFrame) -> float:
    """Standard error of the bits: of the test images, the probes and the truncation together."""
    squares = group["image_error"] ** 2 + group["probe_error"] ** 2 + group["bias"] ** 2
    return float(np.sqrt(squares.median()))


def ticks(facts: Mapping[str, Facts]) -> pd.DataFrame:
    """Table 5.2: a row a property; our ticks, the thesis's beside them where they differ; FFJORD quoted."""
    marks = {True: "✓", False: "✗", None: "–"}
    rows = []
    for place, name in enumerate(PROPERTIES):
        row = {"property": name}
        for method, printed in TICKS.items():
            theirs = marks[printed[place]]
            if method not in facts:
                row[f"{method} (quoted)"] = theirs
                continue
            ours = marks[facts[method].ticks[name]]
            row[method] = ours if ours == theirs else f"{ours} (thesis {theirs})"
        rows.append(row)
    return pd.DataFrame(rows)


def agree(method: str, facts: Facts) -> bool:
    """Whether all ticks of a method are the thesis's."""
    return tuple(facts.ticks[name] for name in PROPERTIES) == TICKS[method]


def planar(metrics: pd.DataFrame) -> pd.DataFrame:
    """Divergence of each method on each planar set, median and extremes over seeds, in nats.

    Also the largest standard error of one seed's mean over its test points.
    """
    if metrics.empty:
        return metrics
    groups = metrics[metrics["failed"] == ""].groupby(["dataset", "method"], sort=False)
    found = groups["divergence"].agg(["median", "min", "max"])
    return found.assign(
        error=groups["divergence_error"].max(),
        parameters=groups["parameters"].median(),
        seconds=groups["seconds"].median(),
        n=groups.size(),
    ).reset_index()


def probe_kinds(probes: pd.DataFrame) -> pd.DataFrame:
    """Kinds of probes with variance times number, relative to Rademacher; and time."""
    if probes.empty:
        return probes
    found = (
        probes.groupby(["probe", "number"], sort=False)[["deviation", "milliseconds"]].mean().reset_index()
    )
    found = found.assign(kind=found["probe"].str.partition(",")[0])
    work = found["deviation"] ** 2 * found["number"]
    base = work[found["probe"] == "Rademacher"].iloc[0]
    return found.assign(variance=work / base)


def best_table(records: Any, name: str) -> pd.DataFrame:
    """A table of the run with the least bits of each data set, the first set first.

    Of the configuration only dataset and `trained_with`, the terms in training, stand beside it.
    """
    best: dict[str, Any] = {}
    for run in records.runs:
        dataset = run.config["dataset"]
        there = run.failed is None and name in run.tables
        if there and (dataset not in best or run.metrics["bits"] < best[dataset].metrics["bits"]):
            best[dataset] = run
    parts = [
        pd.DataFrame(best[dataset].tables[name]).assign(
            dataset=dataset, trained_with=best[dataset].config["terms"]
        )
        for dataset in NAMES
        if dataset in best
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def series_facts(series: pd.DataFrame) -> dict[str, Any]:
    """Whether the bias falls and keeps its bound on each data set, and how the deviation moves."""
    groups = [rows.set_index("terms") for _, rows in series.groupby("dataset")]
    falls = [abs(rows["bias"][10]) < abs(rows["bias"][1]) for rows in groups]
    below = [bool((rows["largest_bias"] <= rows["bound"] + 1e-6).all()) for rows in groups]
    ratios = [rows["deviation"][20] / rows["deviation"][5] for rows in groups]
    return {"below": all(falls) and all(below), "ratio": float(np.median(ratios)), "n": len(groups)}


def estimator_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The first data set's estimators under the names of the page."""
    if table.empty:
        return table
    first = table[table["dataset"] == table["dataset"].iloc[0]]
    bias = [_with_error(b, e) for b, e in zip(first["bias"], first["bias_error"], strict=True)]
    columns = {"estimator": first["estimator"], "bias": bias, "deviation": first["deviation"]}
    return pd.DataFrame(columns | {"mean terms": first["terms"]})


def _with_error(value: float, error: float) -> str:
    """A number to the first digit of its standard error."""
    decimals = max(0, -math.floor(math.log10(error))) if error > 0 else 6
    return f"{value:.{decimals}f} ± {error:.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def probe_rows(kinds: pd.DataFrame) -> pd.DataFrame:
    """Kinds of probes under the names of the page."""
    if kinds.empty:
        return kinds
    columns = {"kind": kinds["kind"], "probes": kinds["number"], "deviation": kinds["deviation"]}
    return pd.DataFrame(columns | {"variance × probes": kinds["variance"]})


def planar_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The divergences under the names of the page."""
    if table.empty:
        return table
    names = {"dataset": "set", "median": "divergence", "min": "low", "max": "high"}
    found = table.assign(parameters=table["parameters"] / 1e3).rename(
        columns=names | {"parameters": "thousand parameters"}
    )
    found = found.drop(columns="error")
    return found if (found["n"] > 1).any() else found.drop(columns=["low", "high"])


def closer(table: pd.DataFrame) -> dict[str, Any]:
    """Whether the i-ResNet is at least as close as Glow on every set where both are recorded."""
    wide = table.pivot(index="dataset", columns="method", values="median").dropna()
    if wide.empty or not {"i-ResNet", "Glow"} <= set(wide.columns):
        return {}
    return {"closer": bool((wide["i-ResNet"] <= wide["Glow"]).all()), "n": int(table["n"].min())}


def within_limits(metrics: pd.DataFrame) -> list[bool]:
    """Lemma 5.5 for each trained planar flow."""
    if metrics.empty or "limit_low" not in metrics:
        return []
    rows = metrics.dropna(subset=["limit_low"])
    low, high = rows["limit_low"] <= rows["log_det_low"], rows["log_det_high"] <= rows["limit_high"]
    return [bool(each) for each in low & high]


def largest(runs: pd.DataFrame, dataset: str) -> pd.DataFrame:
    """All seeds of the kind of run with the least bits on a data set."""
    rows = runs[runs["dataset"] == dataset] if not runs.empty else runs
    return rows[rows["run"] == rows["run"].iloc[0]] if len(rows) else rows


def interval(rows: pd.DataFrame) -> tuple[float, float]:
    """Two standard errors around the bits, or the extremes over seeds, whichever is wider."""
    half = 2 * _spread(rows)
    middle = rows["bits"].median()
    return min(middle - half, rows["bits"].min()), max(middle + half, rows["bits"].max())


def sheets(records: Any) -> tuple[dict[str, Any], str]:
    """Samples and originals of the run with the least bits, and what it is."""
    runs = [run for run in records.runs if run.failed is None and len(run.tensors().get("samples", ()))]
    if not runs:
        return {}, "No run with samples is recorded."
    best = min(runs, key=lambda run: run.metrics["bits"])
    tensors = best.tensors()
    name, bits = NAMES[best.config["dataset"]], best.metrics["bits"]
    words = f"{name}, {scale(best.config)}, {bits:.3f} bits per dimension."
    return {"samples": tensors["samples"], "held out": tensors["originals"]}, words


def planar_pictures(records: Any) -> tuple[dict[tuple[str, str], Any], dict[str, np.ndarray]]:
    """Density and samples of the first seed of each set and method, and the true density of each set."""
    pictures: dict[tuple[str, str], Any] = {}
    for run in sorted(records.runs, key=lambda run: run.config["seed"]):
        key = run.config["dataset"], run.config["method"]
        if run.failed is None and key not in pictures:
            tensors = run.tensors()
            pictures[key] = np.exp(tensors["log_density"].float().numpy()), tensors["samples"].float().numpy()
    shown = _shown(list(pictures))
    return {key: pictures[key] for key in shown}, {name: truth(name) for name, _ in shown}


METHODS = ("i-ResNet", "Glow")  # in the page's order


def _shown(found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The sets that have all methods, method by method in the page's order; else those with the first one."""
    sets = list(dict.fromkeys(name for name, _ in found))
    whole = [name for name in sets if all((name, method) in found for method in METHODS)]
    if whole:
        return [(name, method) for name in whole for method in METHODS]
    return [key for key in found if key[1] == found[0][1]]


def truth(name: str) -> np.ndarray:
    """The true density of a planar set on the grid of the records."""
    axis = torch.linspace(-LIMIT, LIMIT, SIDE, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).view(-1, 2)
    return LOG_DENSITIES[name](grid).exp().view(SIDE, SIDE).numpy()


def longest(records: Any) -> Any:
    """Of each planar set the runs of the most updates that both methods have, else of the most there are.

    Of each method the runs at the rate at which the least share of its runs diverged.
    """
    chosen, rates = [], _steadiest(records.runs)
    for dataset in dict.fromkeys(run.config["dataset"] for run in records.runs):
        runs = [
            run for run in records.runs
            if run.config["dataset"] == dataset and run.failed is None
            and run.config["rate"] == rates[run.config["method"]]
        ]  # fmt: skip
        steps: dict[int, set[str]] = {}
        for run in runs:
            steps.setdefault(run.config["steps"], set()).add(run.config["method"])
        if steps:
            most = max(steps, key=lambda count: (len(steps[count]), count))
            chosen += [run for run in runs if run.config["steps"] == most]
    return replace(records, runs=chosen)


def _steadiest(runs: Sequence[Any]) -> dict[str, float]:
    """Of each method the rate at which the least share of its runs failed; of several the largest."""
    failed: dict[str, dict[float, list[bool]]] = {}
    for run in runs:
        of_method = failed.setdefault(run.config["method"], {})
        of_method.setdefault(run.config["rate"], []).append(run.failed is not None)

    def shown(rates: dict[float, list[bool]]) -> float:
        return min(rates, key=lambda rate: (sum(rates[rate]) / len(rates[rate]), -rate))

    return {method: shown(rates) for method, rates in failed.items()}
