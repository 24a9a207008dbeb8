"""The figures of the chapter on densities: divergences, planar densities, the estimator, samples, curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from invex.analysis import contractions
from invex.charts.style import (
    BLUE,
    GROUND,
    INK,
    MUTED,
    OCHRE,
    PURPLE,
    TEAL,
    VERMILION,
    label_ends,
    narrow,
    panels,
    paper_line,
)

COLOURS = {"i-ResNet": BLUE, "Glow": VERMILION, "truth": INK}
NAMES = {"mnist": "MNIST", "cifar10": "CIFAR10", "digits": "digits"}
DASHED = (0, (4, 3))


def _shades(colour: str) -> LinearSegmentedColormap:
    """From the page's ground, transparent, to a colour."""
    made = LinearSegmentedColormap.from_list(colour, [colour, colour])
    made._init()  # type: ignore[attr-defined]
    made._lut[:, 3] = np.linspace(0, 1, len(made._lut)) ** 0.7  # type: ignore[attr-defined]
    return made


def divergence_grid(fits: Mapping[str, Any], limit: float = 3.5, side: int = 70) -> pd.DataFrame:
    """x, y and a density column for each name, on a grid."""
    axis = torch.linspace(-limit, limit, side, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    columns = {name: fit.log_prob(grid).exp().numpy() for name, fit in fits.items()}
    return pd.DataFrame({"x": grid[:, 0].numpy(), "y": grid[:, 1].numpy(), **columns})


def divergences(grid: pd.DataFrame) -> Figure:
    """The data and the two fits: contours of the data in every panel, the fit filled.

    Args:
        grid: of `divergence_grid`, columns data, forward, reverse.
    """
    figure, axes = panels(3, height=2.7)
    side = round(len(grid) ** 0.5)
    shape = lambda name: grid[name].to_numpy().reshape(side, side)  # noqa: E731
    titles = {"data": "the data", "forward": "least D(data ‖ model)", "reverse": "least D(model ‖ data)"}
    colours = {"data": INK, "forward": BLUE, "reverse": VERMILION}
    for ax, (name, title) in zip(axes, titles.items(), strict=True):
        ax.grid(False)
        levels = np.linspace(0.04, 1, 12) * shape(name).max()  # nothing where the density is next to nothing
        ax.contourf(shape("x"), shape("y"), shape(name), levels, cmap=_shades(colours[name]))
        if name != "data":
            ax.contour(shape("x"), shape("y"), shape("data"), 4, colors=MUTED, linewidths=0.9)
        ax.set(
            title=title, aspect="equal", xlabel="$x_1$", ylabel="$x_2$" if name == "data" or narrow() else ""
        )
    return figure


Picture = tuple[np.ndarray, np.ndarray]


def planar(
    pictures: Mapping[tuple[str, str], Picture], truth: Mapping[str, np.ndarray], limit: float
) -> Figure:
    """A row for each set: the true density, then density and samples of each method.

    Args:
        pictures: (set, method) -> density on a grid, its second axis x1, and samples (n, 2).
        truth: set -> density on the same grid.
        limit: of both axes.
    """
    methods = list(dict.fromkeys(method for _, method in pictures))
    columns = 1 + 2 * len(methods)
    figure, axes = panels(columns * len(truth), columns=columns, height=1.95 if not narrow() else 1.9)
    for row, (name, density) in enumerate(truth.items()):
        drawn = axes[columns * row : columns * (row + 1)]
        top = float(np.quantile(density, 0.995))
        _density(drawn[0], density, limit, top, INK, name)
        for place, method in enumerate(methods):
            found, samples = pictures[name, method]
            first, second = drawn[1 + 2 * place], drawn[2 + 2 * place]
            head = row == 0 or narrow()
            _density(first, found, limit, top, COLOURS[method], f"{method}, density" if head else "")
            second.plot(*samples.T, ".", markersize=0.9, color=COLOURS[method], rasterized=True)
            second.set_title("samples" if head else "")
            _square(second, limit)
    return figure


def _density(ax: Axes, density: np.ndarray, limit: float, top: float, colour: str, title: str) -> None:
    extent = (-limit, limit, -limit, limit)
    ax.imshow(
        density,
        origin="lower",
        extent=extent,
        cmap=_shades(colour),
        vmin=0,
        vmax=top,
        interpolation="bilinear",
    )
    ax.set_title(title)
    _square(ax, limit)


def _square(ax: Axes, limit: float) -> None:
    ax.grid(False)
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=[], yticks=[])


