"""Two minima: sentences that the data choose, shares at a threshold, and figures that draw."""

import numpy as np
import pandas as pd
import pytest
from invex.charts import gaussian_mixture as charts
from invex.charts import style


def cases(separation=1.0, n=108, seed=0):
    """Data sets in turn, with a statistic that tells them apart by this many deviations."""
    generator = np.random.default_rng(seed)
    minima = generator.integers(1, 3, n)
    added = np.abs(0.1 * generator.standard_normal(n) + 0.1 * separation * (minima - 1))
    free = generator.uniform(0.01, 1.0, n)
    return pd.DataFrame(
        {
            "number": range(n),
            "noise": [(0.0, 0.1, 0.3)[i // 3 % 3] for i in range(n)],
            "minima": minima,
            "depth": np.where(minima > 1, generator.uniform(0.01, 0.5, n), 0.0),
            "rmse_free": free,
            "rmse_convex": np.hypot(free, added),
        }
    )


def metrics(convex=(0.6, 0.7, 0.65), free=(0.04, 0.05, 0.04), minima=2):
    rows = [
        {
            "function": function, "model": model, "sigma_x": 0.02, "seed": seed, "rmse": value,
            "minima_latent": minima,
            "rmse_relative": value / 2.4, "rmse_inputs": 0.01, "minima_input": 1, "failed": "",
        }
        for function in ("two minima", "one minimum")
        for model, values in (("convex after a bijection", convex), ("free", free))
        for seed, value in enumerate(values if function == "two minima" else free)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def kept():
    points = np.random.default_rng(0).random((50, 6))
    return {
        "latent": np.random.default_rng(1).random((21, 21)),
        "corners": np.array([[0, 0], [1, 1]]),
        "points": points,
    }


def test_the_halves_have_every_family_and_noise_alike():
    rows = charts.scores(cases())
    counts = rows.groupby(["half", "noise"]).size()
    assert counts.nunique() == 1


def test_a_detector_that_sees_is_told_from_one_that_does_not():
    good, blind = charts.scores(cases(6.0)), charts.scores(cases(0.0))
    assert charts.area(good).low > 0.95
    assert charts.judged(good)["detections"] > 0.9
    assert charts.judged(good)["false alarms"] < 0.1
    assert "tells two minima from one" in charts.detector_in_words(good)
    assert "does not tell" in charts.detector_in_words(blind)
    assert charts.area(good, "raw").value < charts.area(good).value


def test_missed_counts_every_positive_once():
    rows = charts.scores(cases(2.0))
    assert charts.missed(rows)["n"].sum() == rows["positive"].sum()


def test_sentences_follow_the_data():
    assert "keeps both wells" in charts.spaces_in_words(metrics())
    assert "times the error" in charts.spaces_in_words(metrics())
    assert "does not show both" in charts.spaces_in_words(metrics(minima=1))
    assert "about as well" in charts.spaces_in_words(metrics(convex=(0.05,) * 3))
    assert "fails on two minima" in charts.fits_in_words(metrics())
    assert "fails" not in charts.fits_in_words(metrics(convex=(0.05,) * 3))
    few = metrics()[lambda m: m["model"] == "free"]
    assert charts.spaces_in_words(few).startswith("What the models that are recorded")


def test_where_the_failure_has_gone_is_said_by_the_errors():
    both = pd.DataFrame(
        {
            "function": "two minima",
            "model": "convex after free coders",
            "sigma_x": [0.02, 0.1],
            "rmse_inputs": [0.01, 0.03],
        }
    )
    assert "3 times worse" in charts.folding_in_words(both.assign(rmse=[0.6, 0.1]))
    assert "hardly" in charts.folding_in_words(both.assign(rmse=[0.6, 0.5]))
    assert "do not show" in charts.folding_in_words(both.assign(rmse=[0.6, 0.5])[:1])


def test_errors_have_intervals_over_the_seeds():
    found = charts.errors(metrics(), "two minima")["convex after a bijection"]
    assert found.value == pytest.approx(0.65)
    assert found.low >= 0.6
    assert found.high <= 0.7


@pytest.mark.parametrize("width", [style.WIDE, style.NARROW])
def test_figures_draw_wide_and_narrow(width):
    with style.house(width):
        charts.spaces(dict.fromkeys(charts.MODELS, kept()))
        charts.detector(charts.scores(cases(2.0)))
