"""The generalised input-convex model over molecular graphs (Nesterov et al. 2022, Sec. 5.3 and App. A.5).

The parts that molecules need beyond `invex.nn.vae`: a categorical likelihood whose sample gradients pass
straight through, a head that has a minimum, and dropout that is part of a run's state.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

from invex.nn.convex import ConvexNetwork
from invex.nn.vae import GenerativeModel, Terms


class Categorical(nn.Module):
    """x as independent choices, one-hot: `groups` says how many there are of each, one after another.

    What is encoded again in the cycle (Eq. 6) is the most likely choice of each group as zeros and ones, with
    the gradient of its probabilities: the straight-through estimator, the source's "differentiable
    approximation of the one-hot categorical distribution".

    Raises:
        ValueError: a group has no choice.
    """

    place: Tensor
    offered: Tensor
    number: Tensor
    inside: Tensor

    def __init__(self, groups: Sequence[int]) -> None:
        if not groups or min(groups) < 1:
            raise ValueError(f"groups of {list(groups)} choices: each needs at least one")
        super().__init__()
        self.groups = tuple(groups)
        sizes = torch.tensor(self.groups)[:, None]
        offered = torch.arange(max(self.groups)) < sizes
        first = sizes.cumsum(0) - sizes
        place = torch.where(offered, first + torch.arange(max(self.groups)), 0)
        self.register_buffer("place", place, persistent=False)
        self.register_buffer("offered", offered, persistent=False)
        self.register_buffer("number", torch.arange(max(self.groups)), persistent=False)
        self.register_buffer("inside", offered.flatten().nonzero()[:, 0], persistent=False)

    def loss(self, decoded: Tensor, x: Tensor, log_sigma: Tensor) -> Tensor:
        """-log p(x|z) of each point, (n,): cross-entropies summed over the groups."""
        del log_sigma  # a choice has no scale
        return -(self._padded(x) * self._log(decoded)).sum((-2, -1))

    def observed(self, decoded: Tensor) -> Tensor:
        """The most likely graph as one-hot (n, width), its gradient that of the probabilities."""
        soft = self._flat(self._log(decoded).exp())
        hard = self.one_hot(self.choices(decoded)).to(soft)
        return hard + soft - soft.detach()

    def choices(self, decoded: Tensor) -> Tensor:
        """The most likely choice of each group, (n, groups), int64."""
        return self._log(decoded).argmax(-1)

    def one_hot(self, choices: Tensor) -> Tensor:
        """Choices (n, groups) as zeros and ones (n, width)."""
        return self._flat((choices[..., None] == self.number).to(torch.get_default_dtype()))

    def _padded(self, x: Tensor) -> Tensor:
        """(n, width) -> (n, groups, widest), zeros where a group has fewer choices."""
        return x[:, self.place] * self.offered

    def _log(self, decoded: Tensor) -> Tensor:
        """Log-probabilities (n, groups, widest), about -1e30 where there is no choice."""
        return decoded[:, self.place].masked_fill(~self.offered, -1e30).log_softmax(-1)

    def _flat(self, padded: Tensor) -> Tensor:
        return padded.flatten(1)[:, self.inside]


class Bowl(nn.Module):
    """f(z) = network(z) + curvature |z|^2: convex where the network is, and with a minimum for sure.

    A softplus network that is convex need not attain its infimum: along some ray it may fall for ever. Every
    theorem of the source about level sets asks for a minimum, which strong convexity gives.

    Args:
        network: convex, (n, d) -> (n,).
        curvature: not negative; 0 leaves the network as it is.

    Raises:
        ValueError: the curvature is negative, so that f need not be convex.
    """

    def __init__(self, network: nn.Module, curvature: float) -> None:
        super().__init__()
        if curvature < 0:
            raise ValueError(f"curvature {curvature} would make the head concave; give 0 or more")
        self.network, self.curvature = network, curvature

    def forward(self, z: Tensor) -> Tensor:
        """Values (n,) at points (n, d)."""
        value: Tensor = self.network(z)
        return value + self.curvature * z.square().sum(-1) if self.curvature else value


class Dropout(nn.Module):
    """Dropout that draws from `generator`, so that an interrupted run goes on to the same numbers."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.generator: Generator | None = None

    def forward(self, x: Tensor) -> Tensor:
        """x of any shape, a `share` of its numbers zero in training and the others larger by as much."""
        if not self.training or self.share == 0:
            return x
        kept = torch.rand(x.shape, device=x.device, generator=self.generator) >= self.share
        return x * kept / (1 - self.share)


