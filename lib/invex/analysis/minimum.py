"""The minimum of a convex function, also within a box (Sec. 3.3 and 3.3.1 of Nesterov et al. 2022)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from invex.analysis.rays import Box, Function, LevelSetError, flat, name_of


class MinimumNotAttained(LevelSetError):  # noqa: N818 - named after the finding
    """The search for a minimum ran away: the infimum is not attained, or lies beyond the limit."""


@dataclass(frozen=True)
class Minimum:
    """A minimum: `point` (d,), `value`, norm of the projected gradient, and evaluations of f it took."""

    point: Tensor
    value: float
    gradient_norm: float
    iterations: int


def minimum(
    f: Function, start: Tensor, *, box: Box | None = None, tolerance: float | None = None, limit: float = 1e6
) -> Minimum:
    """Minimum of a convex function by L-BFGS-B, within a box where one is given.

    Args:
        f: (n, d) -> (n,) or (n, 1), convex and differentiable; evaluated one point at a time.
        start: (d,); the minimum keeps its dtype and device.
        box: lower and upper corner, (d,) or a number each (Sec. 3.3.1).
        tolerance: largest element of the projected gradient to accept; by default the square root of the
            dtype's rounding.
        limit: distance from `start`, in each coordinate, at which the search has run away.

    Raises:
        MinimumNotAttained: f still falls at the limit; the message names the point.
    """
    epsilon = torch.finfo(start.dtype).eps
    sides = box if box is not None else (start - limit, start + limit)
    like: dict[str, Any] = {"dtype": start.dtype, "device": start.device}
    lower, upper = (torch.as_tensor(side, **like).expand_as(start) for side in sides)
    bounds = torch.stack([lower, upper], 1).double().cpu().numpy()
    found = minimize(
        lambda x: _value_and_gradient(f, start, x),
        start.detach().clamp(lower, upper).double().cpu().numpy(),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 0.0, "gtol": tolerance or epsilon**0.5, "maxiter": 10_000, "maxcor": 30},
    )
    point = torch.as_tensor(found.x, **like)
    held = ((found.x <= bounds[:, 0]) & (found.jac > 0)) | ((found.x >= bounds[:, 1]) & (found.jac < 0))
    if box is None and held.any():
        raise MinimumNotAttained(f"f still falls at {name_of(point)}, {limit:g} away from the start")
    norm = float(np.linalg.norm(np.where(held, 0.0, found.jac)))
    return Minimum(point, float(found.fun), norm, int(found.nfev))


def _value_and_gradient(f: Function, like: Tensor, x: np.ndarray) -> tuple[float, np.ndarray]:
    with torch.enable_grad():
        z = torch.as_tensor(x, dtype=like.dtype, device=like.device).requires_grad_()
        y = flat(f(z[None]))
        (gradient,) = torch.autograd.grad(y.sum(), z)
    return float(y.detach()), gradient.double().cpu().numpy()
