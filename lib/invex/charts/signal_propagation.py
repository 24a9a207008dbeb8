"""The figures of the chapter on signal propagation, from arrays and data frames."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from invex.charts import style
from invex.charts.style import METHOD_COLOURS, MUTED, label_ends, narrow, paper_line, width

POSITIVE, NEGATIVE = (0.76, 0.25, 0.04), (0.04, 0.37, 0.66)
BLUE, ORANGE, PURPLE, GREY = (METHOD_COLOURS[k] for k in ("ICNN + init", "ICNN", "ICNN + skip", "non-convex"))
NAMES = {"mean": "mean", "variance": "variance", "correlation": "correlation of features"}


def layers(panels: Mapping[str, Sequence[np.ndarray]], colours: Mapping[str, str], shown: int = 60) -> Figure:
    """Histograms (left) and feature-correlation matrices (right) of every layer, a row for each network.

    `panels` maps a row's name to pre-activations (inputs, width) by layer; `shown` features enter a matrix.
    """
    rows, columns = len(panels), len(next(iter(panels.values())))
    deep = 2 if narrow() else 1  # rows of a network: matrices stand below the histograms on a phone
    size = (width(), 0.4 + (1.2 if narrow() else 1.55) * rows * deep)
    figure, grid = plt.subplots(rows * deep, 2 * columns // deep, figsize=size, squeeze=False)
    axes = grid.reshape(rows, 2 * columns)
    for row, (name, states) in zip(axes, panels.items(), strict=True):
        for index, state in enumerate(states):
            _histogram(row[index], state, colours[name])
            _matrix(row[columns + index], state, shown)
        row[0].set_ylabel(name)
    for index in range(columns):
        axes[0, index].set_title(f"layer {index + 1}", fontsize="small", loc="center")
        axes[0, columns + index].set_title(
            "" if narrow() else f"layer {index + 1}", fontsize="small", loc="center"
        )
    return figure


def _histogram(axes: Axes, state: np.ndarray, colour: str) -> None:
    values = state.ravel()
    mean, spread = values.mean(), values.std()
    low, high = (-4, 4) if abs(mean) < 3 else (mean - 5 * spread, mean + 5 * spread)
    axes.hist(np.clip(values, low, high), bins=48, range=(low, high), color=colour, density=True)
    axes.set(xlim=(low, high), yticks=[], xticks=[0 if low < 0 < high else round(mean)])
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(f"{_short(mean)} ± {_short(spread)}", fontsize=9.5)


def _short(value: float) -> str:
    """Two decimals, none from a hundred on, and no negative zero."""
    return f"{round(value, 2) + 0.0:.{0 if abs(value) >= 100 else 2}f}".replace("-", "\N{MINUS SIGN}")


def _matrix(axes: Axes, state: np.ndarray, shown: int) -> None:
    matrix = np.corrcoef(state.T)
    typical = matrix[~np.eye(len(matrix), dtype=bool)].mean()
    axes.set_xlabel(f"{_short(typical)}{'' if narrow() else ' on average'}", fontsize=9.5)
    correlation = matrix[:shown, :shown]
    image = np.empty((*correlation.shape, 4))
    image[..., :3] = np.where(correlation[..., None] > 0, POSITIVE, NEGATIVE)
    image[..., 3] = np.abs(correlation)
    axes.imshow(image)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.5, color=MUTED)


def fixed_points(rows: pd.DataFrame) -> Figure:
    """Mean, variance and correlation after one principled layer against width; colours are slopes."""
    figure, panels = style.panels(3, height=2.7)
    slopes = sorted(rows["slope"].unique())
    for axes, (moment, part) in zip(panels, rows.groupby("moment", sort=False), strict=True):
        for shift, (slope, colour) in enumerate(zip(slopes, (BLUE, ORANGE, PURPLE), strict=True)):
            own = part[part["slope"] == slope]
            axes.errorbar(
                own["width"] * 1.12 ** (shift - 1), own["measured"], 2 * own["error"],
                fmt="o", color=colour, markersize=3.5, linewidth=1, label=f"slope {slope:g}",
            )  # fmt: skip
        for expected in part["expected"].unique():
            paper_line(axes, expected, label="")
        axes.set(xscale="log", xlabel="width N", title=NAMES[str(moment)])
        axes.set_xticks(
            sorted(rows["width"].unique()), labels=[f"{w}" for w in sorted(rows["width"].unique())]
        )
        axes.minorticks_off()
    panels[0].set_ylim(-0.3, 0.3)
    panels[1].set_ylim(0.5, 1.5)
    panels[2].set_ylim(0, 1)
    panels[0].legend(loc="lower left", handletextpad=0.1, borderpad=0)
    return figure


def depth(rows: pd.DataFrame, starts: Mapping[str, tuple[str, str]]) -> Figure:
    """Moments against depth; `rows` has start, draw, layer, moment, measured, error and recursion.

    `starts` maps a start to its label and colour. Points and lines: two-point weights; crosses: log-normal
    weights; dotted: the recursion.
    """
    figure, panels = style.panels(3, height=3.1)
    for axes, moment in zip(panels, NAMES, strict=True):
        part = rows[rows["moment"] == moment]
        for start, (label, colour) in starts.items():
            own = part[part["start"] == start]
            light, heavy = own[own["draw"] == "two-point"], own[own["draw"] == "log-normal"]
            name = label if moment == "correlation" else "_"
            axes.plot(light["layer"], light["measured"], color=colour, label=name)
            axes.errorbar(
                light["layer"], light["measured"], 2 * light["error"], fmt="o", color=colour, ms=3.5
            )
            axes.plot(heavy["layer"], heavy["measured"], "x", color=colour, markersize=4.5, alpha=0.75)
            axes.plot(light["layer"], light["recursion"], ":", color=colour, linewidth=1.2)
        axes.set(xlabel="principled layers passed", title=NAMES[moment])
    paper_line(panels[0], 0, label="")
    paper_line(panels[1], 1)
    paper_line(panels[2], 0.5, label="")
    panels[1].set(yscale="log", ylim=(1e-3, 1e3))
    panels[2].set_ylim(0, 1)
    label_ends(panels[2])
    return figure


def stability(curves: pd.DataFrame, points: pd.DataFrame, response: pd.DataFrame, bound: float) -> Figure:
    """Eigenvalues against fan-in (left), and the response of the correlation to one layer (right).

    `curves`: width and a column for each kind of growth; `points`: width, name, value, error; `response`:
    rho, published, derived, and measured over_old, over_new with errors.
    """
    ratios = None if narrow() else (1.25, 1)
    figure, (left, right) = style.panels(2, height=3.4, width_ratios=ratios)
    for (name, values), colour in zip(curves.set_index("width").items(), (GREY, BLUE, ORANGE), strict=True):
        left.plot(values.index, values, color=colour, label=str(name))
        own = points[points["name"] == name]
        left.errorbar(own["width"], own["value"], 2 * own["error"], fmt="o", color=colour, markersize=4)
    left.axhline(1, color=MUTED, linewidth=0.8)
    left.set(xscale="log", xlabel="fan-in N", title="growth of a deviation in one layer", ylim=(0.3, 1.85))
    paper_line(left, bound, vertical=True, label="")
    left.annotate(f"N = {bound:.2f}", (bound * 1.15, 0.33), color=METHOD_COLOURS["paper"], fontsize="small")
    label_ends(left)
    right.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8)
    for kind, measured, colour in (("published", "over_old", GREY), ("derived", "over_new", BLUE)):
        right.plot(response["rho"], response[kind], color=colour)
        error = 2 * response[f"{measured}_error"]
        right.errorbar(response["rho"], response[measured], error, fmt="o", color=colour, markersize=4)
    right.set(xlabel="correlation before the layer", title="covariance after it / variance")
    right.annotate("before (Eq. 44)", (0.78, 0.9), color=GREY, ha="right", fontsize="small")
    right.annotate("after", (0.84, 0.55), color=BLUE, fontsize="small")
    right.plot(0.5, 0.5, "D", markerfacecolor="none", color=METHOD_COLOURS["paper"], zorder=5)
    right.set(xlim=(0, 1), ylim=(0, 1.05))
    return figure


def convolution(by_lag: pd.DataFrame, by_spread: pd.DataFrame) -> Figure:
    """Covariances against the lag of positions (left), and moments against the inputs' smoothness (right)."""
    figure, (left, right) = style.panels(2, height=3.1)
    styles = {1: "-", 4: "--"}
    for (kind, spread), own in by_lag.groupby(["kind", "spread"]):
        colour = BLUE if kind == "same" else ORANGE
        left.plot(own["lag"], own["expected"], styles[spread], color=colour)
        left.errorbar(own["lag"], own["measured"], 2 * own["error"], fmt="o", color=colour, markersize=4)
    left.annotate("same channel", (1.45, 0.72), color=BLUE, fontsize="small")
    left.annotate("two channels", (0.06, 0.03), color=ORANGE, fontsize="small")
    left.set(xlabel="lag of positions", title="covariance after one layer", ylim=(-0.05, 1.05))
    for name, colour in (("variance", BLUE), ("correlation", ORANGE)):
        right.plot(by_spread["spread"], by_spread[name], color=colour, marker="o", label=name)
    paper_line(right, 1, label="")
    paper_line(right, 0.5, label="")
    right.set(
        xscale="log",
        xlabel="positions over which the inputs are smooth",
        title="after one layer",
        ylim=(0, 1.05),
    )
    right.set_xticks(by_spread["spread"], labels=[f"{s}" for s in by_spread["spread"]])
    right.minorticks_off()
    right.set_xlim(right=by_spread["spread"].max())
    label_ends(right)
    return figure


