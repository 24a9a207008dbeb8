"""Diagrams of networks, drawn from their wiring: sizes, what passes by, and which weights need a sign."""

import re
from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch

from invex.analysis.wiring import CONTEXT, LINE, Arrow, Unit, Wiring
from invex.charts import style
from invex.charts.style import GROUND, INK, METHOD_COLOURS, MUTED, TEAL

SIGNED, FREE, FACTOR = METHOD_COLOURS["ICNN"], MUTED, TEAL
BOX = (0.29, 0.21)  # half the width and height of a layer's box, in inches
GATE_Z, GATE_Y, FEED = 0.36, -0.62, 0.7  # places of the factors, and of what rises from the input's line
FACTORS = "factor made from $x$, on $z$ cut at 0"
KINDS = {"non-negative": SIGNED, "any sign": FREE, FACTORS: FACTOR}


def diagram(found: Wiring, *, letters: dict[str, str] | None = None) -> Figure:
    """A network as boxes and arrows, from left to right; from top to bottom where the figure is narrow.

    Args:
        found: `invex.analysis.wiring.wiring` of the network.
        letters: other letters for units and weights, for a paper of another notation: {"y": "z", "z": "c"}.
    """
    canvas = _Canvas(found, letters or {}, style.width())
    for arrow in found.arrows:
        canvas.arrow(arrow)
    canvas.line_of_input()
    for unit in found.units.values():
        canvas.box(unit)
    canvas.key()
    return canvas.figure


