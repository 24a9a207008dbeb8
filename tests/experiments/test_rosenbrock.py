"""The Rosenbrock experiment: what it measures, on models whose answers are known, and a short run."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from invex.data import synthetic
from invex.experiments import rosenbrock
from invex.nn.vae import GenerativeModel
from torch import nn

CHAPTER = Path(__file__).parents[2] / "book/invariances/rosenbrock.md"


class Bend(nn.Module):
    """The pair whose norm, to the power of one half, is the Rosenbrock function."""

    def forward(self, x):
        return torch.stack([1 - 10 * x[..., 0], 10 * (10 * x[..., 0]) ** 2 - 100 * x[..., 1]], dim=-1)


class Unbend(nn.Module):
    def forward(self, z):
        x1 = (1 - z[..., 0]) / 10
        return torch.stack([x1, (10 * (10 * x1) ** 2 - z[..., 1]) / 100], dim=-1)


class Root(nn.Module):
    def forward(self, z):
        return (z.square().sum(-1) + 1e-12) ** 0.25


def test_a_perfect_model_has_no_error_its_minimum_in_place_and_its_valley_on_the_parabola():
    perfect = GenerativeModel(Bend(), Unbend(), Root())
    x = synthetic.grid(5, dtype=torch.float64)
    torch.testing.assert_close(perfect.predict(x), synthetic.rosenbrock(x), rtol=1e-6, atol=1e-3)
    floor, truth = rosenbrock.valley(perfect)
    torch.testing.assert_close(truth.square() * 10, torch.linspace(0.42, 1, 30).double().expand(2, 30))
    assert (floor - truth).abs().max() < 2e-3  # at x2 = 1 the exact floor lies this near to the parabola
    assert (floor[0] < 0).all()
    assert (floor[1] > 0).all()


def test_a_model_without_a_valley_is_found_out():
    flat = GenerativeModel(nn.Identity(), nn.Identity(), Root())
    floor, truth = rosenbrock.valley(flat)
    assert floor.abs().max() < 1e-3
    assert (floor - truth).abs().max() > 0.3


def test_building_is_deterministic_and_leaves_the_readers_generator_alone():
    state = torch.get_rng_state()
    first, second = rosenbrock.build(rosenbrock.CHAPTER), rosenbrock.build(rosenbrock.CHAPTER)
    assert torch.equal(torch.get_rng_state(), state)
    for ours, again in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, again)
    other = rosenbrock.build(replace(rosenbrock.CHAPTER, seed=1))
    assert not torch.equal(first.head.raw[0], other.head.raw[0])


def test_architecture_of_appendix_a_3_1():
    model = rosenbrock.build(rosenbrock.RELEASED)
    assert len(model.encoder) == 4
    assert [layer.weight.shape[0] for layer in model.encoder[0].layers] == [128, 128, 4]
    assert [weight.shape for weight in model.head.weights()] == [(512, 512)] * 3 + [(1, 512)]
    assert torch.allclose(model.log_sigma.exp(), torch.tensor([0.23, 0.3, 0.05]))


def test_schedules_of_the_code_and_of_the_text():
    assert rosenbrock.RELEASED.rate_and_beta(1)[1] == pytest.approx(20 * 0.99)
    assert rosenbrock.TEXT.rate_and_beta(30)[1] == pytest.approx(20 * 0.99)


def test_every_choice_differs_from_the_chapter_and_has_its_own_name():
    names = [config.choice for config in rosenbrock.CHOICES]
    assert len(set(names)) == len(names)
    without_names = {replace(config, choice="") for config in rosenbrock.CHOICES}
    assert len(without_names) == len(names)


def test_a_short_run_gives_finite_metrics():
    config = replace(rosenbrock.configs("quick")[0], epochs=4)
    ((back, outcome),) = rosenbrock.run([config], device="cpu", folder=None, progress=lambda _: None)
    assert back == config
    assert outcome.failed is None or "falls" in outcome.failed
    assert len(outcome.tables["curve"]["property"]) == 4


def test_the_control_has_two_minima():
    head = rosenbrock.unconstrained(0)
    at = torch.tensor([[-0.2, 0.0], [0.0, 0.0], [0.2, 0.0]], dtype=torch.float64)
    left, middle, right = head(at).tolist()
    assert max(left, right) < middle - 1


def test_the_snippet_of_the_chapter_runs_on_the_readers_own_function():
    (snippet,) = re.findall(r":tags: \[use-it\]\n(.*?)```", CHAPTER.read_text(encoding="utf-8"), re.DOTALL)
    torch.manual_seed(0)
    names = {}
    exec(snippet, names)
    level = names["lowest"].value + 1
    torch.testing.assert_close(names["energy"](names["points"]), torch.full((100,), level), rtol=1e-4, atol=0)
    torch.testing.assert_close(names["energy"](names["path"]), torch.full((50,), level), rtol=1e-4, atol=0)
