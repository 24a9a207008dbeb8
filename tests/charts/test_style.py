import itertools
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invex.charts import style

# Machado, Oliveira, Fernandes 2009, "A physiologically-based model for simulation of color vision
# deficiency", severity 1; rows for red, green and blue.
DEFICIENCIES = {
    "protanopia": [(0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216),
                   (-0.003882, -0.048116, 1.051998)],
    "deuteranopia": [(0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413),
                     (-0.01182, 0.04294, 0.968881)],
    "tritanopia": [(1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602),
                   (0.004733, 0.691367, 0.3039)],
}  # fmt: skip
METHODS = ["non-convex", "ICNN", "ICNN + skip", "ICNN + init"]


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    light = sorted(0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(other)))
    return (light[1] + 0.05) / (light[0] + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.array(matrix) @ np.clip(rgb, 1e-3, 1) / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("colour", [c for c in style._TWINS if c not in (style.GRID, style.GROUND)])
def test_every_colour_can_be_read_as_text_on_both_grounds(colour: str) -> None:
    assert contrast(colour, "#ffffff") >= 4.5
    assert contrast(style.darken(colour), style.darken(style.GROUND)) >= 4.5


@pytest.mark.parametrize("name", DEFICIENCIES)
@pytest.mark.parametrize("theme", [str, style.darken])
def test_methods_stay_apart_without_one_kind_of_cone(name: str, theme: type) -> None:
    seen = [lab(np.array(DEFICIENCIES[name]) @ linear(theme(style.METHOD_COLOURS[m]))) for m in METHODS]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15  # just noticeable: 2.3


def test_red_and_green_of_one_lightness_would_not_stay_apart() -> None:
    red, green = (lab(np.array(DEFICIENCIES["deuteranopia"]) @ linear(c)) for c in ("#b05a00", "#7a7200"))
    assert np.linalg.norm(red - green) < 15


def test_the_style_is_left_behind_and_figures_are_closed() -> None:
    before = dict(plt.rcParams)
    with style.house():
        plt.figure()
        assert plt.rcParams["svg.hashsalt"] == "invex"
        assert plt.rcParams["font.family"][0] == "Source Sans Pro"
    assert dict(plt.rcParams) == before
    assert plt.get_fignums() == []


@given(st.lists(st.floats(-100, 100), max_size=8), st.floats(0.1, 20))
def test_labels_are_moved_apart_in_their_order(heights: list[float], gap: float) -> None:
    placed = style.spread(heights, gap)
    order = np.argsort(heights, kind="stable")
    assert all(b - a >= gap - 1e-9 for a, b in itertools.pairwise(np.array(placed)[order]))
    assert sum(placed) == pytest.approx(sum(heights), abs=1e-6)
    if len(heights) > 1 and min(np.diff(np.sort(heights))) > gap:
        assert placed == pytest.approx(heights)


def test_line_ends_are_labelled_in_the_lines_colour_without_overlap() -> None:
    with style.house():
        figure, axes = plt.subplots()
        for level, name in enumerate(METHODS):
            axes.plot([0, 1], [0, 1e-4 * level], color=style.METHOD_COLOURS[name], label=name)
        axes.plot([0, 1], [0, 1])
        axes.set_ylim(0, 1)
        style.label_ends(axes)
        figure.draw_without_rendering()
        assert [(t.get_text(), t.get_color()) for t in axes.texts] == [
            (n, style.METHOD_COLOURS[n]) for n in METHODS
        ]
        boxes = sorted((text.get_window_extent() for text in axes.texts), key=lambda box: box.y0)
        assert all(upper.y0 - lower.y0 > 9.5 * figure.dpi / 72 for lower, upper in itertools.pairwise(boxes))


@pytest.mark.parametrize("vertical", [False, True])
def test_the_papers_value_is_drawn_and_named(vertical: bool) -> None:
    with style.house():
        _, axes = plt.subplots()
        style.paper_line(axes, 0.5, vertical=vertical)
        style.paper_marker(axes, [0.1], [0.2], label=None)
        line = axes.lines[0]
        assert set(line.get_xdata() if vertical else line.get_ydata()) == {0.5}
        assert [text.get_text() for text in axes.texts] == ["paper"]


def test_darken_leaves_other_colours_alone() -> None:
    svg = f'<path style="stroke: {style.BLUE}; fill: #123456"/>'
    assert re.findall("#[0-9a-f]{6}", style.darken(svg)) == [style._TWINS[style.BLUE], "#123456"]
