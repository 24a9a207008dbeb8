"""The figures of the chapter on input-convex networks; its diagrams are drawn by `network_diagram`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from invex.analysis.segments import Segments
from invex.charts import style
from invex.charts.style import GROUND, INK, METHOD_COLOURS, MUTED, TEAL
from invex.nn.convex import ConvexNetwork

CONVEX, PLAIN = METHOD_COLOURS["ICNN"], METHOD_COLOURS["non-convex"]
COLOURS = {"plain": PLAIN, "convex": CONVEX}
LINE_FRAME = (-2.2, 2.2, -1.6, 3.2)
PLANE_FRAME = (-2.6, 2.6, -2.6, 2.6)


def line(points: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Points on a line, both networks, and the best that a convex function can do at the points.

    Args:
        points: x, y, and `best`, the values of the convex regression.
        curves: x, `plain` and `convex`.
    """
    figure, (axes,) = style.panels(1, height=3.1)
    axes.plot(points["x"], points["best"], "_", color=MUTED, markersize=12, markeredgewidth=1.6, zorder=2)
    for name, colour in COLOURS.items():
        axes.plot(curves["x"], curves[name], color=colour, linewidth=2.2, label=name)
    axes.plot(points["x"], points["y"], "o", color=INK, markersize=6, markeredgecolor=GROUND, zorder=5)
    axes.set(xlabel="$y$, the input", ylabel="value", xlim=LINE_FRAME[:2], ylim=LINE_FRAME[2:])
    places = {"plain": (0.0, (24, 22)), "convex": (-1.15, (6, 22))}
    for name, (at, offset) in places.items():
        height = float(np.interp(at, curves["x"], curves[name]))
        axes.annotate(name, (at, height), xytext=offset, textcoords="offset points", color=COLOURS[name])
    return figure


def plane(points: pd.DataFrame, fields: Mapping[str, np.ndarray], window: tuple[float, ...]) -> Figure:
    """Where each network is below zero, and its contours, with the points that shall lie below or above.

    Args:
        points: y1, y2 and sign (-1: below).
        fields: "plain" and "convex", values (m, m) on a square grid of the window, the second axis across.
        window: low and high of y1 and of y2.
    """
    figure, panels = style.panels(2, height=3.5)
    for axes, (name, values) in zip(panels, fields.items(), strict=True):
        grid = [np.linspace(window[i], window[i + 1], len(values)) for i in (0, 2)]
        colour = COLOURS[name]
        axes.contourf(*grid, values, levels=[-1e9, 0], colors=[colour], alpha=0.2)
        axes.contour(
            *grid, values, levels=[-2, -1, 1, 2, 3, 4], colors=[MUTED], linewidths=0.8, linestyles="-"
        )
        axes.contour(*grid, values, levels=[0], colors=[colour], linewidths=2.2)
        for sign, group in points.groupby("sign"):
            face = INK if sign < 0 else GROUND
            axes.plot(
                group["y1"], group["y2"], "o", markersize=5.5, markerfacecolor=face, markeredgecolor=INK,
                markeredgewidth=1.2,
            )  # fmt: skip
        axes.grid(False)
        axes.set(xlim=window[:2], ylim=window[2:], aspect="equal", xlabel="$y_1$", ylabel="$y_2$")
        axes.set_title(name, color=colour)
    return figure


def gaps(frame: pd.DataFrame) -> Figure:
    """Distributions of the gap between chord and network over random segments: below zero is a violation.

    Args:
        frame: network, stage ("at the start", "after training"), kind ("constrained" or "control") and gap,
            the height of the chord over the network as a share of the values' size.
    """
    figure, panels = style.panels(2, height=3.0)
    titles = {"constrained": "constrained: four positivities, FICNN and PICNN", "control": "controls"}
    for axes, (kind, title) in zip(panels, titles.items(), strict=True):
        for (network, stage), group in frame[frame["kind"] == kind].groupby(["network", "stage"], sort=False):
            own = np.sort(group["gap"].to_numpy())
            start = stage == "at the start"
            colour = CONVEX if kind == "constrained" else _CONTROLS.get(str(network), PLAIN)
            share = np.linspace(0, 1, len(own))
            axes.plot(
                own, share, color=colour, linewidth=1.0 if start else 1.7, ls=(0, (3, 2)) if start else "-"
            )
            if kind == "control":
                _name(axes, str(network), own, share, colour)
        axes.axvline(0, color=MUTED, linewidth=0.9, zorder=1)
        axes.set_xscale("symlog", linthresh=1e-4, linscale=0.6)
        axes.set_xticks([-0.1, -1e-3, 0, 1e-3, 0.1], ["−0.1", "−0.001", "0", "0.001", "0.1"])
        axes.minorticks_off()
        axes.set(
            xlabel="gap, as a share of the values",
            ylabel="share of segments",
            ylim=(0, 1.02),
            xlim=(-0.6, 0.6),
        )
        axes.set_title(title)
    return figure


