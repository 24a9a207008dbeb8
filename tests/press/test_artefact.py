"""The files of a figure."""

import re
from pathlib import Path

import matplotlib.pyplot as plt
from invex.charts.style import house
from invex.press.artefact import save_figure
from invex.press.markup import QUICK_LABEL


def test_the_mark_of_a_quick_figure_stands_below_all_that_is_drawn(tmp_path: Path) -> None:
    with house():
        figure, axes = plt.subplots()
        axes.plot([0, 1], [0, 1], label="a line")
        axes.set_xlabel("step")
        figure.legend(loc="outside upper center")
        save_figure(figure, tmp_path, "it", quick=True)
        plt.close(figure)
    svg = (tmp_path / "it.light.svg").read_text(encoding="utf-8")
    drawn = re.findall(r"<!-- (.*?) -->\s*<g[^>]*translate\([\d.]+ ([\d.]+)\)", svg)
    heights = {text: float(y) for text, y in drawn}
    mark = heights.pop(QUICK_LABEL)
    assert {"a line", "step"} <= heights.keys()
    assert mark > max(heights.values())  # y grows downwards
