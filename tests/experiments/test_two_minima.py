"""Two minima: what is measured on models whose answers are known, and short runs of every model."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from invex.data import synthetic
from invex.experiments import disconnected, two_minima
from invex.nn.heads import StronglyConvex
from invex.nn.vae import GenerativeModel
from torch import nn

TINY = replace(two_minima.QUICK, epochs=2, width=8, flow=4, convex=4)


class Mixture(nn.Module):
    def forward(self, z):
        return synthetic.gaussian_mixture(z)


class Bowl(nn.Module):
    def forward(self, z):
        return z.square().sum(-1)


def data():
    x = synthetic.grid(dtype=torch.float64)
    return x, synthetic.gaussian_mixture(x)


def test_a_perfect_free_model_has_two_minima_in_both_spaces_and_no_error():
    metrics, pieces, tensors = two_minima.measure(
        GenerativeModel(nn.Identity(), nn.Identity(), Mixture()), *data()
    )
    assert metrics["rmse"] == pytest.approx(0)
    assert metrics["rmse_inputs"] == metrics["rmse_cycle"] == 0
    assert metrics["minima_latent"] == metrics["minima_input"] == 2
    barrier = synthetic.gaussian_mixture(torch.zeros(2)) - synthetic.gaussian_mixture(
        torch.tensor([0.2, 0.0])
    )
    span = float(np.ptp(data()[1].numpy()))
    assert metrics["second_depth"] == pytest.approx(barrier.item() / span, rel=0.05)
    assert set(pieces["input"]) == {1, 2}
    assert pieces["input"][0] == 2
    assert pieces["input"][-1] == 1
    assert tensors["points"].shape == (1600, 6)


def test_a_convex_head_has_one_minimum():
    metrics, pieces, _ = two_minima.measure(GenerativeModel(nn.Identity(), nn.Identity(), Bowl()), *data())
    assert metrics["minima_latent"] == metrics["minima_input"] == 1
    assert metrics["second_depth"] == 0
    assert metrics["rmse_relative"] > 1
    assert max(pieces["latent"]) <= 1


@pytest.mark.parametrize("model", two_minima.MODELS)
def test_architectures_of_appendix_a_3_1(model):
    built = two_minima.build(replace(two_minima.Config(), model=model))
    assert isinstance(built.head, StronglyConvex) == (model != two_minima.FREE)
    x = synthetic.grid(5)
    exact = model == two_minima.CONVEX
    assert ((built.decoder(built.encoder(x)) - x).abs().max() < 1e-5) == exact
    if not exact:
        assert [m.out_features for m in built.encoder if isinstance(m, nn.Linear)] == [1024, 1024, 2]
    if model == two_minima.FREE:
        assert [m.out_features for m in built.head if isinstance(m, nn.Linear)] == [512, 512, 1]
    else:
        assert [w.shape[0] for w in built.head.convex.weights()] == [512, 512, 512, 1]


def test_short_runs_of_every_model():
    for config in (replace(TINY, model=model) for model in two_minima.MODELS):
        ((_, outcome),) = two_minima.run([config], device="cpu", folder=None, progress=lambda text: None)
        assert outcome.failed is None
        assert all(math.isfinite(value) for value in outcome.metrics.values())
        assert outcome.tensors["latent"].shape == (two_minima.SIDE,) * 2
        assert len(outcome.tables["pieces"]["level"]) == 10


def test_every_config_is_another_and_a_seed_is_whole_before_the_next():
    for profile in ("paper", "reduced"):
        runs = two_minima.configs(profile)
        assert len(set(runs)) == len(runs) == 35
        assert [config.seed for config in runs] == sorted(config.seed for config in runs)
        assert (runs[0].function, runs[0].model) == ("two minima", two_minima.CONVEX)
    assert "200 of 735 epochs" in two_minima.reduced(two_minima.BRISK)


def test_the_truth_of_a_data_set_is_that_of_its_function():
    wells = disconnected.truth(lambda x: synthetic.gaussian_mixture(0.4 * x))
    assert [basin.place[1] for basin in wells] == [60, 60]
    assert wells[1].depth == pytest.approx(0.28, abs=0.03)
    assert len(disconnected.truth(lambda x: x.square().sum(-1))) == 1
    assert len(disconnected.truth(lambda x: -x[..., 0].square())) == 1  # the other side lies at the edge


def test_cases_are_repeatable_their_noise_is_as_said_and_a_bowl_has_one_minimum():
    first, again = disconnected.case(9, 500), disconnected.case(9, 500)
    assert torch.equal(first.y, again.y)
    assert (first.family, first.noise, first.minima) == ("bowl", 0.0, 1)
    noisy, clean = disconnected.case(15, 4000), disconnected.landscapes.landscape("bowl", 15)
    assert noisy.noise == 0.3
    assert (noisy.y - clean(noisy.x)).std().item() == pytest.approx(0.3, rel=0.05)


def test_both_models_of_a_block_are_judged_on_points_that_were_not_fitted():
    config = disconnected.Config(0, datasets=4, points=60, epochs=2, batch=30, flow=4, convex=4)
    ((_, outcome),) = disconnected.run([config], device="cpu", folder=None, progress=lambda text: None)
    table = outcome.tables["cases"]
    assert table["number"] == [0, 1, 2, 3]
    assert all(0.1 < value < 10 for name in ("rmse_convex", "rmse_free") for value in table[name])


def test_the_free_network_is_the_convex_one_without_the_sign():
    config = disconnected.Config(0, flow=4, convex=16)
    torch.manual_seed(0)
    convex, free = disconnected.convex_model(config), disconnected.free_model(config)
    shapes = [[tuple(p.shape) for p in model.parameters()] for model in (convex, free)]
    assert shapes[0] == shapes[1]
    assert all((w >= 0).all() for w in convex.model.head.convex.weights())
    assert any((w < 0).any() for w in free.model.head.convex.weights())


def test_the_snippet_of_the_chapter_runs_on_the_readers_own_data():
    chapter = Path(__file__).parents[2] / "book/invariances/gaussian-mixture.md"
    text = chapter.read_text(encoding="utf-8")
    (snippet,) = re.findall(r":tags: \[use-it\]\n(.*?)```", text, re.DOTALL)
    torch.manual_seed(0)
    names = {}
    exec(snippet, names)
    assert names["error"].isfinite()
