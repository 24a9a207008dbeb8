"""Training curves of repeated runs: a median line, a band of the middle half, labels at the ends."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from invex.charts.style import (
    GROUND,
    METHOD_COLOURS,
    MUTED,
    OCHRE,
    TEAL,
    label_ends,
    narrow,
    panels,
    plain_ticks,
)

ABOVE = 4  # a median that ends so many times above guessing does not set the scale
VARIED = {  # field -> how a name tells it, and its usual value
    "bias_noise": (" (β = {})", 0.0),
    "correlation": (" (ρ = {})", 0.5),
    "positivity": (" ({})", "projection"),
}


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows with what differs from the plain configuration in the method's name: "ICNN + init (β = 0.5)"."""
    if frame.empty:
        return frame
    label = frame["method"]
    for field, (text, usual) in VARIED.items():
        label = label.where(frame[field] == usual, label + frame[field].map(text.format))
    return frame.assign(method=label)


def quartiles(frame: pd.DataFrame, by: Sequence[str] = ("dataset", "hidden", "method")) -> pd.DataFrame:
    """Median and quartiles of `loss` over seeds at each step, with the number `n` of seeds."""
    if frame.empty:
        return frame
    groups = frame.groupby([*by, "step"], sort=False)["loss"]
    middle = groups.quantile([0.25, 0.5, 0.75]).unstack()
    middle.columns = ["lower", "median", "upper"]
    return middle.assign(n=groups.size()).reset_index()


def beside(varied: pd.DataFrame, usual: pd.DataFrame) -> pd.DataFrame:
    """Rows of the usual runs on the data and at the depths of a variation, then the rows of that."""
    if varied.empty or usual.empty:
        return labelled(varied)
    return labelled(pd.concat([usual.merge(varied[["dataset", "hidden"]].drop_duplicates()), varied]))


def curves(
    summary: pd.DataFrame, *, titles: Mapping[str, str], chance: Mapping[str, float], early: int = 1000
) -> Figure:
    """Loss against steps, a row for each data set and depth: the first steps, and all.

    Args:
        summary: as `quartiles` gives it, methods in the order of drawing.
        titles: name of each data set as shown.
        chance: loss of guessing, drawn as a thin line.
        early: steps in the first panel, which shows the whole range of the loss; the second starts just
            above `chance`.
    """
    names = list(dict.fromkeys(summary["dataset"]))
    there = dict.fromkeys(zip(summary["dataset"], summary["hidden"], strict=True))
    rows = sorted(there, key=lambda row: (names.index(row[0]), row[1]))
    colours = _palette(list(dict.fromkeys(summary["method"])))
    ratios = None if narrow() else [1, 2.6]
    figure, axes = panels(2 * len(rows), columns=2, width_ratios=ratios)
    grid = axes.reshape(-1, 2)
    for (first, whole), (name, depth) in zip(grid, rows, strict=True):
        here = summary[(summary["dataset"] == name) & (summary["hidden"] == depth)]
        _early(first, here[here["step"] <= early], colours)
        _whole(whole, here, colours, chance[name], early)
        first.set_title(f"{titles[name]}, {depth} constrained layers")
        first.set_ylabel("loss per example (nats)")
    for axes in grid[-1]:
        axes.set_xlabel("step")
    for axes in grid[:, 1]:
        _label_smoothed(axes)
    return figure


def overview(
    summary: pd.DataFrame, *, titles: Mapping[str, str], chance: Mapping[str, float], early: int = 1000
) -> Figure:
    """One depth at a glance: a column for each data set, all steps above the first ones; as `curves`."""
    names = list(dict.fromkeys(summary["dataset"]))
    colours = _palette(list(dict.fromkeys(summary["method"])))
    figure, axes = panels(2 * len(names), columns=max(2, len(names)), height=2.2)
    for place, name in enumerate(names):
        here = summary[summary["dataset"] == name]
        whole, first = axes[place], axes[len(names) + place]
        _whole(whole, here, colours, chance[name], early)
        _early(first, here[here["step"] <= early], colours)
        whole.set_title(titles[name])
        first.set_title(f"{titles[name] if narrow() else ''} first {early:,} steps".strip())
        for each in (whole, first) if place == 0 or narrow() else ():
            each.set_ylabel("loss (nats)")
        first.set_xlabel("step")
    drawn = {str(line.get_label()): line for each in axes for line in each.get_lines()}
    shown = [drawn[method] for method in colours if method in drawn]
    figure.legend(handles=shown, loc="outside upper center", ncols=2 if narrow() else len(shown))
    return figure


def depths(summary: pd.DataFrame, *, titles: Mapping[str, str], chance: Mapping[str, float]) -> Figure:
    """Loss against steps on one grid: a column for each data set, a row for each depth; takes `quartiles`."""
    names, rows = list(dict.fromkeys(summary["dataset"])), sorted(set(summary["hidden"]))
    colours, most = _palette(list(dict.fromkeys(summary["method"]))), summary["n"].max()
    height = 2.1 + 0.4 / len(rows)
    figure, axes = panels(len(rows) * len(names), columns=len(names), height=height)
    grid = axes.reshape(len(rows), len(names))
    for (row, depth), (column, name) in product(enumerate(rows), enumerate(names)):
        here = summary[(summary["dataset"] == name) & (summary["hidden"] == depth)]
        if len(here):
            _whole(grid[row, column], here, colours, chance[name], 0, "" if row or column else "guessing")
            if (n := here["n"].max()) < most:
                _note(grid[row, column], f"{n} seed{'s' if n > 1 else ''}", 0.04)
        else:
            grid[row, column].set_axis_off()
    for (row, depth), (column, name) in product(enumerate(rows), enumerate(names)):
        if row == 0 or narrow():
            grid[row, column].set_title(titles[name])
        if column == 0 or narrow():
            grid[row, column].set_ylabel(f"{depth} layers: loss (nats)")
    for axes in grid[-1]:
        axes.set_xlabel("step")
    drawn = {str(line.get_label()): line for axes in grid.flat for line in axes.get_lines()}
    shown = [drawn[method] for method in colours if method in drawn]
    figure.legend(handles=shown, loc="outside upper center", ncols=2 if narrow() else len(shown))
    return figure


