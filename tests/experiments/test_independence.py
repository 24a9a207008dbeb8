"""The experiment on independence cross-entropy runs small, is resumable in kind, and says what is reduced."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from invex.data.planted import places, planted
from invex.experiments import independence

TINY = replace(independence.QUICK, couplings=2, width=16, epochs=1, examples=300, measured=200, paired=40)


@pytest.mark.parametrize("loss", ["ce", "ice"])
def test_a_run_gives_every_table(loss: str) -> None:
    config = replace(TINY, loss=loss)
    ((same, outcome),) = independence.run([config], device="cpu", folder=None, progress=lambda text: None)
    assert same == config
    assert outcome.failed is None
    assert set(outcome.tables) == {"curve", "accuracy", "information", "metamers", "pairs"}
    assert ("nuisance" in outcome.tables["curve"]) == (loss == "ice")
    assert ("adversary" in outcome.tables["information"]["estimator"]) == (loss == "ice")
    assert max(outcome.tables["metamers"]["error"]) < 1e-9
    assert outcome.tensors["path"].dtype == torch.uint8
    assert torch.equal(outcome.tensors["path"][:, 0], outcome.tensors["originals"])


def test_remark_6_12_the_pixel_tells_the_class_until_the_shift() -> None:
    images, labels = np.zeros((400, 8, 8, 1), np.uint8), np.arange(400) % 10
    rows, columns = np.array(places((8, 8, 1))).T
    told = planted(images, labels)
    assert (told[np.arange(400), rows[labels], columns[labels], 0] == 255).all()
    assert told.sum() == 255 * 400
    random = planted(images, labels, shifted=True)
    share = (random[np.arange(400), rows[labels], columns[labels], 0] == 255).mean()
    assert share == pytest.approx(0.1, abs=0.05)
    assert not images.any()  # copies
    with pytest.raises(ValueError, match="need a pixel each"):
        places((2, 2, 1))


def test_profiles_begin_with_both_losses_and_reduced_is_said() -> None:
    for profile in ("quick", "reduced", "paper"):
        assert [config.loss for config in independence.configs(profile)[:2]] == ["ce", "ice"]
    found = independence.configs("reduced")
    assert len(set(found)) == len(found)
    assert {config.seed for config in found if config.planted and config.loss == "ice"} >= {0, 1, 2}
    assert independence.reduced(found[0]) == "6 couplings of 256 units, 8 epochs of 60"
    assert independence.reduced(independence.configs("paper")[0]) == ""
