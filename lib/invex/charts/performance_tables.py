"""Tables and checks from the rows of benches, as `performance.tidy` gives them."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from invex.charts.performance import CURVES, headline

CHECKS = {  # claim -> bench, how the labels of its rows begin, device
    "bench-icnn-step/float32-784": ("icnn-step", "width 784, float32", "cpu"),
    "bench-icnn-step/float32-3072": ("icnn-step", "width 3,072, float32", "cpu"),
    "bench-icnn-step/bfloat16-784": ("icnn-step", "width 784, bfloat16", "cpu"),
    "bench-icnn-step/gpu-784": ("icnn-step", "width 784, float32", "cuda"),
    "bench-icnn-step/gpu-3072": ("icnn-step", "width 3,072, float32", "cuda"),
    "bench-icnn-epoch/float32": ("icnn-epoch", "width 784, float32", "cpu"),
    "bench-icnn-epoch/bfloat16": ("icnn-epoch", "width 784, bfloat16", "cpu"),
    "bench-icnn-seeds/cpu": ("icnn-seeds", "", "cpu"),
    "bench-icnn-seeds/gpu": ("icnn-seeds", "", "cuda"),
    "bench-level-sets/nelder-mead": ("level-sets", "Nelder–Mead", "cpu"),
    "bench-level-sets/brent": ("level-sets", "unbounded Brent", "cpu"),
    "bench-level-sets/brentq": ("level-sets", "brentq", "cpu"),
    "bench-level-sets/bisection": ("level-sets", "vectorised bisection", "cpu"),
    "bench-captured-step/gpu": ("captured-step", "", "cuda"),
    "bench-argmin/bundle-entropy": ("argmin", "bundle-entropy", "cpu"),
    "bench-argmin/projected-gradient": ("argmin", "projected-gradient", "cpu"),
    "bench-inverse/fixed": ("inverse", "100 iterations", "cpu"),
    "bench-inverse/plain": ("inverse", "the plain iteration", "cpu"),
    "bench-spectral/kept": ("spectral", "", "cpu"),
    "bench-logdet-2d/normflows": ("logdet-2d", "", "cpu"),
}
SHARES = {
    "bench-icnn-step/limit": ("icnn-step", "width 784, float32", "cpu"),
    "bench-level-sets/limit": ("level-sets", "", "cpu"),
}
FLAT = "bench-logdet-memory/flat"
SUBJECTS = {
    "icnn-step": "a training step",
    "icnn-epoch": "an epoch",
    "icnn-seeds": "training networks together",
    "level-sets": "finding points of level sets",
    "captured-step": "a captured training step",
    "argmin": "argmin inference of a batch",
    "inverse": "undoing a chain of blocks by Anderson's method",
    "spectral": "a training step that keeps 21 blocks contractive",
    "logdet-2d": "a training step of a residual flow",
    "logdet-memory": "a training step through a log-determinant",
}
PEERS = {
    "nelder_mead": "the published searches",
    "unbounded_brent": "the published searches",
    "brentq": "SciPy's brentq",
    "bisection": "a vectorised bisection",
}
UNITS = {
    "icnn-step": "ms a step",
    "icnn-epoch": "ms an epoch",
    "icnn-seeds": "ms a step each",
}


def aims(claims: Mapping[str, Any], rows: pd.DataFrame) -> dict[tuple[str, str], float]:
    """The ratio aimed at by label and device of one bench's rows, from the claims' own numbers."""
    found = {}
    for claim, (name, start, device) in CHECKS.items():
        for label in _select(rows, name, start, device)["label"]:
            found[label, device] = claims[claim].paper
    return found


def checks(rows: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Value, low and high of each claim that was measured: of its slowest row on the first machine."""
    found = {}
    for claim, (name, start, device) in CHECKS.items():
        part = _select(rows, name, start, device)
        if len(part):
            worst = part.loc[part["ratio"].astype(float).idxmin()]
            found[claim] = {"value": worst["ratio"], "low": worst["ratio_min"], "high": worst["ratio_max"]}
    for claim, (name, start, device) in SHARES.items():
        if len(part := _select(rows, name, start, device)):
            found[claim] = {"value": float(part["share"].min())}
    if len(part := _select(rows, "logdet-memory", "", "cpu")) > 1:
        found[FLAT] = {"value": float(part["ours"].max() / part["ours"].min())}
    return found


