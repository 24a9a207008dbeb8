"""Bijections of R^d with exact inverse and log-determinant: masked autoregressive layers and their chains.

Germain et al. (2015), "MADE"; Papamakarios, Pavlakou & Murray (2017), "Masked autoregressive flow". A
bijection is a module with ``forward(x) -> z``, ``inverse(z) -> x`` and
``forward_and_log_det(x) -> (z, log|det dz/dx|)``.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

Activation = Callable[[Tensor], Tensor]


class MaskedLinear(nn.Linear):
    """A linear layer in which output i depends on input j only where ``mask[i, j]`` is true."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask)
        self.free = bool(mask.all())  # as all hidden layers are in two dimensions

    def forward(self, x: Tensor) -> Tensor:
        """Values of shape (..., out) at inputs of shape (..., in)."""
        return functional.linear(x, self.weight if self.free else self.weight * self.mask, self.bias)


class MaskedAutoregressive(nn.Module):
    """z_i = x_i exp(s_i) + m_i, where s_i and m_i depend on the features before i in ``order`` only.

    One masked network computes all s and m; the log-scales are bounded, s = bound tanh(raw / bound), so that
    each coordinate stretches by at most e^bound and no point of R^d overflows.

    Args:
        order: a permutation of the features; ``order[0]`` depends on none of the others.
        hidden: units of the hidden layers.
        activation: elementwise; smooth if level sets are to be smooth.
        bound: of the log-scales.

    Raises:
        ValueError: order is not a permutation.
    """

    degree: Tensor

    def __init__(
        self,
        order: Sequence[int],
        hidden: Sequence[int] = (128, 128),
        *,
        activation: Activation = functional.elu,
        bound: float = 6.0,
    ) -> None:
        super().__init__()
        dimension = len(order)
        if sorted(order) != list(range(dimension)):
            raise ValueError(f"order must be a permutation of 0 ... {dimension - 1}, got {list(order)}")
        self.order, self.activation, self.bound = list(order), activation, bound
        degree = torch.empty(dimension, dtype=torch.long)
        degree[self.order] = torch.arange(dimension)
        self.register_buffer("degree", degree)
        degrees = [degree, *(_degrees(width, dimension) for width in hidden)]
        masks = [after[:, None] >= before for before, after in pairwise(degrees)]
        last = (degree[:, None] > degrees[-1]).repeat(2, 1)
        self.layers = nn.ModuleList(MaskedLinear(mask) for mask in [*masks, last])

    def scale_and_shift(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Log-scales s and shifts m, each of the shape (..., d) of ``x``."""
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        raw, shift = self.layers[-1](x).chunk(2, dim=-1)
        return self.bound * torch.tanh(raw / self.bound), shift

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z of shape (..., d) and log|det dz/dx| of shape (...)."""
        log_scale, shift = self.scale_and_shift(x)
        return x * log_scale.exp() + shift, log_scale.sum(-1)

    def forward(self, x: Tensor) -> Tensor:
        """z of shape (..., d)."""
        return self.forward_and_log_det(x)[0]

    def inverse(self, z: Tensor) -> Tensor:
        """x of shape (..., d), one feature after another in ``order``; exact up to rounding."""
        # The first feature depends on nothing: its raw scale and shift are biases of the last layer.
        raw, shift = self.layers[-1].bias.chunk(2)
        log_scale, x = self.bound * torch.tanh(raw / self.bound), torch.zeros_like(z)
        for step in range(len(self.order)):
            if step:
                log_scale, shift = self.scale_and_shift(x)
            x = torch.where(self.degree == step, (z - shift) * torch.exp(-log_scale), x)
        return x


def _degrees(width: int, dimension: int) -> Tensor:
    """Up to which feature, in order, each hidden unit sees: all in turn, else some from first to last."""
    last = max(dimension - 2, 0)
    if width > last:
        return torch.arange(width) % (last + 1)
    return torch.linspace(0, last, width).round().long()


class Chain(nn.ModuleList):
    """The composition of bijections, first one first."""

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z of shape (..., d) and log|det dz/dx| of shape (...)."""
        total = x.new_zeros(x.shape[:-1])
        for bijection in self:
            x, log_det = bijection.forward_and_log_det(x)
            total = total + log_det
        return x, total

    def forward(self, x: Tensor) -> Tensor:
        """z of shape (..., d)."""
        for bijection in self:
            x = bijection(x)
        return x

    def inverse(self, z: Tensor) -> Tensor:
        """x of shape (..., d): the inverses, last one first."""
        for bijection in reversed(self):
            z = bijection.inverse(z)
        return z


def autoregressive_flow(
    dimension: int,
    layers: int = 4,
    hidden: Sequence[int] = (128, 128),
    *,
    activation: Activation = functional.elu,
    bound: float = 6.0,
) -> Chain:
    """Masked autoregressive layers, the order of the features reversed from each to the next."""
    orders = (range(dimension), range(dimension - 1, -1, -1))
    return Chain(
        MaskedAutoregressive(orders[i % 2], hidden, activation=activation, bound=bound) for i in range(layers)
    )
