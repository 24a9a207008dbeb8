"""The generalised input-convex model: an encoder, its inverse as decoder, and a convex property head.

Nesterov, Torres, Nagy-Huber, Parbhoo & Roth (2022), Sec. 4, Eq. 5-7.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from invex.nn.convex import ConvexNetwork


class Inverse(nn.Module):
    """The inverse of a bijection, as a module that shares its parameters."""

    def __init__(self, bijection: nn.Module) -> None:
        super().__init__()
        self.bijection = bijection

    def forward(self, z: Tensor) -> Tensor:
        """x of shape (..., d)."""
        return self.bijection.inverse(z)


class Terms(NamedTuple):
    """The parts of the objective, means over the batch (scalars)."""

    input: Tensor
    property: Tensor
    divergence: Tensor
    cycle: Tensor


class GenerativeModel(nn.Module):
    """z ~ N(encoder(x), sigma_z^2 I), x ~ N(decoder(z), sigma_x^2 I), y ~ N(head(z), sigma_y^2) (Sec. 4).

    Args:
        encoder: x (n, d) -> latent mean (n, k).
        decoder: latent (n, k) -> x (n, d); ``Inverse(encoder)`` for a bijective encoder (`bijective`).
        head: latent (n, k) -> property (n,).
        sigma_x, sigma_y, sigma_z: starting values of the three trainable scales.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        head: nn.Module,
        *,
        sigma_x: float = 0.23,
        sigma_y: float = 0.3,
        sigma_z: float = 0.05,
    ) -> None:
        super().__init__()
        self.encoder, self.decoder, self.head = encoder, decoder, head
        self.log_sigma = nn.Parameter(torch.tensor([sigma_x, sigma_y, sigma_z]).log())

    @classmethod
    def bijective(cls, bijection: nn.Module, head: nn.Module, **sigmas: float) -> "GenerativeModel":
        """The model of Sec. 3.4: mu_z = h, mu_x = h^-1, mu_y = f."""
        return cls(bijection, Inverse(bijection), head, **sigmas)

    def predict(self, x: Tensor) -> Tensor:
        """The property F(x) = f(h(x)), of shape (n,)."""
        return self.head(self.encoder(x))

    def terms(
        self, x: Tensor, y: Tensor, *, cycle: bool = True, generator: torch.Generator | None = None
    ) -> Terms:
        """Negative log-likelihoods of x and y, KL divergence (Eq. 5) and cycle term (Eq. 6) of a batch.

        The codes drawn for the cycle's second part are uniform on [-2, 2]^k; the source gives no range.
        """
        mean = self.encoder(x)
        log_x, log_y, log_z = self.log_sigma.unbind()
        z = mean + log_z.exp() * _normal_like(mean, generator)
        decoded, property_ = self.decoder(z), self.head(z)
        divergence = 0.5 * (mean.square() + (2 * log_z).exp() - 1 - 2 * log_z).sum(-1).mean()
        return Terms(
            _gaussian(x - decoded, log_x).sum(-1).mean(),
            _gaussian(y - property_, log_y).mean(),
            divergence,
            self._cycle(decoded, property_, mean, generator) if cycle else mean.new_zeros(()),
        )

    def _cycle(
        self, decoded: Tensor, property_: Tensor, mean: Tensor, generator: torch.Generator | None
    ) -> Tensor:
        """Eq. 6: the property before and after one more round x -> z -> y; zero for an exact inverse."""
        drawn = 4 * torch.rand(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype) - 2
        again = (self.head(drawn) - self.predict(self.decoder(drawn))).square().mean()
        return (property_ - self.predict(decoded)).square().mean() + again


def objective(terms: Terms, beta: float | Tensor, gamma: float) -> Tensor:
    """L = L_VAE + gamma L_cycle (Eq. 5 and 7), a scalar."""
    return terms.input + terms.property + beta * terms.divergence + gamma * terms.cycle


