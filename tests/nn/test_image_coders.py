"""Convolutional coders: shapes of App. A.4, the statistics of batch normalisation, and that they learn."""

import pytest
import torch
from invex.nn.image_coders import ImageDecoder, ImageEncoder, halved, placed, settling
from torch import nn


def test_sides_of_the_source_come_back():
    assert halved(36, 3) == [36, 18, 9, 5]
    assert halved(36, 4)[-1] == 3


@pytest.mark.parametrize("side", [8, 11, 12, 28, 36])
def test_any_side_is_encoded_and_comes_back(side):
    encoder, decoder = ImageEncoder(side, 5, 4, 16), ImageDecoder(5, side, 4, 16)
    assert encoder(torch.rand(3, side, side)).shape == (3, 5)
    assert encoder(torch.rand(3, 1, side, side)).shape == (3, 5)
    assert decoder(torch.rand(3, 5)).shape == (3, side, side)


def test_architecture_of_appendix_a_4():
    encoder, decoder = ImageEncoder(36, 665), ImageDecoder(35, 36)
    kernels = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    assert [k.kernel_size[0] for k in kernels] == [7, 3, 3, 3, 3, 3, 3]
    assert [k.stride[0] for k in kernels] == [2, 1, 2, 1, 2, 1, 2]
    assert [k.out_channels for k in kernels] == [64, 64, 128, 128, 256, 256, 256]
    transposed = [m for m in decoder.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert [(t.kernel_size[0], t.stride[0]) for t in transposed] == [(3, 2)] * 3


def test_the_layout_changes_nothing_but_rounding():
    torch.manual_seed(0)
    encoder, x = ImageEncoder(12, 4, 4, 16).double(), torch.rand(5, 12, 12, dtype=torch.float64)
    before = encoder(x)
    torch.testing.assert_close(placed(encoder, "cpu")(x), before)


def test_settled_statistics_are_those_of_what_passed_through():
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(3)
    norm(100 + torch.randn(64, 3, 4, 4))  # of another kind of picture
    data = 5 + 2 * torch.randn(4, 64, 3, 4, 4)
    with settling(norm):
        for part in data:
            norm(part)
    flat = data.transpose(1, 2).reshape(4, 3, -1)
    torch.testing.assert_close(norm.running_mean, flat.mean(-1).mean(0))
    torch.testing.assert_close(norm.running_var, flat.var(-1).mean(0))
    assert not norm.training
    assert norm.momentum == 0.1
    assert norm(data[0]).mean().abs() < 0.2


def test_statistics_that_were_not_settled_lag_behind():
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(3)
    norm(100 + torch.randn(64, 3, 4, 4))
    norm(5 + 2 * torch.randn(64, 3, 4, 4))
    assert (norm.running_mean - 5).abs().max() > 1
