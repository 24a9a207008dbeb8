"""Sentences about signal propagation say what the numbers say, and the contrary of contrary numbers."""

import math

import numpy as np
import pandas as pd
import pytest
from invex.charts import signal_words as words

LOW, HIGH = -math.asinh(10), math.asinh(1e4)
EDGES = np.linspace(LOW, HIGH, 141)


def histogram(values: np.ndarray) -> list[int]:
    counts = np.histogram(np.arcsinh(values), EDGES)[0]
    return np.rint(1000 * counts / counts.sum()).astype(int).tolist()


def bulk(spread: float, outliers: int = 0) -> np.ndarray:
    values = spread * np.random.default_rng(0).standard_normal(10_000)
    values[:outliers] = 1000.0
    return values


def run(values: np.ndarray, second: float = 0.03, recursion: float = 0.0) -> dict[str, list]:
    layer = [float(values.mean()), float(values.var()), second, second]
    expected = [0.0, recursion, 0, 0]
    return {"histograms": [histogram(values)] * 2, "measured": [layer] * 2, "recursion": [expected] * 2}


def test_the_bulk_of_a_histogram_is_without_its_outermost_per_cent() -> None:
    plain, outliers = (words.typical(histogram(bulk(1.0, n)), LOW, HIGH) for n in (0, 40))
    assert plain[1] == pytest.approx(0.93, abs=0.05)  # of a Gaussian cut at 2.6 standard deviations
    assert outliers[1] == pytest.approx(plain[1], abs=0.03)
    assert bulk(1.0, 40).var() > 1000


def test_a_variance_that_rests_on_few_is_explained_and_one_that_agrees_is_not() -> None:
    rare = words.explained(run(bulk(0.1, 40)), 1, LOW, HIGH)
    assert rare["recursion"] == "0.00"
    assert rare["typical"] == "0.01"
    assert rare["words"].startswith("So nearly all of it rests on few")
    plain = run(bulk(1.0))
    assert words.explained(plain, 1, LOW, HIGH)["words"].startswith("So it does not rest on few")
    agree = run(bulk(1.0), recursion=1.1)
    assert words.explained(agree, 1, LOW, HIGH)["words"].startswith("The two agree")


def test_the_explorers_caption_follows_the_signal() -> None:
    silent, wild = (
        words.explorer_in_words(run(values), 0.5, LOW, HIGH) for values in (bulk(0.1), bulk(20.0))
    )
    assert silent == (
        "A correlation of 0.5 is asked for and one of 0.03 comes after one principled layer; by layer 2, "
        "the signal "
        "falls silent in all but rare cases"
    )
    assert wild.endswith("the signal runs away")
    kept = words.explorer_in_words(run(bulk(1.0), second=0.52), 0.5, LOW, HIGH)
    assert "is there after one principled layer" in kept
    assert "has a variance of 0.9" in kept


def test_why_the_fixed_point_is_unstable_depends_on_what_grows() -> None:
    damped, grows, open_ = {"low": 0.5, "high": 0.6}, {"low": 1.2, "high": 1.4}, {"low": 0.9, "high": 1.1}
    assert "for another reason" in words.stability_in_words(damped, grows)
    assert "as the paper says" in words.stability_in_words(grows, grows)
    assert "for the reason that the paper gives" in words.stability_in_words(grows, damped)
    assert "open" in words.stability_in_words(open_, grows)
    assert words.stability_in_words(damped, open_) == "No deviation was seen to grow beyond doubt"


def test_layers_that_keep_their_moments_are_told_from_those_that_do_not() -> None:
    assert words.one_layer_in_words(2.5).startswith("One layer keeps")
    assert words.one_layer_in_words(7.0).startswith("One layer does not keep")
    assert "cannot be told" in words.second_layer_in_words({"measured": 1.02, "error": 0.02})
    assert "1.25 ± 0.02 instead of 1" in words.second_layer_in_words({"measured": 1.25, "error": 0.01})
    assert words.depth_in_words(80.0, 0.001).endswith(
        "from LeCun's layer, as everyone starts, it falls silent"
    )
    assert words.depth_in_words(80.0, 90.0) == "From either start the variance over networks explodes"
    assert "74 % are dead and 15 % have" in words.fates_in_words(0.74, 0.15, 6, 200)
    assert words.fates_in_words(0.1, 0.1, 6, 200).endswith("most are neither")


def test_panels_distances_and_convolutions_in_words() -> None:
    columns = ["correlation", "standard deviation"]
    last = pd.DataFrame([[0.99, 5.0], [0.3, 0.4]], ["ICNN", "ICNN + init"], columns)
    assert words.panels_in_words(last).endswith("keep them apart, but the signal shrinks")
    assert "do not keep them apart" in words.panels_in_words(last.assign(correlation=0.95))
    assert words.panels_in_words(last.iloc[::-1].set_axis(last.index)).startswith(
        "Setting negative weights to zero does not"
    )
    nearer = pd.DataFrame({0.0: [0.4], 0.5: [0.1]})
    assert "far nearer" in words.gaussian_in_words(nearer)
    assert "do not bring" in words.gaussian_in_words(nearer.rename(columns={0.0: 0.5, 0.5: 0.0}))
    rough = {"variance": 0.7, "correlation": 0.2}
    assert "do not follow" in words.convolution_in_words(9.0, rough)
    assert "even on white" in words.convolution_in_words(2.0, {"variance": 1.0, "correlation": 0.5})


def test_the_best_choice_and_the_use_of_the_slope_are_those_of_the_table() -> None:
    choices = pd.DataFrame(
        [
            ("as published: log-normal weights", 0.0, 1.0),
            ("two-point, ρ = 0.1", -0.1, 0.8),
            ("two-point, β = ½", -0.5, 0.9),
        ],
        columns=["choice", "mean", "variance"],
    )
    said = words.choices_in_words(choices)
    assert "the mean is kept best by: ρ = 0.1 (-0.10)" in said
    assert "the variance by: β = ½ (0.90)" in said
    assert words.choices_in_words(choices.head(2)).endswith("best: ρ = 0.1")
    targets = {"mean": 0.0, "variance": 1.0, "correlation": 0.5}
    row = {f"{name}{end}": value + add for name, value in targets.items()
           for end, add in (("", 0.0), (" low", -0.1), (" high", 0.1))}  # fmt: skip
    off = row | {"mean": 0.9, "mean low": 0.8, "mean high": 1.0}
    names = ("in every formula", "in none")
    rows = pd.DataFrame([row | {"slope enters": names[0]}, off | {"slope enters": names[1]}])
    assert words.slopes_in_words(rows).endswith("only if the slope enters every formula")
    assert "in none of these ways" in words.slopes_in_words(rows.tail(1))


def test_the_numbers_of_the_text_are_written_as_the_explorer_writes_them() -> None:
    written = [words.shown(value) for value in (10.8, 0.0, -0.001, 167.2, -0.694)]
    assert written == ["10.80", "0.00", "0.00", "167", "\N{MINUS SIGN}0.69"]
