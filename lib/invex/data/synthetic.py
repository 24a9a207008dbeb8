"""Two-dimensional functions with one and with two minima (Nesterov et al. 2022, Sec. 5.1), on their grids.

All functions take points of shape (..., 2) and return values of shape (...), keep dtype and device, and
can be differentiated with autograd.
"""

import math

import torch
from torch import Tensor


def rosenbrock(x: Tensor) -> Tensor:
    """Fourth root of a Rosenbrock function whose valley is x2 = 10 x1^2 and whose minimum is 0 at (0.1, 0.1).

    y = ((1 - 10 x1)^2 + 100 (10 x2 - 100 x1^2)^2)^(1/4): the classical function at 10 x. This is what the
    authors' released code computes, and the only reading of their Eq. 8 with the minimum that the text
    states. Near the minimum y grows like the square root of the distance, so it is not differentiable there.
    """
    along, across = 10 * x[..., 0], 10 * x[..., 1]
    return ((1 - along) ** 2 + 100 * (across - along**2) ** 2) ** 0.25


def rosenbrock_as_printed(x: Tensor) -> Tensor:
    """Eq. 8 of Nesterov et al. (2022) to the letter: ((1 - 10 x1)^2 + 100 (10 (x2 - x1^2))^2)^(1/4).

    Its minimum is at (0.1, 0.01), not at the (0.1, 0.1) that the text states. Kept for comparison only.
    """
    return ((1 - 10 * x[..., 0]) ** 2 + 100 * (10 * (x[..., 1] - x[..., 0] ** 2)) ** 2) ** 0.25


def gaussian_mixture(x: Tensor, *, variance: float = 0.02, offset: float = 0.0) -> Tensor:
    """Two minima: y = offset - N(x; (-0.2, 0), variance I) - N(x; (0.2, 0), variance I) (Sec. 5.1)."""
    y_squared = x[..., 1] ** 2
    left, right = ((x[..., 0] - mean) ** 2 + y_squared for mean in (-0.2, 0.2))
    density = torch.exp(-left / (2 * variance)) + torch.exp(-right / (2 * variance))
    return offset - density / (2 * math.pi * variance)


def grid(side: int = 40, limit: float = 0.4, *, dtype: torch.dtype | None = None) -> Tensor:
    """The side x side grid on [-limit, limit]^2 that the models are trained on: (side^2, 2), x1 slowest."""
    axis = torch.linspace(-limit, limit, side, dtype=dtype)
    return torch.cartesian_prod(axis, axis)