class _Canvas:
    """Axes in inches, and where levels and rows lie on them."""

    def __init__(self, found: Wiring, letters: dict[str, str], width: float) -> None:
        self.found, self.letters, self.down = found, letters, style.narrow()
        self.levels = max(unit.level for unit in found.units.values())
        self.two = any(unit.path == CONTEXT for unit in found.units.values())
        self.row = {CONTEXT: 1.0, LINE: 0.0}
        if self.down:
            self.step, self.rise = 1.25, 1.12 if self.two else 1.35
        else:
            self.step, self.rise = (width - 1.0) / max(self.levels, 1), 1.12
        x, y = self._extent()
        spare = max(width - (x[1] - x[0]), 0) / 2
        x = x[0] - spare, x[1] + spare
        self.figure, self.axes = plt.subplots(figsize=(x[1] - x[0], y[1] - y[0]))
        self.axes.set(xlim=x, ylim=y, aspect="equal")
        self.axes.axis("off")

    def _extent(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Inches from left to right and from bottom to top, with room for labels and the key."""
        corners = self.at(0, -1.0 if self.two else -0.8), self.at(self.levels, 1.0 if self.two else 0.0)
        (left, right), (low, high) = (sorted(pair) for pair in zip(*corners, strict=True))
        below = 0.36 + 0.18 * len(self._kinds()) if self.down else 0.62 if self.two else 0.42
        return (left - 0.45, right + 0.45), (low - below, high + (0.3 if self.down else 0.5))

    def _kinds(self) -> list[str]:
        return [kind for kind in KINDS if kind != FACTORS or self.two]

    def at(self, level: float, row: float) -> tuple[float, float]:
        """Inches of a place: levels run right and rows up, or levels down and rows to the left."""
        if self.down:
            return -self.rise * row, -self.step * level
        return self.step * level, self.rise * row

    def place(self, name: str) -> tuple[float, float]:
        """Level and row of a unit; the input of a network with two paths lies on its own line below."""
        unit = self.found.units[name]
        below = self.two and unit.level == 0 and unit.path == LINE
        return unit.level, -1.0 if below else self.row[unit.path]

    def box(self, unit: Unit) -> None:
        x, y = self.at(*self.place(unit.name))
        half, tall = BOX
        edge = SIGNED if unit.curved else INK
        self.axes.add_patch(
            FancyBboxPatch(
                (x - half, y - tall), 2 * half, 2 * tall, boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=GROUND, edgecolor=edge, linewidth=1.5, zorder=4,
            )
        )  # fmt: skip
        self.axes.text(x, y + 0.07, self.math(unit.name), ha="center", va="center", zorder=5, fontsize=11.5)
        self.axes.text(
            x, y - 0.12, f"{unit.size:,}", ha="center", va="center", zorder=5, color=MUTED, fontsize=9
        )

    def arrow(self, arrow: Arrow) -> None:
        """One matrix: along its path, from the input's line, from the x-path, or onto another matrix."""
        if arrow.factor:
            return self._factor(arrow)
        (level, row), (to, on) = self.place(arrow.source), self.place(arrow.target)
        entering = not self.found.units[arrow.source].curved and self.found.units[arrow.source].path == LINE
        if entering and (self.two or to > 1):
            return self._rising(arrow, to)
        if to - level > 1:  # past a layer
            return self._join(arrow, (level, row), (to, on), bend=0.3)
        return self._join(arrow, (level, row), (to, on))

    def _join(
        self, arrow: Arrow, start: tuple[float, float], end: tuple[float, float], bend: float = 0
    ) -> None:
        a, b = np.array(self.at(*start)), np.array(self.at(*end))
        colour, thick = self._look(arrow)
        if start[1] == end[1] and not bend:
            a, b = self._trim(a, b)
            share, side = (0.64 if self._gated(arrow.name) else 0.5), 1
        else:
            a, b = self._trim(a, b, corner=True)
            share, side = 0.55, 1
        self._draw(a, b, colour, thick, broken=bool(arrow.signed and arrow.negative), bend=bend)
        self._label(arrow, a + share * (b - a), side, across=start[1] == end[1])

    def _rising(self, arrow: Arrow, to: float) -> None:
        """From the input's line up into a layer, through the factor on it if there is one."""
        gated = self._gated(arrow.name)
        foot = np.array(self.at(to - 1 + FEED, -1)) if gated else np.array(self.at(to, -0.8))
        top = np.array(self.at(*self.place(arrow.target)))
        colour, thick = self._look(arrow)
        if gated:
            bend = np.array(self.at(to - 1 + FEED, GATE_Y))
            self.axes.plot(*np.transpose([foot, bend]), color=colour, linewidth=thick, zorder=2)
            self._circle(bend)
            foot = bend
        a, b = self._trim(foot, top, corner=gated, first=0.07 if gated else 0)
        self._draw(a, b, colour, thick, broken=bool(arrow.signed and arrow.negative))
        self._label(arrow, a + 0.4 * (b - a), -1, across=False, dense=gated)

    def _factor(self, arrow: Arrow) -> None:
        level, row = self.place(arrow.source)
        onto_z = "(z)" in arrow.target
        spot = (level + GATE_Z, 0.0) if onto_z else (level + FEED, GATE_Y)
        a, b = np.array(self.at(level, row)), np.array(self.at(*spot))
        self._circle(b)
        a, b = self._trim(a, b, corner=True, last=0.08)
        self._draw(a, b, FACTOR, 1.2)

    def _circle(self, spot: np.ndarray) -> None:
        self.axes.add_patch(
            Circle((spot[0], spot[1]), 0.075, facecolor=GROUND, edgecolor=FACTOR, linewidth=1.4, zorder=4)
        )
        self.axes.plot(*spot, ".", color=FACTOR, markersize=3, zorder=5)

    def _gated(self, name: str) -> bool:
        return any(arrow.factor and arrow.target == name for arrow in self.found.arrows)

    def _look(self, arrow: Arrow) -> tuple[str, float]:
        return (SIGNED, 2.4) if arrow.signed else (FREE, 1.2)

    def _trim(
        self, a: np.ndarray, b: np.ndarray, *, corner: bool = False, first: float | None = None,
        last: float | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """The part of a segment that lies between two boxes, or further in from given distances."""
        way = (b - a) / np.linalg.norm(b - a)
        reach = min(half / max(abs(part), 1e-9) for half, part in zip(BOX, way, strict=True)) + 0.03
        return a + (reach if first is None else first) * way, b - (reach if last is None else last) * way

    def _draw(
        self,
        a: np.ndarray,
        b: np.ndarray,
        colour: str,
        thick: float,
        *,
        broken: bool = False,
        bend: float = 0,
    ) -> None:
        look: dict[str, Any] = {
            "arrowstyle": "-|>,head_width=0.18,head_length=0.35",
            "shrinkA": 0,
            "shrinkB": 0,
        }
        dashes = (0, (2.2, 1.6)) if broken else "solid"
        look |= {
            "color": colour,
            "linewidth": thick,
            "linestyle": dashes,
            "connectionstyle": f"arc3,rad={-bend}",
        }
        self.axes.annotate("", tuple(b), tuple(a), zorder=3, arrowprops=look)

    def _label(self, arrow: Arrow, spot: np.ndarray, side: int, *, across: bool, dense: bool = False) -> None:
        """The matrix's name beside its arrow; if it needs a sign, whether it has it."""
        text = self.math(arrow.name)
        if arrow.signed:
            text += f"\n{arrow.negative} of {arrow.weight.numel()} < 0" if arrow.negative else r" $\geq\,0$"
        along = across != self.down
        offset, size = (0, 6 * side) if along else (5, 0), 9 if dense else 10
        self.axes.annotate(
            text, (spot[0], spot[1]), xytext=offset, textcoords="offset points", zorder=6, fontsize=size,
            ha="center" if along else "left", va=("bottom" if side > 0 else "top") if along else "center",
            color=SIGNED if arrow.signed else INK, linespacing=1.15,
            bbox={"facecolor": GROUND, "edgecolor": "none", "pad": 0.6} if not along else None,
        )  # fmt: skip

    def line_of_input(self) -> None:
        """The line on which the input passes all layers by."""
        fed = [self.place(a.target)[0] for a in self._from_input()]
        fed = [level for level in fed if self.two or level > 1]
        if not fed:
            return
        if self.two:
            ends = [(0.0, -1.0), (max(fed) - 1 + FEED, -1.0)]
        else:
            ends = [(0.0, 0.0), (0.0, -0.8), (max(fed), -0.8)]
        points = np.array([self.at(*end) for end in ends])
        self.axes.plot(*points.T, color=FREE, linewidth=1.2, zorder=2, solid_joinstyle="round")

    def _from_input(self) -> Iterable[Arrow]:
        units = self.found.units
        return (a for a in self.found.arrows if a.source in units and a.source == "y" and not a.factor)

    def math(self, name: str) -> str:
        """A name as it is typeset, in the letters asked for."""
        if not re.search(r"[_\\{]", name) and len(name) > 1:
            return name
        return (
            f"${re.sub('[a-z]', lambda m: self.letters.get(m[0], m[0]), name)}$"
            if self.letters
            else f"${name}$"
        )

    def key(self) -> None:
        """What the colours mean, in words of those colours."""
        signed, free = self.found.counts()
        words = {"non-negative": f"non-negative: {signed:,} weights", "any sign": f"any sign: {free:,}"}
        shown = self._kinds()
        low, (left, right) = self.axes.get_ylim()[0], self.axes.get_xlim()
        for place, kind in enumerate(shown):
            share = 0.5 if self.down else (place + 0.5) / len(shown)
            up = low + 0.14 + (0.18 * (len(shown) - 1 - place) if self.down else 0)
            self.axes.text(
                left + share * (right - left), up, words.get(kind, kind), color=KINDS[kind], fontsize=9.5,
                ha="center", va="center",
            )  # fmt: skip