def _select(rows: pd.DataFrame, name: str, start: str, device: str) -> pd.DataFrame:
    """Paired rows of a bench on the first machine with that device whose labels start so."""
    kept = headline(rows)
    kept = kept[(kept["bench"] == name) & (kept["device"] == device)]
    kept = kept[kept["hardware"] == kept["hardware"].iloc[0]] if len(kept) else kept
    return kept[kept["label"].str.startswith(start)]


def finding(rows: pd.DataFrame) -> str:
    """How many times as fast one bench found us on each machine, against each kind of peer, in a sentence."""
    kept = headline(rows)
    kept = kept.assign(peer=kept["peer"].replace(PEERS))
    machines = [here for _, here in kept.groupby("hardware", sort=False)]
    subject = SUBJECTS.get(rows["bench"].iloc[0], rows["bench"].iloc[0])
    verb = "takes" if rows["unit"].iloc[0] == "MB" else "is"
    first = f"On {_place(machines[0])} {subject} {verb} {_gain(machines[0])}"
    brief = kept["peer"].nunique() == 1  # named once
    rest = [f"on {_place(here)} {_gain(here, brief=brief)}" for here in machines[1:]]
    return "; ".join([first, *rest]) + "."


def _gain(rows: pd.DataFrame, *, brief: bool = False) -> str:
    """Our ratios on one machine to each peer, and the remark that all of them may be chance."""
    ratios = []
    for peer, part in rows.groupby("peer", sort=False):
        ends = part.sort_values("ratio")["said"].iloc[[0, -1]]
        compared = " less memory than" if rows["unit"].iloc[0] == "MB" else " as fast as"
        ratios.append(f"{' to '.join(dict.fromkeys(ends))} times" + ("" if brief else f"{compared} {peer}"))
    unsure = ", no sure gain, as in every case some pair was no faster"
    chance = unsure if (rows["ratio_min"] <= 1).all() and (rows["ratio_max"] > 1).any() else ""
    return ", ".join(ratios) + chance


def _place(rows: pd.DataFrame) -> str:
    """A machine in a sentence: "2 CPU cores (AMD EPYC)", "a GPU (NVIDIA H200)"."""
    model, _, cores = rows["hardware"].iloc[0].partition(", ")
    if rows["device"].iloc[0] == "cuda":
        return f"a GPU ({model})"
    count = cores.partition(" ")[0]
    return f"{count} CPU core{'s' * (count != '1')} ({model})" if count else f"a CPU ({model})"


def fixed_costs(rows: pd.DataFrame) -> str:
    """How few points cost mostly what any number of them does, in a sentence; empty without such a curve.

    Where the time of n points is a + b n, a speed below half of that of very many points says that a > b n.
    """
    rows = rows[rows["bench"] == "level-sets"]
    if rows.empty or (curve := CURVES["level-sets"][0].rows(rows)).empty:
        return ""
    curve = curve[curve["hardware"] == curve["hardware"].iloc[0]]
    few = curve[curve["ours"] < curve.groupby("dimension")["ours"].transform("max") / 2]
    if few.empty:
        return ""
    least = curve[curve["x"] == few["x"].min()]
    shares = [
        f"{100 * share:.0f} % in {d}-D" for share, d in zip(least["share"], least["dimension"], strict=True)
    ]
    return (
        f"Up to {few['x'].max():,.0f} points fixed costs take most of the time: at {few['x'].min():,.0f} "
        f"ours reaches {' and '.join(shares)} of the reference."
    )


def speeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Our speed in every comparison, once for all peers; the machine where there are several.

    Returns:
        `share of reference` is the median over the peers, with the extremes, as each measured it anew.
    """
    kept = headline(rows)
    kept = kept[kept["limit"].notna()]
    case = kept["label"].str.replace(r"^.*, (\d+)-D$", "level sets, \\1\u2011D", regex=True)
    lines = []
    for (name, what, machine), part in kept.assign(case=case).groupby(
        ["bench", "case", "hardware"], sort=False
    ):
        share, unit = part["share"], UNITS.get(name, part["unit"].iloc[0])
        extremes = (share.min(), share.max()) if len(part) > 1 else (math.nan, math.nan)
        lines.append(
            (what, unbroken(machine), part["ours"].median(), unbroken(unit), share.median(), *extremes)
        )
    share = "share of reference"
    table = pd.DataFrame(
        lines, columns=["what", "machine", "ours", "unit", share, f"{share} low", f"{share} high"]
    )
    return table if table["machine"].nunique() > 1 else table.drop(columns="machine")


def unbroken(text: str) -> str:
    """A text that stays in one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")