def ridges(
    runs: Mapping[str, Mapping[str, list]], colours: Mapping[str, str], low: float, high: float
) -> Figure:
    """Histograms over asinh(pre-activation) of every layer, a row for each of the explorer's `runs`.

    Rows of one colour share an axis, which reaches as far as their histograms do.
    """
    columns = len(next(iter(runs.values()))["histograms"])
    size = (width(), 0.7 + 1.0 * len(runs))
    figure, axes = plt.subplots(len(runs), columns, figsize=size, sharey="row", squeeze=False)
    names = list(runs)
    for place, (row, name) in enumerate(zip(axes, names, strict=True)):
        alike = [runs[other]["histograms"] for other in names if colours[other] == colours[name]]
        ends = _filled(alike, low, high)
        last = place + 1 == len(names) or colours[names[place + 1]] != colours[name]
        for index, (panel, counts) in enumerate(zip(row, runs[name]["histograms"], strict=True)):
            edges = np.linspace(low, high, len(counts) + 1)
            panel.stairs(np.array(counts) / max(counts), edges, fill=True, color=colours[name])
            panel.set(xlim=ends, yticks=[])
            _asinh_ticks(panel, ends, last)
            panel.grid(False)
            panel.spines["left"].set_visible(False)
            panel.axvline(0, color=MUTED, linewidth=0.6)
            if place == 0:
                title = f"{index + 1}" if narrow() else f"layer {index + 1}"
                panel.set_title(title, fontsize="small", loc="center")
        row[0].set_ylabel(
            name, rotation=90 if narrow() else 0, ha="center" if narrow() else "right", va="center"
        )
    figure.supxlabel("pre-activation", fontsize="small")
    return figure


def _filled(runs: Sequence[Sequence[Sequence[int]]], low: float, high: float) -> tuple[float, float]:
    """The part of the axis that any of these histograms fills, with a bin or two of room."""
    bins = np.array(runs).sum((0, 1)).nonzero()[0]
    size = (high - low) / np.array(runs).shape[-1]
    return low + size * max(0, bins[0] - 2), min(high, low + size * (bins[-1] + 3))


def _asinh_ticks(panel: Axes, ends: tuple[float, float], named: bool) -> None:
    """Ticks at round numbers within the ends; names at few of them."""
    ticks = [tick for tick in (-5, 0, 5, 100, 10_000) if ends[0] <= np.arcsinh(tick) <= ends[1]]
    names = {0: "0", 5: "5" if ends[1] < 6 else "", 100: "" if narrow() else "100", 10_000: "10⁴"}
    labels = [names.get(tick, "") if named else "" for tick in ticks]
    panel.set_xticks(np.arcsinh(ticks), labels=labels)
