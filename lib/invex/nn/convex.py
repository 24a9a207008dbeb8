"""Input-convex networks: convex in their input by construction, for any value of their parameters.

Amos, Xu & Kolter (2017), "Input convex neural networks". Strict convexity: Nesterov et al. (2022),
Theorem 3.4.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from invex.nn import initialise


@dataclass(frozen=True)
class Positivity:
    """A map from free parameters to non-negative weights, and a right inverse of it, to set the weights.

    ``projects`` says that the map is not part of the network's graph: parameters are the weights themselves
    and have to be put back after each step (`ConvexNetwork.project_`).
    """

    forward: Callable[[Tensor], Tensor]
    inverse: Callable[[Tensor], Tensor]
    projects: bool = False


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x), convex to rounding in float64: PyTorch's own turns linear at 20, a step down of 2e-9."""
    return functional.softplus(x, threshold=40.0)


def _inverse_softplus(weight: Tensor) -> Tensor:
    return weight + torch.log(-torch.expm1(-weight))


POSITIVITIES: dict[str, Positivity] = {
    "projection": Positivity(lambda raw: raw, lambda weight: weight, projects=True),
    "square": Positivity(torch.square, torch.sqrt),
    "softplus": Positivity(softplus, _inverse_softplus),
    "exp": Positivity(torch.exp, torch.log),
}


def check_activation(activation: Callable[[Tensor], Tensor], *, strictly: bool = False) -> None:
    """Raise ValueError unless ``activation`` is convex and non-decreasing (Theorem 3.4) on [-12, 12].

    A test on a grid in float64, so a necessary condition: second differences must not fall below rounding,
    and with ``strictly`` all of them must exceed it, as must the first differences.
    """
    x = torch.linspace(-12, 12, 961, dtype=torch.float64)
    slope = activation(x).diff()
    bend = slope.diff()
    rounding = 1e-13 * activation(x).abs().max()
    floor = rounding if strictly else -rounding
    adverb = "strictly " if strictly else ""
    if (slope < floor).any():
        at = x[int(slope.argmin())].item()
        raise ValueError(f"the activation is not {adverb}increasing: slope {slope.min():.2e} at x = {at:.3g}")
    if (bend < floor).any():
        at = x[int(bend.argmin()) + 1].item()
        raise ValueError(f"the activation is not {adverb}convex: bend {bend.min():.2e} at x = {at:.3g}")


