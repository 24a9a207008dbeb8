"""The classifiers of Table 4.1 at toy size: what a run measures, and which runs there are."""

from dataclasses import replace

import pytest
import torch
from invex.experiments import iresnet_classifier as experiment
from invex.nn.residual_classifier import ResidualClassifier, shifted


def run(config):
    said = []
    [(same, outcome)] = experiment.run([config], device="cpu", folder=None, progress=said.append)
    assert same is config
    assert any("epoch 1/1" in text for text in said)
    return outcome


@pytest.fixture(scope="module")
def outcomes():
    toy = replace(experiment.QUICK, blocks=(1, 1), hidden=(8, 8), epochs=1, every=1)
    methods = (("contractive", 0.7), ("vanilla", None), ("batchnorm", None))
    return {method: run(replace(toy, method=method, c=c)) for method, c in methods}


def test_every_constrained_convolution_has_norm_at_most_c(outcomes):
    norms = outcomes["contractive"].tables["layers"]["norm"]
    assert len(norms) == 6
    assert max(norms) <= 0.7
    assert outcomes["contractive"].metrics["largest_norm"] == max(norms)


def test_the_contractive_network_is_inverted_and_lemma_4_5_holds(outcomes):
    outcome = outcomes["contractive"]
    assert outcome.metrics["inverted_fixed-point"] == outcome.metrics["inverted_anderson"] == 1
    assert outcome.metrics["reconstruction_error"] < 0.01
    lemma = outcome.tables["lemma"]
    assert all(e <= b + 1e-12 for e, b in zip(lemma["error"], lemma["bound"], strict=True))
    assert set(lemma["block"]) == {1, 2}
    same = (outcome.tensors["originals"] == outcome.tensors["reconstructions"]).all()
    assert same
    assert outcome.tensors["originals"].dtype == torch.uint8


def test_free_networks_have_norms_and_no_bound(outcomes):
    assert len(outcomes["batchnorm"].tables["layers"]["norm"]) == 6
    assert "reconstruction" not in outcomes["batchnorm"].tables
    vanilla = outcomes["vanilla"].tables
    assert "ratio" not in vanilla["blocks"] or not vanilla["lemma"]["block"]
    assert set(vanilla["reconstruction"]["solver"]) == {"anderson", "fixed-point"}


def test_the_curve_and_the_data_are_recorded(outcomes):
    outcome = outcomes["contractive"]
    assert outcome.tables["test"]["epoch"] == [1]
    assert 0 <= outcome.metrics["test_error"] <= 1
    assert sorted(outcome.data) == ["digits test", "digits train"]


def test_profiles_hold_the_runs_of_the_issue():
    reduced = experiment.configs("reduced")
    assert len(set(reduced)) == len(reduced)
    small = [run for run in reduced if run.padding != 13]
    for name, seeds in (("mnist", 3), ("cifar10", 2), ("cifar100", 2)):
        for c in (None, 0.9, 0.8, 0.7, 0.6, 0.5):
            method = "contractive" if c else "vanilla"
            found = [r for r in small if (r.dataset, r.method, r.c, r.optimiser) == (name, method, c, "adam")]
            assert {r.seed for r in found} == set(range(seeds))
    assert {r.c for r in small if r.dataset == "cifar10"} >= {0.3}
    assert all(r.blocks == (7, 7, 7) and r.epochs == 200 for r in experiment.configs("paper"))
    assert experiment.reduced(reduced[0]) == "3-3-3 blocks, 3 of 200 epochs"


def test_the_thesiss_network_ends_in_256_channels_of_8_by_8():
    network = ResidualClassifier((3, 32, 32), 10, blocks=(1, 1, 1))
    pixels = torch.zeros(2, 32, 32, 3, dtype=torch.uint8)
    assert network.features(network.normalised(pixels)).shape == (2, 256, 8, 8)


def test_pixels_undo_normalisation_and_other_types_are_refused():
    network = ResidualClassifier(
        (3, 8, 8), 2, blocks=(1,), hidden=(4,), mean=(0.4, 0.5, 0.6), deviation=(0.2, 0.3, 0.4)
    )
    pixels = torch.randint(0, 256, (4, 8, 8, 3), dtype=torch.uint8)
    torch.testing.assert_close(network.pixels(network.normalised(pixels)), pixels.float(), rtol=0, atol=1e-3)
    with pytest.raises(ValueError, match="8-bit"):
        network(pixels.float())
    with pytest.raises(ValueError, match=r"method 'vanilla' with c = 0\.9"):
        ResidualClassifier((3, 8, 8), 2, method="vanilla")


def test_shifts_move_and_flip_whole_images():
    image = torch.arange(1, 26, dtype=torch.uint8).view(1, 5, 5, 1).expand(200, 5, 5, 1)
    moved = shifted(image, 2, torch.Generator().manual_seed(0), flip=True)
    centre = {tuple(m[2, 1:4, 0].tolist()) for m in moved}
    assert (12, 13, 14) in centre
    assert (14, 13, 12) in centre
    assert moved.shape == image.shape
    assert {int((m == 0).sum()) for m in moved} <= {25 - a * b for a in (3, 4, 5) for b in (3, 4, 5)}
