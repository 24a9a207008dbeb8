"""The experiment behind Fig. 3.4 of Behrmann (2019), on a few digits."""

from dataclasses import replace

import pytest
import torch
from invex.experiments import singular_values as experiment
from torch import Generator

TINY = experiment.Config("ThinCIFAR", 0, "digits", epochs=1, images=2, batch=128)


def quiet(text: str) -> None:
    pass


def test_run_records_spectra_of_the_trained_network() -> None:
    ((config, outcome),) = experiment.run([TINY], device="cpu", folder=None, progress=quiet)
    assert config == TINY
    layers, values = outcome.tables["layers"], outcome.tables["values"]
    assert len(layers["layer"]) == 15 * len(experiment.ZEROS)
    assert max(layers["number"]) == 64
    assert min(values["value"]) >= 0
    assert set(outcome.data) == {"digits train", "digits test"}
    assert len(outcome.tables["curve"]["loss"]) == 1


def test_a_seed_does_not_depend_on_the_networks_beside_it() -> None:
    both = [replace(TINY, seed=seed) for seed in range(2)]
    together, _ = experiment.train(both)
    (alone,), _ = experiment.train(both[1:])
    for one, other in zip(together[1].parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-3)
    first, second = (next(network.parameters()) for network in together)
    assert not torch.allclose(first, second, atol=1e-2)


def test_augmented_images_are_flipped_and_moved_with_the_edge_repeated() -> None:
    image = torch.arange(20.0).view(1, 1, 1, 1, 20).expand(2, 50, 1, 20, 20)
    moved = experiment.augmented(image, Generator().manual_seed(0))
    assert torch.equal(moved[0], moved[1])
    rows = {tuple(row.tolist()) for row in moved[0, :, 0, 0]}
    expected = set()
    for move in range(-2, 3):
        place = (torch.arange(20) + move).clamp(0, 19)
        flipped = (19 - torch.arange(20) + move).clamp(0, 19)
        expected |= {tuple(place.float().tolist()), tuple(flipped.float().tolist())}
    assert rows <= expected
    assert len(rows) > 5


@pytest.mark.parametrize("profile", ["quick", "reduced", "paper"])
def test_configs_begin_with_both_networks(profile: str) -> None:
    found = experiment.configs(profile)
    assert [config.architecture for config in found[:2]] == ["WideCIFAR", "ThinCIFAR"]
    assert len(set(found)) == len(found)


def test_reduced_is_said_in_words() -> None:
    said = [experiment.reduced(config) for config in experiment.configs("reduced")]
    assert said[0] == "2 epochs of 100, 5 images of 50"
    assert said[-1] == "untrained, 5 images of 50"
