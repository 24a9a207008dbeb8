"""Benches: ratios to each peer, and costs against sizes beside a reference from the machine's own rates."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from invex.charts.style import CYCLE, MUTED, label_ends, narrow, plain_ticks, width, wrapped

PEERS = {
    "nelder_mead": "Nelder–Mead",
    "unbounded_brent": "unbounded Brent",
    "bisection": "vectorised bisection",
}
LABELS = {  # of the benches whose rows do not differ by width, dimension or number of networks
    "argmin": "{method}, {labels} labels",
    "captured-step": "{model}, {steps} steps",
    "inverse": "{peer}, {chain}",
    "spectral": "{blocks} blocks, batch {batch}",
    "logdet-2d": "{peer}",
    "logdet-memory": "{terms} terms",
}
COLUMNS = (
    *(
        "bench",
        "case",
        "peer",
        "ratio",
        "ratio_min",
        "ratio_max",
        "unit",
        "ours",
        "theirs",
        "limit",
        "limit_of",
    ),
    *("error", "n", "hardware", "device", "share", "label", "alone", "said"),
    *(
        "width",
        "layers",
        "batch",
        "products",
        "networks",
        "dimension",
        "widths",
    ),  # words that tables select by
)
Decimals = Callable[[float, float, float], int]
STEP = {"width": "784", "layers": "5", "batch": "64", "products": "float32"}


@dataclass(frozen=True)
class Curve:
    """A curve of a bench: the word that varies, its axis, what is fixed, the word that tells curves apart.

    `dashed` is what the line of the rows' limits is called.
    """

    x: str
    axis: str
    fixed: Mapping[str, str] = field(default_factory=dict)
    series: str = "hardware"
    dashed: str = "limit"

    def rows(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows of the curve in the order of x, a number; none of a series with fewer than three."""
        kept = rows
        for key, wanted in self.fixed.items():
            kept = kept[kept[key] == wanted] if key != self.x else kept
        kept = kept.assign(x=kept[self.x].astype(float)).sort_values("x")
        return kept[kept.groupby([self.series, "hardware"])["x"].transform("nunique") > 2]


SEARCH = {"alone": "yes", "widths": "512-512-512-512", "n": "1000"}
CURVES = {
    "icnn-step": (
        Curve("width", "width", STEP),
        Curve("layers", "constrained layers", STEP),
        Curve("batch", "examples in a batch", STEP),
    ),
    "level-sets": (
        Curve("n", "points", {"alone": "yes"}, "dimension", dashed="reference"),
        Curve("dimension", "dimensions", SEARCH, dashed="reference"),
    ),
}


def tidy(frame: pd.DataFrame, decimals: Decimals = lambda low, high, value: 2) -> pd.DataFrame:
    """Rows of benches, those of processors first: their keys, the words of their case, their machine.

    Args:
        frame: columns `row` (JSON text), `hardware`, `device`, as the records give it.
        decimals: how many a ratio is read with, from the extremes of its pairs and itself.

    Returns:
        with `share`, the part of the limit that is reached, `label`, what the row measures in words, `alone`,
        whether it has no peer, and `said`, the ratio as it is read everywhere.
    """
    if frame.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    rows = [json.loads(text) for text in frame["row"]]
    words = [dict(word.split("=", 1) for word in row["case"].split()) for row in rows]
    kept = frame[["hardware", "device"]].reset_index(drop=True)
    cases = pd.DataFrame(words)
    found = pd.concat([pd.DataFrame(rows), cases.drop(columns="peer", errors="ignore"), kept], axis=1)
    ours, limit = found["ours"].astype(float), found["limit"].astype(float)
    found["share"] = np.where(found["unit"].str.endswith("/s"), ours / limit, limit / ours)
    found["alone"] = np.where(found["peer"].isna(), "yes", "no")
    found["label"] = [_label(row, case) for row, case in zip(rows, words, strict=True)]
    found["said"] = [_said(row, decimals) for row in rows]
    found = found.sort_values(["bench", "device"], kind="stable", ignore_index=True)
    return found.reindex(columns=list(dict.fromkeys([*found.columns, *COLUMNS])))  # as other benches have


def _label(row: Mapping[str, object], words: Mapping[str, str]) -> str:
    if (pattern := LABELS.get(str(row["bench"]))) and row["peer"]:
        return pattern.format_map({**words, "peer": row["peer"]})
    if "dimension" in words:
        return f"{PEERS.get(str(row['peer']), row['peer'])}, {words['dimension']}-D"
    parts = [f"width {int(words['width']):,}"] if "width" in words else []
    parts += [words["products"]] if "products" in words else []
    parts += [_networks(**words)] if "networks" in words else []
    return ", ".join(parts)


def _networks(networks: str, compared: str = "", **_: str) -> str:
    """How many were timed, and the curves of how many were compared where that is not all."""
    return f"{networks} networks" + (f" ({compared} compared)" if compared not in ("", networks) else "")


def _said(row: Mapping[str, Any], decimals: Decimals) -> str:
    value, low, high = (row[key] for key in ("ratio", "ratio_min", "ratio_max"))
    if value is not None and row["unit"] == "MB":  # counted, so that there is no spread to go by
        return f"{value:,.1f}"
    return "" if value is None else f"{value:,.{decimals(low, high, value)}f}"