def perceptron(sizes: Sequence[int], dropout: float = 0.0) -> nn.Sequential:
    """Linear layers of these sizes with ELU between them, and dropout after each ELU."""
    layers: list[nn.Module] = []
    for inner, outer in pairwise(sizes):
        layers += [nn.Linear(inner, outer), nn.ELU(), *([Dropout(dropout)] if dropout else [])]
    return nn.Sequential(*layers[: -2 if dropout else -1])


def molecule_model(
    groups: Sequence[int],
    *,
    latent: int = 22,
    hidden: Sequence[int] = (1024, 1024),
    widths: Sequence[int] = (512, 512, 512, 512),
    curvature: float = 0.05,
    dropout: float = 0.0,
    sigma_y: float = 0.1,
    sigma_z: float = 0.2,
) -> GenerativeModel:
    """The model of App. A.5, untrained, at the source's sizes by default.

    Args:
        groups: choices of each part of a graph, `invex.data.molecules.GROUPS`.
        latent: dimension of z.
        hidden: layers of encoder and decoder, with ELU.
        widths: layers of the convex head, with softplus.
        curvature: of the quadratic term that gives the head a minimum (`Bowl`).
        dropout: of the encoder.
        sigma_y, sigma_z: starting values of the two scales.
    """
    width = sum(groups)
    return GenerativeModel(
        perceptron([width, *hidden, latent], dropout),
        perceptron([latent, *reversed(hidden), width]),
        Bowl(ConvexNetwork(latent, widths), curvature),
        observation=Categorical(groups),
        sigma_y=sigma_y,
        sigma_z=sigma_z,
    )


def molecule_terms(
    model: GenerativeModel, shown: Tensor, graphs: Tensor, y: Tensor, cycled: int, generator: Generator
) -> Terms:
    """The parts of Eq. 5-7 for a batch whose encoder is shown the atoms in another order than it decodes to.

    Args:
        shown: (n, width) graphs for the encoder.
        graphs: (n, width) the same in canonical order, for the decoder.
        y: (n,) properties; NaN where one is not known.
        cycled: over how many of the batch, from the first, the cycle term is taken.
        generator: of all noise.
    """
    found = model.posterior(shown)
    z = found.draw(torch.randn(found.mean.shape, generator=generator, device=shown.device))
    log_x, log_y, _ = model.log_sigma.unbind()
    known = ~y.isnan()
    residual = torch.where(known, y - model.head(z), 0.0) * torch.exp(-log_y)
    likelihood = (0.5 * residual.square() + log_y + 0.5 * math.log(2 * math.pi)) * known
    return Terms(
        model.observation.loss(model.decoder(z), graphs, log_x).mean(),
        likelihood.sum() / known.sum().clamp_min(1),
        found.divergence().mean(),
        _cycle(model, z[:cycled], generator),
    )


def _cycle(model: GenerativeModel, z: Tensor, generator: Generator) -> Tensor:
    """Eq. 6: the property before and after one more round, of codes of molecules and of as many drawn."""
    drawn = 4 * torch.rand(z.shape, generator=generator, device=z.device, dtype=z.dtype) - 2
    before, after = model.cycled(torch.cat([z, drawn]))
    return 2 * (before - after).square().mean()


def most_likely(model: GenerativeModel, z: Tensor) -> Tensor:
    """The graphs that codes (n, k) decode to, as choices (n, groups), int64.

    Raises:
        TypeError: the model's observation is not `Categorical`.
    """
    if not isinstance(model.observation, Categorical):
        raise TypeError(f"choices need a Categorical observation, not {type(model.observation).__name__}")
    return model.observation.choices(model.decoder(z))


def draw_dropout_from(model: nn.Module, generator: Generator) -> None:
    """Let every `Dropout` of a model draw from this generator."""
    for module in model.modules():
        if isinstance(module, Dropout):
            module.generator = generator
