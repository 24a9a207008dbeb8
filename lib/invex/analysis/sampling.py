"""Uniform samples of the boundary of a convex set, by its surface measure."""

from typing import Any

import torch
from torch import Tensor

from invex.analysis.radius import radius
from invex.analysis.rays import Function, flat


def normals(f: Function, points: Tensor, chunk: int = 8192) -> Tensor:
    """Outward unit normals of the level sets through points (n, d): the direction of the gradient of f."""
    return torch.cat([_gradient(f, part) for part in points.split(chunk)])


def _gradient(f: Function, points: Tensor) -> Tensor:
    with torch.enable_grad():
        z = points.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(flat(f(z)).sum(), z)
    return gradient / gradient.norm(dim=1, keepdim=True)


def directions(n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """n uniform directions, (n, d), of the dimension, dtype and device of a point (d,)."""
    options: dict[str, Any] = {"generator": generator, "dtype": like.dtype, "device": like.device}
    drawn = torch.randn(n, len(like), **options)
    return drawn / drawn.norm(dim=1, keepdim=True)


def log_density_correction(offsets: Tensor, normal: Tensor) -> Tensor:
    """Log of the surface area that a ray stands for: r^(d-1) / cos(angle between normal and ray), (n,).

    A cone of directions dw cuts the area r^(d-1) dw / cos out of the surface, so uniform directions
    weighted by this are uniform on the surface.

    Args:
        offsets: (n, d) points of the surface minus the centre that the rays start from.
        normal: (n, d) outward unit normals there.
    """
    r = offsets.norm(dim=1)
    cosine = (offsets * normal).sum(1) / r
    return (offsets.shape[1] - 1) * r.log() - cosine.log()


def resample(points: Tensor, log_weight: Tensor, n: int, generator: torch.Generator | None = None) -> Tensor:
    """n of the points, drawn with replacement in proportion to their weights."""
    weight = torch.softmax(log_weight.double(), 0)
    return points[torch.multinomial(weight, n, replacement=True, generator=generator)]


def elongation(points: Tensor) -> float:
    """Largest variance of points (n, d) in any direction over the mean one, less what few points feign."""
    n, d = points.shape
    variances = torch.linalg.svdvals(points - points.mean(0)).square()
    feigned = (1 + (d / n) ** 0.5) ** 2  # of white noise (Marchenko & Pastur, 1967)
    return float(variances[0] / (variances.sum() / d) / feigned)


def shake_and_bake(
    f: Function,
    points: Tensor,
    level: float,
    steps: int,
    *,
    generator: torch.Generator | None = None,
    chunk: int = 8192,
    **options: Any,
) -> Tensor:
    """Moves every point through the set to another point of its boundary, `steps` times, keeping uniformity.

    The running shake-and-bake sampler of Boender et al. (1991): the direction inwards has a density
    proportional to its cosine with the normal, so that the step from x to y is as likely as the step back,
    and the uniform distribution on the surface is stationary. A chord that leaves the box first is not
    taken.

    Args:
        f: convex, with f = level at every point.
        points: (n, d).
        level: f at the points.
        steps: how often.
        generator: source of randomness, on the points' device.
        chunk: points evaluated at once.
        options: box and tolerance, as for `radius`.
    """
    for _ in range(steps):
        normal = normals(f, points, chunk)
        inwards, cosine = _cosine_directions(normal, generator)
        guess = 2 * cosine * (points - points.mean(0)).norm(dim=1)
        found = radius(f, points, inwards, level, start=guess, chunk=chunk, **options)
        step = torch.where(found.reached, found.radius, 0.0)
        points = points + step[:, None] * inwards
    return points


def _cosine_directions(normal: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
    """Directions against the normals with density proportional to their cosine, and that cosine.

    The tangential part of such a direction is uniform in the unit ball of the tangent space.
    """
    n, d = normal.shape
    options: dict[str, Any] = {"generator": generator, "dtype": normal.dtype, "device": normal.device}
    tangent = torch.randn(n, d, **options)
    tangent = tangent - (tangent * normal).sum(1, keepdim=True) * normal
    sine = torch.rand(n, **options) ** (1 / (d - 1))
    cosine = (1 - sine.square()).sqrt()
    along = tangent / tangent.norm(dim=1, keepdim=True)
    return sine[:, None] * along - cosine[:, None] * normal, cosine
