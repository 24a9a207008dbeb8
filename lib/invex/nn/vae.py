"""Generative models with a property: an encoder, a decoder and a property head, trained as one.

Nesterov, Torres, Nagy-Huber, Parbhoo & Roth (2022), Sec. 4, Eq. 5-7. One class serves a bijection of the
plane, images and molecules: what differs is how the encoder's output is read as a posterior
(`invex.nn.posterior`), how the decoder's is held against x (`Observation`), and the networks themselves.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from invex.nn.convex import ConvexNetwork
from invex.nn.fit import Moment, fit
from invex.nn.posterior import COVARIANCES, Posterior, read_posterior


class Inverse(nn.Module):
    """The inverse of a bijection, as a module that shares its parameters."""

    def __init__(self, bijection: nn.Module) -> None:
        super().__init__()
        self.bijection = bijection

    def forward(self, z: Tensor) -> Tensor:
        """x of shape (..., d)."""
        return self.bijection.inverse(z)


class Observation(Protocol):
    """How a decoder's output stands for x: its likelihood, and the x that the encoder is given again."""

    def loss(self, decoded: Tensor, x: Tensor, log_sigma: Tensor) -> Tensor:
        """-log p(x|z) of each point, (n,)."""

    def observed(self, decoded: Tensor) -> Tensor:
        """What is encoded again in the cycle (Eq. 6), of the shape of x; gradients pass through it."""


class Gaussian:
    """x ~ N(decoded, sigma_x^2 I), for x of any shape (n, ...); its mean is encoded again."""

    def loss(self, decoded: Tensor, x: Tensor, log_sigma: Tensor) -> Tensor:
        """-log p(x|z) of each point, (n,)."""
        return _gaussian(x - decoded, log_sigma).flatten(1).sum(-1)

    def observed(self, decoded: Tensor) -> Tensor:
        """The mean itself."""
        return decoded


class Terms(NamedTuple):
    """The parts of the objective, means over the batch (scalars)."""

    input: Tensor
    property: Tensor
    divergence: Tensor
    cycle: Tensor


class GenerativeModel(nn.Module):
    """z ~ q(z|x), x ~ p(x|decoder(z)), y ~ N(head(z), sigma_y^2) (Sec. 4).

    Args:
        encoder: x (n, ...) -> (n, `posterior.encoder_outputs`); where isotropic that is the mean, (n, k).
        decoder: latent (n, k) -> what `observation` reads; ``Inverse(encoder)`` for a bijection.
        head: latent (n, k) -> property (n,).
        covariance: one of `COVARIANCES`; "isotropic" is sigma_z^2 I, the others are the encoder's.
        observation: the likelihood of x; default `Gaussian`.
        sigma_x, sigma_y, sigma_z: starting values of the three trainable scales.

    Raises:
        ValueError: an unknown covariance.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        head: nn.Module,
        *,
        covariance: str = "isotropic",
        observation: Observation | None = None,
        sigma_x: float = 0.23,
        sigma_y: float = 0.3,
        sigma_z: float = 0.05,
    ) -> None:
        super().__init__()
        if covariance not in COVARIANCES:
            raise ValueError(f"no covariance {covariance!r}; there are {', '.join(COVARIANCES)}")
        self.encoder, self.decoder, self.head = encoder, decoder, head
        self.covariance, self.observation = covariance, observation or Gaussian()
        self.log_sigma = nn.Parameter(torch.tensor([sigma_x, sigma_y, sigma_z]).log())

    @classmethod
    def bijective(cls, bijection: nn.Module, head: nn.Module, **sigmas: float) -> "GenerativeModel":
        """The model of Sec. 3.4: mu_z = h, mu_x = h^-1, mu_y = f."""
        return cls(bijection, Inverse(bijection), head, **sigmas)

    def posterior(self, x: Tensor) -> Posterior:
        """q(z|x) of a batch."""
        return read_posterior(self.encoder(x), self.covariance, self.log_sigma[2])

    def encode(self, x: Tensor) -> Tensor:
        """Latent means (n, k)."""
        return self.posterior(x).mean

    def predict(self, x: Tensor) -> Tensor:
        """The property F(x) = f(h(x)), of shape (n,)."""
        return self.head(self.encode(x))

    def terms(
        self,
        x: Tensor,
        y: Tensor,
        *,
        cycle: bool = True,
        generator: torch.Generator | None = None,
        noise: Tensor | None = None,
        codes: Tensor | None = None,
    ) -> Terms:
        """Negative log-likelihoods of x and y, KL divergence (Eq. 5) and cycle term (Eq. 6) of a batch.

        Args:
            x: (n, ...) inputs.
            y: (n,) properties; where one is NaN it is not known, and has no part in the second term.
            cycle: whether to compute the last term, which costs two more rounds; else it is 0.
            generator: of the noise, and after it of the codes, where these are not given.
            noise: (n, k) standard normal.
            codes: (n, k) for the cycle's second part; by default uniform on [-2, 2]^k, as the source gives
                no range.
        """
        found = self.posterior(x)
        log_x, log_y, _ = self.log_sigma.unbind()
        z = found.draw(_normal_like(found.mean, generator) if noise is None else noise)
        decoded, property_ = self.decoder(z), self.head(z)
        around = found.mean.new_zeros(())
        if cycle:
            codes = _uniform_like(found.mean, generator) if codes is None else codes
            around = self._cycle(decoded, property_, codes)
        return Terms(
            self.observation.loss(decoded, x, log_x).mean(),
            _known_mean(y, property_, log_y),
            found.divergence().mean(),
            around,
        )

    def cycled(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Property of codes (n, k), before and after the round z -> x -> z' -> y', (n,) each (Sec. 4.1)."""
        return self.head(z), self.predict(self.observation.observed(self.decoder(z)))

    def _cycle(self, decoded: Tensor, property_: Tensor, codes: Tensor) -> Tensor:
        """Eq. 6: the property before and after one more round x -> z -> y; zero for an exact inverse."""
        before, after = self.cycled(codes)
        again = (before - after).square().mean()
        return (property_ - self.predict(self.observation.observed(decoded))).square().mean() + again


