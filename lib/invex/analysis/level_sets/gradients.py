"""Values of a function of points with their gradients, in one pass."""

import torch
from torch import Tensor

from invex.analysis.level_sets.rays import Function, flat


def values_and_gradients(f: Function, points: Tensor) -> tuple[Tensor, Tensor]:
    """Values (n,) and gradients (n, d) at points (n, d), of an f that gives (n,) or (n, 1)."""
    with torch.enable_grad():
        x = points.detach().requires_grad_()
        values = flat(f(x))
        (gradient,) = torch.autograd.grad(values.sum(), x)
    return values.detach(), gradient
