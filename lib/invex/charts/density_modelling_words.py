"""What the chapter on densities says of its results, in sentences that the data choose."""

import math
from typing import Any

import pandas as pd

from invex.charts.density_modelling import NAMES
from invex.charts.density_modelling_tables import THESIS, scale


def planar_in_words(table: pd.DataFrame) -> str:
    """Which method is closer to the truth, on which sets."""
    wide = table.pivot(index="dataset", columns="method", values="median")
    if not {"i-ResNet", "Glow"} <= set(wide.columns):
        return "One of the two methods is not recorded yet."
    error = table.pivot(index="dataset", columns="method", values="error")
    lead = wide["Glow"] - wide["i-ResNet"]
    sure = lead.abs() > 2 * error.pow(2).sum(axis=1).pow(0.5)
    places = {
        "the i-ResNet is closer to the truth than Glow": lead.index[sure & (lead > 0)].tolist(),
        "Glow is closer to the truth than the i-ResNet": lead.index[sure & (lead < 0)].tolist(),
        "the two are equally close": lead.index[~sure].tolist(),
    }
    parts = [
        f"{what} on {'every set' if len(sets) == len(lead) else ' and '.join(sets)}"
        for what, sets in places.items()
        if sets
    ]
    return f"After equally many updates {', '.join(parts)}."


def diverged_in_words(records: Any) -> str:
    """Which planar runs diverged, and at which rate; nothing where none did."""
    parts = [
        "At a rate of {rate:g} {method} failed on {dataset} ".format_map(run.config) + f"({run.failed})."
        for run in records.runs
        if run.failed is not None
    ]
    tail = " Each method is shown at the rate at which the least share of its runs failed." if parts else ""
    return " ".join(parts) + tail


def bits_in_words(metrics: pd.DataFrame) -> str:
    """The best run on each data set beside the thesis's number, in a sentence each."""
    parts = []
    for dataset, printed in THESIS.items():
        rows = metrics[metrics["dataset"] == dataset] if not metrics.empty else metrics
        if len(rows):
            best = rows.iloc[0]
            here = f"{best['bits']:.3f} bits per dimension after {best['run']}"
            parts.append(f"{NAMES[dataset]}: {here}, thesis {printed:.2f}")
    return "; ".join(parts) + "." if parts else "No density of images is recorded yet."


def estimator_in_words(series: pd.DataFrame, terms: int) -> str:
    """What bias and deviation are at some number of terms."""
    row = series[series["terms"] == terms].iloc[0]
    times = row["deviation"] / max(abs(row["bias"]), 1e-12)
    bias = f"After {terms} terms the bias is {_power(abs(row['bias']))} bits per dimension"
    deviation = f"the deviation of one probe {row['deviation']:.2g}, {_times(times)} as much"
    return f"{bias} and {deviation}; Theorem 5.8 allows {row['bound']:.2g}."


def _power(value: float) -> str:
    if value >= 1e-4:
        return f"{value:.1g}"
    power = math.ceil(math.log10(max(value, 1e-9)))
    return "below 10" + "".join("⁻" if each == "-" else "⁰¹²³⁴⁵⁶⁷⁸⁹"[int(each)] for each in str(power))


def _times(value: float) -> str:
    return f"{value:.0f} times" if value < 1000 else f"more than {10 ** int(math.log10(value)):,} times"


def first_in_words(series: pd.DataFrame, terms: int) -> str:
    """`estimator_in_words` of the first data set."""
    if series.empty:
        return "The estimator's bias and deviation are not recorded yet."
    return estimator_in_words(series[series["dataset"] == series["dataset"].iloc[0]], terms)


def logit_in_words(runs: pd.DataFrame) -> str:
    """What the logit of the grey values does, where a run with and one without it are recorded."""
    if not runs.empty:
        same = [name for name in ("dataset", "seed", "epochs", "filters", "blocks") if name in runs]
        for _, group in runs.groupby(same, sort=False):
            means = group.groupby(group["margin"] > 0)["bits"].mean()
            if len(means) == 2:
                name, run = NAMES[group["dataset"].iloc[0]], scale(dict(group.iloc[0]) | {"margin": 1})
                reached = f"{means[True]:.2f} with it and {means[False]:.2f} without"
                return f"On {name} ({run}) the same network reaches {reached}."
    return "A run without it is not recorded yet."


def training_in_words(series: pd.DataFrame) -> str:
    """By how much the terms used in training misstate the log-determinant of the first data set's model."""
    if series.empty:
        return "How large the bias of training is on an image model is not recorded yet."
    rows = series[series["dataset"] == series["dataset"].iloc[0]]
    row = rows[rows["terms"] == rows["trained_with"]].iloc[0]
    if abs(row["bias"]) < 5e-4:
        return f"With the {row['terms']} terms of training it is too small to matter, {abs(row['bias']):.0e}."
    side = "overstates" if row["bias"] > 0 else "understates"
    share = abs(row["bias"]) / row["deviation"]
    return (
        f"With the {row['terms']} terms of training the estimate {side} the log-determinant by "
        f"{abs(row['bias']):.3f} bits per dimension, {share:.1f} times the deviation of one probe: the "
        "objective itself is off by that much, and averaging does not help."
    )


def unbiased_in_words(table: pd.DataFrame) -> str:
    """What random truncation costs in deviation, in a sentence."""
    if table.empty:
        return "Random truncation is not recorded yet."
    first = table[table["dataset"] == table["dataset"].iloc[0]].set_index("estimator")
    ratio = first["deviation"]["2 + geometric"] / first["deviation"]["10 terms"]
    cost = f"{first['terms']['2 + geometric']:.0f} terms on average instead of ten"
    if ratio > 1.15:
        return (
            f"Random truncation trades bias for noise: no bias, {cost}, but {ratio:.1f} times the deviation."
        )
    return f"Random truncation is unbiased for {cost}, at no more noise."


def probes_in_words(kinds: pd.DataFrame) -> str:
    """What coloured probes save, and whether orthogonal ones do."""
    if kinds.empty:
        return "Probes are not compared on a recorded model yet."
    variance = kinds.set_index("probe")["variance"]
    saved = variance["coloured, 16"]
    if saved >= 1:
        return f"Coloured probes do not pay here: {saved:.2f} times Rademacher's variance for the same work."
    first = f"Sixteen coloured probes have {saved:.2f} times Rademacher's variance for the same work"
    other = variance["orthogonal"]
    last = (
        "orthogonal directions save nothing" if other > 0.95 else f"orthogonal directions {other:.2f} times"
    )
    return f"{first}; {last}."
