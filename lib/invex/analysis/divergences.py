"""A Gaussian fitted to a mixture by the forward and by the reverse divergence (Behrmann, 2019, Fig. 5.1).

Nothing is sampled: all expectations are Gauss-Hermite sums, in double precision.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

NODES = 32


@dataclass(frozen=True)
class Mixture:
    """Gaussians in the plane.

    Attributes:
        weights: (k,), with sum one.
        means: (k, 2).
        factors: (k, 2, 2), square roots of the covariances.
    """

    weights: Tensor
    means: Tensor
    factors: Tensor

    def log_prob(self, x: Tensor) -> Tensor:
        """log p (...,) at points (..., 2)."""
        parts = [_log_normal(x, m, f) for m, f in zip(self.means, self.factors, strict=True)]
        return torch.logsumexp(torch.stack(parts) + self.weights.log().view(-1, *[1] * (x.dim() - 1)), 0)

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean (2,) and covariance (2, 2)."""
        mean = self.weights @ self.means
        second = self.factors @ self.factors.mT + self.means[:, :, None] * self.means[:, None]
        return mean, torch.einsum("k,kij->ij", self.weights, second) - torch.outer(mean, mean)


@dataclass(frozen=True)
class Fit:
    """A Gaussian, and its divergences from and to the mixture in nats."""

    mean: Tensor
    factor: Tensor
    forward: float
    reverse: float

    def log_prob(self, x: Tensor) -> Tensor:
        """log q (...,) at points (..., 2)."""
        return _log_normal(x, self.mean, self.factor)


def two_modes(distance: float = 4.0, width: float = 0.5) -> Mixture:
    """Two equal, slightly oblong Gaussians at this distance."""
    turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]], dtype=torch.float64)
    stretch = torch.diag(torch.tensor([1.3 * width, 0.8 * width], dtype=torch.float64))
    apart = 0.5 * distance * turn[:, 0]
    factor = torch.linalg.cholesky(turn @ stretch @ stretch @ turn.T)
    return Mixture(
        torch.full((2,), 0.5).double(), torch.stack([-apart, apart]), torch.stack([factor, factor])
    )


def forward_fit(mixture: Mixture) -> Fit:
    """The Gaussian of least D(p || q), Eq. 5.1: it has the mixture's mean and covariance."""
    mean, covariance = mixture.moments()
    return _fit(mixture, mean, torch.linalg.cholesky(covariance))


def reverse_fit(mixture: Mixture, start: Tensor) -> Fit:
    """A Gaussian of locally least D(q || p), Eq. 5.2, from a mean (2,) on, by L-BFGS."""
    mean = start.clone().double().requires_grad_()
    raw = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [mean, raw], max_iter=500, tolerance_grad=1e-10, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = _reverse(mixture, mean, _factor(raw))
        value.backward()
        return value

    optimiser.step(loss)
    return _fit(mixture, mean.detach(), _factor(raw).detach())


def _factor(raw: Tensor) -> Tensor:
    """A lower triangular matrix with positive diagonal."""
    zero = torch.zeros((), dtype=raw.dtype)
    return torch.stack([torch.stack([raw[0].exp(), zero]), torch.stack([raw[2], raw[1].exp()])])


def _fit(mixture: Mixture, mean: Tensor, factor: Tensor) -> Fit:
    return Fit(mean, factor, float(_forward(mixture, mean, factor)), float(_reverse(mixture, mean, factor)))


def _forward(mixture: Mixture, mean: Tensor, factor: Tensor) -> Tensor:
    total = torch.zeros((), dtype=torch.float64)
    for weight, m, f in zip(mixture.weights, mixture.means, mixture.factors, strict=True):
        x, w = _points(m, f)
        total = total + weight * (w * (mixture.log_prob(x) - _log_normal(x, mean, factor))).sum()
    return total


def _reverse(mixture: Mixture, mean: Tensor, factor: Tensor) -> Tensor:
    x, w = _points(mean, factor)
    return (w * (_log_normal(x, mean, factor) - mixture.log_prob(x))).sum()


def _points(mean: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
    """Nodes (n, 2) and weights (n,) of the expectation under a Gaussian."""
    nodes, weights = _hermite()
    return mean + nodes @ factor.mT, weights


@cache
def _hermite() -> tuple[Tensor, Tensor]:
    x, w = np.polynomial.hermite_e.hermegauss(NODES)
    nodes, weights = torch.from_numpy(x), torch.from_numpy(w / w.sum())
    return torch.cartesian_prod(nodes, nodes), torch.outer(weights, weights).flatten()


def _log_normal(x: Tensor, mean: Tensor, factor: Tensor) -> Tensor:
    scaled = torch.linalg.solve_triangular(factor, (x - mean).unsqueeze(-1), upper=False)[..., 0]
    return -0.5 * scaled.square().sum(-1) - factor.diagonal().log().sum() - float(np.log(2 * np.pi))
