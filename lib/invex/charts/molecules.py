"""Drawing functions of the chapter on molecules: frames in, a figure out."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from invex.charts import molecule_drawing as drawing
from invex.charts import style
from invex.charts.style import BLUE, INK, MUTED, OCHRE, TEAL, VERMILION
from invex.data.depiction import depicted, xyz
from invex.data.geometry import Structure

METHOD_COLOURS = {
    "level set": BLUE, "pulled back": TEAL, "straight line": VERMILION,
    "on the level set": BLUE, "free": VERMILION,
    "moved to the level set": BLUE, "drawn": VERMILION, "any molecule": MUTED,
}  # fmt: skip

WAYS = {"level set": "on the level set", "straight line": "straight line"}


def path(
    stations: pd.DataFrame,
    lines: pd.DataFrame,
    level: float,
    structures: Mapping[str, Structure],
    names: tuple[str, str],
) -> Figure:
    """A path on a level set: the property along it, and each molecule in space and as a formula.

    Args:
        stations: of `molecule_reading.stations`, with a column `label` (what is written below each).
        lines: share, value, method: the property at the points of the level set and of the straight line.
        structures: SMILES -> structure, of those that have one.
        names: of the property and its unit.
    """
    most = 3 if style.narrow() else 6 if style.width() > style.WIDTH else 5
    rows = -(-len(stations) // most)
    columns = max(-(-len(stations) // rows), 3)
    height = 2.3 if not style.narrow() else 2.6
    each = min(1.02 * style.width() / columns, 1.9) + 0.5
    figure = plt.figure(figsize=(style.width(), height + rows * each))
    grid = figure.add_gridspec(rows + 1, columns, height_ratios=[height, *[each] * rows])
    _profile(figure.add_subplot(grid[0, :]), stations, lines, level, names)
    for i, row in enumerate(stations.itertuples()):
        axes = figure.add_subplot(grid[1 + i // columns, i % columns])
        _card(axes, i + 1, row, structures.get(row.smiles))
    return figure


def _profile(
    axes: Axes, stations: pd.DataFrame, lines: pd.DataFrame, level: float, names: tuple[str, str]
) -> None:
    """The property along the path: at its points, as predicted for each molecule, and true where known."""
    for method, line in lines.groupby("method", sort=False):
        colour = METHOD_COLOURS[str(method)]
        flat = method == "level set"
        axes.plot(
            line["share"],
            line["value"],
            color=colour,
            linewidth=2 if flat else 1.3,
            ls="-" if flat else (0, (4, 2)),
        )
    for i, row in enumerate(stations.itertuples()):
        wide = max(row.last - row.first, 0.012)
        axes.plot(
            [row.first, row.first + wide], [row.again] * 2, color=INK, linewidth=3, solid_capstyle="butt"
        )
        middle = row.first + wide / 2
        axes.annotate(
            str(i + 1),
            (middle, row.again),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
        if np.isfinite(row.true):
            axes.plot(middle, row.true, "D", color=OCHRE, markersize=5.5, zorder=5)
    values = pd.concat([stations["again"], stations["true"], lines["value"]]).dropna()
    low, high = values.min(), values.max()
    room = 0.2 * (high - low) + 1
    axes.set(
        xlim=(-0.02, 1.02),
        ylim=(low - room, high + 1.6 * room),
        ylabel=f"{names[0]} ({names[1]})" if names[1] else names[0],
    )
    axes.set_xticks([0, 1], ["first molecule", "second"])
    key = [
        plt.Line2D([], [], color=BLUE, linewidth=2, label="on the level set"),
        plt.Line2D([], [], color=VERMILION, linewidth=1.3, ls=(0, (4, 2)), label="on the straight line"),
        plt.Line2D([], [], color=INK, linewidth=3, label="predicted for the molecule"),
        plt.Line2D([], [], color=OCHRE, marker="D", ls="", markersize=5.5, label="true"),
    ]
    axes.legend(
        handles=key, ncols=2 if style.narrow() else 4, loc="upper left", columnspacing=1.2, handlelength=1.6
    )
    del level


def _card(axes: Axes, number: int, row: Any, structure: Structure | None) -> None:
    """One molecule: in space above, as a formula below, and what is known of it."""
    axes.set(xlim=(-1, 1), ylim=(-1.75, 1.12), aspect="equal")
    axes.axis("off")
    if structure is not None:
        drawing.balls(axes, structure, (0, 0.5), 1.7, 1.0)
    drawing.formula(axes, row.smiles, (0, -0.58), 1.75, 0.95, size=8.5 if style.narrow() else 9.5)
    axes.text(-0.98, 1.0, str(number), fontsize=10, fontweight="bold", color=MUTED, va="top")
    size = 8.5 if style.narrow() else 9
    axes.text(
        0, -1.12, row.smiles, fontsize=0.78 * size, family="monospace", color=MUTED, ha="center", va="top"
    )
    axes.text(0, -1.3, row.label, fontsize=size, ha="center", va="top", linespacing=1.25)


def advantage(
    profiles: pd.DataFrame, errors: Mapping[str, np.ndarray], walked: pd.DataFrame, unit: str, error: float
) -> Figure:
    """What the level set buys: the property along paths, the true property of molecules met, and walks.

    Args:
        profiles: method, share, off (signed distance of the property from the level, mean over paths), low,
            high (a tenth and nine tenths).
        errors: method -> distances of the true property of molecules between the ends from the level.
        walked: method, stride, off, away: means over walks.
        unit: of the property.
        error: of the model on test molecules.
    """
    figure, (left, middle, right) = style.panels(3, height=2.9)
    for method, line in profiles.groupby("method", sort=False):
        colour = METHOD_COLOURS[str(method)]
        left.plot(line["share"], line["off"], color=colour, label=method)
        style.band(left, line["share"], line["low"], line["high"], colour)
    left.set(
        xlabel="share of the path",
        ylabel=f"f(z) − level ({unit})",
        title="At the points: constant",
        xlim=(0, 1),
    )
    for method, values in errors.items():
        ordered = np.sort(values)
        middle.step(
            ordered, np.linspace(0, 1, len(ordered)), where="post", color=METHOD_COLOURS[method], label=method
        )
    middle.axvline(error, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    middle.annotate(
        "model's error", (error, 0.03), xytext=(4, 0), textcoords="offset points", color=MUTED, fontsize=9
    )
    middle.set(
        xlabel=f"|true − level| ({unit})",
        ylabel="share of molecules",
        title="For the molecules: not",
        ylim=(0, 1.02),
        xlim=(0, None),
    )
    for method, line in walked.groupby("method", sort=False):
        colour = METHOD_COLOURS[str(method)]
        right.plot(line["stride"], line["away"], color=colour, label=f"{method}")
        right.plot(line["stride"], line["off"], color=colour, linewidth=1.2, ls=(0, (1, 1.5)))
    right.set(
        xlabel="strides of a walk",
        ylabel=f"distance from the level ({unit})",
        title="Walks: points (dotted), molecules",
    )
    for axes in (left, middle, right):
        style.legend(axes, fontsize=8.5, handlelength=1.2)
    return figure


def numbers(test: pd.DataFrame, curves: pd.DataFrame, unit: str, paper: float | None) -> Figure:
    """Predicted against true property of the test molecules, and the error on held-out ones by epoch."""
    figure, (left, right) = style.panels(2, height=3.2)
    low, high = np.quantile(test["true"], (0.001, 0.999))
    left.plot([low, high], [low, high], color=MUTED, linewidth=0.9)
    left.plot(test["true"], test["predicted"], ".", color=BLUE, markersize=2.2, alpha=0.45, rasterized=True)
    left.set(
        xlabel=f"true ({unit})",
        ylabel=f"predicted ({unit})",
        xlim=(low, high),
        ylim=(low, high),
        aspect="equal",
    )
    for _, line in curves.groupby("seed"):
        right.plot(line["epoch"], line["validation"], color=BLUE, linewidth=1.1)
    top = float(np.quantile(curves["validation"], 0.97))
    right.set(xlabel="epoch", ylabel=f"error on held-out molecules ({unit})", ylim=(0, top))
    if paper is not None:
        style.paper_line(right, paper)
    return figure


def calibration(molecules: pd.DataFrame, coefficients: Sequence[float], names: tuple[str, str]) -> Figure:
    """Tight-binding gaps against true ones, by `names`, with the calibration; and its errors (kcal/mol)."""
    figure, (left, right) = style.panels(2, height=2.9)
    grid = np.linspace(molecules["xtb"].min(), molecules["xtb"].max(), 100)
    left.plot(molecules["xtb"], molecules["true"], ".", color=BLUE, markersize=3, alpha=0.5, rasterized=True)
    left.plot(grid, np.polynomial.polynomial.polyval(grid, coefficients), color=VERMILION)
    left.set(xlabel=f"{names[0]} (kcal/mol)", ylabel=f"{names[1]} (kcal/mol)")
    right.hist(molecules["calibrated"] - molecules["true"], bins=40, color=BLUE)
    right.set(xlabel="calibrated − true (kcal/mol)", ylabel="molecules")
    return figure


def labels(stations: pd.DataFrame, other: Mapping[str, float], source: str) -> list[str]:
    """What stands below each molecule: the prediction, and the true gap or what stands in for it."""
    lines = []
    for row in stations.itertuples():
        if np.isfinite(row.true):
            second = f"true {row.true:.0f}"
        elif row.smiles in other:
            second = f"{source} {other[row.smiles]:.0f}"
        else:
            second = "in the data" if row.known else "not in the data"
        lines.append(f"predicted {row.again:.0f}\n{second}")
    return lines


def explorer(
    path: pd.DataFrame,
    level: float,
    names: tuple[str, str],
    structures: Mapping[str, Structure],
    seconds: Mapping[str, str],
) -> dict[str, Any]:
    """What `molecules.js` needs: the molecules of one pair, and the ways between its ends.

    Args:
        path: of `molecule_reading.paths`, one pair, the methods to offer.
        level: of the set.
        names: of the property and its unit.
        structures: SMILES -> structure.
        seconds: SMILES -> what is said of the molecule beside its prediction.
    """
    own = path[(path["method"] == "level set") & (path["smiles"] != "")]
    middle = path["step"].max() / 2  # where the straight line sags most
    start = int(own.loc[(own["step"] - middle).abs().idxmin(), "step"])
    valid = path[path["smiles"] != ""].drop_duplicates("smiles")
    index = {text: i for i, text in enumerate(valid["smiles"])}
    molecules = []
    for row in valid.itertuples():
        found = depicted(row.smiles)
        molecules.append({
            "smiles": row.smiles, "again": round(row.again, 2), "second": seconds[row.smiles],
            "true": round(row.true, 2) if np.isfinite(row.true) else None,
            "xyz": xyz(structures[row.smiles]) if row.smiles in structures else None,
            "lines": found.lines.reshape(-1, 4).round(3).tolist(),
            "letters": [[text, round(x, 3), round(y, 3)] for text, x, y in found.letters],
        })  # fmt: skip
    ways = [
        {
            "name": WAYS[str(method)],
            "at": [index.get(text, -1) for text in way["smiles"]],
            "value": way["value"].round(2).tolist(),
        }
        for method, way in path.sort_values("step").groupby("method", sort=True)
    ]
    return {
        "level": round(level, 2),
        "quantity": names[0],
        "unit": names[1],
        "molecules": molecules,
        "ways": ways,
        "start": start,
    }
