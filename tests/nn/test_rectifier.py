"""The networks of Behrmann (2019), Table 3.1, and several of them as one."""

import pytest
import torch
from invex.nn.rectifier import MAPS, SideBySide, convolutional, thin_cifar, wide_cifar
from torch import Generator, nn

SHAPE = (2, 8, 8)


def small(seed: int) -> nn.Sequential:
    generator = Generator().manual_seed(seed)
    return convolutional((4, 3, 3, 2, 2, 3), shape=SHAPE, classes=4, dense=6, generator=generator)


def test_table_3_1() -> None:
    for made, maps in ((wide_cifar(), MAPS["WideCIFAR"]), (thin_cifar(), MAPS["ThinCIFAR"])):
        convolutions = [layer for layer in made if isinstance(layer, nn.Conv2d)]
        assert tuple(layer.out_channels for layer in convolutions) == maps
        assert [layer.stride[0] for layer in convolutions] == [1, 2, 1, 1, 1, 2]
        assert all(layer.kernel_size == (3, 3) for layer in convolutions)
        assert made(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_glorots_limits() -> None:
    weight = wide_cifar(Generator().manual_seed(0))[2].weight
    assert weight.abs().max().item() == pytest.approx((6 / (9 * (32 + 64))) ** 0.5, rel=1e-2)


def test_networks_side_by_side_are_those_alone() -> None:
    x = torch.rand(5, 3, *SHAPE, generator=Generator().manual_seed(9))
    together = SideBySide([small(seed) for seed in range(3)], (4, 3, 3, 2, 2, 3), SHAPE)
    logits = together(x.flatten(1, 2))
    alone = torch.stack([small(seed)(x[:, seed]) for seed in range(3)], 1)
    torch.testing.assert_close(logits, alone)


def test_an_update_side_by_side_is_that_of_each_alone() -> None:
    x = torch.rand(5, 2, *SHAPE, generator=Generator().manual_seed(9)).double()
    together = SideBySide([small(seed).double() for seed in range(2)], (4, 3, 3, 2, 2, 3), SHAPE).double()
    for network, loss in (
        (together.stack, together(x.flatten(1, 2)).square().mean((0, 2)).sum()),
        (other := small(1).double(), other(x[:, 1]).square().mean()),
    ):
        optimiser = torch.optim.RMSprop(network.parameters(), 1e-2)
        loss.backward()
        optimiser.step()
    for got, expected in zip(together.unload()[1].parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(got, expected)


def test_wrong_number_of_maps() -> None:
    with pytest.raises(ValueError, match="3 numbers of feature maps, and 6 convolutions"):
        convolutional((1, 2, 3))
