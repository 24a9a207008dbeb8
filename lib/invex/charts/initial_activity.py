"""Where training ends against how much of a network is active before it starts."""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Literal

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

from invex.charts.learning_dynamics import guessing_line, losses_axis
from invex.charts.style import BLUE, narrow, panels, wrapped

MARKS = "o^sD"
Filling = Literal["none", "bottom", "full"]
FILLS: tuple[Filling, ...] = ("none", "bottom", "full")


def activity(runs: pd.DataFrame, *, titles: Mapping[str, str], chance: Mapping[str, float]) -> Figure:
    """Loss at the end against the share of active units before training, one mark a run, a panel a data set.

    Args:
        runs: `active`, `final_loss`, `dataset`, `hidden` (a filling each) and `method` (a mark each).
        titles: name of each data set as shown.
        chance: loss of guessing, drawn as a thin line.
    """
    least = min(runs["active"][runs["active"] > 0], default=1.0)
    none = 0.1 * least  # a place for zero on a log scale
    names, hidden = list(dict.fromkeys(runs["dataset"])), sorted(set(runs["hidden"]))
    methods = list(dict.fromkeys(runs["method"]))
    figure, grid = panels(len(names), height=3.0 if narrow() else 3.6, sharex=True)
    for (name, depth, method), part in runs.groupby(["dataset", "hidden", "method"], sort=False):
        style = {"marker": MARKS[methods.index(method) % len(MARKS)], "fillstyle": FILLS[hidden.index(depth)]}
        axes = grid[names.index(name)]
        axes.plot(
            _apart(part["active"], none), part["final_loss"], ls="", color=BLUE, ms=6, alpha=0.75, **style
        )
    for axes, name in zip(grid, names, strict=True):
        axes.set(xscale="log", title=titles[name])
        _shares(axes.xaxis, none, least)
        ends = runs["final_loss"][runs["dataset"] == name].dropna()
        losses_axis(axes, min([chance[name] / 10, *0.7 * ends]), 2 * chance[name])
        guessing_line(axes, chance[name])
    grid[0].set_ylabel("loss of the last epoch (nats)")
    words = "active share of the last hidden layer before training"
    figure.supxlabel(wrapped(words), fontsize=plt.rcParams["axes.labelsize"])
    key = (
        _key(hidden, methods)
        if not narrow()
        else [mark for mark in _key(hidden, methods) if mark.get_marker()]
    )
    columns = 2 if narrow() else max(len(hidden), len(methods))
    figure.legend(handles=key, loc="outside upper center", ncols=columns)
    return figure


def _apart(shares: pd.Series, none: float) -> "pd.Series[float]":
    """Shares of active units; those without any side by side around `none`, or one would hide the others."""
    silent = shares == 0
    places = none * 4 ** np.linspace(-0.5, 0.5, max(2, silent.sum()))
    return shares.where(~silent, places[silent.cumsum() - 1])


def _shares(axis: Axis, none: float, least: float) -> None:
    """A logarithmic axis of shares from the least one on, and the word for none left of it."""
    decades = 10.0 ** np.arange(np.ceil(np.log10(least)), 0, 2)
    axis.set_major_locator(FixedLocator([none, *decades]))
    labels = [f"$10^{{{round(np.log10(tick))}}}$" for tick in decades]
    axis.set_major_formatter(FixedFormatter(["none", *labels]))
    axis.set_minor_locator(NullLocator())


def _key(hidden: Sequence[int], methods: Sequence[str]) -> list[Line2D]:
    """A filling for each depth in a first row, a mark for each method in a second; legends fill by column."""

    def mark(shape: str, filling: Filling, label: str) -> Line2D:
        return Line2D([], [], ls="", marker=shape, fillstyle=filling, color=BLUE, label=label)

    first = [mark("o", FILLS[i], f"{depth} layers") for i, depth in enumerate(hidden)]
    second = [mark(MARKS[i % len(MARKS)], "full", method) for i, method in enumerate(methods)]
    return list(chain(*zip_longest(first, second, fillvalue=mark("", "none", " "))))
