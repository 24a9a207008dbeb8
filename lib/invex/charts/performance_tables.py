"""Tables and checks from the rows of benches, as `performance.tidy` gives them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from invex.charts.learning_dynamics_tables import TITLES, Recorded
from invex.charts.performance import headline

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
}
SHARES = {
    "bench-icnn-step/limit": ("icnn-step", "width 784, float32", "cpu"),
    "bench-level-sets/limit": ("level-sets", "", "cpu"),
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
    return found


def _select(rows: pd.DataFrame, name: str, start: str, device: str) -> pd.DataFrame:
    """Paired rows of a bench on the first machine with that device whose labels start so."""
    kept = headline(rows)
    kept = kept[(kept["bench"] == name) & (kept["device"] == device)]
    kept = kept[kept["hardware"] == kept["hardware"].iloc[0]] if len(kept) else kept
    return kept[kept["label"].str.startswith(start)]


def finding(rows: pd.DataFrame) -> str:
    """The extremes of the ratios of one bench, in a sentence."""
    kept = headline(rows).sort_values("ratio")
    least, most = kept.iloc[0], kept.iloc[-1]
    machines = " and on ".join(dict.fromkeys(kept["hardware"]))
    spread = f"{least['ratio']:.3g} times as fast ({least['label']})"
    if len(kept) > 1:
        spread = f"Between {spread} and {most['ratio']:.3g} times ({most['label']})"
    return f"{spread}, measured on {machines}."


def comparison(rows: pd.DataFrame) -> pd.DataFrame:
    """Every row with a peer as a line of a table, in words; the machine where there are several."""
    kept = headline(rows)
    columns = {
        "bench": kept["bench"].str.replace("-", "\u2011"),  # without a line break
        "case": kept["label"].str.replace("-D", "\u2011D"),
        "times faster": kept["ratio"].astype(float),
        "times faster low": kept["ratio_min"].astype(float),
        "times faster high": kept["ratio_max"].astype(float),
        "ours": kept["ours"].astype(float),
        "unit": kept["unit"],
        "share of limit": [f"{100 * share:.0f} %" if share == share else "" for share in kept["share"]],
    }
    if kept["hardware"].nunique() > 1:
        columns["machine"] = kept["hardware"]
    return pd.DataFrame(columns).reset_index(drop=True)


def estimates(rows: pd.DataFrame) -> pd.DataFrame:
    """What a machine needs for some of the book's work, by multiplication of what was measured on it.

    A run of Figure 2 on MNIST is 8,440 steps; its top row is 40 such runs, which are independent: made one
    after another on a CPU, together on a GPU.
    """
    lines = []
    for machine, here in rows.groupby("hardware", sort=False):
        steps = headline(here[(here["bench"] == "icnn-step") & here["label"].str.startswith("width 784")])
        if len(steps) and (here["device"] == "cpu").all():
            best = steps.loc[steps["ours"].astype(float).idxmin()]
            seconds = best["ours"] * 8440 / 1e3
            run = f"a network, ten epochs of MNIST ({best['products']})"
            lines.append((machine, run, f"8,440 × {best['ours']:.3g} ms", seconds))
            lines.append((machine, "40 of them, one after another", "× 40", 40 * seconds))
            lines.append((machine, "40 of them, on ten such machines", "× 40 / 10", 4 * seconds))
        many = headline(here[(here["bench"] == "icnn-seeds") & here["label"].str.startswith("width 784")])
        for _, row in many[many["device"] == "cuda"].iterrows():
            what = f"{row['networks']} of them together (float32)"
            seconds = 8440 * int(row["networks"]) * row["ours"] / 1e3
            lines.append((machine, what, f"8,440 × {row['networks']} × {row['ours']:.3g} ms", seconds))
        points = here[(here["bench"] == "level-sets") & (here["alone"] == "yes") & (here["n"] == "100000")]
        for _, row in points.iterrows():
            what = f"100,000 points of a level set, {row['dimension']}-D"
            lines.append((machine, what, f"/ {row['ours']:,.0f} a second", 1e5 / row["ours"]))
    return pd.DataFrame(lines, columns=["machine", "what", "how", "seconds"])


def recorded_runs(runs: Sequence[Recorded]) -> pd.DataFrame:
    """How long runs of learning dynamics took: a line a data set, depth, machine and company.

    Returns:
        median seconds a run, its share of a stack's time where several were trained `together`.
    """
    columns = ["data", "layers", "machine", "together"]
    rows = [
        (TITLES[run.config["dataset"]], run.config["hidden"], run.provenance["device"],
         run.provenance["batch"], run.provenance["wall_seconds"])
        for run in runs
    ]  # fmt: skip
    order = list(TITLES.values())
    rows.sort(key=lambda row: (order.index(row[0]), *row[1:]))
    frame = pd.DataFrame(rows, columns=[*columns, "wall"])
    found = frame.groupby(columns, sort=False)["wall"].agg(runs="size", **{"seconds a run": "median"})
    return found.reset_index()