def _early(axes: Axes, summary: pd.DataFrame, colours: Mapping[str, str]) -> None:
    for method, curve in summary.groupby("method", sort=False):
        _band(axes, curve, colours[str(method)], "_")
    axes.set(yscale="log")
    low, high = axes.get_ylim()
    # a decade at least, or the noise of a plateau that stands alone would look like a trend
    spare = max(1.0, (10 * low / high) ** 0.5)
    axes.set_ylim(low / spare, high * spare)


def _whole(
    axes: Axes, summary: pd.DataFrame, colours: Mapping[str, str], chance: float, early: int,
    label: str = "guessing",
) -> None:  # fmt: skip
    late = summary[summary["step"] > early] if summary["step"].max() > early else summary
    second_half = late[late["step"] >= late["step"].median()]
    tops = second_half.groupby("method", sort=False)["median"].max()  # a method may end above guessing
    seen = tops[tops < ABOVE * chance]
    beyond = [str(method) for method in tops.index.difference(seen.index, sort=False)]
    for method, curve in summary.groupby("method", sort=False):
        # a label at the end of a line that leaves the panel would stand far outside the picture
        _band(axes, curve, colours[str(method)], "_" if method in beyond else str(method))
    losses_axis(axes, min(0.8 * late["lower"].min(), chance / 10), max([1.8 * chance, *1.2 * seen]))
    if beyond:
        _note(axes, "beyond: " + ",\n".join(beyond), 0.94)
    axes.set_xlim(right=late["step"].max())  # or the line of guessing would run into the labels
    guessing_line(axes, chance, label)


def smoothed_end(losses: "np.ndarray | pd.Series[float]") -> float:
    """Where a noisy curve ends: the median of its last tenth, as one batch may be easy or hard by chance."""
    values = np.asarray(losses, dtype=float)
    return float(np.median(values[-max(1, len(values) // 10) :]))


def _label_smoothed(axes: Axes) -> None:
    """Label each labelled line where it ends but for its noise; call it last."""
    for line in [each for each in axes.get_lines() if not str(each.get_label()).startswith("_")]:
        steps, losses = np.asarray(line.get_xdata()), np.asarray(line.get_ydata(), dtype=float)
        name, line_colour = str(line.get_label()), line.get_color()
        line.set_label("_")
        axes.plot(steps[-1:], [smoothed_end(losses)], ls="", color=line_colour, label=name)
    label_ends(axes)


def losses_axis(axes: Axes, low: float, high: float) -> None:
    """A logarithmic axis from low to high, with numbers in full where it spans less than two decades."""
    axes.set(yscale="log", ylim=(low, high))
    if high < 100 * low:
        plain_ticks(axes.yaxis, high / low)


def guessing_line(axes: Axes, chance: float, label: str = "guessing") -> None:
    """A thin line at the loss of guessing, named at its right end."""
    axes.axhline(chance, color=MUTED, lw=0.8, ls=(0, (4, 3)), zorder=1)
    axes.annotate(
        label, (1, chance), (0, 3), xycoords=axes.get_yaxis_transform(), textcoords="offset points",
        ha="right", color=MUTED, fontsize=9, path_effects=[withStroke(linewidth=1.5, foreground=GROUND)],
    )  # fmt: skip


def _note(axes: Axes, text: str, height: float) -> None:
    """A quiet remark at the left of a panel, at this share of its height."""
    axes.annotate(
        text, (0.03, height), xycoords="axes fraction", va="top" if height > 0.5 else "bottom", color=MUTED,
        fontsize=9, path_effects=[withStroke(linewidth=2, foreground=GROUND)],
    )  # fmt: skip


def _palette(methods: Sequence[str]) -> dict[str, str]:
    """The house's colour of each method, and of a variation that stands in its place; others beside it."""
    bases = {method: method.partition(" (")[0] for method in methods if method not in METHOD_COLOURS}
    alone = {method: METHOD_COLOURS[base] for method, base in bases.items() if base not in methods}
    others = [method for method in bases if method not in alone]
    return METHOD_COLOURS | alone | dict(zip(others, (TEAL, OCHRE), strict=False))


def _band(axes: Axes, curve: pd.DataFrame, colour: str, label: str) -> None:
    steps, plain = np.asarray(curve["step"]), curve["method"].iloc[0] == "ICNN"
    # plain networks and others can share a plateau exactly: dashes on top show both
    look: dict[str, Any] = {"ls": (0, (4, 2)) if plain else "-", "zorder": 2.2 if plain else 2.1, "lw": 1.4}
    axes.plot(steps, curve["median"], color=colour, label=label, **look)
    axes.fill_between(steps, curve["lower"], curve["upper"], color=colour, alpha=0.2, lw=0)
