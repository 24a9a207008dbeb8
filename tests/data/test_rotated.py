"""Turned images: the sense of the angle, against SciPy, and what is kept of the data."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.data import rotated
from invex.data.archives import DataError
from scipy import ndimage


def test_a_quarter_turn_takes_the_right_to_the_top():
    """Counter-clockwise as it is seen: rows count downwards."""
    picture = torch.zeros(1, 9, 9)
    picture[0, 4, 7] = 1
    turned = rotated.rotate(picture, torch.tensor([math.pi / 2]), 13)
    assert torch.nonzero(turned[0] > 0.5).tolist() == [[3, 6]]


@given(angle=st.floats(-45, 45), seed=st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_a_turn_is_scipys_of_the_padded_picture(angle, seed):
    """Bilinear in both; SciPy pads to 44 first and is cut to 36, as the released code does."""
    picture = np.random.default_rng(seed).random((1, 28, 28))
    picture[:, [0, -1]] = picture[:, :, [0, -1]] = 0  # beyond the edge the two interpolate differently
    ours = rotated.rotate(torch.from_numpy(picture), torch.tensor([math.radians(angle)]), 36)[0]
    padded = np.pad(picture[0], 8)
    theirs = ndimage.rotate(padded, angle, reshape=False, order=1)[4:40, 4:40]
    assert np.abs(ours.numpy() - theirs).max() < 1e-4


def test_no_turn_pads():
    picture = torch.rand(2, 8, 8)
    still = rotated.rotate(picture, torch.zeros(2), 12)
    torch.testing.assert_close(still[:, 2:10, 2:10], picture)
    assert still.sum() == pytest.approx(picture.sum().item(), rel=1e-5)


def test_angles_are_uniform_within_45_degrees_and_the_seed_decides():
    drawn = rotated.angles(20_000, 0)
    assert drawn.abs().max() <= math.pi / 4
    assert drawn.std().item() == pytest.approx(math.pi / 2 / math.sqrt(12), rel=0.02)
    assert torch.equal(drawn, rotated.angles(20_000, 0))
    assert not torch.equal(drawn, rotated.angles(20_000, 1))


def test_the_stand_in_is_the_digits_in_two_splits():
    train, test = (rotated.load("digits", split) for split in ("train", "test"))
    assert len(train.images) + len(test.images) == 1797
    assert train.images.shape[1:] == (8, 8)
    assert set(train.data) == {"digits train"}
    turned = train.turned(rotated.angles(5, 0), torch.tensor([3, 1, 4, 1, 5]))
    assert turned.shape == (5, 12, 12)
    assert turned.dtype == torch.uint8
    assert not torch.equal(turned[1], turned[3])


def test_seven_classes_of_fashion_mnist_are_kept(monkeypatch):
    labels = np.arange(10).repeat(3)
    pictures = np.zeros((30, 28, 28, 1), dtype=np.uint8) + labels[:, None, None, None].astype(np.uint8)
    whole = rotated.images.ImageSet(pictures, labels, "fashion_mnist", "test", "abc", "30 of 10,000")
    monkeypatch.setattr(rotated.images, "load", lambda *arguments: whole)
    kept = rotated.load("fashion_mnist", "test")
    assert sorted(set(kept.labels.tolist())) == [0, 1, 2, 3, 4, 6, 7]
    assert torch.equal(kept.images[:, 0, 0].long(), kept.labels)
    assert kept.data == {"fashion_mnist test": "abc (30 of 10,000)"}


def test_another_data_set_is_refused_by_name():
    with pytest.raises(DataError, match="no turned images of 'mnist'; there are fashion_mnist, digits"):
        rotated.load("mnist")


def test_a_folder_without_the_data_is_named(tmp_path):
    with pytest.raises(DataError, match="no files of fashion_mnist"):
        rotated.load("fashion_mnist", "train", tmp_path)