def truncation(random: pd.DataFrame, trained: pd.DataFrame) -> Figure:
    """Truncation errors of random branches against their bounds (left), and errors as a share of it (right).

    Args:
        random: columns c, terms, error, bound: largest over networks of one c.
        trained: columns terms, error, bound of trained blocks; may be empty.
    """
    figure, (left, right) = panels(2, height=2.9)
    for colour, (c, rows) in zip((TEAL, PURPLE, BLUE, OCHRE), random.groupby("c"), strict=False):
        rows = rows[rows["error"] > 1e-14]
        left.semilogy(rows["terms"], rows["bound"], color=colour, linestyle=DASHED, linewidth=1.2)
        left.semilogy(rows["terms"], rows["error"], color=colour, label=f"c = {c:g}")
        right.semilogy(rows["terms"], rows["error"] / rows["bound"], ".", color=colour, alpha=0.6)
    if len(trained):
        share = (trained["error"] / trained["bound"])[trained["error"] > 1e-12]
        right.semilogy(trained["terms"][share.index], share, ".", color=INK, alpha=0.35, markersize=3)
    left.set(xlabel="terms", ylabel="nats", title="error, and Theorem 5.8 (dashed)", ylim=(1e-9, None))
    right.set(xlabel="terms", ylabel="error / bound", title="a share of one would be tight", ylim=(1e-6, 2))
    right.axhline(1, color=MUTED, linestyle=DASHED, linewidth=0.9)
    label_ends(left)
    return figure


def estimator(series: pd.DataFrame) -> Figure:
    """Bias, deviation and bound by number of terms, a panel a data set.

    Args:
        series: columns dataset, terms, bias (mean over images), deviation, bound, in bits per dimension, and
            trained_with, the terms in training.
    """
    sets = list(series["dataset"].unique())
    figure, axes = panels(len(sets), height=3.1)
    for ax, name in zip(axes, sets, strict=True):
        rows = series[series["dataset"] == name]
        seen, used = rows[rows["bias"].abs() > 1e-9], rows["trained_with"].iloc[0]
        ax.semilogy(rows["terms"], rows["bound"], color=MUTED, linestyle=DASHED, label="bound")
        ax.semilogy(rows["terms"], rows["deviation"], color=VERMILION, label="deviation")
        ax.semilogy(seen["terms"], seen["bias"].abs(), color=BLUE, label="|bias|")
        ax.axvline(used, color=MUTED, linewidth=0.8)
        ax.annotate(
            "training", (used, 1.0), xycoords=("data", "axes fraction"), xytext=(3, -10),
            textcoords="offset points", color=MUTED, fontsize=9,
        )  # fmt: skip
        ax.set(
            xlabel="terms of the series",
            ylabel="bits per dimension",
            title=NAMES.get(name, name),
            ylim=(1e-8, None),
        )
        label_ends(ax)
    return figure