def objective(
    terms: Terms,
    beta: float | Tensor,
    gamma: float,
    *,
    input_weight: float = 1.0,
    property_weight: float = 1.0,
) -> Tensor:
    """L = L_VAE + gamma L_cycle (Eq. 5 and 7), a scalar; the two likelihoods may be weighted."""
    likelihood = input_weight * terms.input + property_weight * terms.property
    return likelihood + beta * terms.divergence + gamma * terms.cycle


def _known_mean(y: Tensor, property_: Tensor, log_sigma: Tensor) -> Tensor:
    """Mean negative log-likelihood of those properties that are known, 0 where none is."""
    known = ~y.isnan()
    each = _gaussian(torch.where(known, y - property_, 0.0), log_sigma)
    return (each * known).sum() / known.sum().clamp_min(1)


def _gaussian(residual: Tensor, log_sigma: Tensor) -> Tensor:
    """Negative log-density of N(0, sigma^2)."""
    return 0.5 * (residual * torch.exp(-log_sigma)).square() + log_sigma + 0.5 * math.log(2 * math.pi)


def _normal_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)


def _uniform_like(x: Tensor, generator: torch.Generator | None) -> Tensor:
    """Uniform on [-2, 2]^k."""
    return 4 * torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype) - 2


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
    """Minimise Eq. 7 over the points x (n, ...) with properties y (n,), in place, on their device.

    Returns the mean of each term in every epoch; NaN from the epoch on in which the loss was not finite, as
    training stops there.
    """

    def loss(batch: tuple[Tensor, ...], moment: Moment) -> dict[str, Tensor]:
        terms = model.terms(*batch, cycle=schedule.gamma > 0, generator=moment.generator)
        beta = schedule.rate_and_beta(moment.epoch)[1]
        return {"loss": objective(terms, beta, schedule.gamma), **terms._asdict()}

    def rate(share: float) -> float:
        return schedule.rate_and_beta(math.floor(share * schedule.epochs + 1e-6))[0]

    networks = [parameter for parameter in model.parameters() if parameter is not model.log_sigma]
    groups = [{"params": [model.log_sigma], "lr": schedule.scale_rate}, {"params": networks, "lr": 1.0}]
    done = fit(
        model,
        loss,
        (x, y),
        torch.optim.Adam(groups, fused=True),
        epochs=schedule.epochs,
        batch=schedule.batch,
        seed=schedule.seed,
        schedule=rate,
        clip=schedule.clip,
        after_step=lambda: project(model),
        progress=progress,
    )
    lost = [math.nan] * (schedule.epochs - len(done.curve["loss"]))
    return {name: done.curve[name] + lost for name in Terms._fields}


def project(model: nn.Module) -> None:
    """Put the weights of every `ConvexNetwork` in the model back on the non-negative orthant."""
    for module in model.modules():
        if isinstance(module, ConvexNetwork):
            module.project_()
