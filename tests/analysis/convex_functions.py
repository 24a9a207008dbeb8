"""Convex functions with known level sets, for the tests of level sets."""

import torch
from invex.analysis.level_sets import LevelSet
from torch import Tensor, nn
from torch.nn import functional


class Quadratic(nn.Module):
    """1/2 (z - m)^T A (z - m) + c with A positive definite: the radius is sqrt(2 (level - c) / u^T A u)."""

    def __init__(self, dimension: int, generator: torch.Generator, *, condition: float = 100.0) -> None:
        super().__init__()
        like = {"dtype": torch.float64, "generator": generator}
        axes = torch.linalg.qr(torch.randn(dimension, dimension, **like)).Q
        curvature = condition ** torch.linspace(0, 1, dimension, dtype=torch.float64)
        self.matrix = nn.Parameter(axes * curvature @ axes.T)
        self.minimum = nn.Parameter(torch.randn(dimension, **like))
        self.offset = nn.Parameter(torch.randn((), **like))

    def forward(self, z: Tensor) -> Tensor:
        offset = z - self.minimum
        return ((offset @ self.matrix) * offset).sum(1, keepdim=True) / 2 + self.offset

    def radius(self, directions: Tensor, above: float) -> Tensor:
        """The exact radius from the minimum, `above` the offset."""
        return (2 * above / ((directions @ self.matrix) * directions).sum(1)).sqrt().detach()


class LogSumExp(nn.Module):
    """log sum exp(A z + b) over directions all round the origin: convex, coercive, far from quadratic."""

    def __init__(self, dimension: int, generator: torch.Generator) -> None:
        super().__init__()
        half = torch.randn(dimension + 3, dimension, dtype=torch.float64, generator=generator)
        self.rows = nn.Parameter(torch.cat([half, -half, torch.eye(dimension), -torch.eye(dimension)]))

    def forward(self, z: Tensor) -> Tensor:
        return torch.logsumexp(z @ self.rows.T, 1)


class Softplus(nn.Module):
    """A small input-convex network with skips, made coercive by a weak quadratic."""

    def __init__(self, dimension: int, generator: torch.Generator) -> None:
        super().__init__()
        like = {"dtype": torch.float64, "generator": generator}
        self.first = nn.Parameter(torch.randn(24, dimension, **like) / dimension**0.5)
        self.second = nn.Parameter(torch.rand(16, 24, **like) / 12)
        self.skip = nn.Parameter(torch.randn(16, dimension, **like) / dimension**0.5)
        self.last = nn.Parameter(torch.rand(16, **like) / 8)

    def forward(self, z: Tensor) -> Tensor:
        hidden = functional.softplus(z @ self.first.T)
        hidden = functional.softplus(hidden @ self.second.T + z @ self.skip.T)
        return hidden @ self.last + 0.01 * z.square().sum(1)


FAMILIES = (Quadratic, LogSumExp, Softplus)


def ellipsoid(
    *axes: float, centre: tuple[float, ...] | None = None, dtype: torch.dtype = torch.float64
) -> LevelSet:
    """The ellipsoid sum (z_i / axis_i)^2 = 1, seen from a centre inside."""
    scale = torch.tensor(axes, dtype=dtype)
    inside = torch.zeros_like(scale) if centre is None else torch.tensor(centre, dtype=dtype)
    return LevelSet(lambda z: (z / scale).square().sum(1), 1.0, inside)


def square(z: Tensor) -> Tensor:
    """|z|^2, whose level sets are spheres about the origin."""
    return z.square().sum(1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def off_level(level_set: LevelSet, points: Tensor) -> float:
    values = level_set.f(points.reshape(-1, points.shape[-1])).flatten()
    return (values - level_set.level).abs().max().item()
