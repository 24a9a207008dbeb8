"""Random functions of the plane with one and with several minima (ours), to calibrate a detector on.

All are looked at on the square [-1, 1]^2, where they have mean 0 and standard deviation 1. A bowl is convex
after a bijection, so that its level sets are connected by construction; the minima of the others have to be
counted.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]
FAMILIES = ("bowl", "double bowl", "wells")


def landscape(family: str, seed: int) -> Function:
    """A random function (..., 2) -> (...) of a family, standardised on the square.

    Raises:
        KeyError: no such family.
    """
    makers = {"bowl": _bowl, "double bowl": _double_bowl, "wells": _wells}
    raw = makers[family](np.random.default_rng([seed, FAMILIES.index(family)]))
    axis = torch.linspace(-1, 1, 81, dtype=torch.float64)
    values = raw(torch.cartesian_prod(axis, axis))
    mean, deviation = float(values.mean()), float(values.std())
    return lambda x: (raw(x) - mean) / deviation


def _bent(generator: np.random.Generator) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """A bijection of the plane: a turn about a random centre, a parabola and a wave along the first axis."""
    angle, (c1, c2) = generator.uniform(0, 2 * np.pi), generator.uniform(-0.4, 0.4, 2)
    bend, wave, frequency = generator.uniform(0, 1.5), generator.uniform(0, 0.25), generator.uniform(2, 5)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))

    def apply(x: Tensor) -> tuple[Tensor, Tensor]:
        x1, x2 = x[..., 0] - c1, x[..., 1] - c2
        along, across = cos * x1 + sin * x2, cos * x2 - sin * x1
        return along, across - bend * along**2 - wave * torch.sin(frequency * along)

    return apply


def _bowl(generator: np.random.Generator) -> Function:
    """(v1^2 + k v2^2)^p of bent coordinates v: one minimum."""
    bent, steep, power = _bent(generator), 10 ** generator.uniform(0, 1.5), generator.uniform(0.3, 1.0)

    def function(x: Tensor) -> Tensor:
        along, across = bent(x)
        return (along**2 + steep * across**2) ** power

    return function


def _double_bowl(generator: np.random.Generator) -> Function:
    """asinh of 3 ((v1^2 / a^2 - 1)^2 + t v1 / a + k v2^2), bent: two minima, or one if t is large."""
    bent, steep, half = _bent(generator), 10 ** generator.uniform(0, 1.2), generator.uniform(0.3, 0.7)
    tilt = generator.uniform(0, 2.0)

    def function(x: Tensor) -> Tensor:
        along, across = bent(x)
        height = ((along / half) ** 2 - 1) ** 2 + tilt * along / half + steep * across**2
        return torch.asinh(3 * height)  # keeps level sets and makes the walls less steep

    return function


def _wells(generator: np.random.Generator) -> Function:
    """Minus a mixture of one to four Gaussians of random place, shape and depth."""
    count = int(generator.integers(1, 5))
    centres = torch.from_numpy(generator.uniform(-0.7, 0.7, (count, 2)))
    depths = torch.from_numpy(generator.uniform(0.4, 1.0, count))
    turns = generator.uniform(0, np.pi, count)
    frames = np.stack([[np.cos(turns), np.sin(turns)], [-np.sin(turns), np.cos(turns)]]).transpose(2, 0, 1)
    widths = generator.uniform(0.15, 0.45, (count, 2, 1))
    scaled = torch.from_numpy(frames / widths)

    def function(x: Tensor) -> Tensor:
        offsets = x[..., None, :] - centres.to(x)
        distance = torch.einsum("kij,...kj->...ki", scaled.to(x), offsets).square().sum(-1)
        return -(torch.exp(-distance / 2) * depths.to(x)).sum(-1)

    return function
