"""The drawings in the plane of the chapter on pre-images: kinds, omnidirectional rows, removed rows."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Patch, Polygon
from torch import Tensor

from invex.analysis.circles import ThreeUnitNetworks
from invex.analysis.omnidirectional import corners, omnidirectional, omnidirectional_for, recession_direction
from invex.analysis.preimages import KINDS, conditions, kinds, preimage
from invex.analysis.row_removal import units_off
from invex.charts.style import BLUE, GRID, GROUND, INK, MUTED, OCHRE, TEAL, VERMILION, narrow, panels, width

KIND_COLOURS = {"singleton": OCHRE, "compact": BLUE, "unbounded": VERMILION}
ROW_WORDS = {True: "rows in all directions", False: "rows in a half-plane"}
KIND_WORDS = {"singleton": "one point", "compact": "bounded", "unbounded": "unbounded"}
REACH = 1.6
CENTRE = torch.tensor([0.25, 0.15], dtype=torch.float64)


def plane(reach: float = REACH, side: int = 241) -> Tensor:
    """Grid (side^2, 2) of the square of half-width `reach`, rows of equal height together."""
    axis = torch.linspace(-reach, reach, side, dtype=torch.float64)
    up, across = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([across.flatten(), up.flatten()], 1)


def map_frame(trained: ThreeUnitNetworks, which: int, name: str) -> pd.DataFrame:
    """Prediction, kind of pre-image and condition number over the plane, for one network."""
    grid = plane()
    weight, bias = trained.weight[which], trained.bias[which]
    return pd.DataFrame(
        {
            "network": name, "x1": grid[:, 0], "x2": grid[:, 1], "logit": trained.logits(which, grid),
            "kind": np.array(KINDS)[kinds(weight, bias, grid)], "condition": conditions(weight, bias, grid),
        }
    )  # fmt: skip


def two_circles(maps: pd.DataFrame, points: Tensor, inner: Tensor) -> Figure:
    """Prediction, kind of pre-image and condition number: three panels for each network of `map_frame`."""
    networks = list(maps["network"].unique())
    wide = not narrow()
    figure, axes = plt.subplots(
        *((len(networks), 3) if wide else (3, len(networks))), squeeze=False,
        figsize=(width(), (2.3 if wide else 2.05) * (len(networks) if wide else 3)),
    )  # fmt: skip
    for number, name in enumerate(networks):
        own = maps[maps["network"] == name]
        row = axes[number] if wide else axes[:, number]
        _prediction(row[0], own, points, inner)
        draw_kinds(row[1], own)
        _condition(row[2], own)
        row[0].set_title(name if wide else name.replace(", ", ",\n"))
    for axis in axes.flat:
        square(axis, REACH)
    return figure


def best_of_each(accuracy: Tensor, everywhere: Sequence[bool]) -> dict[bool, int]:
    """The most accurate network with rows in all directions, and the most accurate without, by number."""
    order = accuracy.argsort(descending=True, stable=True).tolist()
    first = {kind: next((n for n in order if everywhere[n] == kind), None) for kind in (True, False)}
    return {kind: number for kind, number in first.items() if number is not None}


def matched(maps: pd.DataFrame) -> bool:
    """Whether the condition number is above 1 exactly where a pre-image is a point, as Sec. 3.1 says."""
    return bool(((maps["kind"] == "singleton") == (maps["condition"] > 1 + 1e-9)).all())


def _image(axes: Axes, own: pd.DataFrame, values: np.ndarray, **look: Any) -> Any:
    side = round(len(own) ** 0.5)
    extent = (-REACH, REACH, -REACH, REACH)
    return axes.imshow(values.reshape(side, side), origin="lower", extent=extent, **look)


def _prediction(axes: Axes, own: pd.DataFrame, points: Tensor, inner: Tensor) -> None:
    side = round(len(own) ** 0.5)
    x, logit = np.linspace(-REACH, REACH, side), own["logit"].to_numpy().reshape(side, side)
    axes.contourf(x, x, logit > 0, levels=[0.5, 1.5], colors=[TEAL], alpha=0.25)
    axes.contour(x, x, logit, levels=[0], colors=[TEAL], linewidths=1.6)
    for mark, chosen, colour in (("o", inner, TEAL), ("x", ~inner, INK)):
        axes.plot(*points[chosen].T.numpy(), mark, color=colour, markersize=2.6)


def draw_kinds(axes: Axes, own: pd.DataFrame) -> None:
    """Colour the plane by the kind of pre-image of one network of `map_frame`."""
    codes = own["kind"].map({kind: number for number, kind in enumerate(KINDS)}).to_numpy()
    colours = ListedColormap([KIND_COLOURS[kind] for kind in KINDS])
    _image(axes, own, codes, cmap=colours, vmin=-0.5, vmax=2.5, alpha=0.55)
    axes.set_title("pre-image")
    there = [kind for kind in KINDS if (own["kind"] == kind).any()]
    handles = [Patch(color=KIND_COLOURS[kind], alpha=0.55, label=KIND_WORDS[kind]) for kind in there]
    axes.legend(handles=handles, loc="lower left", fontsize=8, frameon=True, borderpad=0.3, handlelength=1)


def _condition(axes: Axes, own: pd.DataFrame) -> None:
    values = own["condition"].to_numpy()
    drawn = _image(axes, own, np.where(values > 0, values, np.nan), cmap="viridis", norm=LogNorm(1, 10))
    axes.set_title("condition number")
    figure = axes.get_figure(root=True)
    assert figure is not None
    bar = figure.colorbar(drawn, ax=axes, shrink=0.8, extend="max", pad=0.03)
    bar.set_ticks([1, 2, 5, 10], labels=["1", "2", "5", "10"])
    bar.minorticks_off()
    if (values == 0).any():
        axes.annotate(
            "blank: 0, all off", (0.03, 0.03), xycoords="axes fraction", color=INK, fontsize=8,
            bbox={"boxstyle": "square,pad=0.2", "fc": GROUND, "ec": "none", "alpha": 0.8},
        )  # fmt: skip


def region(matrix: Tensor, limits: Tensor, inside: Tensor) -> np.ndarray:
    """Corners (v, 2), in order, of {x: M x <= limits} within the frame; `inside` is one of its points."""
    sides = torch.cat([torch.eye(2), -torch.eye(2)]).double()
    rows = torch.cat([matrix, sides])
    room = torch.cat([limits, torch.full((4,), REACH).double()]) - rows @ inside
    return corners(rows.numpy(), room.numpy()) + inside.numpy()


def square(axes: Axes, reach: float) -> None:
    """Frame a square of half-width `reach` without ticks."""
    axes.grid(False)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])


def four_cases() -> dict[str, tuple[Tensor, Tensor]]:
    """A and b of the four cases of Fig. 3.2, by its letters; angles and places are ours."""
    angles = {"a": (95, 205, 330), "b": (20, 75, 140), "c": (0, 90, 180), "d": (95, 205, 330)}
    made = {}
    for letter, degrees in angles.items():
        turn = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
        weight = torch.stack([turn.cos(), turn.sin()], 1)
        weight[weight.abs() < 1e-12] = 0.0
        made[letter] = (weight, -weight @ CENTRE - (0.45 if letter == "d" else 0.0))
    return made


def case_frame(cases: dict[str, tuple[Tensor, Tensor]], hull: Any) -> pd.DataFrame:
    """Each case: omnidirectional by program and by hull, whether for a point, kind of the pre-image of 0."""
    rows = []
    for letter, (weight, bias) in cases.items():
        rows.append(
            {
                "case": letter, "program": omnidirectional(weight), "hull": hull(weight),
                "for a point": omnidirectional_for(weight, bias) is not None,
                "kind": KINDS[int(kinds(weight, bias, CENTRE[None]))],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def omnidirectionality(cases: dict[str, tuple[Tensor, Tensor]], found: pd.DataFrame) -> Figure:
    """The four cases: hyperplanes, rows as arrows, a free halfspace if there is one, the pre-image of 0."""
    figure, axes = panels(len(cases), columns=4, height=2.0)
    for axis, (letter, (weight, bias)), (_, row) in zip(
        axes.flat, cases.items(), found.iterrows(), strict=True
    ):
        away = recession_direction(weight)
        if away is not None:
            half = region(-away[None], -(away @ CENTRE)[None], CENTRE)
            axis.add_patch(Polygon(half, color=GRID, zorder=0, lw=0))
        inside = preimage(weight, bias, CENTRE).vertices(within=4.0).numpy()
        colour = KIND_COLOURS[row["kind"]]
        axis.add_patch(Polygon(inside, facecolor=colour, edgecolor=colour, alpha=0.5, lw=2, zorder=1))
        if len(inside) == 1:
            axis.plot(*inside.T, "o", color=colour, markersize=8, zorder=4)
        _hyperplanes(axis, weight, bias, CENTRE)
        axis.set_title(f"({letter}) {KIND_WORDS[row['kind']]}")
        square(axis, REACH)
    return figure


def _hyperplanes(
    axes: Axes, weight: Tensor, bias: Tensor, near: Tensor, removed: Tensor | None = None
) -> None:
    """Lines a.x + b = 0, and the rows as arrows from their points closest to `near`; removed ones crossed."""
    for number, (row, offset) in enumerate(zip(weight, bias, strict=True)):
        foot = near - (row @ near + offset) / (row @ row) * row
        along = torch.stack([-row[1], row[0]]) / row.norm()
        ends = torch.stack([foot - 6 * along, foot + 6 * along]).T
        axes.plot(*ends.numpy(), color=MUTED, lw=1.0, zorder=2)
        gone = removed is not None and bool(removed[number])
        tip = foot + 0.75 * row
        arrow = {
            "arrowstyle": "-|>",
            "color": VERMILION if gone else INK,
            "lw": 1.7,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        axes.annotate("", tuple(tip.tolist()), tuple(foot.tolist()), arrowprops=arrow, zorder=3)
        if gone:
            axes.plot(*(foot + 0.4 * row).tolist(), "x", color=VERMILION, markersize=12, mew=2.2, zorder=5)


def weakly_correlated() -> tuple[Tensor, Tensor, Tensor]:
    """Two rows that are nearly parallel and one across, a bias, and an input that switches the third off."""
    weight = torch.tensor([[0.7, 0.08], [0.7, -0.08], [0.1, 0.98]], dtype=torch.float64)
    return weight, torch.tensor([0.25, 0.35, 0.3], dtype=torch.float64), torch.tensor([0.75, -0.8]).double()


def removal_frame(weight: Tensor, biases: dict[str, Tensor], point: Tensor) -> pd.DataFrame:
    """Singular values with all rows, and without those that are off at the point, by bias."""
    rows = []
    for name, bias in biases.items():
        off = units_off(weight, point, bias)
        for which, kept in (("all rows", weight), ("rows that are on", weight[~off])):
            large, small = torch.linalg.svdvals(kept).tolist()
            rows.append(
                {"case": name, "rows": which, "number": len(kept), "largest": large, "smallest": small}
            )
    return pd.DataFrame(rows)


def removed_rows(weight: Tensor, biases: dict[str, Tensor], point: Tensor) -> Figure:
    """Hyperplanes, rows, and the inputs that one error of the output allows, before (dashed) and after."""
    figure, axes = panels(len(biases), columns=2, height=3.3)
    for axis, (name, bias) in zip(axes.flat, biases.items(), strict=True):
        off = units_off(weight, point, bias)
        signs = torch.where(off, 1.0, -1.0)[:, None]
        cell = region(signs * weight, -signs[:, 0] * bias, point)
        axis.add_patch(Polygon(cell, color=BLUE, alpha=0.16, lw=0, zorder=0))
        for rows, dashes in ((weight, (0, (3, 2))), (weight[~off], "-")):
            _error_ellipse(axis, rows, point, 0.12, dashes)
        _hyperplanes(axis, weight, bias, torch.zeros(2, dtype=torch.float64), off)
        axis.plot(*point.tolist(), "o", color=BLUE, markersize=6, zorder=6)
        axis.set_title(name)
        square(axis, REACH)
    return figure


def _error_ellipse(axes: Axes, rows: Tensor, centre: Tensor, error: float, dashes: Any) -> None:
    """Inputs x + d with |rows d| <= error."""
    _, values, right = torch.linalg.svd(rows, full_matrices=False)
    wide, high = (2 * error / values).tolist()
    angle = float(torch.rad2deg(torch.atan2(right[0, 1], right[0, 0])))
    axes.add_patch(
        Ellipse(
            tuple(centre.tolist()), wide, high, angle=angle, fill=False, ec=BLUE, lw=1.8, ls=dashes, zorder=4
        )
    )  # fmt: skip
