"""Charts and sentences of the chapter on densities, on small made-up numbers, wide and for a phone."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from invex.analysis import contractions, divergences, invertible_layers
from invex.charts import density_modelling as charts
from invex.charts import density_modelling_tables as tables
from invex.charts import density_modelling_words as words
from invex.charts import style
from invex.press.records_view import Records


@pytest.fixture(params=[style.NARROW, style.WIDTH], ids=["phone", "page"], autouse=True)
def page(request):
    with style.house(request.param):
        yield


def planar_run(dataset, method, seed=0, divergence=0.1):
    tensors = {"log_density": torch.zeros(120, 120).half(), "samples": torch.zeros(10, 2).half()}
    config = {"dataset": dataset, "method": method, "seed": seed, "rate": 2e-3}
    return SimpleNamespace(
        config=config, failed=None, tensors=lambda: tensors, metrics={"divergence": divergence}
    )


def test_planar_densities_draw_with_any_subset_of_runs():
    both = [planar_run("checkerboard", method) for method in ("Glow", "i-ResNet")]
    for runs, methods in ((both, 2), (both[:1], 1), ([*both, planar_run("two spirals", "Glow")], 2)):
        pictures, truth = tables.planar_pictures(SimpleNamespace(runs=runs))
        assert list(truth) == ["checkerboard"]
        figure = charts.planar(pictures, truth, 4.4)
        assert len(figure.axes) == 1 + 2 * methods


def test_planar_sentence_follows_the_numbers():
    rows = [("a", "i-ResNet", 0.1), ("a", "Glow", 0.2), ("b", "i-ResNet", 0.3), ("b", "Glow", 0.2)]
    frame = pd.DataFrame(rows, columns=["dataset", "method", "divergence"])
    frame = frame.assign(failed="", parameters=1e5, seconds=2.0, divergence_error=0.02)
    table = tables.planar(frame)
    said = words.planar_in_words(table)
    assert "the i-ResNet is closer to the truth than Glow on a, Glow is closer" in said
    even = words.planar_in_words(tables.planar(frame.assign(divergence_error=0.05)))
    assert even == "After equally many updates the two are equally close on every set."
    assert tables.closer(table) == {"closer": False, "n": 1}
    assert "on every set" in words.planar_in_words(tables.planar(frame[:2]))
    assert tables.closer(tables.planar(frame[:1])) == {}


def image_run(dataset="mnist", bits=1.4, seed=0, epochs=6):
    config = {
        "dataset": dataset,
        "seed": seed,
        "epochs": epochs,
        "blocks": [6, 6],
        "filters": 32,
        "terms": 5,
        "margin": 1e-6,
    }
    series = {"terms": list(range(1, 26)), "bias": 0.1 ** np.arange(1, 26.0), "deviation": [0.01] * 25}
    series |= {"largest_bias": series["bias"], "bound": [1.0] * 25}
    probes = {"probe": ["Rademacher", "coloured, 16"], "number": [4, 16], "deviation": [0.02, 0.006]}
    unbiased = {
        "estimator": ["2 + geometric"],
        "bias": [1e-6],
        "bias_error": [1e-6],
        "deviation": [0.01],
        "terms": [4],
    }
    table = {"series": series, "probes": probes | {"milliseconds": [1, 4]}, "estimators": unbiased}
    tensors = {name: torch.zeros(4, 1, 28, 28, dtype=torch.uint8) for name in ("samples", "originals")}
    metrics = {
        "bits": bits,
        "bias": 1e-5,
        "probe_error": 1e-5,
        "image_error": 0.002,
        "parameters": 8e4,
        "training_seconds": 3600,
    }
    return SimpleNamespace(config=config, failed=None, tables=table, metrics=metrics, tensors=lambda: tensors)


def frame_of(runs):
    rows = [run.config | run.metrics | {"blocks": "6, 6", "failed": ""} for run in runs]
    return pd.DataFrame(rows)


def test_tables_take_the_run_with_the_least_bits_of_each_data_set():
    runs = [image_run(bits=1.5), image_run(bits=1.4, epochs=36), image_run("cifar10", bits=4.0)]
    series = tables.best_table(SimpleNamespace(runs=runs), "series")
    assert list(series["dataset"].unique()) == ["mnist", "cifar10"]
    assert series["trained_with"].unique() == 5
    assert tables.series_facts(series) == {"below": True, "ratio": 1.0, "n": 2}
    charts.estimator(series)
    known = tables.usable(frame_of(runs))
    assert "1.400 bits per dimension after 6-6 blocks × 32, 36 epochs" in words.bits_in_words(known)
    assert len(tables.bits(known)) == len(tables.QUOTED) + 3
    low, high = tables.interval(tables.largest(known, "mnist"))
    assert low < 1.4 < high
    kinds = tables.probe_kinds(tables.best_table(SimpleNamespace(runs=runs), "probes"))
    assert kinds["variance"].tolist() == pytest.approx([1, 0.36])
    assert len(tables.probe_rows(kinds)) == 2
    sheets, which = tables.sheets(SimpleNamespace(runs=runs[:2]))
    assert "36 epochs" in which
    charts.samples(sheets)


def test_a_bias_is_read_to_the_first_digit_of_its_error():
    table = pd.DataFrame(
        {"dataset": "mnist", "estimator": ["a", "b", "c"], "bias": [0.02399, -0.0013, 3.2]}
        | {"bias_error": [4e-5, 2e-3, 1.7], "deviation": 0.1, "terms": 5.0}
    )
    assert tables.estimator_rows(table)["bias"].tolist() == [
        "0.02399 ± 0.00004", "\N{MINUS SIGN}0.001 ± 0.002", "3 ± 2",
    ]  # fmt: skip


def test_nothing_recorded_is_said():
    empty = pd.DataFrame()
    none = SimpleNamespace(runs=[])
    assert tables.best_table(none, "series").empty
    assert "not recorded" in words.first_in_words(empty, 10)
    assert "No density" in words.bits_in_words(tables.usable(empty))
    assert len(tables.bits(empty)) == len(tables.QUOTED)
    assert tables.within_limits(empty) == []
    assert tables.sheets(none)[0] == {}
    assert tables.probe_rows(tables.probe_kinds(empty)).empty
    assert tables.estimator_rows(empty).empty
    assert tables.planar(empty).empty


def test_bias_that_exceeds_its_bound_is_seen():
    run = image_run()
    run.tables["series"]["bound"] = [1e-9] * 25
    assert not tables.series_facts(tables.best_table(SimpleNamespace(runs=[run]), "series"))["below"]


def test_remaining_charts_draw():
    mixture = divergences.two_modes()
    fit = divergences.forward_fit(mixture)
    charts.divergences(charts.divergence_grid({"data": mixture, "forward": fit, "reverse": fit}, side=20))
    random = pd.DataFrame(contractions.study([0.5], [0], (2,)))
    charts.truncation(random, pd.DataFrame())
    charts.truncation(random, random)
    curve = pd.DataFrame(
        {"dataset": "mnist", "run": "a", "epoch": [1, 2], "bits": [2.0, 1.5], "held_out": [2.1, 1.6]}
    )
    charts.curves(curve, curve[-1:], tables.THESIS)


def test_ticks_show_the_thesiss_where_it_is_another():
    facts = {name: invertible_layers.examine(*layer) for name, layer in invertible_layers.layers().items()}
    table = tables.ticks(facts).set_index("property")
    assert table.loc["analytic inverse", "Glow"] == "✓ (thesis ✗)"
    assert table.loc["free-form Jacobian", "i-ResNet"] == "✓"
    assert table.loc["changes volume", "FFJORD (quoted)"] == "✓"
    assert tables.agree("NICE", facts["NICE"])
    assert not tables.agree("Glow", facts["Glow"])


def test_sentences_follow_the_numbers():
    run = image_run()
    series = tables.best_table(SimpleNamespace(runs=[run]), "series")
    assert "too small to matter" in words.training_in_words(series)
    worse = series.assign(bias=0.02)
    assert "overstates the log-determinant by 0.020" in words.training_in_words(worse)
    assert "understates" in words.training_in_words(worse.assign(bias=-0.02))
    rows = {
        "estimator": ["10 terms", "2 + geometric"],
        "deviation": [0.03, 0.06],
        "terms": [10, 4],
        "dataset": "mnist",
    }
    assert "2.0 times the deviation" in words.unbiased_in_words(pd.DataFrame(rows))
    assert "no more noise" in words.unbiased_in_words(pd.DataFrame(rows | {"deviation": [0.03, 0.03]}))
    kinds = pd.DataFrame({"probe": ["coloured, 16", "orthogonal"], "variance": [0.4, 1.0]})
    assert "0.40 times Rademacher" in words.probes_in_words(kinds)
    assert "do not pay" in words.probes_in_words(kinds.assign(variance=1.2))
    runs = [image_run(bits=1.5), image_run(bits=4.0)]
    runs[1].config["margin"] = 0.0
    assert "1.50 with it and 4.00 without" in words.logit_in_words(tables.usable(frame_of(runs)))
    assert "not recorded" in words.logit_in_words(tables.usable(frame_of(runs[:1])))


def test_longest_runs_that_both_methods_have_are_drawn():
    runs = [planar_run("a", method) for method in ("i-ResNet", "Glow", "i-ResNet")]
    for run, steps in zip(runs, (1500, 1500, 5000), strict=True):
        run.config["steps"] = steps
    kept = tables.longest(Records("density_2d", runs, [])).runs
    assert [run.config["steps"] for run in kept] == [1500, 1500]
    assert len(tables.longest(Records("density_2d", runs[2:], [])).runs) == 1


def test_a_method_is_drawn_at_its_steadiest_rate_and_what_diverged_is_said():
    fast, fell, slow, slower = (planar_run(name, "Glow") for name in ("a", "b", "a", "b"))
    slow.config["rate"] = slower.config["rate"] = 5e-4
    for run in (fast, fell, slow, slower):
        run.config["steps"] = 1500
    fell.failed = "loss not finite at update 505"
    records = Records("density_2d", [fast, fell, slow, slower], [])
    assert tables.longest(records).runs == [slow, slower]
    assert tables.longest(Records("density_2d", [fast, slow], [])).runs == [fast]
    assert "At a rate of 0.002 Glow failed on b (loss not finite at update 505)." in words.diverged_in_words(
        records
    )
    assert words.diverged_in_words(Records("density_2d", [slow], [])) == ""


def test_interactive_data_are_plain_numbers_and_have_a_still_picture():
    data = charts.interactive_data((0.5, 0.9))
    charts.explorer(data, 0.9)
    assert len(data["bias"]) == len(data["constants"]) == 2
    assert len(data["bias"][0]) == len(data["terms"])