def _gaussian(residual: Tensor, log_sigma: Tensor) -> Tensor:
    """Negative log-density of N(0, sigma^2)."""
    return 0.5 * (residual * torch.exp(-log_sigma)).square() + log_sigma + 0.5 * math.log(2 * math.pi)


def _normal_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)


@dataclass(frozen=True)
class Schedule:
    """How to train: Adam, with the rate and beta set once an epoch. The defaults are the released code's.

    Attributes:
        epochs: passes over the data.
        batch: points in a batch.
        rate: learning rate, reached in a straight line over the share `warm_up` of the epochs.
        final_rate: what it falls to, by a constant factor an epoch.
        beta: weight of the divergence at the start.
        final_beta: its weight, by geometric annealing, from the share `anneal` of the epochs on.
        gamma: weight of the cycle term; 0 leaves it out, as it vanishes for a bijection.
        scale_rate: learning rate of the three scales, as a multiple of the networks'.
        clip: largest norm of a gradient.
        seed: of batches and noise.
    """

    epochs: int = 1351
    batch: int = 64
    rate: float = 1e-4
    final_rate: float = 1e-4
    warm_up: float = 0.0
    beta: float = 20.0
    final_beta: float = 20.0 * 0.99**1351
    anneal: float = 1.0
    gamma: float = 0.0
    scale_rate: float = 1.0
    clip: float = math.inf
    seed: int = 0

    def rate_and_beta(self, epoch: int) -> tuple[float, float]:
        """Learning rate and beta in an epoch, counted from 0."""
        done = epoch / self.epochs
        ramp = min((epoch + 1) / max(self.warm_up * self.epochs, 1), 1.0)
        rate = ramp * self.rate * (self.final_rate / self.rate) ** done
        return rate, self.beta * (self.final_beta / self.beta) ** min(done / self.anneal, 1.0)


def train(
    model: GenerativeModel,
    x: Tensor,
    y: Tensor,
    schedule: Schedule,
    progress: Callable[[str], None] = lambda text: None,
) -> dict[str, list[float]]:
    """Minimise Eq. 7 over the points x (n, d) with properties y (n,), in place, on their device.

    Permutations are drawn on the device and nothing is read back before the end. Returns the mean of each
    term in every epoch.
    """
    generator = torch.Generator(x.device).manual_seed(schedule.seed)
    networks = [parameter for parameter in model.parameters() if parameter is not model.log_sigma]
    optimiser = torch.optim.Adam([{"params": networks}, {"params": [model.log_sigma]}], fused=True)
    curve = []
    for epoch in range(schedule.epochs):
        rate, beta = schedule.rate_and_beta(epoch)
        for group, factor in zip(optimiser.param_groups, (1.0, schedule.scale_rate), strict=True):
            group["lr"] = factor * rate
        curve.append(_epoch(model, x, y, optimiser, schedule, beta, generator))
        progress(f"epoch {epoch + 1}/{schedule.epochs}")
    rows = torch.stack(curve).cpu()
    return {name: rows[:, i].tolist() for i, name in enumerate(Terms._fields)}


def _epoch(
    model: GenerativeModel,
    x: Tensor,
    y: Tensor,
    optimiser: torch.optim.Optimizer,
    schedule: Schedule,
    beta: float,
    generator: torch.Generator,
) -> Tensor:
    """One pass over the data; the mean of each term."""
    batches = torch.randperm(len(x), generator=generator, device=x.device).split(schedule.batch)
    total = x.new_zeros(len(Terms._fields))
    for index in batches:
        terms = model.terms(x[index], y[index], cycle=schedule.gamma > 0, generator=generator)
        optimiser.zero_grad(set_to_none=True)
        objective(terms, beta, schedule.gamma).backward()
        if schedule.clip < math.inf:
            nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
        optimiser.step()
        project(model)
        total += torch.stack(terms).detach()
    return total / len(batches)


def project(model: nn.Module) -> None:
    """Put the weights of every `ConvexNetwork` in the model back on the non-negative orthant."""
    for module in model.modules():
        if isinstance(module, ConvexNetwork):
            module.project_()
