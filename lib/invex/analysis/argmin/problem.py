"""What every solver here shares: an energy, a box, a solution with its state of convergence by example.

An energy is a function of a batch: y (..., n, p) -> (..., n), row i at its own context, convex in each row. A
`invex.nn.partially_convex.AtContext` is one, and so is any convex module on (n, p).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Energy = Callable[[Tensor], Tensor]


class OutsideDomain(ValueError):  # noqa: N818 - named after the finding
    """A start lies outside the box."""


class NotConvex(ValueError):  # noqa: N818 - named after the finding
    """Two points contradict convexity: the energy lies below its tangent at one of them."""


class Unbounded(ValueError):  # noqa: N818 - named after the finding
    """The energy falls without end along the path of a solver: there is no minimum."""


@dataclass(frozen=True)
class Box:
    """The domain low <= y <= high, the same for every coordinate; infinite ends leave it open."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"an empty box: low {self.low} is not below high {self.high}")

    def project(self, y: Tensor) -> Tensor:
        """The nearest point of the box."""
        return y if self.open else y.clamp(self.low, self.high)

    @property
    def open(self) -> bool:
        """Whether it is the whole space."""
        return self.low == -float("inf") and self.high == float("inf")

    def check(self, start: Tensor) -> None:
        """Raise OutsideDomain for a start that is not in the box, and name it; in the whole space all are."""
        if self.open:
            return
        outside = ((start < self.low) | (start > self.high) | start.isnan()).flatten(1).any(1)
        if bool(outside.any()):
            row = int(outside.nonzero()[0])
            where = f"[{self.low:g}, {self.high:g}]"
            raise OutsideDomain(
                f"{int(outside.sum())} of {len(start)} starts lie outside {where}, the first in row {row}: "
                "clamp them, or give the box that they are from"
            )


UNIT = Box(0.0, 1.0)
SPACE = Box(-float("inf"), float("inf"))


@dataclass(frozen=True)
class Solution:
    """Where a solver stopped, for each of n examples.

    Attributes:
        point: (n, p).
        value: of the objective there, (n,).
        residual: what is left to gain or to move, in the solver's own measure, (n,).
        converged: whether the residual is within the tolerance, (n,).
        steps: at which it was so first, else all, (n,).
    """

    point: Tensor
    value: Tensor
    residual: Tensor
    converged: Tensor
    steps: Tensor


def value_and_gradient(energy: Energy, y: Tensor, *, graph: bool = False) -> tuple[Tensor, Tensor]:
    """Values (..., n) and gradients (..., n, p) at y; with ``graph`` both can be differentiated."""
    with torch.enable_grad():
        y = y if graph and y.requires_grad else y.detach().requires_grad_()
        values = energy(y)
        if values.shape != y.shape[:-1]:
            shapes = f"{tuple(y.shape)} -> {tuple(values.shape)}"
            raise ValueError(f"an energy maps (..., n, p) to (..., n), one value an example; here {shapes}")
        (gradient,) = torch.autograd.grad(values.sum(), y, create_graph=graph)
    return (values, gradient) if graph else (values.detach(), gradient)


def check_convex(above: Tensor, value: Tensor, gradient: Tensor, step: Tensor, slack: float) -> None:
    """Raise NotConvex where f(a) < f(b) + <gradient at b, a - b> by more than rounding, row by row.

    Args:
        above: f(a), (..., n).
        value: f(b), (..., n).
        gradient: at b, (..., n, p).
        step: a - b, (..., n, p).
        slack: relative to the size of the numbers compared.
    """
    slope = gradient * step
    size = 1 + above.abs() + value.abs() + slope.abs().sum(-1)
    gap = value + slope.sum(-1) - above - slack * size
    if bool((gap > 0).any()):
        row = int(gap.reshape(-1, gap.shape[-1]).amax(0).argmax())
        raise NotConvex(
            f"the energy of example {row} lies {float(gap.max()):.2e} below its tangent: it is not convex "
            "there. Keep the weights that must not be negative so, or minimise it by descent alone"
        )


def slack(y: Tensor) -> float:
    """Relative rounding that a few hundred operations may leave in the type of y."""
    return 1e3 * torch.finfo(y.dtype).eps
