"""The classifiers of Behrmann (2019), App. A.1: invertible features, then a head that is not.

Three stages of bottleneck blocks, a squeeze between them; batch normalisation, ELU and the mean over the
pixels feed a linear layer. All that stands before the head can be inverted.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from invex.nn.residual import ActNorm, InjectivePadding, InvertibleBlock, InvertibleChain, Squeeze
from invex.nn.residual import convolutional_branch as branch

METHODS = ("contractive", "vanilla", "batchnorm")


class ResidualClassifier(nn.Module):
    """Logits of uint8 images, with the features before the head as an `InvertibleChain`.

    Args:
        shape: (channels, height, width) of the images.
        classes: of the targets.
        method: "contractive", every convolution of norm at most c; "vanilla", the same network with free
            convolutions; "batchnorm", free ones with batch normalisation before each activation, no ActNorm.
        c: the coefficient; None for the free networks.
        blocks, hidden: of each stage.
        padding: channels of zeros appended to the images.
        squeezed: whether the first stage, too, begins with a squeeze.
        mean, deviation: of each channel, in units of [0, 1]; what is subtracted and divided by.
        iterations: of the power iteration an update.

    Raises:
        ValueError: an unknown method, or c where there is none.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        shape: tuple[int, int, int],
        classes: int,
        *,
        method: str = "contractive",
        c: float | None = 0.9,
        blocks: Sequence[int] = (7, 7, 7),
        hidden: Sequence[int] = (32, 64, 128),
        padding: int = 13,
        squeezed: bool = False,
        mean: Sequence[float] = (0.5,),
        deviation: Sequence[float] = (1.0,),
        iterations: int = 1,
    ) -> None:
        super().__init__()
        if method not in METHODS or (method == "contractive") == (c is None):
            raise ValueError(f"method {method!r} with c = {c}: there are {METHODS}, c for the first alone")
        channels, size = shape[0] + padding, shape[1]
        parts: list[nn.Module] = [InjectivePadding(padding)] if padding else []
        for stage, (count, width) in enumerate(zip(blocks, hidden, strict=True)):
            if stage or squeezed:
                parts.append(Squeeze())
                channels, size = 4 * channels, size // 2
            for place in range(count):
                if method != "batchnorm":
                    parts.append(ActNorm(channels))
                first = bool(stage or place)
                g = branch(
                    *(channels, width, size),
                    c=c,
                    first=first,
                    batch_norm=method == "batchnorm",
                    iterations=iterations,
                )
                parts.append(InvertibleBlock(g, name=f"block {place + 1} of stage {stage + 1}"))
        self.features = InvertibleChain(parts)
        self.head = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.ELU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(channels, classes),
        )
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("deviation", torch.tensor(deviation).view(1, -1, 1, 1))

    def normalised(self, images: Tensor) -> Tensor:
        """What the features see of uint8 images (n, h, w, c): (n, c, h, w), channels last in memory."""
        if images.dtype != torch.uint8:
            raise ValueError(f"images must be 8-bit (uint8, n x h x w x c), got {images.dtype}")
        return (images.permute(0, 3, 1, 2).to(self.mean.dtype) / 255 - self.mean) / self.deviation

    def pixels(self, x: Tensor) -> Tensor:
        """Grey levels of 0 to 255, not rounded, (n, h, w, c): the inverse of `normalised`."""
        return ((x * self.deviation + self.mean) * 255).permute(0, 2, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (n, classes) of uint8 images (n, h, w, c)."""
        return self.head(self.features(self.normalised(images)))


def count_parameters(blocks: Sequence[int], shape: tuple[int, int, int] = (3, 32, 32), **kwargs: Any) -> int:
    """Parameters of a network with free layers, without making it; arguments as of `ResidualClassifier`."""
    with torch.device("meta"):
        network = ResidualClassifier(shape, 10, method="vanilla", c=None, blocks=blocks, **kwargs)
    return sum(parameter.numel() for parameter in network.parameters())


def shifted(images: Tensor, most: int, generator: torch.Generator, *, flip: bool = False) -> Tensor:
    """Images (n, h, w, c), each moved by up to `most` pixels in both directions, and flipped or not.

    What comes in from outside is 0 (black).
    """
    n, high, wide, _ = images.shape
    device = images.device
    padded = nn.functional.pad(images, (0, 0, most, most, most, most))
    move = torch.randint(0, 2 * most + 1, (2, n, 1), generator=generator, device=device)
    rows = move[0] + torch.arange(high, device=device)
    columns = move[1] + torch.arange(wide, device=device)
    if flip:
        turned = torch.rand(n, 1, generator=generator, device=device) < 0.5
        columns = torch.where(turned, columns.flip(1), columns)
    which = torch.arange(n, device=device)[:, None, None]
    return padded[which, rows[:, :, None], columns[:, None, :]]
