"""Turned clothes: strips, what is between the ends of a path, and sentences that the data choose."""

import numpy as np
import pandas as pd
import pytest
import torch
from invex.analysis.bootstrap import Estimate
from invex.charts import rotated_fashion as charts
from invex.charts import style

STEPS, SIDE = 16, 6


def paths(line=3.0, curvature=0.1):
    """On the line the angle strays by that much halfway, to the model and to the regressor alike."""
    bulge = np.sin(np.linspace(0, np.pi, STEPS))
    parts = []
    for seed in (0, 1):
        for pair in range(6):
            for method in charts.METHODS:
                off = line * bulge if method == "straight line" else 0 * bulge
                part = pd.DataFrame({"step": range(STEPS), "predicted": 20 - off, "read": 21 - off})
                parts.append(
                    part.assign(
                        seed=seed,
                        pair=pair,
                        method=method,
                        angle=20,
                        first="coat",
                        second="dress",
                        curvature=curvature,
                    )
                )
    return pd.concat(parts, ignore_index=True)


def test_a_montage_has_every_picture_in_its_place():
    pictures = np.arange(5)[:, None, None] * np.ones((5, 2, 2))
    sheet = charts.montage(pictures, 3, gap=1)
    assert sheet.shape == (5, 8)
    assert sheet[0, 0] == 0
    assert sheet[0, 3] == 1
    assert sheet[3, 3] == 4
    assert np.isnan(sheet[2]).all()
    assert np.isnan(sheet[3:, 6:]).all()


def test_between_the_ends_the_strays_are_what_they_are():
    rows = paths()
    assert len(charts.inner(rows)) == len(rows) * (STEPS - 2) // STEPS
    found = charts.by_method(rows, "off_predicted")
    assert found["level set"].value == 0
    bulge = np.sin(np.linspace(0, np.pi, STEPS))[1:-1].mean()
    assert found["straight line"].value == pytest.approx(3 * bulge)


def test_the_gain_is_that_of_the_angle_that_is_read_and_may_be_a_loss():
    assert charts.gained(paths(-3.0)).low > 0  # read 21 + off, so further from 20
    assert charts.gained(paths(0.5)).high < 0  # the line comes nearer to 20 than the level set


@pytest.mark.parametrize(
    ("gain", "words"), [((1, 0.5, 2), "agrees"), ((-1, -2, -0.5), "yet"), ((0.1, -1, 1), "both look alike")]
)
def test_sentences_follow_the_interval_of_the_gain(gain, words):
    found = charts.by_method(paths(), "off_predicted")
    assert words in charts.strays_in_words(found, found, Estimate(*gain))
    said = charts.worth_in_words(Estimate(*gain))
    assert ("more than chance" in said, "keeps the angle better" in said) == (gain[1] > 0, gain[2] < 0)


def test_ends_are_nearer_to_their_own_image():
    path = torch.zeros(1, 3, STEPS, SIDE, SIDE)
    path[0, 0, -1] = 200
    ends = torch.zeros(1, 2, 2, SIDE, SIDE)
    ends[0, 0, 1] = 180
    assert charts.ends_are_nearer({"paths": path, "ends": ends})
    assert not charts.ends_are_nearer({"paths": path, "ends": ends.flip(2)})


def test_of_several_lengths_the_one_with_most_seeds_is_shown_and_among_equals_the_longest():
    runs = pd.DataFrame({"epochs": [2, 2, 5], "seed": [0, 1, 0]})
    assert charts.epochs_shown(runs) == 2
    assert charts.epochs_shown(pd.concat([runs, pd.DataFrame({"epochs": [5], "seed": [1]})])) == 5


def test_a_bowl_has_a_row_for_each_curvature():
    rows = pd.concat([paths(), paths(1.0, 1.0)])
    metrics = pd.DataFrame({"curvature": [0.1, 0.1, 1.0], "minimum_norm": [5.0, 7.0, 1.0]})
    table = charts.bowls(metrics.assign(code_norm=2.0, angle_mae=1.5), rows)
    assert table["minimum at"].tolist() == [6.0, 1.0]
    assert table["n"].tolist() == [2, 1]
    assert table["straight line"].iloc[0] == pytest.approx(3 * table["straight line"].iloc[1])
    assert (table["level set"] == 0).all()


def test_pairs_are_named_in_order():
    assert charts.pair_names(paths()) == ["coat to dress, 20°"] * 6


@pytest.mark.parametrize("width", [style.WIDE, style.NARROW])
def test_figures_draw_wide_and_narrow(width):
    pictures = np.random.default_rng(0).integers(0, 255, (5, 3, STEPS, SIDE, SIDE))
    rows = paths()
    one = rows[(rows["pair"] == 0) & (rows["seed"] == 0)]
    with style.house(width):
        charts.strips(pictures[0], pictures[0, 0, :2], one)
        charts.pair_strips(pictures[:, 0], pictures[:, 0, :2], charts.pair_names(rows)[:5])
        charts.strays(rows, 2.0)
