"""Drawings of the Rosenbrock chapter: what they show is what they were given."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from invex.analysis.level_sets.pullback import level_curves, pointers
from invex.charts import invariances as charts
from invex.charts.style import house

ORIGIN = torch.zeros(2, dtype=torch.float64)


@pytest.fixture(scope="module")
def curves():
    def circle(z):
        return z.square().sum(-1)

    return level_curves(circle, torch.clone, torch.clone, ORIGIN, [0.04, 0.09, 0.16], angles=24)


@pytest.fixture(scope="module")
def minimum():
    return charts.frame(ORIGIN[None], ORIGIN[None]).iloc[0]


def test_frames_hold_every_point_once(curves):
    rows = charts.curve_frame(curves)
    assert list(rows.columns) == ["level", "angle", "x1", "x2", "z1", "z2"]
    assert len(rows) == 3 * 24
    np.testing.assert_allclose(np.hypot(rows["x1"], rows["x2"]) ** 2, rows["level"], rtol=1e-6)
    np.testing.assert_allclose(np.arctan2(rows["z2"], rows["z1"]) % (2 * math.pi), rows["angle"], atol=1e-9)


def test_figures_are_drawn(curves, minimum):
    rows = charts.curve_frame(curves)
    one = rows[rows["level"] == rows["level"].iloc[0]]
    rays = charts.ray_frame(*reversed(pointers(torch.clone, ORIGIN, curves.latent[0, ::6])))
    eigenvalues = pd.DataFrame({"network": ["a"] * 5 + ["b"] * 5, "smallest": np.linspace(-3, 3, 10)})
    crossings = pd.DataFrame({"network": ["a", "b", "b"], "count": [1, 1, 3], "share": [1.0, 0.7, 0.3]})
    with house():
        limits = (-1.0, 1.0, -0.5, 3.0)
        assert len(charts.level_curve(one.assign(y=1.0), one, minimum, limits).axes) == 3
        assert charts.pointer(one, rays, minimum, limits).axes[1].get_ylim() == (-0.5, 3.0)
        assert len(charts.level_curves(rows, minimum).axes) == 3
        (note,) = {
            text.get_text() for text in charts.level_curves(rows, minimum, (0.4, 0.9)).axes[1].texts
        } - {text.get_text() for text in charts.level_curves(rows, minimum).axes[1].texts}
        assert "same valley" in note
        assert len(charts.certificates(eigenvalues, crossings).axes) == 2


def test_curves_are_drawn_closed(curves):
    rows = charts.curve_frame(curves)
    closed = charts._closed(rows[rows["level"] == rows["level"].iloc[0]], charts.INPUT)
    assert len(closed) == 25
    np.testing.assert_array_equal(closed[0], closed[-1])


def test_choices_take_medians_and_extremes_of_all_runs_that_have_an_error():
    metrics = pd.DataFrame(
        {
            "choice": ["a", "a", "a", "b", "b", "c"],
            "rmse": [0.1, 0.2, 0.4, 0.3, 0.5, None],
            "minimum": [1.0, 1.0, 1.0, 2.0, None, None],
            "failed": ["", "", "", "", "f still falls", "loss not finite"],
        }
    )
    table = charts.choices(metrics, {"rmse": "RMSE", "minimum": "least F", "seconds": "seconds"})
    assert table["choice"].tolist() == ["a", "b"]
    assert table["RMSE"].tolist() == [0.2, 0.4]
    assert table["RMSE low"].tolist() == [0.1, 0.3]
    assert table["RMSE high"].tolist() == [0.4, 0.5]
    assert table["least F"].tolist() == [1.0, 2.0]
    assert table["n"].tolist() == [3, 2]
    assert charts.choices_in_words(table) == "RMSE from 0.200 (a) to 0.400 (b)."
    assert charts.choices_in_words(table.tail(1)) == "RMSE 0.400 (b)."


def test_a_caption_says_what_rows_are_made_of_and_which_runs_have_no_minimum():
    names, rows = {"rmse": "RMSE"}, {"choice": ["a", "a", "b"], "rmse": [0.1, 0.2, None]}
    reason = "f still falls at (-1e+06, 1e+06), f = -758865.3, and has no minimum within 1e+06 of the start"
    metrics = pd.DataFrame(rows | {"failed": ["", "", reason]})
    said = charts.runs_in_words(metrics, charts.choices(metrics, names))
    assert said == (
        "medians over n seeds, and the extremes of the RMSE. Failed: b: f has no minimum, but falls for as "
        "far as one looks (1 run)."
    )
    assert "758865" not in said
    once = metrics.head(1)
    assert charts.runs_in_words(once, charts.choices(once, names)) == "one seed each."


def test_extremes_of_single_runs_are_left_out():
    metrics = pd.DataFrame({"choice": ["a", "b"], "rmse": [0.1, 0.2], "failed": ["", ""]})
    assert list(charts.choices(metrics, {"rmse": "RMSE"})) == ["choice", "RMSE", "n"]
    assert charts.choices(pd.DataFrame(), {"rmse": "RMSE"}).empty
    assert charts.choices(metrics.assign(rmse=None), {"rmse": "RMSE"}).empty
