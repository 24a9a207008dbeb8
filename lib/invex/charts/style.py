"""One look for every figure of the book: type, sizes, colours, and the helpers that label lines directly.

Each colour of the palette has a dark twin. A figure is drawn once, in the light colours; the dark rendering
is the same SVG with each colour replaced by its twin (`darken`). All but the grid keep a contrast of 4.5 on
their ground, and the methods' colours stay apart under the common deficiencies of colour vision.
"""

from __future__ import annotations

import importlib.util
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

NARROW, WIDTH, WIDE = 3.7, 7.0, 9.4  # inches: a phone, the text column, and column and margin

INK, MUTED, GRID, GROUND = "#22282f", "#5c6570", "#e3e6ea", "#fffffe"
BLUE, VERMILION, PURPLE, TEAL, OCHRE, SLATE = "#0a6aac", "#b8460d", "#8a2fc9", "#00745a", "#836000", "#3a4048"
CYCLE = (BLUE, VERMILION, TEAL, PURPLE, OCHRE, SLATE)
METHOD_COLOURS = {
    "non-convex": SLATE, "ICNN": VERMILION, "ICNN + skip": PURPLE, "ICNN + init": BLUE,
    "data": INK, "model": BLUE, "paper": MUTED,
}  # fmt: skip
_TWINS = {
    INK: "#ced6dd", MUTED: "#9ca4af", GRID: "#2c333b", GROUND: "#121212", SLATE: "#c9d0d7",
    BLUE: "#4398f5", VERMILION: "#ee743c", PURPLE: "#dca1ed", TEAL: "#4cc4a0", OCHRE: "#d9b23c",
}  # fmt: skip


def darken(svg: str) -> str:
    """Return a light SVG with every colour of the palette replaced by its dark twin."""
    return re.sub("|".join(_TWINS), lambda match: _TWINS[match.group()], svg)


def settings(width: float = WIDTH) -> dict[str, Any]:
    """Return the rc parameters of the house style; text is as large as the page's captions."""
    face = _typeface()
    return {
        "figure.figsize": (width, 3.2), "figure.constrained_layout.use": True, "figure.dpi": 110,
        "savefig.dpi": 200,
        "font.family": [face, "DejaVu Sans"], "font.size": 10.5, "figure.titlesize": 11,
        "axes.titlesize": 10.5, "axes.labelsize": 10.5,
        "xtick.labelsize": 9.5, "ytick.labelsize": 9.5, "legend.fontsize": 9.5,
        "mathtext.fontset": "custom", "mathtext.fallback": "stixsans",
        "mathtext.rm": face, "mathtext.sf": face,
        "mathtext.it": f"{face}:italic", "mathtext.cal": f"{face}:italic", "mathtext.bf": f"{face}:bold",
        "axes.titlelocation": "left", "axes.titlepad": 6,
        "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.8, "axes.axisbelow": True,
        "axes.grid": True, "axes.grid.axis": "y", "grid.color": GRID, "grid.linewidth": 0.8,
        "xtick.major.size": 3.5, "ytick.major.size": 0, "xtick.minor.size": 2, "ytick.minor.size": 0,
        "lines.linewidth": 1.8, "lines.markersize": 5, "lines.solid_capstyle": "round",
        "legend.frameon": False, "image.cmap": "viridis", "image.interpolation": "nearest",
        "axes.prop_cycle": cycler(color=CYCLE), "patch.edgecolor": GROUND,
        "text.color": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "axes.edgecolor": MUTED,
        "xtick.color": MUTED, "ytick.color": MUTED, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
        "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
        "svg.fonttype": "path", "svg.hashsalt": "invex", "pdf.fonttype": 42,
    }  # fmt: skip


def _typeface() -> str:
    """Return the name of the house's typeface, registered with matplotlib; DejaVu Sans where it is absent."""
    spec = importlib.util.find_spec("font_source_sans_pro")
    if spec is None or spec.origin is None:
        return "DejaVu Sans"
    known = {entry.name for entry in font_manager.fontManager.ttflist}
    if "Source Sans Pro" not in known:
        for cut in ("Regular", "It", "Semibold", "Bold"):
            font_manager.fontManager.addfont(Path(spec.origin).parent / "files" / f"SourceSansPro-{cut}.ttf")
    return "Source Sans Pro"


@contextmanager
def house(width: float = WIDTH) -> Iterator[None]:
    """Draw under the house style, on a canvas without a window; figures made inside are closed at the end."""
    import matplotlib.pyplot as plt

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.use("agg")
        mpl.rcParams.update(cast(Any, settings(width)))
        try:
            yield
        finally:
            plt.close("all")


def width() -> float:
    """Inches that the figure has: of a phone, the text column, or column and margin."""
    return float(mpl.rcParams["figure.figsize"][0])


