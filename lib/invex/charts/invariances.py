"""The figures of the chapter on the Rosenbrock function: level curves before and after the bijection."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from torch import Tensor

from invex.analysis.level_sets.pullback import Curves
from invex.charts import style
from invex.charts.style import CYCLE, INK, MUTED

BLUE, ORANGE = CYCLE[:2]
INPUT = ("x1", "x2")
LATENT = ("z1", "z2")
LIMITS = ((-0.6, 0.6), (-0.2, 1.0))
SQUARE = 0.4


def _colours() -> Colormap:
    """Viridis without the ends, which would vanish on a dark or a light ground."""
    return LinearSegmentedColormap.from_list(
        "viridis-inner", plt.get_cmap("viridis")(np.linspace(0.22, 0.9, 256))
    )


def _panels(left: tuple[str, str], right: tuple[str, str]) -> tuple[Figure, Axes, Axes]:
    height = style.width() if style.narrow() else 0.5 * style.width() + 0.25
    figure, panels = style.panels(2, height=height)
    for axes, (first, second) in zip(panels, (left, right), strict=True):
        axes.grid(False)
        axes.set(xlabel=f"${first[0]}_{first[1]}$", ylabel=f"${second[0]}_{second[1]}$")
        axes.set_title("input space" if first == "x1" else "after the bijection, $z = h(x)$")
    return figure, panels[0], panels[1]


def _closed(curve: pd.DataFrame, space: tuple[str, str]) -> np.ndarray:
    """The points of a curve, the first one again at the end."""
    points = curve[list(space)].to_numpy()
    return np.concatenate([points, points[:1]])


def _frame(axes: Axes, points: np.ndarray, margin: float = 0.12) -> None:
    """Limits around points (n, 2), equal units on both axes."""
    low, high = points.min(0), points.max(0)
    half = (0.5 + margin) * (high - low).max()
    centre = (low + high) / 2
    axes.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half))
    axes.set_aspect("equal")


def _stationary(axes: Axes, place: pd.Series) -> None:
    axes.plot(*place, "o", color=BLUE, markersize=7, markeredgecolor=INK, markeredgewidth=0.8)


def _square(axes: Axes) -> None:
    """The square that the training points come from."""
    corners = SQUARE * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
    axes.plot(*corners.T, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5)


def level_curve(
    points: pd.DataFrame, curve: pd.DataFrame, minimum: pd.Series, limits: Sequence[float]
) -> Figure:
    """One level curve in input space (left) and after the bijection (right), over the training points.

    Args:
        points: x1, x2, z1, z2 and y of the training points.
        curve: x1, x2, z1, z2 of the curve, in order.
        minimum: the stationary point, the same four columns.
        limits: low and high of x1, then of x2.
    """
    figure, *panels = _panels(INPUT, LATENT)
    colours = Normalize(0, points["y"].quantile(0.98))
    for axes, space in zip(panels, (INPUT, LATENT), strict=True):
        across, up = points[list(space)].T.to_numpy()
        drawn = axes.scatter(across, up, c=points["y"], s=5, cmap=_colours(), norm=colours, lw=0)
        axes.plot(*_closed(curve, space).T, color=ORANGE, linewidth=2.2)
        _stationary(axes, minimum[list(space)])
    panels[0].set(xlim=limits[:2], ylim=limits[2:])
    _frame(panels[1], curve[list(LATENT)].to_numpy(), margin=0.3)
    figure.colorbar(drawn, ax=panels, label="property $y$", shrink=0.75, aspect=30, pad=0.02)
    return figure


def pointer(curve: pd.DataFrame, rays: pd.DataFrame, minimum: pd.Series, limits: Sequence[float]) -> Figure:
    """The pointer that turns around the minimum in latent space (left) and what becomes of it (right).

    Args:
        curve: the level curve.
        rays: x1, x2, z1, z2 along some pointers; `ray` numbers them.
        minimum: their common origin.
        limits: of the input space, low and high of x1, then of x2.
    """
    figure, *panels = _panels(LATENT, INPUT)
    last = max(rays["ray"].max(), 1)
    for axes, space in zip(panels, (LATENT, INPUT), strict=True):
        axes.plot(*_closed(curve, space).T, color=INK, linewidth=1.6)
        for number, ray in rays.groupby("ray"):
            points, colour = ray[list(space)].to_numpy(), _colours()(int(number) / last)
            axes.plot(*points.T, color=colour, linewidth=1.3)
            axes.plot(*points[-1], "o", color=colour, markersize=5)
            if space == LATENT:
                _number(axes, points[-1], minimum[list(space)].to_numpy(), str(number + 1))
        _stationary(axes, minimum[list(space)])
    _frame(panels[0], curve[list(LATENT)].to_numpy(), margin=0.2)
    panels[1].set(xlim=limits[:2], ylim=limits[2:])
    return figure


def _number(axes: Axes, tip: np.ndarray, centre: np.ndarray, text: str) -> None:
    offset = tuple(10 * (tip - centre) / np.linalg.norm(tip - centre))
    axes.annotate(
        text, tuple(tip), xytext=offset, textcoords="offset points", ha="center", va="center", color=MUTED
    )


def level_curves(
    curves: pd.DataFrame, minimum: pd.Series, second: tuple[float, float] | None = None
) -> Figure:
    """Level curves in latent space (left) and in input space (right), with the valley's floor and the square.

    Args:
        curves: level, x1, x2, z1, z2, in order along each curve.
        minimum: the stationary point.
        second: where what looks like a second valley is lowest, if there is one in view.
    """
    figure, *panels = _panels(LATENT, INPUT)
    levels = curves["level"].unique()
    colours = Normalize(levels.min(), levels.max())
    for axes, space in zip(panels, (LATENT, INPUT), strict=True):
        lines = [_closed(curve, space) for _, curve in curves.groupby("level")]
        drawn = LineCollection(lines, array=levels, cmap=_colours(), norm=colours, linewidths=1.8)
        axes.add_collection(drawn)
        _stationary(axes, minimum[list(space)])
    _frame(panels[0], curves[list(LATENT)].to_numpy())
    _square(panels[1])
    floor = np.linspace(-0.4, 0.4, 201)
    panels[1].plot(floor, 10 * floor**2, color=INK, linewidth=1.1, linestyle=(0, (1, 1.6)), zorder=4)
    panels[1].set(xlim=LIMITS[0], ylim=LIMITS[1], aspect="equal")
    panels[1].annotate("training\nsquare", (-0.385, -0.01), color=MUTED, fontsize=9, va="top")
    if second is not None:
        panels[1].plot(*second, "x", color=INK, markersize=7, markeredgewidth=1.6, zorder=5)
        side = "right" if second[0] > 0 else "left"
        panels[1].annotate(
            "the same valley,\nback in view", second, xytext=(-9 if second[0] > 0 else 9, 0), color=INK,
            textcoords="offset points", ha=side, va="center", fontsize=9,
        )  # fmt: skip
    figure.colorbar(
        drawn, ax=panels, label="level α", ticks=levels, format="%.2f", shrink=0.75, aspect=30, pad=0.02
    )
    return figure


def certificates(eigenvalues: pd.DataFrame, crossings: pd.DataFrame) -> Figure:
    """Hessian eigenvalues (left) and crossings of rays (right) of the model and of the control.

    Args:
        eigenvalues: `smallest` eigenvalue of the Hessian at points, by `network`.
        crossings: `share` of rays that cross a level `count` times, by `network`.
    """
    figure, (left, right) = style.panels(2, height=2.7)
    networks = list(eigenvalues["network"].unique())
    for colour, name, shift in zip((BLUE, ORANGE), networks, (-0.2, 0.2), strict=True):
        own = np.sort(eigenvalues.loc[eigenvalues["network"] == name, "smallest"])
        left.plot(own, np.linspace(0, 1, len(own)), color=colour, label=name)
        counted = crossings[crossings["network"] == name]
        right.bar(counted["count"] + shift, counted["share"], 0.38, color=colour, label=name)
    left.axvline(0, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    left.set_xscale("symlog", linthresh=1e-3)
    left.set_xticks([-100, -1, -0.01, 0.01, 1, 100], ["−100", "−1", "−0.01", "0.01", "1", "100"])
    left.minorticks_off()
    left.set(xlabel="smallest eigenvalue of the Hessian", ylabel="share of points", ylim=(0, 1.02))
    right.set(
        xlabel="crossings along a ray", ylabel="share of rays", xticks=sorted(crossings["count"].unique())
    )
    right.legend(loc="upper right")
    return figure


def frame(points: Tensor, latent: Tensor) -> pd.DataFrame:
    """Columns x1, x2, z1, z2 from input and latent points, (n, 2) each."""
    return pd.DataFrame(torch.cat([points, latent], dim=1).numpy(), columns=[*INPUT, *LATENT])


def curve_frame(curves: Curves) -> pd.DataFrame:
    """Columns level, angle, x1, x2, z1, z2."""
    rows = frame(curves.input.flatten(0, 1), curves.latent.flatten(0, 1))
    rows.insert(0, "angle", curves.angles.repeat(len(curves.levels)).numpy())
    rows.insert(0, "level", curves.levels.repeat_interleave(len(curves.angles)).numpy())
    return rows


def ray_frame(points: Tensor, latent: Tensor) -> pd.DataFrame:
    """Columns ray, x1, x2, z1, z2 from pointers (m, steps, 2)."""
    rows = frame(points.flatten(0, 1), latent.flatten(0, 1))
    rows.insert(0, "ray", torch.arange(len(latent)).repeat_interleave(latent.shape[1]).numpy())
    return rows


def choices(metrics: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """One row a choice: the median of each metric over its runs, the extremes of the first, their number.

    The extremes are left out where every choice was run once. Runs that failed are there as far as they have
    the first metric; without it they have no row.
    """
    first, shown = next(iter(names.items()))
    if metrics.empty or first not in metrics or metrics[first].isna().all():
        return pd.DataFrame()
    runs = metrics[metrics[first].notna()].groupby("choice", sort=False)
    table = runs[[name for name in names if name in metrics]].median().rename(columns=names)
    if (runs.size() > 1).any():
        table.insert(1, f"{shown} low", runs[first].min())
        table.insert(2, f"{shown} high", runs[first].max())
    return table.assign(n=runs.size()).reset_index()


def choices_in_words(table: pd.DataFrame) -> str:
    """The choices with the least and the largest value of the first metric, in a sentence."""
    metric = table.columns[1]
    best, worst = (table.loc[place(table[metric])] for place in (pd.Series.idxmin, pd.Series.idxmax))
    if len(table) == 1:
        return f"{metric} {best[metric]:.3f} ({best['choice']})."
    return f"{metric} from {best[metric]:.3f} ({best['choice']}) to {worst[metric]:.3f} ({worst['choice']})."


def runs_in_words(metrics: pd.DataFrame, table: pd.DataFrame) -> str:
    """What a row of `choices` is made of, and which runs have no minimum or failed otherwise."""
    several = f"medians over n seeds, and the extremes of the {table.columns[1]}"
    failed = metrics[metrics["failed"] != ""].groupby("choice", sort=False)["failed"]
    lost = "; ".join(f"{choice}: {_reason(reasons)}" for choice, reasons in failed)
    return f"{several if (table['n'] > 1).any() else 'one seed each'}.{f' Failed: {lost}.' if lost else ''}"


def _reason(reasons: pd.Series) -> str:
    """Why runs of one choice failed; that f has no minimum is said without the coordinates of the search."""
    without = reasons.str.contains("still falls")
    text = "f has no minimum, but falls for as far as one looks" if without.any() else str(reasons.iloc[0])
    return f"{text} ({len(reasons)} run{'s' * (len(reasons) > 1)})"
