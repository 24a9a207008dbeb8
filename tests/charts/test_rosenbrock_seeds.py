"""Tables and sentences over the seeds of the Rosenbrock chapter: medians, shares, what data choose."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from invex.charts import rosenbrock_seeds as seeds
from invex.charts import rosenbrock_words as words


def run(seed: int, rmse: float, *, failed: str | None = None, **metrics: Any) -> Any:
    found = {"rmse": rmse, "valley_away": rmse / 5}
    if failed is None:
        found |= {"minimum": 1.4, "levels": 8, "closed": 8, "one_point": "yes"}
    curve = {"input": [9.0, -3.0], "property": [9.0, rmse], "divergence": [9.0, 10.0]}
    config = {"seed": seed, "final_beta": 0.1}
    return SimpleNamespace(metrics=found | metrics, failed=failed, config=config, tables={"curve": curve})


RUNS = [run(0, 0.09), run(1, 0.3, one_point="not decided"), run(2, 0.08, minimum=1.6, levels=7, closed=7)]


def test_the_median_run_is_one_that_has_a_minimum():
    assert seeds.median_run(RUNS).config["seed"] == 0
    assert seeds.median_run(RUNS[:2]).config["seed"] == 0
    assert seeds.median_run([*RUNS, run(3, 0.07), run(4, 0.09, failed="f still falls")]).config["seed"] == 2
    assert seeds.median_run([run(4, 0.1, failed="f still falls")]) is None
    assert seeds.median_run([SimpleNamespace(metrics={"rmse": 0.1}, failed=None)]) is None  # an older record


def test_the_run_that_is_drawn_is_the_median_or_the_seed_asked_for():
    assert seeds.chosen(RUNS, 0) is seeds.median_run(RUNS)
    assert seeds.chosen(RUNS, 1) is RUNS[1]
    assert seeds.chosen(RUNS, 7) is None
    assert "the median of 3" in words.model_in_words(0, RUNS[0], RUNS, 200)
    assert "as was asked for" in words.model_in_words(1, RUNS[1], RUNS, 200)
    assert "one recorded seed" in words.model_in_words(1, RUNS[1], RUNS[1:2], 200)
    assert "trained for this page" in words.model_in_words(7, None, RUNS, 200)


def test_shares_are_intervals_that_a_unanimous_sample_does_not_close():
    found = seeds.share([True] * 10)
    assert found["value"] == found["high"] == 1
    assert found["low"] == pytest.approx(0.025 ** (1 / 10))
    assert seeds.share([True, False])["low"] < 0.02


def test_a_row_a_seed_with_what_it_shows():
    frame = seeds.seed_frame(RUNS, 0.02)
    assert frame["valley"].tolist() == [True, False, True]
    assert frame["eight"].tolist() == [True, True, False]
    assert frame["loss"].tolist() == pytest.approx([-3 + 0.09 + 1, -3 + 0.3 + 1, -3 + 0.08 + 1])
    assert seeds.seed_table(frame)["seed"].tolist() == [2, 0, 1]
    lost = seeds.seed_frame([run(5, 0.2, failed="f still falls")], 0.02)
    assert lost["one_point"].tolist() == ["no minimum"]
    assert seeds.seed_table(lost)["levels above it"].tolist() == ["none"]
    assert seeds.seed_table(lost)["least F"].tolist() == ["none"]


def test_seeds_without_a_minimum_are_told():
    lost = seeds.seed_frame([*RUNS, run(5, 0.07, failed="f still falls")], 0.02)
    assert words.missing_in_words(lost).startswith("In 1 of 4 seeds, the best fit among them, the trained")
    later = seeds.seed_frame([*RUNS, run(5, 0.2, failed="f still falls")], 0.02)
    assert words.missing_in_words(later).startswith("In 1 of 4 seeds the trained")
    assert words.missing_in_words(seeds.seed_frame(RUNS, 0.02)) == ""


def test_sentences_follow_the_numbers():
    frame = seeds.seed_frame(RUNS, 0.02)
    assert seeds.seeds_in_words(frame).startswith("2 of 3 seeds (")
    assert "the property's term" in seeds.causes_in_words(frame)
    assert "in 2 the descents end in one point and in 1 some stop too early" in seeds.points_in_words(frame)
    assert "depends on the seed" in words.valley_in_words(frame)
    assert "runs on within" in words.valley_in_words(frame.assign(stray=0.5, valley=True))
    assert "does not keep" in words.valley_in_words(frame.assign(stray=4.0, valley=False))
    good = frame.assign(rmse=0.05)
    assert seeds.causes_in_words(good).startswith("None of them miss it")
    assert seeds.causes_in_words(frame.assign(rmse=0.5)).startswith("All of them miss it")


def test_the_best_of_several_starts_is_that_of_least_training_loss():
    frame = pd.DataFrame({"loss": [1.0, 2.0, 3.0, 4.0], "rmse": [0.05, 0.2, 0.3, 0.4]})
    assert sorted(seeds.best_of(frame)) == [0.05, 0.05, 0.05, 0.2]
    assert "from 25% to 75%" in seeds.best_in_words(frame)
    assert seeds.best_in_words(frame.head(3)) == ""
    misleading = frame.assign(loss=-frame["loss"])
    assert np.median(seeds.best_of(misleading)) == 0.4


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_any_number_of_seeds_can_be_told(count):
    frame = seeds.seed_frame(RUNS[:count], 0.02)
    told = [
        seeds.seeds_in_words(frame), seeds.points_in_words(frame), seeds.causes_in_words(frame),
        seeds.best_in_words(frame), words.valley_in_words(frame),
        words.model_in_words(3, seeds.median_run(RUNS[:count]), RUNS[:count], 200),
    ]  # fmt: skip
    assert not any("nan" in text for text in told)
    assert all(told[:3])
    assert len(seeds.seed_table(frame)) == count


def test_theorems_are_told_as_the_certificates_have_it():
    whole = [True, True, True]
    assert "it holds" in words.theorems_in_words(whole, ["yes", "yes"])
    assert "is not decided" in words.theorems_in_words(whole, [])
    assert "contradicts" in words.theorems_in_words(whole, ["yes", "no"])
    assert "contradicts" in words.theorems_in_words([True, False, True], ["yes"])
    assert "3.2 and 3.4 need" in words.conditions_in_words(["3.2", "3.4"])
    assert words.conditions_in_words([]).startswith("Both theorems hold")


def test_the_course_of_one_valley():
    assert words.course_in_words(0.9) == "The valley runs on where there were no data"
    assert "a little beside" in words.course_in_words(1.3)
    assert "leaves its course" in words.course_in_words(5.0)


def test_counts_that_agree_and_that_do_not():
    assert "at most 3 times" in words.agreement_in_words(3, 3, 2.0)
    assert "safer" in words.agreement_in_words(13, 3, 2.0)


def test_a_second_valley_is_named_by_where_it_is():
    piece = SimpleNamespace(level=2.2, place=torch.tensor([0.5, 0.9]), value=1.9)
    said = words.piece_in_words(piece, {1.45: 3.0, 2.2: 4321.0})
    assert "top right" in said
    assert "about 4 × 10³" in said
    assert "one piece" in words.piece_in_words(None, {})


def test_schedules_without_a_row_are_said_to_lack():
    table = pd.DataFrame({"choice": ["ours", "of the code"], "RMSE": [0.1, 0.2]})
    said = words.schedules_in_words(["of the code", "of the text"], table)
    assert "The of the code gives an RMSE of 0.200." in said
    assert "The of the text is not recorded yet" in said
