"""The recorded experiment: its grid, and a quick run of it end to end."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from invex.experiments import learning_dynamics
from invex.experiments.learning_dynamics import Config, configs, run
from invex.nn.classifier import METHODS, ONLY_SHIFT


def silent(text: str) -> None:
    pass


def test_paper_profile_starts_with_mnist_all_methods_of_a_seed_first() -> None:
    paper = configs("paper")
    assert [(c.dataset, c.hidden) for c in paper[:120:40]] == [("mnist", 5), ("cifar10", 5), ("cifar100", 5)]
    assert [(c.method, c.seed) for c in paper[:5]] == [*((m, 0) for m in METHODS), ("non-convex", 1)]
    assert len(set(paper)) == len(paper) == 360 + 90 + 90 + 180 + 270
    assert {c.method for c in paper} == {*METHODS, ONLY_SHIFT}


def test_quick_runs_give_curves_and_metrics() -> None:
    chosen = [replace(c, epochs=2) for c in configs("quick")[:4]]
    outcomes = dict(run(chosen, device="cpu", folder=None, progress=silent))
    assert list(outcomes) == chosen
    for outcome in outcomes.values():
        assert outcome.failed is None
        assert outcome.tables["curve"]["step"] == list(range(0, 42, 5))
        assert outcome.metrics.keys() >= {"final_loss", "test_accuracy", "precision"}
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
