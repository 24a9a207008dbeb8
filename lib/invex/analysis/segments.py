"""Convexity looked for on random segments: Proposition 1 of Amos et al. (2017), on any function.

A convex function lies nowhere above its chords. One segment on which it does is a counterexample; many on
which it does not are no proof, but a chance to fail that was not taken.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]
ROUNDING = 4096  # units in the last place: what some hundred products and sums of either sign may lose


@dataclass(frozen=True)
class Segments:
    """What n random segments say about a function.

    Attributes:
        gaps: (n,) height of the chord above the function at the middle: (f(a) + f(b)) / 2 - f((a + b) / 2).
        rounding: (n,) what rounding may contribute to each, by the size of the values.
    """

    gaps: Tensor
    rounding: Tensor

    @property
    def violations(self) -> int:
        """Segments on which the function lies above its chord by more than rounding: none if convex."""
        return int((self.gaps < -self.rounding).sum())

    @property
    def flat(self) -> int:
        """Segments on which chord and function meet to rounding: none if strictly convex."""
        return int((self.gaps.abs() <= self.rounding).sum())

    @property
    def smallest(self) -> float:
        """The smallest gap."""
        return float(self.gaps.min())


def ends(n: int, dimension: int, *, scale: float = 3.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Ends a and b of n random segments, (n, dimension) each, from N(0, scale^2), in float64."""
    generator = torch.Generator().manual_seed(seed)
    a, b = scale * torch.randn(2, n, dimension, generator=generator, dtype=torch.float64)
    return a, b


@torch.no_grad()
def midpoints(f: Function, a: Tensor, b: Tensor) -> Segments:
    """Compare a function with its chords at the middles of segments.

    Args:
        f: values (n,) of points (n, d).
        a, b: the ends, (n, d) each, in a precision that f works in: float64 shows the smallest violations.

    Raises:
        ValueError: a and b differ in shape, or f does not give one value a point.
    """
    if a.shape != b.shape:
        raise ValueError(f"segments need as many ends as beginnings: {tuple(a.shape)} and {tuple(b.shape)}")
    left, middle, right = f(a), f((a + b) / 2), f(b)
    if left.shape != a.shape[:1]:
        raise ValueError(
            f"f gives {tuple(left.shape)} for points {tuple(a.shape)}: one value a point is needed"
        )
    size = 1 + left.abs() + middle.abs() + right.abs()
    return Segments((left + right) / 2 - middle, ROUNDING * torch.finfo(left.dtype).eps * size)
