"""The figures of the chapter on inference by argmin: planes, slices, scores, faces, learning curves."""

from collections.abc import Mapping, Sequence
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from invex.analysis.bootstrap import Estimate, interval
from invex.charts.style import (
    BLUE,
    GROUND,
    INK,
    MUTED,
    SLATE,
    TEAL,
    VERMILION,
    band,
    label_ends,
    narrow,
    panels,
    paper_line,
    plain_ticks,
    width,
)

COLOURS = {
    "feed-forward": SLATE, "PICNN, gradient": VERMILION, "PICNN, bundle entropy": BLUE,
    "non-convex, gradient": SLATE, "convex, gradient": VERMILION, "convex, bundle entropy": BLUE,
    "convex Q": BLUE, "DDPG": SLATE, "TD3": TEAL, "FICNN": VERMILION, "PICNN": BLUE,
}  # fmt: skip
SHOWN = 4  # faces in a row


def mean(sample: np.ndarray) -> np.ndarray:
    """Mean over the last axis, as `invex.analysis.bootstrap.interval` takes it."""
    return np.mean(sample, axis=-1)


def means(frame: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """Mean of a column over seeds, 95 % bootstrap interval, n: columns value, low, high, n beside `by`."""
    if frame.empty:
        return pd.DataFrame(columns=[*by, "value", "low", "high", "n"])
    rows = []
    for key, group in frame.groupby(list(by), sort=False):
        found = interval(mean, group[value].to_numpy())
        rows.append([*key, *found, len(group)])
    return pd.DataFrame(rows, columns=[*by, "value", "low", "high", "n"])


def differences(frame: pd.DataFrame, one: str, other: str, value: str) -> tuple[Estimate, int] | None:
    """Mean over seeds of what one method has more than another on the same seed, with its interval, and n."""
    wide = frame.pivot_table(index="seed", columns="method", values=value)
    if not {one, other} <= set(wide):
        return None
    gaps = (wide[one] - wide[other]).dropna().to_numpy()
    return (interval(mean, gaps), len(gaps)) if len(gaps) else None


def planes(over: pd.DataFrame, points: pd.DataFrame) -> Figure:
    """Label of least energy over the plane, a row a model and a column a set, with the training points.

    Args:
        over: columns set, model, x1, x2, y on a square grid.
        points: the same columns of the training points, y their labels.
    """
    sets, models = list(dict.fromkeys(over["set"])), list(dict.fromkeys(over["model"]))
    shape = (len(sets), len(models)) if narrow() else (len(models), len(sets))
    size = width() / shape[1]
    figure, grid = plt.subplots(*shape, squeeze=False, figsize=(width(), size * shape[0] + 0.2))
    for (row, model), (column, name) in product(enumerate(models), enumerate(sets)):
        axes = grid[column, row] if narrow() else grid[row, column]
        here = over[(over["set"] == name) & (over["model"] == model)]
        seen = points[(points["set"] == name) & (points["model"] == model)]
        _plane(axes, here, seen)
        axes.set_title(f"{model}, {name}")
    return figure


def _plane(axes: Axes, here: pd.DataFrame, seen: pd.DataFrame) -> None:
    side = int(len(here) ** 0.5)
    x1, x2, y = (here[name].to_numpy().reshape(side, side) for name in ("x1", "x2", "y"))
    axes.contourf(x1, x2, y.clip(0, 1), levels=np.linspace(0, 1, 11), cmap=_two(), alpha=0.75)
    axes.contour(x1, x2, y, levels=[0.5], colors=[INK], linewidths=1.3)
    for label, colour in ((0, VERMILION), (1, BLUE)):
        some = seen[seen["y"] == label]
        axes.plot(some["x1"], some["x2"], "o", color=colour, markersize=3.6, mec=GROUND, mew=0.6)
    axes.set(xticks=[], yticks=[], aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6))
    axes.grid(False)


def _two() -> LinearSegmentedColormap:
    """From the colour of label 0 over grey to that of label 1, readable on a light and a dark ground."""
    return LinearSegmentedColormap.from_list("labels", [VERMILION, "#8a8f96", BLUE])


def energies(slices: pd.DataFrame) -> Figure:
    """Energy over x1 (across) and the label (up), a panel a model, with the label of least energy as a line.

    Args:
        slices: columns model, x1, y, energy, above (what it is more than the least of its column).
    """
    models = list(dict.fromkeys(slices["model"]))
    figure, axes = panels(len(models), height=2.7, sharey=True)
    for panel, model in zip(axes, models, strict=True):
        here = slices[slices["model"] == model]
        table = here.pivot(index="y", columns="x1", values="energy")
        levels = np.quantile(table.to_numpy(), np.linspace(0.02, 0.98, 13))
        panel.contour(
            table.columns, table.index, table, levels=np.unique(levels), cmap="viridis", linewidths=1
        )
        lowest = table.idxmin(axis=0)
        panel.plot(lowest.index, lowest, color=COLOURS[model], linewidth=2.4)
        panel.set(title=f"{model}: energy of $(x_1, 0)$ and $y$", xlabel="$x_1$")
        panel.grid(False)
    axes[0].set_ylabel("label $y$")
    return figure


