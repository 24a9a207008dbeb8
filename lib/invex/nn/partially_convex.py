"""Partially input-convex networks: convex in y for every x, and of any shape in x.

Amos, Xu & Kolter (2017), "Input convex neural networks", Eq. 3 and Proposition 2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from invex.nn.convex import POSITIVITIES, Positivity, check_activation, softplus


class PartiallyConvexNetwork(nn.Module):
    """A scalar network f(x, y) that is convex in y for every x (Eq. 3), with k = len(widths) + 1 layers:

        u_{i+1} = g'(W'_i u_i + b'_i),   u_0 = x, or features(x),
        z_{i+1} = g(W_i^z (z_i * [W_i^zu u_i + b_i^z]_+) + W_i^y (y * (W_i^yu u_i + b_i^y))
                    + W_i^u u_i + b_i),

    and f = z_k, whose g is the identity, so that f can take any value. Only the weights W^z are constrained:
    they are non-negative. What depends on x alone may have any sign, and the factor on z is cut at zero.

    Args:
        context: size of x, or of what ``features`` makes of it (n_0).
        dimension: size of y (p).
        widths: hidden units of the convex path (m_1 ... m_{k-1}).
        context_widths: hidden units of the x-path (n_1 ... n_{k-1}); as ``widths`` by default.
        activation: g, elementwise, convex and non-decreasing (checked).
        context_activation: g', any elementwise function.
        positivity: how the weights W^z are kept non-negative: a key of `invex.nn.convex.POSITIVITIES`.
        features: any module x -> (n, context) in front of the x-path, a convolutional network for instance.

    Raises:
        ValueError: the activation is not convex or not non-decreasing; there are no hidden layers; the two
            paths differ in their number of layers.
        KeyError: an unknown positivity.
    """

    def __init__(
        self,
        context: int,
        dimension: int,
        widths: Sequence[int] = (200, 200),
        *,
        context_widths: Sequence[int] | None = None,
        activation: Callable[[Tensor], Tensor] = softplus,
        context_activation: Callable[[Tensor], Tensor] = functional.relu,
        positivity: str = "square",
        features: nn.Module | None = None,
    ) -> None:
        super().__init__()
        check_activation(activation)
        u, z = [context, *(widths if context_widths is None else context_widths)], [*widths, 1]
        if not widths:
            raise ValueError("without a hidden layer f is affine in y: give at least one width")
        if len(u) != len(z):
            raise ValueError(
                f"both paths need as many hidden layers: {len(u) - 1} for x, {len(widths)} for y"
            )
        self.activation, self.context_activation = activation, context_activation
        self.positivity = positivity
        self.features = nn.Identity() if features is None else features
        self.context = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(u))
        self.gates = nn.ModuleList(nn.Linear(n, m) for n, m in zip(u[1:], widths, strict=True))
        self.scales = nn.ModuleList(nn.Linear(n, dimension) for n in u)
        self.inputs = nn.ModuleList(nn.Linear(dimension, m, bias=False) for m in z)
        self.shifts = nn.ModuleList(nn.Linear(n, m) for n, m in zip(u, z, strict=True))
        self.raw = nn.ParameterList(torch.empty(size, fan_in) for fan_in, size in pairwise(z))
        self.reset_weights()

    @property
    def _positive(self) -> Positivity:
        return POSITIVITIES[self.positivity]

    @torch.no_grad()
    def reset_weights(self, generator: torch.Generator | None = None) -> None:
        """Weights W^z = U^2 with U uniform on +-fan_in^(-1/2), and factors of x on z and y that start near 1.

        The biases b^z and b^y are 1, so that x begins by modulating a network that is convex in y.
        """
        for raw in self.raw:
            root = torch.empty_like(raw).uniform_(-1, 1, generator=generator) * raw.shape[1] ** -0.5
            raw.copy_(self._positive.inverse(root.square().clamp_min(1e-12)))
        for layer in (*self.gates, *self.scales):
            layer.bias.fill_(1)

    def weights(self) -> list[Tensor]:
        """The non-negative weights W_1^z ... W_{k-1}^z, each (out, in)."""
        return [self._positive.forward(raw) for raw in self.raw]

    @torch.no_grad()
    def project_(self) -> None:
        """Put the weights back on the non-negative orthant: after each step, where positivity projects."""
        if self._positive.projects:
            for raw in self.raw:
                raw.clamp_(min=0)

    def at(self, x: Tensor) -> "AtContext":
        """The function y -> f(x, y) for a batch x: the x-path is evaluated once, for any number of y."""
        path = [self.features(x)]
        for layer in self.context:
            path.append(self.context_activation(layer(path[-1])))
        return AtContext(
            self.activation,
            [layer.weight for layer in self.inputs],
            self.weights(),
            [layer(u).relu() for layer, u in zip(self.gates, path[1:], strict=True)],
            [layer(u) for layer, u in zip(self.scales, path, strict=True)],
            [layer(u) for layer, u in zip(self.shifts, path, strict=True)],
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Values f(x, y) of shape (n,) for x (n, context), or what ``features`` takes, and y (n, dimension).

        One of the two may have a single row. Differentiable in x, y and the parameters.
        """
        return self.at(x)(y)


@dataclass(frozen=True)
class AtContext:
    """A `PartiallyConvexNetwork` at a batch of n contexts x: the convex function y -> f(x, y) of each.

    Attributes:
        inputs: W_i^y, (m_{i+1}, p).
        weights: W_i^z >= 0, (m_{i+1}, m_i).
        gates: [W_i^zu u_i + b_i^z]_+, (n, m_i): the factors on z, not negative.
        scales: W_i^yu u_i + b_i^y, (n, p): the factors on y.
        shifts: W_i^u u_i + b_i, (n, m_{i+1}).
    """

    activation: Callable[[Tensor], Tensor]
    inputs: list[Tensor]
    weights: list[Tensor]
    gates: list[Tensor]
    scales: list[Tensor]
    shifts: list[Tensor]

    def __call__(self, y: Tensor) -> Tensor:
        """Values (..., n) at points y (..., n, p): each row at its own context."""
        z = self.activation(self._entering(0, y))
        for i, (weight, gate) in enumerate(zip(self.weights, self.gates, strict=True), start=1):
            before = (z * gate) @ weight.T + self._entering(i, y)
            z = before if i == len(self.weights) else self.activation(before)
        return z[..., 0]

    def _entering(self, i: int, y: Tensor) -> Tensor:
        """What enters layer i from y and from x alone."""
        return (y * self.scales[i]) @ self.inputs[i].T + self.shifts[i]