def narrow() -> bool:
    """Whether the figure is drawn for a phone, where panels stand below each other."""
    return width() < 1.05 * NARROW


def panels(
    count: int, *, columns: int | None = None, height: float = 2.6, **subplots: Any
) -> tuple[Figure, Any]:
    """A figure of the present width with `count` panels, side by side; on a phone below each other.

    Args:
        count: of panels.
        columns: of them in a row; default all. On a phone half as many, at least one.
        height: of a row, in inches.
        **subplots: to `matplotlib.pyplot.subplots`.

    Returns:
        The figure and its panels, a flat array of axes; a last row that is not full ends early.
    """
    import matplotlib.pyplot as plt

    columns = columns or count
    columns = max(columns // 2, 1) if narrow() and columns > 2 else 1 if narrow() else columns
    columns = 1 if narrow() and columns * 1.7 > width() else columns
    rows = -(-count // columns)
    figure, grid = plt.subplots(rows, columns, squeeze=False, figsize=(width(), height * rows), **subplots)
    axes = grid.ravel()
    for spare in axes[count:]:
        spare.remove()
    return figure, axes[:count]


def wrapped(text: str, characters: int = 44) -> str:
    """A text in lines that a phone has room for; as it is on a wide page."""
    return textwrap.fill(text, characters) if narrow() else text


def legend(axes: Axes, **look: Any) -> None:
    """A legend inside, where there is anything to name: of some records a panel may draw nothing."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**look)


def label_ends(axes: Axes, *, gap: float = 1.15, pad: float = 5.0) -> None:
    """Label each labelled line at its right end, in its own colour, instead of a legend; call it last.

    Labels that would overlap are moved apart to at least `gap` times their height, keeping their order.
    """
    figure, size = axes.get_figure(root=True), mpl.rcParams["legend.fontsize"]
    assert figure is not None
    figure.draw_without_rendering()  # settles the layout, on which the heights depend
    lines = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]
    ends = [(np.asarray(line.get_xdata())[-1], np.asarray(line.get_ydata())[-1]) for line in lines]
    low, high = sorted(axes.get_ylim())  # a label outside the panel would take the room of the panel
    ends = [(across, min(max(up, low), high)) for across, up in ends]
    heights = [axes.transData.transform(end)[1] * 72 / figure.dpi for end in ends]
    for line, end, height, free in zip(lines, ends, heights, spread(heights, size * gap), strict=True):
        axes.annotate(
            str(line.get_label()), end, xytext=(pad, free - height), textcoords="offset points", va="center",
            color=line.get_color(), fontsize=size, annotation_clip=False,
        )  # fmt: skip


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move heights apart to at least `gap`, as little as possible in the square, keeping their order."""
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    clusters: list[list[int]] = []

    def bottom(cluster: list[int]) -> float:
        return sum(heights[i] for i in cluster) / len(cluster) - gap * (len(cluster) - 1) / 2

    for index in order:
        clusters.append([index])
        while len(clusters) > 1 and bottom(clusters[-2]) + gap * len(clusters[-2]) > bottom(clusters[-1]):
            last = clusters.pop()
            clusters[-1] += last
    placed = {index: bottom(c) + gap * place for c in clusters for place, index in enumerate(c)}
    return [placed[index] for index in range(len(heights))]


def paper_line(axes: Axes, value: float, *, label: str = "paper", vertical: bool = False) -> None:
    """Draw the paper's value as a thin dashed line across the axes, labelled at its end."""
    draw, where, transform, offset, side = (
        (axes.axvline, (value, 1), axes.get_xaxis_transform(), (0, 3), "center")
        if vertical
        else (axes.axhline, (1, value), axes.get_yaxis_transform(), (-2, 3), "right")
    )
    draw(value, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5)
    axes.annotate(
        label, where, xycoords=transform, xytext=offset, textcoords="offset points", ha=side, color=MUTED,
        fontsize=mpl.rcParams["xtick.labelsize"], annotation_clip=False,
    )  # fmt: skip


def paper_marker(axes: Axes, x: Any, y: Any, *, label: str | None = "paper") -> None:
    """Mark the paper's points with small open diamonds."""
    axes.plot(
        x, y, "D", markersize=5, markerfacecolor="none", markeredgecolor=MUTED, markeredgewidth=1.1, zorder=5,
        label=label,
    )  # fmt: skip


def band(axes: Axes, x: Any, low: Any, high: Any, colour: str) -> None:
    """Fill an interval around a line, faintly, in the line's colour."""
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0, zorder=1)


def plain_ticks(axis: Axis, span: float) -> None:
    """Numbers in full at powers of ten, and between them as closely as the span leaves room for."""
    subs = (1, 2, 5) if 1 < span < 15 else (1, 3) if 1 < span < 150 else (1,)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(lambda value, _: f"{value:,.6g}")
    axis.set_minor_formatter(NullFormatter())
