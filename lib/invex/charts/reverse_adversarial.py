"""The figures of the chapter on the reverse view: two views, spheres, metamers, information."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from torch import Tensor

from invex.analysis.adversarial_spheres import ATTACKS
from invex.analysis.two_views import Linear, TwoViews, arc
from invex.charts import style
from invex.charts.style import BLUE, INK, MUTED, OCHRE, PURPLE, TEAL, VERMILION

COLOURS = {"ce": VERMILION, "ice": BLUE, "likelihood": OCHRE, "ice, not capped": PURPLE}
NAMES = {"ce": "cross-entropy", "ice": "independence CE", "likelihood": "CE + likelihood"}
CLASS = (BLUE, TEAL)
SPHERE = {"inner": BLUE, "outer": VERMILION}


def two_views(classifier: Linear, found: TwoViews, x: Tensor, labels: Tensor) -> Figure:
    """Both classes, the boundary, and two arrows to one adversarial example."""
    figure, (axes,) = style.panels(1, height=3.6)
    import torch

    angle = torch.linspace(0, float(np.pi), 200, dtype=torch.float64)
    for label in (0, 1):
        own = x[labels == label]
        axes.scatter(own[:, 0], own[:, 1], s=5, color=CLASS[label], alpha=0.35, linewidths=0)
        axes.plot(*arc(label, angle).T, color=CLASS[label], linewidth=1.4)
    axes.annotate("class 0", (-0.95, 0.6), color=CLASS[0], ha="right")
    axes.annotate("class 1", (1.98, -0.1), color=CLASS[1])
    for value, kind in ((0.0, "--"), (float(classifier.logit(found.adversarial)), ":")):
        first, second = classifier.weight.tolist()
        across = np.array([-1.6, 2.6])
        axes.plot(across, (value - classifier.bias - first * across) / second, kind, color=MUTED, linewidth=1)
    _arrow(axes, found.invariant, found.adversarial, PURPLE)
    _arrow(axes, found.perturbed, found.adversarial, OCHRE)
    for point, name, colour, shift in (
        (found.adversarial, "x*", INK, (6, -12)),
        (found.perturbed, "$x_1$", OCHRE, (7, 3)),
        (found.invariant, "$x_2$", PURPLE, (-4, -16)),
    ):
        axes.plot(*point.tolist(), "o", color=colour, markersize=6, zorder=6)
        axes.annotate(name, point.tolist(), xytext=shift, textcoords="offset points", color=colour)
    axes.set(xlim=(-1.6, 2.6), ylim=(-1.0, 1.45), aspect="equal", xticks=[], yticks=[])
    axes.grid(False)
    return figure


def _arrow(axes: Axes, start: Tensor, end: Tensor, colour: str) -> None:
    axes.annotate(
        "", tuple(end.tolist()), tuple(start.tolist()),
        arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.8, "shrinkA": 3, "shrinkB": 4},
    )  # fmt: skip


def spheres(curves: pd.DataFrame, limits: Mapping[str, tuple[float, float]]) -> Figure:
    """Accuracy on each sphere by the norm an attack may have; the exact law dashed, its ends marked.

    Args:
        curves: columns attack, sphere, norm, accuracy, theory.
        limits: attack -> the norms between which the accuracy falls.
    """
    figure, panels = style.panels(2, height=2.9, sharey=True)
    for axes, attack in zip(panels, ATTACKS, strict=True):
        for sphere, rows in curves[curves["attack"] == attack].groupby("sphere", sort=False):
            label = f"{sphere} sphere"
            axes.plot(rows["norm"], rows["accuracy"], color=SPHERE[str(sphere)], label=label)
            axes.plot(rows["norm"], rows["theory"], "--", color=INK, linewidth=0.9, zorder=4)
        for value in limits[attack]:
            axes.axvline(value, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
        axes.set(title=f"{attack}-based attack", xlabel="norm of the attack", ylim=(-0.03, 1.06))
        style.legend(axes, loc="lower left")
    panels[0].set_ylabel("accuracy")
    return figure


def metamer_rows(
    rows: Sequence[tuple[str, Tensor]], logits: Tensor, of_metamers: Tensor, columns: int = 8
) -> Figure:
    """Rows of images (n, h, w), and below each column the logits of original (bars) and metamer (dots)."""
    import matplotlib.pyplot as plt

    columns = min(columns, 4) if style.narrow() else columns
    columns = min(columns, len(logits))
    side = (style.width() - 1.1) / columns
    ratios = [1] * len(rows) + [0.8]
    figure, grid = plt.subplots(
        len(rows) + 1, columns, squeeze=False, figsize=(style.width(), side * (len(rows) + 1.0)),
        gridspec_kw={"height_ratios": ratios},
    )  # fmt: skip
    for axes, (name, images) in zip(grid, rows, strict=False):
        for panel, image in zip(axes, images, strict=False):
            panel.imshow(image.numpy(), cmap="gray", vmin=0, vmax=255)
        axes[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for panel, bars, dots in zip(grid[-1], logits, of_metamers, strict=False):
        panel.bar(range(len(bars)), bars.tolist(), color=BLUE, width=0.7)
        panel.plot(range(len(dots)), dots.tolist(), "o", color=VERMILION, markersize=2.5)
    grid[-1][0].set_ylabel("logits", rotation=0, ha="right", va="center")
    _bare(figure, grid)
    return figure


def _bare(figure: Figure, grid: np.ndarray) -> None:
    for panel in grid.ravel():
        panel.set(xticks=[], yticks=[])
        panel.grid(False)
        for spine in panel.spines.values():
            spine.set_visible(False)
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)


def information(frame: pd.DataFrame, most: float) -> Figure:
    """I(Y; Z_s) and I(Y; Z_n) for each loss under the training distribution and under the shift.

    Args:
        frame: columns loss, seed, distribution, features, estimator, value, low, high.
        most: H(Y), in nats.
    """
    figure, panels = style.panels(2, height=3.3, sharey=True)
    marks = {"variational": "o", "neighbours": "^", "adversary": "x"}
    for axes, kind in zip(panels, ("training", "shifted"), strict=True):
        own = frame[frame["distribution"] == kind]
        places = [(part, loss) for part in ("semantic", "nuisance") for loss in ("ce", "ice")]
        for place, (part, loss) in enumerate(places):
            rows = own[(own["features"] == part) & (own["loss"] == loss)]
            for shift, (estimator, mark) in zip((-0.2, 0.05, 0.3), marks.items(), strict=True):
                some = rows[rows["estimator"] == estimator]
                at = place + shift + 0.05 * (some["seed"] - some["seed"].mean())
                axes.vlines(at, some["low"], some["high"], color=COLOURS[loss], linewidth=1)
                axes.plot(at, some["value"], mark, color=COLOURS[loss], markersize=4.5)
        axes.set_xticks(range(4), ["$Z_s$\nCE", "$Z_s$\niCE", "$Z_n$\nCE", "$Z_n$\niCE"])
        axes.axhline(0, color=MUTED, linewidth=0.8)
        style.paper_line(axes, most, label="H(Y)")
        axes.set_title("training distribution" if kind == "training" else "under the shift")
    panels[0].set_ylabel("information on the class (nats)")
    keys = [("o", "variational bound"), ("^", "nearest neighbours"), ("x", "bound of the adversary")]
    for mark, name in keys:
        panels[1].plot([], [], mark, color=INK, markersize=4.5, label=name)
    style.legend(panels[1], loc="lower left")
    return figure


def interpolations(blocks: Sequence[tuple[str, Tensor, Tensor]], columns: int = 4) -> Figure:
    """For each loss: from an image (top) to its metamer (bottom), and below that the target.

    Args:
        blocks: name, path (n, steps, h, w) and targets (n, h, w), uint8.
        columns: pairs a block.
    """
    import matplotlib.pyplot as plt

    columns = min(columns, 2) if style.narrow() else columns
    chosen = [0, 2, 4, 6, 8]
    wide = len(blocks) * columns
    side = (style.width() - 0.9) / wide
    figure, grid = plt.subplots(
        len(chosen) + 1, wide, squeeze=False, figsize=(style.width(), side * (len(chosen) + 1) + 0.4)
    )
    for number, (name, path, targets) in enumerate(blocks):
        part = grid[:, number * columns : (number + 1) * columns]
        for column in range(min(columns, len(path))):
            for row, step in enumerate(chosen):
                part[row, column].imshow(path[column, step].numpy(), cmap="gray", vmin=0, vmax=255)
            part[-1, column].imshow(targets[column].numpy(), cmap="gray", vmin=0, vmax=255)
        part[0, 0].set_title(NAMES.get(name, name), color=COLOURS[name], loc="left")
    for row, label in [(0, "image"), (len(chosen) - 1, "metamer"), (len(chosen), "target")]:
        grid[row, 0].set_ylabel(label, rotation=0, ha="right", va="center")
    _bare(figure, grid)
    return figure


def votes(frame: pd.DataFrame) -> Figure:
    """Of which class neighbours say the metamers are, along the way, for each loss.

    Args:
        frame: columns loss, seed, share (of the way), own, reference.
    """
    figure, panels = style.panels(2, height=2.8, sharey=True)
    for axes, loss in zip(panels, ("ce", "ice"), strict=True):
        rows = frame[(frame["loss"] == loss) & (frame["share"] >= 0)]
        for column, kind, name in (("own", "-", "of the image"), ("reference", "--", "of the reference")):
            by = rows.groupby("share")[column]
            if len(rows):
                axes.plot(by.mean(), kind, color=COLOURS[loss], label=name)
                style.band(axes, by.min().index, by.min(), by.max(), COLOURS[loss])
        axes.set(
            title=NAMES[loss], xlabel="share of the way to the reference's nuisances", ylim=(-0.02, 1.05)
        )
        if len(rows):
            style.legend(axes, loc="center left")
    panels[0].set_ylabel("share of pictures of the class")
    return figure
