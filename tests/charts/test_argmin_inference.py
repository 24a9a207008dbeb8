"""Figures and sentences of the chapter on inference by argmin, on frames whose findings are known."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from invex.charts import argmin_inference as charts
from invex.charts import argmin_inference_words as words
from invex.charts import style


def scores(gap: float, leak: float = 0.0, seeds: int = 5) -> pd.DataFrame:
    """A feed-forward network at 0.3, and a bundle that has `gap` more."""
    rows = []
    for seed in range(seeds):
        noise = 0.001 * seed
        base = {
            "seed": seed,
            "failed": "",
            "f1": 0.3 + noise,
            "f1_examples": 0.4 + noise,
            "f1_examples_last": 0.4,
        }
        rows.append(base | {"method": "feed-forward", "leak_f1_examples": np.nan})
        more = {name: base[name] + gap for name in ("f1", "f1_examples", "f1_examples_last")}
        rows.append(base | more | {"method": "PICNN, bundle entropy", "leak_f1_examples": 0.4 + gap + leak})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("gap", "verb"), [(0.05, "beats"), (-0.05, "falls behind"), (0.0, "is level with")])
def test_the_finding_of_the_table_follows_the_intervals(gap, verb):
    assert f"argmin {verb} the feed-forward network" in words.structured_in_words(scores(gap))


def test_sentences_say_what_is_missing():
    empty = pd.DataFrame()
    for sentence in (words.structured_in_words, words.measures_in_words, words.completion_in_words):
        assert sentence(empty).startswith("Nothing is recorded yet")
    assert words.found(empty, empty, empty).startswith("Nothing is recorded yet")
    assert "will stand here" in words.leak_in_words(empty)
    assert words.structured_in_words(scores(0.1)[:1]) == "feed-forward alone is recorded so far."
    assert words.score_table(empty).empty
    assert words.measured(empty).empty


@pytest.mark.parametrize(("leak", "said"), [(0.1, "adds 0.100"), (-0.1, "takes 0.100"), (0.0, "changes")])
def test_the_worth_of_the_leak_is_measured_on_the_same_epoch(leak, said):
    assert said in words.leak_in_words(scores(0.02, leak))
    alone = scores(0.02, leak)
    alone = alone[alone["method"].ne("PICNN, bundle entropy") | alone["seed"].eq(0)]
    assert "on one network" in words.leak_in_words(alone)


def test_differences_and_ratios_pair_seeds_and_need_both_methods():
    found, n = charts.differences(scores(0.05), "PICNN, bundle entropy", "feed-forward", "f1")
    assert n == 5
    assert found.value == pytest.approx(0.05)
    assert charts.differences(scores(0.05), "TD3", "feed-forward", "f1") is None
    ratio, n = words.ratio(scores(0.3), "PICNN, bundle entropy", "feed-forward", "f1")
    assert ratio.value == pytest.approx(0.602 / 0.302)
    assert words.ratio(pd.DataFrame(), "a", "b", "f1") is None


def test_failed_runs_are_left_out():
    rows = scores(0.05)
    rows.loc[0, "failed"] = "loss not finite"
    assert len(words.of_runs(rows)) == 9


def errors(cost: float) -> pd.DataFrame:
    methods = {"non-convex, gradient": 800.0, "convex, gradient": 800.0 * (1 + cost)}
    rows = [
        {"method": m, "seed": s, "mse": e, "mse_last": 1.2 * e, "mse_mean": 1159.0}
        for m, e in methods.items()
        for s in range(3)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("cost", "said"), [(0.1, "costs 10%"), (0.0, "costs nothing"), (-0.1, "10% less error")]
)
def test_the_cost_of_convexity_in_words(cost, said):
    assert said in words.completion_in_words(errors(cost))
    assert "20% above" in words.overfit_in_words(errors(cost))


def test_pictures_are_of_the_same_faces():
    def run(method: str, seed: int, shade: int) -> SimpleNamespace:
        tensors = {"true": torch.full((8, 4, 4), seed), "completed": torch.full((8, 4, 4), shade)}
        return SimpleNamespace(failed=None, config={"method": method, "seed": seed}, tensors=lambda: tensors)

    found = words.pictures([run("b", 1, 7), run("a", 0, 5), run("b", 0, 6)])
    assert list(found) == ["true", "a", "b"]
    assert found["b"][0, 0, 0] == 6


@pytest.mark.parametrize("width", [style.WIDTH, 3.7])
def test_every_figure_is_drawn_wide_and_narrow(width):
    grid = pd.DataFrame(np.stack(np.meshgrid(*[np.linspace(-2, 2, 9)] * 2, indexing="ij"), -1).reshape(-1, 2))
    grid.columns = ["x1", "x2"]
    plane = pd.concat(
        grid.assign(y=(grid.x1 > 0).astype(float), set=s, model=m) for s in ("moons", "circles") for m in "FP"
    )
    slices = pd.concat(
        grid.rename(columns={"x2": "y"}).assign(energy=grid.x1**2 + grid.x2, model=m)
        for m in ("FICNN", "PICNN")
    )
    ways = pd.DataFrame(
        {"steps": [5, 10] * 2, "way": ["unrolling"] * 2 + ["implicit"] * 2, "kilobytes": [5, 10, 3, 3]}
    )
    curve = pd.DataFrame({"method": "DDPG", "task": "Reacher-v5", "seed": [0, 0, 1, 1], "step": [1, 2] * 2})
    faces = {"true": np.zeros((8, 4, 4), np.uint8), "convex, gradient": np.ones((8, 4, 4), np.uint8)}
    epochs = pd.DataFrame(
        {"method": "convex, gradient", "seed": [0, 0, 1, 1], "epoch": [0, 1] * 2, "test": 9.0}
    )
    with style.house(width):
        for figure in (
            charts.planes(plane, plane),
            charts.energies(slices),
            charts.derivative(ways.assign(error=1e-3)),
            charts.scores(words.measured(scores(0.05)), words.PAPER_F1),
            charts.faces(faces),
            charts.completion_curves(epochs, words.PAPER_MSE, 12.0),
            charts.returns(curve.assign(mean_return=[1.0, 2.0, 3.0, 4.0])),
        ):
            figure.draw_without_rendering()
            assert figure.get_figwidth() == pytest.approx(width)
