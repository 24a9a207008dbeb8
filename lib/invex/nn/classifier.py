"""Fully-connected classifiers with and without non-negative weights (Hoedt & Klambauer, 2023).

`Classifier` is an ordinary module; `classifier` makes one with the weights of a method of Sec. 5.1.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import linear

from invex.nn import initialise

METHODS = ("non-convex", "ICNN", "ICNN + skip", "ICNN + init")
ONLY_SHIFT = "ICNN + init (only shift)"


class Classifier(nn.Module):
    """ReLU network x (n, d) -> logits (n, classes); convex in x where its weights cannot be negative.

    Args:
        sizes: width of the input, of every hidden layer and of the output.
        convex: every layer but the first has non-negative weights.
        skip: the input enters every pre-activation from the second on, through weights of any sign.
        positivity: "projection" (call `project_` after every update) or "exponential" (the parameters are
            the logarithms of the weights; App. C.5).

    Raises ValueError for an unknown `positivity`.
    """

    def __init__(
        self, sizes: Sequence[int], *, convex: bool = True, skip: bool = False, positivity: str = "projection"
    ) -> None:
        super().__init__()
        if positivity not in ("projection", "exponential"):
            raise ValueError(f'positivity must be "projection" or "exponential", got {positivity!r}')
        self.convex, self.positivity = convex, positivity
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in pairwise(sizes))
        self.skips = nn.ModuleList(nn.Linear(sizes[0], o, bias=False) for o in sizes[2:] if skip)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, classes) of inputs (n, d)."""
        hidden = self.layers[0](x)
        for i, layer in enumerate(self.layers[1:]):
            exponential = self.convex and self.positivity == "exponential"
            weight = layer.weight.exp() if exponential else layer.weight
            hidden = linear(hidden.relu(), weight, layer.bias)
            if self.skips:
                hidden = hidden + self.skips[i](x)
        return hidden

    @torch.no_grad()
    def project_(self) -> None:
        """Set the negative weights of constrained layers to zero (Amos et al., 2017)."""
        if self.convex and self.positivity == "projection":
            for layer in self.layers[1:]:
                layer.weight.clamp_(min=0)

    @property
    def kind(self) -> tuple[bool, bool]:
        """Place in a `Stack`: those with skip connections first, and the convex networks side by side."""
        return not self.skips, self.convex == bool(self.skips)

    def groups(self) -> list[list[Tensor]]:
        """Parameters by layer: weight, bias and, from the second on, the skip weight if there is one."""
        skips = [[], *([skip.weight] for skip in self.skips)] if self.skips else [[] for _ in self.layers]
        return [[layer.weight, layer.bias, *skip] for layer, skip in zip(self.layers, skips, strict=True)]


def classifier(
    sizes: Sequence[int],
    method: str,
    *,
    correlation: float = 0.5,
    bias_noise: float = 0.0,
    positivity: str = "projection",
    generator: Generator | None = None,
) -> Classifier:
    """A classifier initialised for one of `METHODS`, or for the ablation `ONLY_SHIFT` (App. C.4).

    The first layer is drawn from N(0, 1 / fan-in). The others: He's Gaussians with zero biases; with
    "ICNN + init" the principled moments for `correlation` and `bias_noise` (Eq. 11-13, 45-46). Skip weights
    keep torch's default distribution. Raises ValueError for an unknown method.
    """
    if method not in (*METHODS, ONLY_SHIFT):
        raise ValueError(f"unknown method {method!r}: one of {', '.join((*METHODS, ONLY_SHIFT))}")
    with torch.device("meta"):  # without torch's own initial weights, which a global generator draws
        network = Classifier(
            sizes, convex=method != "non-convex", skip=method == "ICNN + skip", positivity=positivity
        )
    network.to_empty(device="cpu" if generator is None else generator.device)
    with torch.no_grad():
        for layer in network.layers:
            layer.bias.zero_()
        initialise.lecun_normal_(network.layers[0].weight, generator=generator)
        for layer in network.layers[1:]:
            _initialise_(layer, method, positivity, generator, correlation=correlation, bias_noise=bias_noise)
        for skip in network.skips:
            bound = skip.in_features**-0.5
            skip.weight.uniform_(-bound, bound, generator=generator)
    network.project_()
    return network


def _initialise_(
    layer: nn.Linear, method: str, positivity: str, generator: Generator | None, **moments: float
) -> None:
    if method == ONLY_SHIFT:
        _only_shift_(layer, generator)
    elif method != "ICNN + init":
        initialise.he_normal_(layer.weight, generator=generator)
    elif positivity == "exponential":
        initialise.principled_exponential_(layer.weight, layer.bias, generator=generator, **moments)
    else:
        initialise.principled_(layer.weight, layer.bias, generator=generator, **moments)


def _only_shift_(layer: nn.Linear, generator: Generator | None) -> None:
    """Uniform weights of variance 2 / (3 fan-in); biases centre what the clamped weights shift (Eq. 8)."""
    bound = math.sqrt(2 / layer.in_features)
    layer.weight.uniform_(-bound, bound, generator=generator)
    layer.bias.fill_(-layer.in_features * layer.weight.clamp(min=0).mean() / math.sqrt(2 * math.pi))
