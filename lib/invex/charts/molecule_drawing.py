"""Molecules as line drawings in matplotlib: structural formulas, and balls and sticks."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from invex.charts.style import BLUE, GROUND, INK, MUTED, SLATE, TEAL, VERMILION
from invex.data.depiction import depicted, facing, joined
from invex.data.geometry import Structure

COLOURS = {"O": VERMILION, "N": BLUE, "F": TEAL}
BALLS = {1: (MUTED, 0.24), 6: (SLATE, 0.42), 7: (BLUE, 0.42), 8: (VERMILION, 0.42), 9: (TEAL, 0.4)}
"""Colour and radius (in Angstrom) of an atom's ball."""


def formula(
    axes: Axes, smiles: str, centre: tuple[float, float], width: float, height: float, size: float = 9.0
) -> None:
    """The structural formula of a molecule, within a width and a height in the units of the axes."""
    found = depicted(smiles)
    points = np.concatenate(
        [found.lines.reshape(-1, 2), np.array([letter[1:] for letter in found.letters]).reshape(-1, 2)]
    )
    extent = np.maximum(np.ptp(points, axis=0), 1.0) + 0.6
    scale = min(width / extent[0], height / extent[1], width / 5.5)
    for start, end in found.lines * scale + np.array(centre):
        axes.plot(*zip(start, end, strict=True), color=INK, linewidth=1.3, solid_capstyle="round", zorder=3)
    for text, x, y in found.letters:
        place = centre[0] + scale * x, centre[1] + scale * y
        colour = COLOURS.get(text[0], INK)
        axes.text(*place, _written(text), color=colour, fontsize=size, ha="center", va="center", zorder=4)


def _written(text: str) -> str:
    return "".join(f"$_{c}$" if c.isdigit() else c for c in text)


def balls(axes: Axes, structure: Structure, centre: tuple[float, float], width: float, height: float) -> None:
    """The molecule in space, seen from where it is widest: nearer atoms cover farther ones."""
    places = facing(structure)
    extent = np.ptp(places[:, :2], axis=0) + 0.9
    scale = min(width / max(extent[0], 5.0), height / max(extent[1], 4.0))
    middle = (places[:, :2].max(0) + places[:, :2].min(0)) / 2
    flat = (places[:, :2] - middle) * scale + np.array(centre)
    depth = places[:, 2] - places[:, 2].min()
    for a, b in joined(structure):
        order = 3 + (depth[a] + depth[b]) / 200
        axes.plot(*flat[[a, b]].T, color=MUTED, linewidth=2.2, solid_capstyle="round", zorder=order)
    for number, place, deep in zip(structure.numbers, flat, depth, strict=True):
        colour, radius = BALLS[int(number)]
        disc = axes.add_patch(_disc(place, radius * scale, colour))
        disc.set_zorder(3 + deep / 100 + 1e-3)


def _disc(place: np.ndarray, radius: float, colour: str) -> Circle:
    return Circle(
        (float(place[0]), float(place[1])), radius, facecolor=colour, edgecolor=GROUND, linewidth=0.6
    )
