"""Charts and sentences of the chapter on densities, on small made-up numbers, wide and for a phone."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from invex.analysis import contractions, divergences, invertible_layers
from invex.charts import density_modelling as charts
from invex.charts import density_modelling_tables as tables
from invex.charts import style


@pytest.fixture(params=[style.NARROW, style.WIDTH], ids=["phone", "page"], autouse=True)
def page(request):
    with style.house(request.param):
        yield


def planar_run(dataset, method, seed=0, divergence=0.1):
    tensors = {"log_density": torch.zeros(120, 120).half(), "samples": torch.zeros(10, 2).half()}
    config = {"dataset": dataset, "method": method, "seed": seed}
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
    frame = frame.assign(failed="", parameters=1e5, seconds=2.0)
    table = tables.planar(frame)
    assert "i-ResNet is closer to the truth on a, Glow on b" in tables.planar_in_words(table)
    assert tables.closer(table) == {"closer": False, "n": 1}
    assert "on every set" in tables.planar_in_words(tables.planar(frame[:2]))
    assert tables.closer(tables.planar(frame[:1])) == {}


def image_run(dataset="mnist", bits=1.4, seed=0, epochs=6):
    config = {"dataset": dataset, "seed": seed, "epochs": epochs, "blocks": [6, 6], "filters": 32, "terms": 5}
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
    return pd.DataFrame([run.config | run.metrics | {"failed": ""} for run in runs])


def test_tables_take_the_run_with_the_least_bits_of_each_data_set():
    runs = [image_run(bits=1.5), image_run(bits=1.4, epochs=36), image_run("cifar10", bits=4.0)]
    series = tables.best_table(SimpleNamespace(runs=runs), "series")
    assert list(series["dataset"].unique()) == ["mnist", "cifar10"]
    assert series["trained_with"].unique() == 5
    assert tables.series_facts(series) == {"below": True, "ratio": 1.0, "n": 2}
    charts.estimator(series)
    known = tables.usable(frame_of(runs))
    assert "1.400 bits per dimension after 6-6 blocks × 32, 36 epochs" in tables.bits_in_words(known)
    assert len(tables.bits(known)) == len(tables.QUOTED) + 3
    low, high = tables.interval(tables.largest(known, "mnist"))
    assert low < 1.4 < high
    kinds = tables.probe_kinds(tables.best_table(SimpleNamespace(runs=runs), "probes"))
    assert kinds["variance"].tolist() == pytest.approx([1, 0.36])
    assert len(tables.probe_rows(kinds)) == 2
    sheets, words = tables.sheets(SimpleNamespace(runs=runs[:2]))
    assert "36 epochs" in words
    charts.samples(sheets)


def test_nothing_recorded_is_said():
    empty = pd.DataFrame()
    none = SimpleNamespace(runs=[])
    assert tables.best_table(none, "series").empty
    assert "not recorded" in tables.first_in_words(empty, 10)
    assert "No density" in tables.bits_in_words(tables.usable(empty))
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


def test_interactive_data_are_plain_numbers():
    data = charts.interactive_data((0.5, 0.9))
    assert len(data["bias"]) == len(data["constants"]) == 2
    assert len(data["bias"][0]) == len(data["terms"])
