"""Convolutional encoder and decoder of square images, for `invex.nn.vae` (Nesterov et al. 2022, App. A.4).

The text gives kernels, strides and batch normalisation; widths (64 to 256, 1,024) are the released code's.
Sizes are free: a layer of stride 2 takes s to ceil(s / 2), and its transpose back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


def halved(size: int, times: int) -> list[int]:
    """The sides of an image before and after each layer of stride 2: 36 -> [36, 18, 9, 5] for three."""
    sides = [size]
    for _ in range(times):
        sides.append((sides[-1] + 1) // 2)
    return sides


class Residual(nn.Module):
    """x + conv(relu(norm(x))), 3 x 3 and of stride 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Of the shape of x, (n, channels, side, side)."""
        return x + self.convolution(functional.relu(self.norm(x)))


class ImageEncoder(nn.Module):
    """A 7 x 7 convolution of stride 2, three times a residual and a strided 3 x 3, two dense layers.

    Args:
        side: of the images, (n, side, side).
        outputs: `posterior.encoder_outputs`.
        width: channels of the first layer; the later ones have 2, 4 and 4 times as many.
        dense: units of the hidden dense layer.
    """

    def __init__(self, side: int, outputs: int, width: int = 64, dense: int = 1024) -> None:
        super().__init__()
        channels = [width, 2 * width, 4 * width, 4 * width]
        layers: list[nn.Module] = [nn.Conv2d(1, width, 7, stride=2, padding=3)]
        for before, after in pairwise(channels):
            layers += [Residual(before), nn.ReLU(), nn.Conv2d(before, after, 3, stride=2, padding=1)]
        last = halved(side, 4)[-1]
        flat = channels[-1] * last * last
        layers += [nn.ReLU(), nn.Flatten(), nn.Linear(flat, dense), nn.ReLU(), nn.Linear(dense, outputs)]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(n, outputs) from images (n, side, side), or (n, 1, side, side)."""
        return self.layers(x.reshape(len(x), 1, *x.shape[-2:]))


class ImageDecoder(nn.Module):
    """Two dense layers, three times a transposed 3 x 3 convolution of stride 2 and a residual, one output.

    Args:
        latent: numbers in a code.
        side: of the images.
        width: as of the encoder; channels fall from 4 to half of it.
        dense: units of the hidden dense layer.
    """

    def __init__(self, latent: int, side: int, width: int = 64, dense: int = 1024) -> None:
        super().__init__()
        sides = halved(side, 3)[::-1]
        channels = [4 * width, 2 * width, width, max(width // 2, 1)]
        layers: list[nn.Module] = [nn.Linear(latent, dense), nn.ReLU()]
        layers += [nn.Linear(dense, channels[0] * sides[0] ** 2), nn.ReLU()]
        layers += [nn.Unflatten(1, (channels[0], sides[0], sides[0]))]
        for (before, after), (small, large) in zip(pairwise(channels), pairwise(sides), strict=True):
            more = large - (2 * small - 1)
            layers += [nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=more)]
            layers += [Residual(after), nn.ReLU()]
        layers += [nn.Conv2d(channels[-1], 1, 3, padding=1), nn.Flatten(1, 2)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        """Images (n, side, side) from codes (n, latent)."""
        return self.layers(z)


def placed(module: nn.Module, device: str | torch.device) -> nn.Module:
    """The module on a device, its images in channels-last layout: on a CPU, twice as fast or more."""
    return module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def settling(module: nn.Module) -> Iterator[None]:
    """Within: the statistics of batch normalisation are forgotten, and averaged over what passes through.

    In training they run over data, reconstructions and images of random codes alike, and lag behind the
    weights; a pass of the data alone makes them those of the data. The module comes out in evaluation mode.
    """
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    before = [part.momentum for part in norms]
    module.train()
    for part in norms:
        part.reset_running_stats()
        part.momentum = None  # a plain average
    try:
        with torch.no_grad():
            yield
    finally:
        for part, momentum in zip(norms, before, strict=True):
            part.momentum = momentum
        module.eval()