def tiled(images: Tensor, columns: int = 8, gap: int = 2) -> np.ndarray:
    """Images (n, channels, h, w) uint8 as one picture with alpha, (H, W, 4)."""
    n, channels, high, wide = images.shape
    rows = -(-n // columns)
    sheet = np.zeros((rows * (high + gap) - gap, columns * (wide + gap) - gap, 4), dtype=np.uint8)
    for place, image in enumerate(images.numpy()):
        top, left = (place // columns) * (high + gap), (place % columns) * (wide + gap)
        part = sheet[top : top + high, left : left + wide]
        part[..., :3] = np.moveaxis(image if channels == 3 else image.repeat(3, 0), 0, -1)
        part[..., 3] = 255
    return sheet


def samples(sheets: Mapping[str, Tensor], columns: int = 8) -> Figure:
    """Sheets of images side by side: title -> images."""
    figure, axes = panels(len(sheets), height=3.4)
    for ax, (title, images) in zip(axes, sheets.items(), strict=True):
        ax.imshow(tiled(images, columns), interpolation="nearest")
        ax.set_title(title)
        ax.axis("off")
    return figure


def curves(curve: pd.DataFrame, final: pd.DataFrame, paper: Mapping[str, float]) -> Figure:
    """Bits per dimension by epoch, a panel a data set: each run, and its bits by the protocol at the end.

    Args:
        curve: columns dataset, run, epoch, bits, held_out.
        final: columns dataset, run, bits, the last epoch as `epoch`.
        paper: data set -> the thesis's bits.
    """
    sets = list(curve["dataset"].unique())
    figure, axes = panels(len(sets), height=3.0)
    for ax, name in zip(axes, sets, strict=True):
        chosen = curve[curve["dataset"] == name]
        for colour, (run, rows) in zip(
            (BLUE, TEAL, PURPLE, OCHRE, VERMILION) * 4, chosen.groupby("run", sort=False), strict=False
        ):
            ax.plot(rows["epoch"], rows["bits"], ".-", color=colour, linewidth=1.0, markersize=3, alpha=0.6)
            ax.plot(rows["epoch"], rows["held_out"], color=colour, label=str(run))
            end = final[(final["dataset"] == name) & (final["run"] == run)]
            ax.plot(end["epoch"], end["bits"], "o", color=colour, markeredgecolor=GROUND)
        if name in paper:
            paper_line(ax, paper[name], label=f"thesis, {paper[name]:.2f}")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel="epoch", ylabel="bits per dimension", title=NAMES.get(name, name))
        label_ends(ax)
    return figure


def explorer_frame(data: Mapping[str, Any]) -> pd.DataFrame:
    """The grid of `interactive_data` as rows: constant, terms, bias, deviation, bound, inverse."""
    parts = []
    for place, constant in enumerate(data["constants"]):
        columns = {name: data[name][place] for name in ("bias", "deviation", "bound", "inverse")}
        parts.append(pd.DataFrame({"constant": constant, "terms": data["terms"], **columns}))
    return pd.concat(parts, ignore_index=True)


def explorer(data: Mapping[str, Any], constant: float) -> Figure:
    """The still picture of the interactive one: its four lines for one Lipschitz constant."""
    figure, (ax,) = panels(1, height=3.0)
    rows = explorer_frame(data).query("constant == @constant")
    ax.semilogy(rows["terms"], rows["bound"], color=MUTED, linestyle=DASHED, label="bound")
    ax.semilogy(rows["terms"], rows["deviation"], color=VERMILION, label="deviation")
    ax.semilogy(rows["terms"], rows["bias"], color=BLUE, label="|bias|")
    ax.semilogy(rows["terms"], rows["inverse"], color=INK, linestyle=":", label="inverse")
    ax.set(xlabel="terms of the series; iterations of the inverse", ylabel="bits per dimension; distance")
    label_ends(ax)
    return figure


def interactive_data(
    constants: Sequence[float] = (0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.97),
) -> dict[str, Any]:
    """What `density-modelling.js` needs, to four digits."""
    grid = contractions.grid(list(constants))
    return {
        name: [[float(f"{value:.4g}") for value in row] for row in values]
        if name in ("bias", "deviation", "bound", "inverse")
        else values
        for name, values in grid.items()
    }
