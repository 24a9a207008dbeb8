"""Multi-label prediction by argmin: measures on known answers, no test label in the model, a short run."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from invex.data import text
from invex.experiments import structured_prediction as experiment
from sklearn.metrics import f1_score

QUICK = [replace(c, epochs=2) for c in experiment.configs("quick")[:3]]


def test_f1_over_labels_and_over_examples_are_those_of_scikit_learn():
    draw = np.random.default_rng(0)
    y, predicted = (draw.random((2, 40, 7)) < 0.3).astype(float)
    y[:, 0] = predicted[:, 0] = 0  # a label that nobody has
    ours = experiment.f1_over_labels(torch.tensor(y), torch.tensor(predicted))
    theirs = f1_score(y.astype(int), predicted.astype(int), average="macro", zero_division=0)
    assert ours == pytest.approx(theirs)
    released = f1_score(y.T.astype(int), predicted.T.astype(int), average="macro", zero_division=0)
    assert experiment.f1_over_examples(torch.tensor(y), torch.tensor(predicted)) == pytest.approx(released)
    assert ours != pytest.approx(released)


@pytest.mark.parametrize("config", QUICK, ids=lambda config: config.method)
def test_a_short_run_learns_and_reports_both_figures(config):
    [(_, outcome)] = experiment.run([config], device="cpu", folder=None, progress=lambda line: None)
    curve = outcome.tables["curve"]
    assert curve["loss"][-1] < curve["loss"][0]
    assert outcome.failed is None
    assert {"f1", "f1_examples", "f1_last", "epoch"} <= set(outcome.metrics)
    assert ("leak_f1" in outcome.metrics) == (config.method == experiment.BY_BUNDLE)
    assert outcome.data == {"topics": text.load("topics").digest}


@pytest.mark.parametrize("config", QUICK, ids=lambda config: config.method)
def test_predictions_do_not_depend_on_the_labels_of_the_test_set(config):
    texts = text.load("topics")
    model = experiment.build(config, texts)
    (_, _), _, (x, y) = experiment._parts(texts, config, "cpu")
    shuffled = replace(texts, labels=1 - texts.labels)
    (_, _), _, (again, other) = experiment._parts(shuffled, config, "cpu")
    assert not y.equal(other)
    assert experiment.predict(model, config, x, 20).equal(experiment.predict(model, config, again, 20))


def test_control_the_released_test_of_the_bundle_depends_on_the_labels():
    config = QUICK[2]
    texts = text.load("topics")
    model = experiment.build(config, texts)
    with torch.no_grad():  # an energy with kinks in y, so that its slope at the truth says something of it
        model.inputs[0].weight.mul_(30)
    x, y = experiment._parts(texts, config, "cpu")[2]
    one = experiment._leak(model, config, (x, y))
    energy = model.eval().at(x)
    logits = [experiment.bundle_entropy.minimise(energy, t, steps=1).logits for t in (y, 1 - y)]
    assert one.keys() == {"leak_f1", "leak_f1_examples"}
    assert not logits[0].allclose(logits[1])


def test_the_epoch_is_chosen_by_validation_alone():
    curve = {"validation_f1": [0.1, 0.3, 0.2], "test_f1": [0.2, 0.4, 0.9], "test_f1_examples": [1, 2, 3]}
    best = experiment._best(curve)
    assert best["f1"] == 0.4
    assert best["f1_last"] == 0.9
    assert best["epoch"] == 1


def test_splits_are_disjoint_and_differ_by_seed():
    texts = text.load("topics")
    parts = texts.split(0, experiment.SIZES["topics"])
    assert [len(part) for part in parts] == [400, 60, 140]
    assert len(set(np.concatenate(parts))) == 600
    assert not np.array_equal(parts[0], texts.split(1, experiment.SIZES["topics"])[0])
