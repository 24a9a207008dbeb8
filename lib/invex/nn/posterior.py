"""The posterior q(z|x) that an encoder's output says: isotropic, diagonal, or with a full covariance.

Kingma & Welling (2013), "Auto-encoding variational Bayes"; the full covariance is that of the released code
for the images of Nesterov et al. (2022).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

COVARIANCES = ("isotropic", "diagonal", "full")
SCALE_BOUND = 6.0
"""Of the log-scales that an encoder gives: no code is noisier than e^6, and none surer than e^-6."""


@dataclass(frozen=True)
class Posterior:
    """q(z|x) = N(mean, L L^T) for a batch, L lower triangular with exp(log_scale) on its diagonal.

    Attributes:
        mean: (n, k).
        log_scale: (n, k), or a scalar for all.
        lower: (n, k, k), the part of L below the diagonal; None where it is zero.
    """

    mean: Tensor
    log_scale: Tensor
    lower: Tensor | None = None

    def draw(self, noise: Tensor) -> Tensor:
        """Codes mean + L noise, (n, k), from standard normal noise of that shape."""
        z = self.mean + self.log_scale.exp() * noise
        return z if self.lower is None else z + torch.einsum("nij,nj->ni", self.lower, noise)

    def divergence(self) -> Tensor:
        """KL[q(z|x) || N(0, I)] of each point, (n,)."""
        own = self.mean.square() + (2 * self.log_scale).exp() - 1 - 2 * self.log_scale
        total = 0.5 * own.sum(-1)
        return total if self.lower is None else total + 0.5 * self.lower.square().sum((-2, -1))


def encoder_outputs(latent: int, covariance: str) -> int:
    """How many numbers an encoder gives a point, for a latent dimension and a covariance."""
    free = {"isotropic": 0, "diagonal": latent, "full": latent + latent * (latent - 1) // 2}
    return latent + free[covariance]


def read_posterior(raw: Tensor, covariance: str, log_sigma: Tensor) -> Posterior:
    """The posterior that an encoder's output (n, `encoder_outputs`) says: mean, log-scales, rest of L."""
    width = raw.shape[-1]
    if covariance == "isotropic":
        return Posterior(raw, log_sigma)
    latent = width // 2 if covariance == "diagonal" else (math.isqrt(9 + 8 * width) - 3) // 2
    if width != encoder_outputs(latent, covariance):
        raise ValueError(f"{width} outputs of the encoder are no {covariance} posterior")
    mean, scale = raw[:, :latent], raw[:, latent : 2 * latent]
    scale = SCALE_BOUND * torch.tanh(scale / SCALE_BOUND)
    if covariance == "diagonal":
        return Posterior(mean, scale)
    rows, columns = torch.tril_indices(latent, latent, -1, device=raw.device)
    lower = raw.new_zeros(len(raw), latent, latent)
    lower[:, rows, columns] = raw[:, 2 * latent :]
    return Posterior(mean, scale, lower)
