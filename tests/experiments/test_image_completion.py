"""Image completion by argmin: halves put back together, convexity kept, a short run."""

from dataclasses import replace

import pytest
import torch
from invex.data import faces
from invex.experiments import image_completion as experiment

QUICK = [replace(c, epochs=1, width=16, steps=3) for c in experiment.configs("quick")]


@pytest.fixture(scope="module")
def digits():
    return faces.load("enlarged-digits")


@pytest.mark.parametrize("config", QUICK, ids=lambda config: config.method)
def test_a_short_run_completes_the_left_half_and_leaves_the_right_alone(config, digits):
    [(_, outcome)] = experiment.run([config], device="cpu", folder=None, progress=lambda line: None)
    true, completed = outcome.tensors["true"], outcome.tensors["completed"]
    assert outcome.failed is None
    assert true.shape == completed.shape == (8, 32, 32)
    assert true[:, :, 16:].equal(completed[:, :, 16:])
    assert not true[:, :, :16].equal(completed[:, :, :16])
    rows = faces.split(digits, config.seed)[1][:8]
    assert true.equal(torch.from_numpy(digits.images[rows]))
    assert {"mse", "mse_last", "mse_mean", "mse_mirror"} <= outcome.metrics.keys()


def test_the_epoch_is_chosen_by_validation_and_the_parts_are_disjoint(digits):
    chosen = experiment._chosen({"validation": [3.0, 1.0, 2.0], "test": [3.0, 2.5, 0.1]})
    assert chosen == {"mse": 2.5, "mse_last": 0.1, "epoch": 1}
    halves = experiment.divide(digits, QUICK[0], "cpu")
    assert [len(part[0]) for part in (halves.train, halves.validation, halves.test)] == [315, 35, 50]


def test_the_mean_half_is_where_the_bundle_starts(digits):
    config = QUICK[2]
    halves = experiment.divide(digits, config, "cpu")
    model = experiment.build(config, halves)
    with torch.no_grad():
        for layer in model.inputs:
            layer.weight.zero_()
    y = experiment.infer(model.eval(), halves.test[0], halves.mean, config)
    torch.testing.assert_close(y, halves.mean.clamp(1e-3, 1 - 1e-3).expand_as(y), atol=1e-3, rtol=0)
