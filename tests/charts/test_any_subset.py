"""Every chart of recorded runs is drawn from any subset of them: none, one, and many drawn at random."""

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from invex.charts import initial_activity, invariances, learning_dynamics, performance, performance_tables
from invex.charts import learning_dynamics_tables as tables
from invex.charts.style import NARROW, WIDE, WIDTH, house
from invex.lab.records import Record, Store
from invex.press.records_view import Records
from matplotlib.figure import Figure

RECORDS = Path(__file__).parents[2] / "book" / "records"
TITLES = {"titles": tables.TITLES, "chance": tables.CHANCE}
SIZES = (0, 1, 1, 2, 3, 8, 25)


@cache
def recorded(experiment: str) -> list[Record]:
    return list(Store(RECORDS).all(experiment))


def subsets(experiment: str) -> list[Records]:
    """Runs drawn at random, of all sorts together and of one sort alone."""
    chance, found = random.Random(0), recorded(experiment)
    drawn = [chance.sample(found, min(size, len(found))) for size in SIZES]
    odd = [run for run in found if run.config.get("positivity") == "exponential"] or found
    return [Records(experiment, runs, []) for runs in [*drawn, odd, chance.sample(odd, min(5, len(odd)))]]


def sound(figure: Figure) -> None:
    """No panel collapses, and none is a sliver beside its own labels."""
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    for axes in figure.axes:
        place = axes.get_position()
        assert place.width * width > 0.6
        assert place.height * height > 0.6
    box = figure.get_tightbbox()
    assert box.height < height + 1
    assert box.width < width + 1


def everywhere(draw: Callable[[], Figure], wide: float = WIDTH) -> None:
    """The chart is sound on a page, and on a phone, whose width it takes."""
    for width in (wide, NARROW):
        with house(width):
            figure = draw()
            assert figure.get_size_inches()[0] == width
            sound(figure)


def test_a_collapsed_panel_would_be_found() -> None:
    with house():
        figure = plt.figure(figsize=(2, 2), layout="none")
        figure.subplots(5, 5)
        with pytest.raises(AssertionError):
            sound(figure)


@pytest.mark.parametrize("subset", subsets("learning_dynamics"), ids=lambda part: str(len(part.runs)))
def test_curves_and_depths(subset: Records) -> None:
    frame = learning_dynamics.labelled(subset.frame())
    summary, runs, left = learning_dynamics.quartiles(frame), subset.metrics(), tables.starts(frame)
    assert len(tables.by_depth(runs, left)) <= max(1, len(subset.runs))
    assert len(tables.endings(runs, left)) <= max(1, len(subset.runs))
    if len(summary) and frame["method"].nunique() < 7:
        assert tables.left_in_words(left)
        everywhere(lambda: learning_dynamics.curves(summary, **TITLES))
        everywhere(lambda: learning_dynamics.depths(summary, **TITLES))


@pytest.mark.parametrize("subset", subsets("initial_activity"), ids=lambda part: str(len(part.runs)))
@pytest.mark.parametrize("trained", [0, 1, 40])
def test_initial_activity(subset: Records, trained: int) -> None:
    kind = ("ICNN + init", "projection")
    every = recorded("learning_dynamics")
    principled = [run for run in every if (run.config["method"], run.config["positivity"]) == kind]
    runs = Records("learning_dynamics", random.Random(trained).sample(principled, trained), [])
    left = tables.starts(learning_dynamics.labelled(runs.frame()))
    active = tables.activity(subset.frame("layers"), runs.metrics(), left)
    assert len(subset.drawn(active, ["dataset", "seed"]).runs) <= len(subset.runs)
    if len(active):
        everywhere(lambda: initial_activity.activity(active, **TITLES))


@pytest.mark.parametrize("silent", [0.0, 0.5])
def test_initial_activity_where_all_layers_are_silent_or_a_run_failed(silent: float) -> None:
    row = {"dataset": "mnist", "hidden": 3, "method": "ICNN + init", "active": silent, "final_loss": None}
    runs = pd.DataFrame([row, row | {"final_loss": 2.3}]).astype({"final_loss": float})
    with house():
        sound(initial_activity.activity(runs, **TITLES))


@pytest.mark.parametrize("subset", subsets("bench-*"), ids=lambda part: str(len(part.runs)))
def test_benches(subset: Records) -> None:
    rows = performance.tidy(subset.frame("rows"))
    known = {*performance_tables.CHECKS, *performance_tables.SHARES, performance_tables.FLAT}
    assert performance_tables.checks(rows).keys() <= known
    for _, mine in rows.groupby("bench"):
        assert performance_tables.finding(mine)
        everywhere(lambda mine=mine: performance.bench(mine, {}), WIDE)


@pytest.mark.parametrize("subset", subsets("rosenbrock"), ids=lambda part: str(len(part.runs)))
def test_choices(subset: Records) -> None:
    metrics = subset.metrics()
    table = invariances.choices(metrics, {"rmse": "error", "valley_away": "valley"})
    assert len(table) <= len(subset.runs)
    if len(table):
        assert "nan" not in invariances.choices_in_words(table) + invariances.runs_in_words(metrics, table)