def headline(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with a peer, without those that are there for a curve alone."""
    curve = rows["bench"] == "icnn-step"
    if curve.any():
        usual = (rows["layers"] == "5") & (rows["batch"] == "64") & rows["width"].isin(["784", "3072"])
        curve &= ~usual
    return rows[rows["ratio"].notna() & ~curve].drop_duplicates(["bench", "label", "hardware"])


def bench(rows: pd.DataFrame, aims: Mapping[tuple[str, str], float]) -> Figure:
    """Ratios of one bench in a panel on top; below, a panel for each curve it has; a colour for each machine.

    Args:
        rows: of one bench, as `tidy` gives them.
        aims: the ratio aimed at, by label and device.
    """
    paired = headline(rows)
    colours = dict(zip(dict.fromkeys(rows["hardware"]), CYCLE, strict=False))
    curves = [(curve, curve.rows(rows)) for curve in CURVES.get(rows["bench"].iloc[0], ())]
    curves = [(curve, part) for curve, part in curves if len(part)]
    columns = 1 if narrow() else max(1, len(curves))
    heights = [0.95 + (0.55 if narrow() else 0.32) * len(paired), *[3.0] * -(-len(curves) // columns)]
    figure = plt.figure(figsize=(width(), sum(heights)))
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    _ratios(figure.add_subplot(grid[0, :]), paired, aims, colours)
    for number, (curve, part) in enumerate(curves):
        axes = figure.add_subplot(grid[1 + number // columns, number % columns])
        if number == 0 and len(colours) > part["hardware"].nunique() == 1:
            axes.set_title(f"On {part['hardware'].iloc[0]}:")
        _curve(axes, part, curve, colours)
    return figure


def _ratios(
    axes: Axes, rows: pd.DataFrame, aims: Mapping[tuple[str, str], float], colours: Mapping[str, str]
) -> None:
    labels = list(rows["label"] + (" · " + rows["hardware"] if rows["hardware"].nunique() > 1 else ""))
    for y, (_, row) in enumerate(rows.iloc[::-1].iterrows()):
        colour = colours[row["hardware"]]
        axes.plot([row["ratio_min"], row["ratio_max"]], [y, y], color=colour, lw=2.4, alpha=0.4)
        axes.plot(row["ratio"], y, "o", color=colour)
        _aside(axes, y, f"{row['said']} ×")
        aim = aims.get((row["label"], row["device"]))
        if aim is not None:
            axes.plot(aim, y, "|", color=MUTED, ms=13, mew=1.5)
    memory = rows["unit"].iloc[0] == "MB"
    _aside(axes, len(rows) - 0.25, "times less" if memory else "times as fast", color=MUTED)
    axes.axvline(1, color=MUTED, lw=0.8)
    axes.set(yticks=range(len(rows)), yticklabels=labels[::-1], ylim=(-0.6, len(rows) - 0.4))
    if narrow():  # the names above the lines: beside them they would leave no room
        axes.set_yticks([])
        for y, label in enumerate(labels[::-1]):
            place = axes.get_yaxis_transform()
            axes.annotate(label, (0, y + 0.22), xycoords=place, fontsize=9, va="bottom", color=MUTED)
    what = "memory" if memory else "time"
    stroke = "; upright stroke: the aim" if any(device in rows["device"].values for _, device in aims) else ""
    axes.set_xlabel(wrapped(f"{what} of the peer over ours: median and extremes of the pairs{stroke}"))
    if rows["ratio"].max() > 10:
        axes.set_xscale("log")
        plain_ticks(axes.xaxis, 1.0)
    else:
        axes.set_xlim(left=0)
    axes.grid(visible=False)


def _aside(axes: Axes, y: float, text: str, **look: Any) -> None:
    """A text in the column at the right of the panel, where it cannot be taken for that of an aim."""
    place = axes.get_yaxis_transform()
    axes.annotate(text, (1, y), (8, 0), place, "offset points", va="center_baseline", fontsize=9.5, **look)


def _curve(axes: Axes, rows: pd.DataFrame, curve: Curve, colours: Mapping[str, str]) -> None:
    """Speed against one size, a marker for each series; the limit of each thin and dashed."""
    keys = [key for key in dict.fromkeys((curve.series, "hardware")) if rows[key].nunique() > 1]
    groups = rows.groupby(keys, sort=False) if keys else [((), rows)]
    markers = dict(zip(dict.fromkeys(rows[curve.series]), "osD^v", strict=False))
    for names, part in groups:
        named = zip(keys, names, strict=True)
        series = ", ".join(f"{name}-D" if key == "dimension" else name for key, name in named)
        colour, dashed = colours[part["hardware"].iloc[0]], ", ".join(filter(None, [curve.dashed, series]))
        marker = markers[part[curve.series].iloc[0]]
        axes.plot(part["x"], part["ours"], marker, ls="-", color=colour, label=series or "ours")
        axes.plot(part["x"], part["limit"], color=colour, lw=1, ls=(0, (4, 3)), label=dashed)
        if part["theirs"].notna().all():
            axes.plot(part["x"], part["theirs"], color=MUTED, lw=1.2, label="published")
    unit = rows["unit"].iloc[0]
    axes.set(xscale="log", yscale="log", xlabel=curve.axis, ylabel="ms a step" if unit == "ms" else unit)
    plain_ticks(axes.xaxis, rows["x"].max() / rows["x"].min())
    plain_ticks(axes.yaxis, rows["ours"].max() / rows["ours"].min())
    label_ends(axes)
