"""The Rosenbrock experiment: what it measures, on models whose answers are known, and a short run."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from invex.analysis.level_sets import MinimumNotFound
from invex.data import synthetic
from invex.experiments import rosenbrock
from torch import nn

CHAPTER = Path(__file__).parents[2] / "book/invariances/rosenbrock.md"


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


def test_the_chapters_seeds_come_first_and_then_all_choices_of_a_seed_before_the_next():
    runs = rosenbrock.configs("paper")
    own, others = runs[:10], runs[10:]
    assert [config.seed for config in own] == list(range(10))
    assert {replace(config, seed=0, kept=False) for config in own} == {rosenbrock.CHAPTER}
    assert all(config.kept for config in own)
    assert [config.seed for config in others] == [s for s in range(3) for _ in rosenbrock.CHOICES[1:]]
    assert len(set(runs)) == len(runs)


def test_kept_weights_give_the_model_back_to_half_precision_of_its_widest_part():
    config = replace(rosenbrock.CHAPTER, seed=3)
    model = rosenbrock.build(config)
    with torch.no_grad():  # as if it had been trained
        for parameter in model.parameters():
            parameter += 0.01
    kept = rosenbrock.weights(model)
    assert sum(tensor.numel() * tensor.element_size() for tensor in kept.values()) < 2e6
    back = rosenbrock.trained(config, kept)
    x = synthetic.grid(9, dtype=torch.float64)
    torch.testing.assert_close(back.encode(x), model.double().encode(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(back.predict(x), model.predict(x), rtol=1e-3, atol=1e-3)
    assert torch.equal(rosenbrock.trained(config, rosenbrock.weights(back)).predict(x), back.predict(x))
    assert not torch.allclose(rosenbrock.build(config).double().predict(x), model.predict(x), rtol=1e-2)


def test_a_bijection_that_starts_as_the_identity():
    x = synthetic.grid(5)
    assert torch.equal(rosenbrock.build(replace(rosenbrock.CHAPTER, identity=True)).encode(x), x)
    assert not torch.equal(rosenbrock.build(rosenbrock.CHAPTER).encode(x), x)


def test_a_fitted_model_is_in_float64_with_a_curve_of_finite_terms():
    model, curve = rosenbrock.fit(replace(rosenbrock.CHAPTER, epochs=1))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
    assert all(len(values) == 1 and math.isfinite(values[0]) for values in curve.values())


def test_a_run_measures_its_model_or_says_that_it_has_no_minimum(monkeypatch):
    def fitted(config, device, progress):
        return rosenbrock.build(config).double(), {"property": [0.5]}

    def shape(model):
        if model.log_sigma[0].exp() > 0.15:
            raise MinimumNotFound("f still falls")
        return {"one_point": "yes"}

    monkeypatch.setattr(rosenbrock, "fit", fitted)
    monkeypatch.setattr(rosenbrock, "errors", lambda model: {"rmse": 0.1})
    monkeypatch.setattr(rosenbrock, "shape", shape)
    chosen = [replace(rosenbrock.CHAPTER, epochs=1, kept=True), replace(rosenbrock.RELEASED, epochs=1)]
    outcomes = dict(rosenbrock.run(chosen, device="cpu", folder=None, progress=lambda _: None))
    assert list(outcomes) == chosen
    good, bad = outcomes.values()
    assert good.failed is None
    assert good.metrics.keys() == {"rmse", "one_point", "seconds"}
    assert good.tables["curve"] == {"epoch": [0], "property": [0.5]}
    assert good.tensors.keys() == dict(rosenbrock.build(rosenbrock.CHAPTER).named_parameters()).keys()
    assert bad.failed == "f still falls"
    assert bad.metrics.keys() == {"rmse", "seconds"}
    assert not bad.tensors


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
