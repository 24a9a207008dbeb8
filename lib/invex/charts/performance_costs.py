"""What the book's work takes: multiples of what benches measured, beside what was recorded."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import pandas as pd

from invex.charts.learning_dynamics_tables import TITLES, Recorded
from invex.charts.performance import STEP, headline
from invex.charts.performance_tables import unbroken

Line = tuple[str, str, float, str]
STEPS, RUNS = 8440, 40
"""Steps of a run of Figure 2 on MNIST, and the runs of its top row."""


def estimates(rows: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """What a machine needs for some of the book's work, by multiplication of what was measured on it.

    The runs of Figure 2's top row are independent: made one after another on a CPU, together on a GPU.

    Args:
        rows: of all benches.
        runs: as `recorded_runs` gives them; their times stand beside the estimates of the same work.
    """
    lines = []
    for machine, here in rows.groupby("hardware", sort=False):
        there = runs[runs["machine"] == _model(machine)].set_index(["data", "layers"])["seconds a run"]
        known = {layers: seconds for (data, layers), seconds in there.items() if data == TITLES["mnist"]}
        parts = (*_one_by_one(here, known), *_together(here, known), *_points(here))
        lines += [(unbroken(machine), what, unbroken(how), *times) for what, how, *times in parts]
    return pd.DataFrame(lines, columns=["machine", "what", "how", "seconds", "recorded"])


def _one_by_one(rows: pd.DataFrame, known: Mapping[int, float]) -> Iterator[Line]:
    """Runs on a CPU: in float32, as they are recorded; many of them; and with products in bfloat16."""
    steps = _steps(rows)
    for _, row in steps[steps["products"] == STEP["products"]].iterrows():
        layers, (how, seconds) = int(row["layers"]), _run(row)
        yield f"MNIST, {layers} layers", how, seconds, _recorded(known.get(layers), seconds)
    for _, row in steps[steps["layers"] == STEP["layers"]].iterrows():
        what, (how, seconds) = f"{row['layers']} layers", _run(row)
        if row["products"] == STEP["products"]:
            yield f"{RUNS} of {what}, one by one", f"× {RUNS}", RUNS * seconds, ""
            yield f"{RUNS} of {what}, on ten such machines", f"× {RUNS} / 10", RUNS * seconds / 10, ""
        else:
            yield f"MNIST, {what}, {row['products']}", how, seconds, ""


def _steps(rows: pd.DataFrame) -> pd.DataFrame:
    """Steps on a CPU at the width and batch of Figure 2, by their depth, at the depths that are recorded."""
    steps = rows[(rows["bench"] == "icnn-step") & (rows["device"] == "cpu")]
    for key, values in {"width": ["784"], "batch": ["64"], "layers": ["3", "5", "7"]}.items():
        steps = steps[steps[key].isin(values)] if len(steps) else steps.assign(products="")
    return steps.sort_values("layers", kind="stable") if len(steps) else steps


def _run(row: pd.Series) -> tuple[str, float]:
    """How long a run takes at this step: by which multiplication, and in seconds."""
    return f"{STEPS:,} × {row['ours']:.3g} ms", STEPS * row["ours"] / 1e3


def _together(rows: pd.DataFrame, known: Mapping[int, float]) -> Iterator[Line]:
    """Runs of five layers trained together on a GPU."""
    many = headline(rows[(rows["bench"] == "icnn-seeds") & rows["label"].str.startswith("width 784")])
    for _, row in many[many["device"] == "cuda"].iterrows():
        count, layers = int(row["networks"]), int(row["layers"])
        seconds, how = STEPS * count * row["ours"] / 1e3, f"{STEPS:,} × {count} × {row['ours']:.3g} ms"
        share = known.get(layers)
        recorded = _recorded(None if share is None else count * share, seconds)
        yield f"{count} of {layers} layers, together", how, seconds, recorded


def _points(rows: pd.DataFrame) -> Iterator[Line]:
    """Many points on level sets."""
    many = rows[(rows["bench"] == "level-sets") & (rows["alone"] == "yes") & (rows["n"] == "100000")]
    for _, row in many.iterrows():
        what, how = (
            f"100,000 points of a level set, {row['dimension']}\u2011D",
            f"/ {row['ours']:,.0f} a second",
        )
        yield what, how, 1e5 / row["ours"], ""


def _recorded(seconds: float | None, estimate: float) -> str:
    """A recorded time beside its estimate, and their ratio."""
    return "" if seconds is None else unbroken(f"{float(f'{seconds:.3g}'):,.6g} ({seconds / estimate:.2g} ×)")


def recorded_runs(runs: Sequence[Recorded]) -> pd.DataFrame:
    """How long runs of learning dynamics took: a line a data set, depth and model of processor.

    Returns:
        median seconds a run, with the extremes; a share of a stack's time where several were trained
        `together`.
    """
    keys, lines = ["data", "layers", "machine"], []
    for key, part in _taken(runs).groupby(keys, sort=False):
        batch, wall = part["batch"], part["wall"]
        together = " to ".join(map(str, dict.fromkeys((batch.min(), batch.max()))))
        extremes = (wall.min(), wall.max()) if wall.nunique() > 1 else (math.nan, math.nan)
        lines.append((*key, together, len(part), wall.median(), *extremes))
    columns = [*keys, "together", "runs", "seconds a run", "seconds a run low", "seconds a run high"]
    return pd.DataFrame(lines, columns=columns)


def _taken(runs: Sequence[Recorded]) -> pd.DataFrame:
    """What each run took and where, by data set as the papers order them, depth and processor."""
    order = list(TITLES)
    rows = sorted(
        (order.index(run.config["dataset"]), run.config["hidden"], _model(_on(run)), run.provenance["batch"],
         run.provenance["wall_seconds"])
        for run in runs
    )  # fmt: skip
    taken = pd.DataFrame(rows, columns=["data", "layers", "machine", "batch", "wall"])
    return taken.assign(data=taken["data"].map(dict(enumerate(TITLES.values()))))


def company(runs: Sequence[Recorded], others: Sequence[Recorded]) -> str:
    """How many runs that were trained alone had another beside them on that kind of processor, in sentences.

    A run ended when it was recorded; it counts if `others`, itself among them, took half its time as well.
    """
    alone, everyone = ([run for run in group if run.provenance["batch"] == 1] for group in (runs, others))
    sentences = []
    for model in dict.fromkeys(_model(_on(run)) for run in alone):
        mine, there = ([run for run in group if _model(_on(run)) == model] for group in (alone, everyone))
        spans = [_span(run) for run in there]
        shared = sum(_overlap(_span(run), spans) >= 1.5 for run in mine)
        counts = sorted({_on(run).partition(", ")[2].partition(" ")[0] for run in mine})
        cores = f", on {' or '.join(counts)} core{'s' * (counts != ['1'])}" if all(counts) else ""
        sentences.append(f"Of {len(mine)} runs on {model}, {shared} had another beside them{cores}.")
    return " ".join(sentences)


def _on(run: Recorded) -> str:
    return str(run.provenance["device"])


def _span(run: Recorded) -> tuple[float, float]:
    """When a run began and ended, in seconds."""
    end = datetime.fromisoformat(run.provenance["when"]).timestamp()
    return end - run.provenance["wall_seconds"], end


def _overlap(span: tuple[float, float], others: Sequence[tuple[float, float]]) -> float:
    """The time that others, this one among them, were under way during a span, as multiples of it."""
    shared = (max(0.0, min(span[1], end) - max(span[0], start)) for start, end in others)
    return sum(shared) / (span[1] - span[0])


def _model(hardware: str) -> str:
    """A processor without the number of its cores."""
    return hardware.partition(",")[0]