class ConvexNetwork(nn.Module):
    """A fully input-convex network with a skip from the input into every layer (Eq. 4):

        c_{i+1} = activation(W_i c_i + S_i z + b_i),   f(z) = w c_k + s z + b,   all W_i, w >= 0.

    The output stays affine in the last hidden layer, so that f can take any value. f is strictly convex if
    the activation is and if the rows of S that reach the output through positive weights span the input
    space (`spans_input`); non-zero rows alone, which is what Theorem 3.4 asks for, are not enough.

    Args:
        dimension: number of inputs.
        widths: units of the hidden layers.
        activation: elementwise, convex and non-decreasing (checked).
        positivity: how the weights W are kept non-negative: a key of `POSITIVITIES`.
        skips: whether the input enters the layers after the first.

    Raises:
        ValueError: the activation is not convex or not non-decreasing; there are no hidden layers.
        KeyError: an unknown positivity.
    """

    def __init__(
        self,
        dimension: int,
        widths: Sequence[int] = (512, 512, 512, 512),
        *,
        activation: Callable[[Tensor], Tensor] = softplus,
        positivity: str = "square",
        skips: bool = True,
    ) -> None:
        super().__init__()
        check_activation(activation)
        if not widths:
            raise ValueError("without a hidden layer f is affine and has no minimum: give at least one width")
        self.activation = activation
        self.positivity = positivity
        sizes = [*widths, 1]
        self.inputs = nn.ModuleList(
            nn.Linear(dimension, size) if skips or i == 0 else _Bias(size) for i, size in enumerate(sizes)
        )
        self.raw = nn.ParameterList(torch.empty(size, fan_in) for fan_in, size in pairwise(sizes))
        self.reset_weights()

    @property
    def _positive(self) -> Positivity:
        return POSITIVITIES[self.positivity]

    def reset_weights(self, generator: torch.Generator | None = None) -> None:
        """Weights W = U^2 with U uniform on +-fan_in^(-1/2), whatever the positivity: W sums to about 1/3."""
        for raw in self.raw:
            bound = raw.shape[1] ** -0.5
            root = torch.empty_like(raw).uniform_(-bound, bound, generator=generator)
            with torch.no_grad():
                raw.copy_(self._positive.inverse(root.square().clamp_min(1e-12)))

    def principled_(self, correlation: float = 0.5, generator: torch.Generator | None = None) -> None:
        """Draw the weights W by Hoedt & Klambauer's initialisation (`invex.nn.initialise`)."""
        for raw, injection in zip(self.raw, list(self.inputs)[1:], strict=True):
            weight = torch.empty_like(raw)
            initialise.principled_(weight, injection.bias, correlation=correlation, generator=generator)
            with torch.no_grad():
                raw.copy_(self._positive.inverse(weight))

    def weights(self) -> list[Tensor]:
        """The non-negative weights W_1 ... W_k, w, each (out, in)."""
        return [self._positive.forward(raw) for raw in self.raw]

    @torch.no_grad()
    def project_(self) -> None:
        """Put the weights back on the non-negative orthant: after each step, where positivity projects."""
        if self._positive.projects:
            for raw in self.raw:
                raw.clamp_(min=0)

    def forward(self, z: Tensor) -> Tensor:
        """Values f(z) of shape (...) at points of shape (..., dimension)."""
        x = z.reshape(-1, z.shape[-1])
        injected = (injection(x) for injection in self.inputs)
        return _propagate(injected, self.weights(), self.activation).view(z.shape[:-1])

    @torch.no_grad()
    def on_rays(self, centre: Tensor, directions: Tensor) -> "OnRays":
        """This network, with its parameters as they are now, on rays from `centre` (d,) or (n, d)."""
        offsets = [injection(centre) for injection in self.inputs]
        slopes = [directions @ i.weight.T if isinstance(i, nn.Linear) else None for i in self.inputs]
        return OnRays(self.activation, [weight.detach() for weight in self.weights()], offsets, slopes)

    @torch.no_grad()
    def spans_input(self) -> bool:
        """Whether the input weights that reach the output through positive weights have full column rank.

        With a strictly convex and increasing activation this is necessary and sufficient for strict
        convexity: it fails exactly when some direction leaves the pre-activations of all these units alone.
        """
        reaches = torch.ones(1, dtype=torch.bool, device=self.raw[0].device)
        rows = []
        for weight, injection in zip(reversed(self.weights()), reversed(list(self.inputs)[:-1]), strict=True):
            reaches = (weight[reaches] > 0).any(0)
            if isinstance(injection, nn.Linear):
                rows.append(injection.weight[reaches])
        stacked = torch.cat(rows)
        return int(torch.linalg.matrix_rank(stacked)) == stacked.shape[1]


@dataclass(frozen=True)
class OnRays:
    """A `ConvexNetwork` on n rays: f(centre + r u) as a function of the radii.

    What enters a layer from the input is affine in r, so that its products are taken once and not at every
    radius: most of the work where the input is wide.

    Attributes:
        offsets: S centre + b of each layer, (out,) or (n, out).
        slopes: S u of each layer, (n, out); None where the input does not enter.
    """

    activation: Callable[[Tensor], Tensor]
    weights: list[Tensor]
    offsets: list[Tensor]
    slopes: list[Tensor | None]

    def __call__(self, r: Tensor, rays: Tensor) -> Tensor:
        """Values (m,) at radii (m,) on the rays with these numbers (m,)."""
        some = self.subset(rays)
        injected = (
            offset if slope is None else torch.addcmul(offset, r[:, None], slope)
            for offset, slope in zip(some.offsets, some.slopes, strict=True)
        )
        return _propagate(injected, self.weights, self.activation)[:, 0]

    def subset(self, rays: Tensor) -> "OnRays":
        """The rays with these numbers (m,)."""
        offsets = [o if o.dim() == 1 else o.index_select(0, rays) for o in self.offsets]
        slopes = [None if s is None else s.index_select(0, rays) for s in self.slopes]
        return replace(self, offsets=offsets, slopes=slopes)

    def float(self) -> "OnRays":
        """The same, rounded to float32."""
        weights, offsets = ([t.float() for t in tensors] for tensors in (self.weights, self.offsets))
        slopes = [None if s is None else s.float() for s in self.slopes]
        return OnRays(self.activation, weights, offsets, slopes)


def _propagate(
    injected: Iterator[Tensor], weights: Sequence[Tensor], activation: Callable[[Tensor], Tensor]
) -> Tensor:
    """The output (n, 1) of the layers, given what enters each of them from the input."""
    *hidden, w = weights
    c = activation(next(injected))
    for weight in hidden:
        c = activation(torch.addmm(next(injected), c, weight.T))
    return torch.addmm(next(injected), c, w.T)


class _Bias(nn.Module):
    """A layer without a skip: its bias alone."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(size))

    def forward(self, z: Tensor) -> Tensor:
        return self.bias.expand(*z.shape[:-1], -1)
