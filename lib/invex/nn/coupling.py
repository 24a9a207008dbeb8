"""Glow: affine couplings, invertible mixing of the channels, and activation normalisation.

Dinh et al. (2017), Kingma & Dhariwal (2018). Every module maps (n, features, ...), on vectors or images, with
``forward_and_log_det(x) -> (y, log|det dy/dx| of shape (n,))`` and ``inverse(y)``, both exact up to rounding.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from invex.nn.residual import ActNorm, InvertibleChain


class AffineCoupling(nn.Module):
    """The first half of the features stays; the others become (x + shift) exp(log_scale), functions of it.

    Args:
        network: (n, kept, ...) -> (n, 2 (features - kept), ...), scales before shifts.
        kept: features that stay.
        bound: of the log-scales, bound tanh(raw / bound).
    """

    def __init__(self, network: nn.Module, kept: int, bound: float = 3.0) -> None:
        super().__init__()
        self.network, self.kept, self.bound = network, kept, bound

    def _scale_and_shift(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        raw, shift = self.network(kept).chunk(2, dim=1)
        return self.bound * torch.tanh(raw / self.bound), shift

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y and the sum of the log-scales of each example."""
        kept, rest = x[:, : self.kept], x[:, self.kept :]
        log_scale, shift = self._scale_and_shift(kept)
        return torch.cat([kept, (rest + shift) * log_scale.exp()], dim=1), log_scale.flatten(1).sum(1)

    def forward(self, x: Tensor) -> Tensor:
        """y of the shape of ``x``."""
        return self.forward_and_log_det(x)[0]

    def inverse(self, y: Tensor) -> Tensor:
        """x, by the same network."""
        kept, rest = y[:, : self.kept], y[:, self.kept :]
        log_scale, shift = self._scale_and_shift(kept)
        return torch.cat([kept, rest * (-log_scale).exp() - shift], dim=1)


class Mixing(nn.Module):
    """A linear map of the features, the same at each pixel ("invertible 1 x 1 convolution").

    W = P L (U + diag(s)) with a fixed permutation P, so that log|det W| = sum log|s|; starts as a rotation.
    """

    permutation: Tensor
    sign: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        rotation = torch.linalg.qr(torch.randn(features, features)).Q
        permutation, lower, upper = torch.linalg.lu(rotation)
        diagonal = upper.diagonal()
        self.lower, self.upper = nn.Parameter(lower.tril(-1)), nn.Parameter(upper.triu(1))
        self.log_scale = nn.Parameter(diagonal.abs().log())
        self.register_buffer("permutation", permutation)
        self.register_buffer("sign", diagonal.sign())

    def weight(self) -> Tensor:
        """W, (features, features)."""
        lower = self.lower.tril(-1) + torch.eye(
            len(self.lower), dtype=self.lower.dtype, device=self.lower.device
        )
        upper = self.upper.triu(1) + torch.diag(self.sign * self.log_scale.exp())
        return self.permutation @ lower @ upper

    def forward(self, x: Tensor) -> Tensor:
        """W x at each pixel."""
        return torch.einsum("oi,ni...->no...", self.weight(), x)

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """W x, and log|det W| times the number of pixels."""
        return self(x), (self.log_scale.sum() * x[0, 0].numel()).expand(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """W^-1 y, the inverse taken in double precision."""
        inverse = torch.linalg.inv(self.weight().double()).to(y.dtype)
        return torch.einsum("oi,ni...->no...", inverse, y)


def dense_network(inputs: int, hidden: Sequence[int], outputs: int) -> nn.Sequential:
    """ReLU layers, the last one linear and zero at the start, so that a coupling starts as the identity."""
    layers: list[nn.Module] = []
    for a, b in pairwise([inputs, *hidden]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    last = nn.Linear(hidden[-1], outputs)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


def glow(features: int, steps: int, hidden: Sequence[int] = (128, 128)) -> InvertibleChain:
    """Steps of ActNorm, mixing and an affine coupling on vectors (n, features)."""
    kept = features // 2
    parts: list[nn.Module] = []
    for _ in range(steps):
        network = dense_network(kept, hidden, 2 * (features - kept))
        parts += [ActNorm(features), Mixing(features), AffineCoupling(network, kept)]
    return InvertibleChain(parts)
