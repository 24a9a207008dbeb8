"""A few points in the line and in the plane, by hand rule: enough to see what a constraint does to a fit."""

import torch
from torch import Tensor


def two_valleys(n: int = 14, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Points x (n, 1) on [-2, 2] and values (n,) with two valleys and a hill between them, a little noisy.

    The function is x^2 / 2 + 0.9 cos(3.2 x) - 0.2 x; the noise has standard deviation 0.05.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.linspace(-2, 2, n)
    noise = 0.05 * torch.randn(n, generator=generator)
    return x[:, None], x.square() / 2 + 0.9 * torch.cos(3.2 * x) - 0.2 * x + noise


def crescent(inside: int = 15, outside: int = 14, centre: int = 4, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Points (n, 2) and signs (n,): -1 on a crescent, part of a ring, and 1 around and within it."""
    generator = torch.Generator().manual_seed(seed)
    low = _ring(torch.linspace(-1.2, 0.2, inside), 1.1)
    high = _ring(torch.linspace(-1, 1, outside + 1)[:-1], 2.0)
    within = _ring(torch.linspace(-1, 1, centre + 1)[:-1], 0.3)
    points = torch.cat([low, high, within])
    points += 0.06 * torch.randn(points.shape, generator=generator)
    return points, torch.cat([-torch.ones(inside), torch.ones(outside + centre)])


def _ring(turns: Tensor, radius: float) -> Tensor:
    """Points at angles, in half turns, on a circle around the origin."""
    return radius * torch.stack([torch.cos(torch.pi * turns), torch.sin(torch.pi * turns)], 1)
