"""The recorded experiment: its grid, and a quick run of it end to end."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from invex.experiments import learning_dynamics
from invex.experiments.learning_dynamics import Config, configs, run
from invex.lab import experiments
from invex.nn.classifier import METHODS, ONLY_SHIFT
from invex.nn.train import Run, Settings, train


def silent(text: str) -> None:
    pass


def test_paper_profile_starts_with_mnist_all_methods_of_a_seed_first() -> None:
    paper = configs("paper")
    assert [(c.dataset, c.hidden) for c in paper[:120:40]] == [("mnist", 5), ("cifar10", 5), ("cifar100", 5)]
    assert [(c.method, c.seed) for c in paper[:5]] == [*((m, 0) for m in METHODS), ("non-convex", 1)]
    assert len(set(paper)) == len(paper) == 360 + 90 + 90 + 180 + 270
    assert {c.method for c in paper} == {*METHODS, ONLY_SHIFT}


def test_runs_of_one_stack_differ_in_method_seed_and_moments_alone() -> None:
    groups = experiments.find("learning_dynamics").batches(configs("paper"))
    assert len(groups) == 3 * 3 * 2
    assert all(len({(c.dataset, c.hidden, c.positivity) for c in group}) == 1 for group in groups)


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"correlation": 0.1}, {"bias_noise": 0.5}, {"positivity": "exponential"}]
)
def test_every_field_of_a_config_reaches_its_network(change: dict[str, object]) -> None:
    config = Config("digits", 3, "ICNN + init", 0)
    usual, other = (learning_dynamics._network([8] * 4 + [3], c) for c in (config, replace(config, **change)))
    assert len(usual.layers) == 4
    assert not torch.equal(
        torch.cat([usual.layers[1].weight, usual.layers[1].bias[:, None]], 1),
        torch.cat([other.layers[1].weight, other.layers[1].bias[:, None]], 1),
    )


def test_networks_train_with_the_seeds_of_their_configs_and_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def noted(networks: object, seeds: list[int], examples: object, settings: Settings, *more: object):
        seen.append((seeds, settings))
        return train(networks, seeds, examples, settings, *more)

    monkeypatch.setattr(learning_dynamics, "train", noted)
    list(
        run(
            [Config("digits", 1, "ICNN", s, epochs=1) for s in (3, 7)],
            device="cpu",
            folder=None,
            progress=silent,
        )
    )
    assert seen == [([3, 7], Settings(epochs=1, precision="float32"))]


def test_digits_reach_a_network_with_mean_0_and_variance_1() -> None:
    fitted, *_ = learning_dynamics._load("digits", None, "cpu")
    x, _ = fitted.batch(torch.arange(len(fitted))[None], torch.float32)
    assert abs(x.mean().item()) < 3e-3
    assert abs(x.std().item() - 1) < 3e-3


def test_each_channel_is_normalised_by_its_own_moments(tmp_path: Path) -> None:
    for split in ("train", "test"):
        np.save(tmp_path / f"{split}-images.npy", np.full((10, 32, 32, 3), (10, 20, 30), np.uint8))
        np.save(tmp_path / f"{split}-labels.npy", np.arange(10))
    fitted, *_ = learning_dynamics._load("cifar10", tmp_path, "cpu")
    x, _ = fitted.batch(torch.tensor([[0]]), torch.float32)
    means, deviations = map(np.array, learning_dynamics.CHANNELS["cifar10"])
    expected = torch.tensor((np.array([10, 20, 30]) / 255 - means) / deviations).float()
    torch.testing.assert_close(x.view(32 * 32, 3), expected.expand(32 * 32, 3), rtol=1e-5, atol=1e-5)


def test_metrics_are_those_of_the_last_epoch_and_of_the_trained_network() -> None:
    _, test, _, data = learning_dynamics._load("digits", None, "cpu")
    config = Config("digits", 1, "ICNN", 0, epochs=2, every=4)
    network = learning_dynamics._network([64, 64, 10], config)
    none, losses = torch.empty(0), torch.arange(20.0)
    validation = torch.tensor([[0.1, 0.2], [0.3, 0.4]])
    trained = Run(network, torch.Generator(), none, none, torch.float32, losses, validation)
    outcome = learning_dynamics._outcome(config, trained, test, data)
    logits = network(test.batch(torch.arange(len(test))[None], torch.float32)[0][0]).detach()
    right = (logits.argmax(1) == test.targets).float().mean().item()
    assert outcome.metrics == {
        "precision": "float32",
        "final_loss": 14.5,
        "test_loss": pytest.approx(torch.nn.functional.cross_entropy(logits, test.targets).item()),
        "test_accuracy": pytest.approx(right),
        "validation_accuracy": pytest.approx(0.4),
    }
    assert outcome.tables["curve"] == {"step": [0, 4, 8, 12, 16], "loss": [0, 4, 8, 12, 16]}
    assert outcome.tables["epochs"]["validation_loss"] == pytest.approx([0.1, 0.3])


def test_quick_runs_give_curves_and_metrics() -> None:
    chosen = [replace(c, epochs=2) for c in configs("quick")[:4]]
    outcomes = dict(run(chosen, device="cpu", folder=None, progress=silent))
    assert list(outcomes) == chosen
    for outcome in outcomes.values():
        assert outcome.failed is None
        assert outcome.tables["curve"]["step"] == list(range(0, 42, 5))
        assert outcome.metrics["precision"] == "float32"  # on every machine, as the paper's runs
        assert outcome.data.keys() == {"digits train", "digits test"}
    final = {config.method: outcome.metrics["final_loss"] for config, outcome in outcomes.items()}
    assert final["non-convex"] < final["ICNN"]


def test_a_run_on_a_subset_says_so(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        np.save(tmp_path / f"{split}-images.npy", random.integers(0, 256, (50, 28, 28, 1), dtype=np.uint8))
        np.save(tmp_path / f"{split}-labels.npy", np.arange(50) % 10)
    config = Config("mnist", 1, "non-convex", 0, epochs=1, every=1)
    ((_, outcome),) = run([config], device="cpu", folder=tmp_path, progress=silent)
    assert outcome.failed is None
    assert outcome.data["mnist train"].endswith(
        "(5 of 6000 train images a class (50 of 60,000 train images))"
    )


def test_a_diverged_run_is_a_failed_outcome_with_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **settings: object) -> torch.nn.Module:
        network = original(*arguments, **settings)
        if arguments[1] == "ICNN":
            network.layers[0].weight.data.fill_(float("nan"))
        return network

    original = learning_dynamics.classifier
    monkeypatch.setattr(learning_dynamics, "classifier", broken)
    chosen = [Config("digits", 3, method, 0, epochs=1, every=5) for method in METHODS]
    outcomes = {c.method: o for c, o in run(chosen, device="cpu", folder=None, progress=silent)}
    assert outcomes["ICNN"].failed == "loss not finite at step 0"
    assert outcomes["ICNN"].tables["curve"] == {"step": [], "loss": []}
    assert [m for m, o in outcomes.items() if o.failed is None] == [m for m in METHODS if m != "ICNN"]
