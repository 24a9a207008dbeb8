"""What the chapter on densities says in tables and sentences."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from invex.analysis.invertible_layers import PROPERTIES, Facts
from invex.charts.density_modelling import NAMES

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
    """A run in a few words: "6-6 blocks, 32 filters, 6 epochs"."""
    blocks = (
        "-".join(str(each) for each in row["blocks"]) if not isinstance(row["blocks"], str) else row["blocks"]
    )
    return f"{blocks} blocks × {row['filters']}, {row['epochs']} epochs"


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
    rows: list[dict[str, Any]] = [
        {"model": f"{name} (quoted)", "MNIST": mnist, "CIFAR10": cifar} for name, mnist, cifar in QUOTED
    ]
    if not metrics.empty:
        for (dataset, run), group in metrics.groupby(["dataset", "run"], sort=False):
            row = {"model": f"i-ResNet here: {run}", NAMES[dataset]: group["bits"].median()}
            spread = _spread(group)
            rows.append(row | {"±": spread, "million parameters": group["parameters"].median() / 1e6,
                               "hours": group["training_seconds"].median() / 3600, "n": len(group)})  # fmt: skip
    return pd.DataFrame(rows)


def _spread(group: pd.DataFrame) -> float:
    """Standard error of the bits: of the test images, the probes and the truncation together."""
    squares = group["image_error"] ** 2 + group["probe_error"] ** 2 + group["bias"] ** 2
    return float(np.sqrt(squares.median()))


def ticks(facts: Mapping[str, Facts]) -> pd.DataFrame:
    """Table 5.2: a row a property; each cell our tick, and the thesis's where it is another; FFJORD quoted."""
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
    """Divergence of each method on each planar set, median and extremes over seeds, in nats."""
    if metrics.empty:
        return metrics
    groups = metrics[metrics["failed"] == ""].groupby(["dataset", "method"], sort=False)
    found = groups["divergence"].agg(["median", "min", "max"])
    return found.assign(
        parameters=groups["parameters"].median(), seconds=groups["seconds"].median(), n=groups.size()
    ).reset_index()


def planar_in_words(table: pd.DataFrame) -> str:
    """Which method is closer to the truth, on which sets."""
    wide = table.pivot(index="dataset", columns="method", values="median")
    if not {"i-ResNet", "Glow"} <= set(wide.columns):
        return "One of the two methods is not recorded yet."
    closer = wide[wide["i-ResNet"] < wide["Glow"]].index.tolist()
    if len(closer) == len(wide):
        return "After equally many updates the i-ResNet is closer to the truth than Glow on every set."
    if not closer:
        return "After equally many updates Glow is closer to the truth than the i-ResNet on every set."
    others = [name for name in wide.index if name not in closer]
    return (
        f"After equally many updates the i-ResNet is closer to the truth on {' and '.join(closer)}, "
        f"Glow on {' and '.join(others)}."
    )


def bits_in_words(metrics: pd.DataFrame) -> str:
    """The best run on each data set beside the thesis's number, in a sentence each."""
    parts = []
    for dataset, printed in THESIS.items():
        rows = metrics[metrics["dataset"] == dataset] if not metrics.empty else metrics
        if len(rows):
            best = rows.iloc[0]
            parts.append(
                f"{NAMES[dataset]}: {best['bits']:.3f} bits per dimension after {best['run']}, thesis {printed:.2f}"
            )
    return "; ".join(parts) + "." if parts else "No density of images is recorded yet."


def estimator_in_words(series: pd.DataFrame, terms: int) -> str:
    """What bias and deviation are at some number of terms."""
    row = series[series["terms"] == terms].iloc[0]
    times = row["deviation"] / max(abs(row["bias"]), 1e-12)
    return (
        f"After {terms} terms the bias is {_power(abs(row['bias']))} bits per dimension and the deviation of one probe "
        f"{row['deviation']:.2g}, {_times(times)} as much; Theorem 5.8 allows {row['bound']:.2g}."
    )


def _power(value: float) -> str:
    return f"{value:.1g}" if value >= 1e-4 else f"below 10^{math.ceil(math.log10(max(value, 1e-9)))}"


def _times(value: float) -> str:
    return f"{value:.0f} times" if value < 1000 else f"more than {10 ** int(math.log10(value)):,} times"


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
