"""Networks of three ReLU units that tell two circles apart (Behrmann, 2019, Fig. 3.1), trained in seconds."""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from invex.nn.fit import Moment, fit

RADII, NOISE = (0.5, 1.0), 0.07


def two_circles(count: int = 200, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Points (count, 2) in float64 around two circles, and whether each is of the inner one, (count,) bool.

    The source says no more of its data than "two circles"; the radii are 0.5 and 1, the noise 0.07.
    """
    generator = Generator().manual_seed(seed)
    inner = torch.arange(count) % 2 == 0
    angle = 2 * math.pi * torch.rand(count, generator=generator, dtype=torch.float64)
    radius = torch.where(inner, *RADII)
    points = torch.stack([angle.cos(), angle.sin()], 1) * radius[:, None]
    return points + NOISE * torch.randn(count, 2, generator=generator, dtype=torch.float64), inner


class SmallNetworks(nn.Module):
    """B networks x -> v . ReLU(A x + b) + c with a few units each: points (n, 2) -> logits (n, B)."""

    def __init__(self, count: int, units: int = 3, seed: int = 0) -> None:
        super().__init__()
        generator = Generator().manual_seed(seed)

        def drawn(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64))

        self.weight, self.bias = drawn(count, units, 2), drawn(count, units)
        self.out = drawn(count, units)
        self.offset = nn.Parameter(torch.zeros(count, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, B) of points (n, 2)."""
        hidden = torch.einsum("bij,nj->nbi", self.weight, x) + self.bias
        return (hidden.relu() * self.out).sum(-1) + self.offset


@dataclass(frozen=True)
class ThreeUnitNetworks:
    """Networks of three units, trained, one row each.

    Attributes:
        weight, bias: of the hidden layers, (B, units, 2) and (B, units).
        out, offset: of the outputs, (B, units) and (B,).
        accuracy: on the points that they were trained on, (B,).
    """

    weight: Tensor
    bias: Tensor
    out: Tensor
    offset: Tensor
    accuracy: Tensor

    def logits(self, which: int, x: Tensor) -> Tensor:
        """Logit (n,) of one network at points (n, 2); positive for the inner circle."""
        hidden = (x @ self.weight[which].mT + self.bias[which]).relu()
        return hidden @ self.out[which] + self.offset[which]


def train(count: int, *, units: int = 3, steps: int = 1200, seed: int = 0) -> ThreeUnitNetworks:
    """Train networks from different initial weights on the same points, side by side, with Adam."""
    points, inner = two_circles(seed=seed)
    networks = SmallNetworks(count, units, seed)

    def loss(batch: tuple[Tensor, ...], moment: Moment) -> Tensor:
        logits = networks(batch[0])
        target = batch[1][:, None].expand_as(logits)
        return binary_cross_entropy_with_logits(logits, target, reduction="none").mean(0).sum()

    optimiser = torch.optim.Adam(networks.parameters(), 0.03)
    fit(networks, loss, (points, inner.double()), optimiser, epochs=steps, batch=len(points), seed=seed)
    accuracy = ((networks(points) > 0) == inner[:, None]).double().mean(0)
    parts = (networks.weight, networks.bias, networks.out, networks.offset, accuracy)
    return ThreeUnitNetworks(*(part.detach() for part in parts))
