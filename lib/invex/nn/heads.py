"""Property heads g(f(z)): a convex f that surely has a minimum, and the monotone g that may follow it.

Nesterov et al. (2022), Sec. 3.1-3.4. Their theorems ask that the infimum of f is attained; a network of
softplus units alone does not promise it, and trained ones often have none.
"""

import math

import torch
from torch import Tensor, nn


class StronglyConvex(nn.Module):
    """f(z) + curvature/2 |z|^2 + offset: with a convex f it has exactly one minimum, which is attained.

    Args:
        convex: (n, d) -> (n,), convex.
        curvature: of the added bowl; the Hessian is at least curvature times the identity.

    Attributes:
        offset: a constant, 0 unless it is set; not trained.

    Raises:
        ValueError: the curvature is not positive.
    """

    offset: Tensor

    def __init__(self, convex: nn.Module, curvature: float = 0.1) -> None:
        super().__init__()
        if not curvature > 0:
            raise ValueError(f"the curvature must be positive, got {curvature}")
        self.convex, self.curvature = convex, curvature
        self.register_buffer("offset", torch.zeros(()))

    def forward(self, z: Tensor) -> Tensor:
        """Values (n,) at points (n, d)."""
        return self.convex(z) + 0.5 * self.curvature * z.square().sum(-1) + self.offset


class ScaledTanh(nn.Module):
    """g(y) = bound tanh(y / bound): strictly increasing, with slope 1 at 0, onto (-bound, bound)."""

    def __init__(self, bound: float = math.pi / 4) -> None:
        super().__init__()
        self.bound = bound

    def forward(self, y: Tensor) -> Tensor:
        """Elementwise, any shape."""
        return self.bound * torch.tanh(y / self.bound)