def derivative(measured: pd.DataFrame) -> Figure:
    """Kilobytes kept for the backward pass, and the gradient's distance from the exact one, over inner steps.

    Args:
        measured: columns steps, way ("unrolling", "implicit"), kilobytes, error.
    """
    figure, (left, right) = panels(2, height=2.7)
    for way, colour in (("unrolling", VERMILION), ("implicit", BLUE)):
        here = measured[measured["way"] == way]
        left.plot(here["steps"], here["kilobytes"], color=colour, label=way)
        right.plot(here["steps"], here["error"].clip(lower=1e-16), color=colour, label=way)
    left.set(xscale="log", yscale="log", xlabel="inner steps", ylabel="kB kept")
    right.set(xscale="log", yscale="log", xlabel="inner steps", ylabel="error of the gradient")
    for panel in (left, right):
        panel.set_xticks(sorted(set(measured["steps"])))
        panel.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        panel.minorticks_off()
    plain_ticks(left.yaxis, 1000)
    left.set_title("memory")
    right.set_title("relative to the exact gradient")
    label_ends(left)
    label_ends(right)
    return figure


def scores(table: pd.DataFrame, paper: Mapping[str, float]) -> Figure:
    """F1 of each method with its interval, a panel a measure; the paper's values as diamonds.

    Args:
        table: columns method, measure, value, low, high, n.
        paper: method -> the value that the paper prints, which is of the second measure.
    """
    measures = list(dict.fromkeys(table["measure"]))
    figure, axes = panels(len(measures), height=2.3, sharey=True)
    methods = [name for name in COLOURS if name in set(table["method"])]
    for panel, measure in zip(axes, measures, strict=True):
        for place, method in enumerate(methods):
            here = table[(table["method"] == method) & (table["measure"] == measure)]
            _interval(panel, len(methods) - place, here, COLOURS[method])
            if measure == measures[-1] and method in paper:
                panel.plot(paper[method], len(methods) - place, "D", mfc="none", mec=MUTED, mew=1.2, ms=6)
        panel.set(title=measure, yticks=range(1, len(methods) + 1), yticklabels=methods[::-1])
        panel.set(ylim=(0.4, len(methods) + 0.6), xlabel="F1")
        panel.grid(axis="x")
        panel.grid(False, axis="y")
    return figure


def _interval(panel: Axes, height: float, here: pd.DataFrame, colour: str) -> None:
    for row in here.itertuples():
        panel.plot([row.low, row.high], [height, height], color=colour, linewidth=2.2)
        panel.plot(row.value, height, "o", color=colour, markersize=6)


def faces(pictures: Mapping[str, np.ndarray]) -> Figure:
    """Faces, a row each kind: the true ones first, then each method's completion of their left halves.

    Args:
        pictures: name -> (n, height, width) uint8.
    """
    shown = SHOWN if narrow() else 2 * SHOWN
    side = width() / (shown + 0.4)
    figure, grid = plt.subplots(
        len(pictures), shown, squeeze=False, figsize=(width(), (side + 0.26) * len(pictures))
    )
    for row, (name, images) in zip(grid, pictures.items(), strict=True):
        for axes in row:
            axes.set_axis_off()
        for axes, image in zip(row, images, strict=False):
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
        row[0].set_title(name, color=COLOURS.get(name, INK))
    return figure


def completion_curves(curve: pd.DataFrame, paper: Mapping[str, float], mean_face: float) -> Figure:
    """Test error by epoch, a line a method (mean and extremes over seeds), with the paper's values.

    Args:
        curve: columns method, seed, epoch, test.
        paper: what -> the paper's value, drawn as lines.
        mean_face: error of the mean half.
    """
    figure, (axes,) = panels(1, height=3.1)
    for method in [name for name in COLOURS if name in set(curve["method"])]:
        by = curve[curve["method"] == method].groupby("epoch")["test"]
        band(axes, by.mean().index, by.min(), by.max(), COLOURS[method])
        axes.plot(by.mean().index, by.mean(), color=COLOURS[method], label=method)
    paper_line(axes, mean_face, label="mean face")
    for label, value in paper.items():
        if value < 1.5 * mean_face:  # else it would lie outside the panel
            paper_line(axes, value, label=label)
    axes.set(xlabel="epoch", ylabel="test MSE × 255²")
    axes.set_ylim(0, 1.5 * mean_face)
    label_ends(axes)
    return figure


def returns(curve: pd.DataFrame) -> Figure:
    """Return of undisturbed episodes against environment steps, a panel a task: mean and interval over seeds.

    Args:
        curve: columns method, task, seed, step, mean_return.
    """
    tasks = list(dict.fromkeys(curve["task"]))
    figure, axes = panels(len(tasks), height=2.9)
    for panel, task in zip(axes, tasks, strict=True):
        here = curve[curve["task"] == task]
        for method in [name for name in COLOURS if name in set(here["method"])]:
            line = means(here[here["method"] == method], ["method", "step"], "mean_return")
            band(panel, line["step"], line["low"], line["high"], COLOURS[method])
            panel.plot(line["step"], line["value"], color=COLOURS[method], label=method)
        panel.set(title=task.removesuffix("-v5"), xlabel="environment steps", ylabel="return")
        panel.xaxis.set_major_formatter(
            lambda value, _: f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"
        )
        label_ends(panel)
    return figure
