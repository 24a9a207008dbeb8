"""The Rosenbrock experiment: what it measures, on models whose answers are known, and a short run."""

import math
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


class Off(Root):
    """One half more within the training square, one more around it."""

    def forward(self, z):
        inside = Unbend()(z).abs().amax(-1) < 0.4 + 1e-9
        return super().forward(z) + torch.where(inside, 0.5, 1.0)


class Displaced(Unbend):
    def forward(self, z):
        return super().forward(z) + 0.03


def test_measures_of_a_model_with_known_errors():
    model = GenerativeModel(Bend(), Displaced(), Off())
    found, (floor, truth) = rosenbrock.measure(model), rosenbrock.valley(model)
    assert found["rmse"] == pytest.approx(0.5, abs=1e-6)
    assert found["largest_residual"] == pytest.approx(0.5, abs=1e-3)
    assert found["rmse_around"] == pytest.approx(1, abs=1e-6)
    assert len(rosenbrock._surroundings()) == 61**2 - 41 * 31
    assert found["minimum"] == pytest.approx(0.501, abs=1e-6)
    assert found["minimum_away"] == pytest.approx(0.03 * 2**0.5)
    assert found["valley_away"] == (floor - truth).abs().max().item()


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


@pytest.mark.parametrize("config", rosenbrock.CHOICES, ids=lambda config: config.choice)
def test_every_choice_reaches_the_model(config):
    model = rosenbrock.build(config)
    assert {layer.activation for layer in model.encoder} == {rosenbrock.ACTIVATIONS[config.activation]}
    assert model.head.positivity == config.positivity
    assert isinstance(model.head.inputs[1], nn.Linear) == config.skips
    assert bool((model.head.inputs[1].bias < -0.5).all()) == config.principled
    assert model.log_sigma.exp().tolist() == pytest.approx([config.sigma_x, 0.3, config.sigma_z])


def test_seeds_of_a_choice_come_after_all_choices_of_the_seed_before():
    runs = rosenbrock.configs("paper")
    assert [config.seed for config in runs] == [seed for seed in range(3) for _ in rosenbrock.CHOICES]
    assert len(set(runs)) == 30


def test_a_fitted_model_is_in_float64_with_a_curve_of_finite_terms():
    model, curve = rosenbrock.fit(replace(rosenbrock.CHAPTER, epochs=1))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
    assert all(len(values) == 1 and math.isfinite(values[0]) for values in curve.values())


def test_a_run_measures_its_model_or_says_that_it_has_no_minimum(monkeypatch):
    def fitted(config, device, progress):
        head = Root() if config.seed == 0 else nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)).double()
        return GenerativeModel(Bend(), Unbend(), head), {"property": [0.5]}

    monkeypatch.setattr(rosenbrock, "fit", fitted)
    chosen = [replace(rosenbrock.CHAPTER, epochs=1, seed=seed) for seed in (0, 1)]
    outcomes = dict(rosenbrock.run(chosen, device="cpu", folder=None, progress=lambda _: None))
    assert list(outcomes) == chosen
    good, bad = outcomes.values()
    assert good.failed is None
    assert good.metrics.keys() == {*rosenbrock.measure(fitted(chosen[0], "", None)[0]), "seconds"}
    assert "still falls" in bad.failed
    assert bad.metrics.keys() == {"seconds"}
    assert good.tables["curve"] == {"epoch": [0], "property": [0.5]}


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
