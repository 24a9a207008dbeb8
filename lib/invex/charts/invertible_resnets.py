"""The figures of the chapter on invertible residual networks: paths, norms, reconstructions, errors."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from invex.charts import style
from invex.charts.invertible_resnets_tables import VISIBLE
from invex.charts.style import BLUE, INK, MUTED, OCHRE, PURPLE, SLATE, TEAL, VERMILION

COLOURS = {
    "vanilla": VERMILION, "vanilla, decayed": OCHRE, "batch norm": SLATE,
    "c = 0.9": BLUE, "c = 0.8": BLUE, "c = 0.7": TEAL, "c = 0.6": TEAL, "c = 0.5": PURPLE, "c = 0.3": OCHRE,
}  # fmt: skip


def path_frame(name: str, positions: Tensor) -> pd.DataFrame:
    """Rows network, path, block, position from positions (blocks + 1, n)."""
    blocks, count = positions.shape
    return pd.DataFrame({
        "network": name,
        "path": np.tile(np.arange(count), blocks),
        "block": np.repeat(np.arange(blocks), count),
        "position": positions.flatten().numpy(),
    })  # fmt: skip


def dynamics(frame: pd.DataFrame) -> Figure:
    """Paths of points through the blocks of a standard and an invertible network.

    Args:
        frame: columns network ("standard", "invertible"), path, block, position.
    """
    figure, panels = style.panels(2, height=3.0, sharey=True)
    for axes, (name, paths) in zip(panels, frame.groupby("network", sort=False), strict=True):
        wide = paths.pivot(index="block", columns="path", values="position")
        starts = wide.iloc[0]
        for path in wide.columns:
            axes.plot(wide.index, wide[path], color=_shade(starts[path], starts), linewidth=0.9)
        axes.set(title=f"{name} network", xlabel="block", ylabel="position")
        axes.grid(False)
    return figure


def _shade(start: float, starts: pd.Series) -> tuple[float, ...]:
    """A colour by where the path starts, of middle lightness."""
    from matplotlib import colormaps

    share = (start - starts.min()) / (starts.max() - starts.min())
    return tuple(colormaps["viridis"](0.15 + 0.7 * float(share)))


def singular_values(layers: pd.DataFrame) -> Figure:
    """The norm of each convolution by its place in the network: free networks, then contractive ones.

    Args:
        layers: columns network, seed, layer, norm.
    """
    figure, panels = style.panels(2, height=3.0)
    free = layers["network"].isin(["vanilla", "batch norm"])
    for axes, part, title in zip(
        panels, (layers[free], layers[~free]), ("free networks", "normalised networks"), strict=True
    ):
        for name, rows in part.groupby("network", sort=False):
            by_layer = rows.groupby("layer")["norm"]
            colour = COLOURS[name]
            axes.plot(by_layer.mean(), "o-", markersize=3, linewidth=1, color=colour, label=name)
            style.band(axes, by_layer.min().index, by_layer.min(), by_layer.max(), colour)
        axes.axhline(1, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5)
        axes.set(title=title, xlabel="convolution", ylabel="largest singular value", ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        style.label_ends(axes)
    panels[1].set_ylim(0, 1.1)
    return figure


def reconstructions(rows: Sequence[tuple[str, Tensor]], columns: int = 8) -> Figure:
    """Rows of images under each other, each row named.

    Args:
        rows: a name and uint8 images (n, h, w, channels).
        columns: images a row.
    """
    import matplotlib.pyplot as plt

    columns = min(columns, 5) if style.narrow() else columns
    size = (style.width(), (style.width() - 1.2) / columns * len(rows))
    figure, grid = plt.subplots(len(rows), columns, figsize=size, squeeze=False)
    for axes, (name, images) in zip(grid, rows, strict=True):
        for panel, image in zip(axes, images[:columns], strict=False):
            panel.imshow(image.numpy().squeeze(), cmap="gray", vmin=0, vmax=255)
        for panel in axes:
            panel.set(xticks=[], yticks=[])
            panel.grid(False)
            for spine in panel.spines.values():
                spine.set_visible(False)
        axes[0].set_ylabel(name, rotation=0, ha="right", va="center")
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(w_pad=0.01, h_pad=0.01, wspace=0, hspace=0)
    return figure


def errors(curves: pd.DataFrame, lemma: pd.DataFrame) -> Figure:
    """Error of the whole reconstruction by iterations a block, and of single blocks with Lemma 4.5's bound.

    Args:
        curves: columns network, solver, iterations, mean (grey levels), averaged over seeds here.
        lemma: columns network, seed, block, iterations, error, bound.
    """
    figure, panels = style.panels(2, height=3.4)
    for name, rows in curves.groupby("network", sort=False):
        for solver, some in rows[rows["iterations"] <= 30].groupby("solver"):
            mean = np.exp(np.log(some["mean"]).groupby(some["iterations"]).mean())
            plain = solver == "fixed-point"
            panels[0].plot(
                mean, "-" if plain else ":", color=COLOURS[name], label=name if plain else "_", linewidth=1.6
            )
    panels[0].axhline(VISIBLE, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    panels[0].annotate("half a grey level", (1, VISIBLE), xycoords=("axes fraction", "data"), xytext=(-2, 3),
                       textcoords="offset points", ha="right", color=MUTED, fontsize=9)  # fmt: skip
    panels[0].set(
        title="whole network", yscale="log", xlabel="iterations a block", ylabel="error (grey levels of 255)"
    )
    for name, rows in lemma.groupby("network", sort=False):
        largest = rows.groupby("iterations")[["error", "bound"]].max()
        largest = largest[largest["error"] > 1e-11]
        panels[1].plot(largest["error"], color=COLOURS[name], label=name)
        panels[1].plot(largest["bound"], color=COLOURS[name], linestyle="--", linewidth=1, label="_")
    panels[1].set(
        title="worst block, and its bound (dashed)",
        yscale="log",
        xlabel="iterations",
        ylabel="error (Euclidean)",
    )
    for axes in panels:
        _direct(axes)
    return figure


def _direct(axes: Axes) -> None:
    """A small legend inside; lines end where others pass, so that labels at their ends would collide."""
    style.legend(axes, loc="upper right", handlelength=1.2)
