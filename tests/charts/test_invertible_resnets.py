"""The figures and counts of the chapter on invertible residual networks, from made-up records."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd
import pytest
import torch
from invex.charts import invertible_resnets as charts
from invex.charts import invertible_resnets_tables as tables
from invex.charts.style import NARROW, house
from invex.experiments import iresnet_classifier as experiment
from invex.lab.config import as_dict

STEPS = [1, 2, 3, 10, 100]


@dataclass
class Run:
    config: dict[str, Any]
    tables: dict[str, Any]
    metrics: dict[str, Any]
    failed: str | None = None
    profile: str = "reduced"

    def tensors(self):
        pictures = torch.zeros(8, 4, 4, 1, dtype=torch.uint8)
        return {"originals": pictures, "reconstructions": pictures + 1}


@dataclass(frozen=True)
class Found:
    runs: list[Run]
    expected: list[Any] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    reduced: str = ""

    @property
    def empty(self):
        return not self.runs

    def metrics(self):
        return pd.DataFrame([{**run.config, **run.metrics, "failed": run.failed or ""} for run in self.runs])


def run(method, c, seed=0, **changes):
    config = replace(experiment.REDUCED["cifar10"], method=method, c=c, seed=seed, **changes)
    rate = c or 1.1
    errors = [50 * (rate / 2) ** k if c else 90.0 for k in STEPS]
    curve = {"solver": ["fixed-point"] * 5 + ["anderson"] * 5, "iterations": STEPS * 2, "mean": errors * 2}
    blocks = {"block": [1], "local_norm": [rate], "radius": [rate / 2]} | ({"ratio": [0.4]} if c else {})
    lemma = {"block": [1, 1], "iterations": [0, 1], "error": [1.0, 0.1], "bound": [4.0, 3.0]}
    found = {
        "layers": {"layer": [1, 2, 3], "block": [1] * 3, "place": [1, 2, 3], "norm": [rate, rate, 0.4]},
        "reconstruction": curve | {"largest": [2 * error for error in errors] * 2},
        "blocks": blocks,
        "lemma": lemma if c else {name: [] for name in lemma},
    }
    metrics = {"test_error": 0.3 if c is None else 0.5 - 0.1 * c + 0.01 * seed, "largest_norm": rate}
    return Run(as_dict(config), found, metrics | {"reconstruction_error": errors[-1]})


@pytest.fixture
def runs():
    methods = [("contractive", c) for c in (0.9, 0.7, 0.5, 0.3)] + [("vanilla", None)]
    return Found([run(method, c, seed) for method, c in methods for seed in (0, 1)])


def test_a_tables_iterations_are_not_the_power_iterations(runs):
    assert sorted(set(tables.curves(runs)["iterations"])) == STEPS


def test_names_tell_the_two_free_networks_apart():
    decayed = run("vanilla", None, optimiser="sgd", weight_decay=0.02)
    assert [tables.label(r.config) for r in (decayed, run("vanilla", None))] == [
        "vanilla, decayed",
        "vanilla",
    ]


def test_counts_are_those_of_the_records(runs):
    assert tables.above_one(tables.layers(runs))["vanilla"] == pytest.approx([2 / 3, 2 / 3])
    assert tables.errors_of(runs, "vanilla") == [180.0, 180.0]
    assert tables.fastest_first(tables.curves(runs)) == ["c = 0.3", "c = 0.5", "c = 0.7", "c = 0.9"]
    assert tables.enough(tables.curves(runs))["c = 0.3"] == 3
    assert tables.largest_ratio(runs) == 0.4
    cost = tables.costs(tables.named(runs.metrics()), "c = 0.5", "c = 0.9")
    assert cost == pytest.approx([4.0, 4.0])
    assert tables.ends([1.0, 3.0])["value"] == 2.0
    saved = tables.saved(tables.curves(runs))
    assert saved["n"] == 6
    assert saved["low"] <= saved["value"] <= saved["high"]


def test_the_table_holds_the_thesiss_row_and_ours(runs):
    table = tables.error_table(tables.named(runs.metrics()))
    assert list(table["network"]) == ["thesis", "here: 3-3-3 blocks, 6 epochs"]
    assert table["c = 0.9"].tolist() == pytest.approx([6.78, 41.5])
    assert tables.joined([Found([]), runs]).runs == runs.runs
    assert tables.inversions(runs)["networks"].tolist() == [2] * 5


def test_captions_choose_by_the_data(runs):
    shown = tables.error_frame(runs)
    assert "to the last bit" in tables.picture_caption(shown)
    assert "90 grey levels" in tables.picture_caption(shown)
    assert "to the last bit" not in tables.picture_caption(shown.assign(largest=3.0))
    assert "67% in the vanilla network" in tables.norm_caption(tables.layers(runs))
    assert "4.00 points on CIFAR10" in tables.cost_caption(tables.named(runs.metrics()))
    assert "None of the trained networks" in tables.summary(Found([]), Found([]))
    free = pd.DataFrame({"network": ["vanilla", "vanilla, decayed"], "error after 100": [80.0, 0.01]})
    assert "and not without" in tables.vanilla_caption(free)
    assert "with weight decay or without" in tables.vanilla_caption(free.assign(**{"error after 100": 9.0}))


def test_that_a_smaller_c_is_faster_takes_two_of_them():
    def curve(name, fast):
        return [(name, 0, "fixed-point", k, 1.0 if k < fast else 1e-9) for k in (1, 4, 8)]

    columns = ["network", "seed", "solver", "iterations", "mean"]
    one, two, turned = (
        pd.DataFrame([row for name, fast in each for row in curve(name, fast)], columns=columns)
        for each in ([("c = 0.9", 4)], [("c = 0.5", 4), ("c = 0.9", 8)], [("c = 0.5", 8), ("c = 0.9", 4)])
    )
    assert "the fewer" not in tables.iteration_caption(one, pd.DataFrame())
    assert "4 to 8 iterations" in tables.iteration_caption(two, pd.DataFrame())
    assert "the fewer the smaller c is" in tables.iteration_caption(two, pd.DataFrame())
    assert "the fewer" not in tables.iteration_caption(turned, pd.DataFrame())


@pytest.mark.parametrize("width", [NARROW, 9.4])
def test_figures_are_drawn_at_both_widths(runs, width):
    frame = charts.path_frame("standard", torch.linspace(0, 1, 12).view(3, 4).double())
    with house(width):
        assert len(charts.dynamics(pd.concat([frame, frame.assign(network="invertible")])).axes) == 2
        assert len(charts.singular_values(tables.layers(runs)).axes) == 2
        assert len(charts.errors(tables.curves(runs), tables.lemma(runs)).axes) == 2
        rows = tables.picture_rows([runs])
        assert [name for name, _ in rows] == ["CIFAR10,\noriginal", "c = 0.9", "vanilla"]
        assert len(charts.reconstructions(rows).axes) == 3 * (5 if width == NARROW else 8)


def test_the_interactive_gets_plain_finite_numbers(runs):
    data = json.loads(json.dumps(tables.iteration_data(tables.curves(runs)), allow_nan=False))
    assert {line["network"] for line in data["lines"]} == {f"c = {c}" for c in (0.3, 0.5, 0.7, 0.9)} | {
        "vanilla"
    }
    assert all(len(line["error"]) == len(line["iterations"]) == 5 for line in data["lines"])


def test_a_run_is_enough_and_a_failed_one_is_none():
    one = Found([run("contractive", 0.9)])
    assert tables.saved(tables.curves(Found([run("contractive", c) for c in (0.9, 0.7)])))["n"] == 1
    assert tables.fullest({("cifar10", 13): Found([]), ("cifar10", 0): one}, "cifar10") is one
    one.runs[0].failed = "loss not finite"
    assert tables.curves(one).empty