def faults(points: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """The notes' network on two valleys, its weights let go or kept, and its first layer on a convex target.

    Args:
        points: x, and the targets `valleys` and `vee`.
        curves: x, "weights let go", "weights kept", "first layer constrained", "first layer free".
    """
    figure, panels = style.panels(2, height=3.0)
    sides = {
        "valleys": ("weights let go", "weights kept"),
        "vee": ("first layer constrained", "first layer free"),
    }
    for axes, (target, names) in zip(panels, sides.items(), strict=True):
        for name, colour in zip(names, (PLAIN, CONVEX), strict=True):
            axes.plot(curves["x"], curves[name], color=colour, linewidth=2.0, label=name)
        axes.plot(points["x"], points[target], "o", color=INK, markersize=5, markeredgecolor=GROUND, zorder=5)
        axes.set(xlabel="$x$", ylabel="value", xlim=LINE_FRAME[:2])
        axes.margins(y=0.12)
        for name, colour, height in zip(names, (PLAIN, CONVEX), (0.95, 0.85), strict=True):
            axes.annotate(name, (0.5, height), xycoords="axes fraction", color=colour, ha="center", va="top")
    return figure


def signs_by_kind(attacks: Mapping[str, pd.DataFrame], n: int = 500) -> pd.DataFrame:
    """What an attack through each matrix achieved, those of one kind in a row: shares in per cent."""
    rows = []
    for network, found in attacks.items():
        for kind, group in found.groupby(found["name"].map(_kind), sort=False):
            share = 100 * group["violations"] / n
            needs = "non-negative" if group["signed"].all() else "any"
            rows.append((network, kind, group["weights"].sum(), needs, share.max(), share.min()))
    columns = ["network", "matrices", "weights", "sign needed", "most violations (%)", "least (%)"]
    return pd.DataFrame(rows, columns=columns)


def _kind(name: str) -> str:
    """A matrix's kind in words."""
    words = {
        "(z)": "from layer to layer", "(y)": "from the input y", "(zu)": "factor on z", "(yu)": "factor on y",
        "(u)": "from the x-path",
    }  # fmt: skip
    return next((text for key, text in words.items() if key in name), "on the x-path")


_CONTROLS = {"a negative weight": TEAL, "projection left out": PLAIN, "tanh": METHOD_COLOURS["ICNN + skip"]}


def _name(axes: Axes, name: str, own: np.ndarray, share: np.ndarray, colour: str) -> None:
    """The name of a control beside its curve, each at a height of its own."""
    height = 0.92 - 0.13 * list(_CONTROLS).index(name) if name in _CONTROLS else 0.5
    axes.annotate(name, (-0.5, height), color=colour, va="center", ha="left", fontsize=9.5)


def gap_frame(checks: Mapping[tuple[str, str, str], Segments], keep: int = 400) -> pd.DataFrame:
    """Columns network, stage, kind, gap: `keep` evenly spaced order statistics of each check, relative."""
    rows = []
    for (network, stage, kind), found in checks.items():
        size = found.rounding / found.rounding.min()
        own = (found.gaps / size).sort().values
        picked = own[torch.linspace(0, len(own) - 1, keep).round().long()]
        rows.append(pd.DataFrame({"network": network, "stage": stage, "kind": kind, "gap": picked.numpy()}))
    return pd.concat(rows, ignore_index=True)


def field(network: ConvexNetwork, window: tuple[float, ...], side: int = 121) -> np.ndarray:
    """Values (side, side) of a network on a grid of a window, the first axis up."""
    across, up = (torch.linspace(window[i], window[i + 1], side) for i in (0, 2))
    grid = torch.stack(torch.meshgrid(across, up, indexing="xy"), -1)
    with torch.no_grad():
        values: np.ndarray = network(grid.to(network.raw[0])).cpu().numpy()
    return values


def interactive(
    kind: str,
    points: Tensor,
    targets: Tensor,
    networks: Mapping[str, ConvexNetwork],
    frame: tuple[float, ...],
) -> dict[str, Any]:
    """What `input-convex.js` needs: points, frame, and both networks' weights, from which it trains on.

    Args:
        kind: "line" (values are met) or "plane" (signs are met).
        points: (n, d); targets: (n,).
        networks: "plain" and "convex", whose parameters are the weights themselves (projection).
        frame: low and high of both axes.
    """
    return {
        "kind": kind,
        "frame": list(frame),
        "points": _digits(points),
        "targets": _digits(targets),
        "networks": {name: _weights(network) for name, network in networks.items()},
    }


def _weights(network: ConvexNetwork) -> dict[str, Any]:
    """Layers of a network as nested lists: S and b of each, W of each but the first."""
    inputs = list(network.inputs)
    return {
        "S": [_digits(layer.weight) for layer in inputs],
        "b": [_digits(layer.bias) for layer in inputs],
        "W": [_digits(weight) for weight in network.weights()],
    }


def _digits(values: Any) -> list[Any]:
    """Nested lists of numbers to five significant digits."""
    found = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
    return [_digits(v) if np.ndim(v) else float(f"{v:.5g}") for v in np.asarray(found)]
