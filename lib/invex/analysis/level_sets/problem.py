"""A convex function to minimise, as NumPy's optimisers see it: values, gradients, Hessians, and a box."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from invex.analysis.level_sets.rays import Function, flat, recast


@dataclass(frozen=True)
class Spot:
    """A point x (d,), f there, and its gradient (d,), in float64."""

    x: np.ndarray
    value: float
    gradient: np.ndarray

    @property
    def finite(self) -> bool:
        """Whether f and its gradient are numbers here."""
        return bool(np.isfinite(self.value) and np.isfinite(self.gradient).all())


@dataclass
class Problem:
    """f within a box, and what has been seen of it.

    Attributes:
        f: (n, d) -> (n,) or (n, 1), each value by its own point alone.
        like: has the dtype and the device on which f is evaluated.
        lower, upper: the box, (d,) each.
        below, above: which of these sides, (d,) each, are none of the box, but the limit of the search.
        seen: the last finite points evaluated.
        evaluations: how many points in all.
    """

    f: Function
    like: Tensor
    lower: np.ndarray
    upper: np.ndarray
    below: np.ndarray | bool = False
    above: np.ndarray | bool = False
    seen: deque[Spot] = field(default_factory=lambda: deque(maxlen=300))
    evaluations: int = 0

    @property
    def eps(self) -> float:
        """Rounding of f."""
        return torch.finfo(self.like.dtype).eps

    def at(self, x: np.ndarray) -> Spot:
        """f and its gradient at x (d,), put back into the box."""
        x = np.clip(x, self.lower, self.upper)
        with torch.enable_grad():
            z = self.tensor(x).requires_grad_()
            y = flat(self.f(z[None]))
            (gradient,) = torch.autograd.grad(y.sum(), z)
        self.evaluations += 1
        spot = Spot(x, float(y.detach()), gradient.double().cpu().numpy())
        if spot.finite:
            self.seen.append(spot)
        return spot

    def tensor(self, x: np.ndarray) -> Tensor:
        """x as f takes it."""
        return torch.as_tensor(x, dtype=self.like.dtype, device=self.like.device)

    def hessian(self, x: np.ndarray) -> np.ndarray | None:
        """Second derivatives (d, d): row i is taken at the i-th of d copies of x; None where f has none."""
        self.evaluations += len(x)
        with torch.enable_grad():
            z = self.tensor(x).expand(len(x), -1).clone().requires_grad_()
            try:
                (slope,) = torch.autograd.grad(flat(self.f(z)).sum(), z, create_graph=True)
                if not slope.requires_grad:
                    return np.zeros((len(x), len(x)))
                (rows,) = torch.autograd.grad(slope.diagonal().sum(), z, materialize_grads=True)
            except RuntimeError:  # an operation that can be differentiated only once
                return None
        matrix = rows.double().numpy(force=True)  # zeros may be a tensor without memory
        return (matrix + matrix.T) / 2 if np.isfinite(matrix).all() else None

    def held(self, spot: Spot) -> np.ndarray:
        """Coordinates (d,) at a side of the box against which f pushes."""
        low, high = spot.x <= self.lower, spot.x >= self.upper
        return (low & (spot.gradient > 0)) | (high & (spot.gradient < 0))

    def at_limit(self, spot: Spot) -> bool:
        """Whether f still falls where the search may go no further."""
        low, high = spot.x <= self.lower, spot.x >= self.upper
        return bool((self.held(spot) & ((low & self.below) | (high & self.above))).any())

    def slope(self, spot: Spot) -> np.ndarray:
        """The gradient (d,) without what the box holds."""
        return np.where(self.held(spot), 0.0, spot.gradient)


def widened(f: Function, start: Tensor) -> tuple[Function, Tensor]:
    """f and the start in float64, where f can be evaluated so: rounding in float32 hides minima."""
    if start.dtype == torch.float64:
        return f, start
    try:
        wide, there = recast(f, torch.float64) if isinstance(f, nn.Module) else f, start.double()
        if flat(wide(there[None])).dtype == torch.float64:
            return wide, there
    except (RuntimeError, TypeError):  # f holds float32 tensors, or the device knows no float64
        pass
    return f, start
