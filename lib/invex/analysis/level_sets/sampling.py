"""Uniform samples of the boundary of a convex set, by its surface measure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from invex.analysis.level_sets.gradients import values_and_gradients
from invex.analysis.level_sets.radius import PRECISION, radius
from invex.analysis.level_sets.rays import Box, Function


def normals(f: Function, points: Tensor, chunk: int = 8192) -> Tensor:
    """Outward unit normals of the level sets through points (n, d): the direction of the gradient of f."""
    return _values_and_normals(f, points, chunk)[1]


def _values_and_normals(f: Function, points: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    """f (n,) and the unit normals (n, d) of its level sets at points (n, d), n > 0."""
    values, gradients = zip(*(values_and_gradients(f, part) for part in points.split(chunk)), strict=True)
    gradient = torch.cat(gradients)
    return torch.cat(values), gradient / gradient.norm(dim=1, keepdim=True)


def directions(n: int, like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """n uniform directions, (n, d), of the dimension, dtype and device of a point (d,)."""
    options: dict[str, Any] = {"generator": generator, "dtype": like.dtype, "device": like.device}
    drawn = torch.randn(n, len(like), **options)
    return drawn / drawn.norm(dim=1, keepdim=True)


def corners(box: Box | None, like: Tensor) -> tuple[Tensor, Tensor]:
    """Lower and upper corner of a box, (d,) or a number each, as tensors `like`; infinite without a box."""
    lower, upper = (-torch.inf, torch.inf) if box is None else box
    to: dict[str, Any] = {"dtype": like.dtype, "device": like.device}
    return torch.as_tensor(lower, **to), torch.as_tensor(upper, **to)


def within(drawn: Tensor, centre: Tensor, box: Box | None) -> Tensor:
    """Directions (n, d) with those that leave the box at once, as the centre lies on a wall, mirrored there.

    Of uniform directions this makes uniform ones of the cone that points into the box.
    """
    lower, upper = corners(box, drawn)
    drawn = torch.where(centre <= lower, drawn.abs(), drawn)
    return torch.where(centre >= upper, -drawn.abs(), drawn)


def candidates(
    points: Callable[[Tensor], Tensor],
    centre: Tensor,
    box: Box | None,
    wanted: int,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, int]:
    """Points of the set in uniform directions, (m, d), and how many directions were drawn for them.

    Four directions for each point wanted; in a box, where many reach nothing, up to 1024, until `wanted` do.

    Args:
        points: of the set in directions (n, d), NaN where the box comes first.
        centre: (d,) where the rays start.
        box: lower and upper corner.
        wanted: how many points.
        generator: source of randomness, on the centre's device.
    """
    found, drawn, inside, batch = [], 0, 0, 4 * wanted
    while not drawn or (box is not None and inside < wanted and drawn < 1024 * wanted):
        there = points(within(directions(batch, centre, generator), centre, box))
        found.append(there[~there.isnan().any(1)])
        inside, drawn, batch = inside + len(found[-1]), drawn + batch, 16 * wanted
    return torch.cat(found), drawn


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
    """n of the points in proportion to their weights and in random order, with as few copies as can be.

    Systematic resampling (Kitagawa, 1996): n equally spaced places on the scale of summed weights.
    """
    options: dict[str, Any] = {"generator": generator, "device": points.device}
    scale = torch.softmax(log_weight.double(), 0).cumsum(0)
    place = (torch.arange(n, device=points.device) + torch.rand((), dtype=scale.dtype, **options)) / n
    drawn = torch.searchsorted(scale, place * scale[-1]).clamp_max(len(points) - 1)
    return points[drawn[torch.randperm(n, **options)]]


def effective_number(log_weight: Tensor) -> float:
    """(sum w)^2 / sum w^2 (Kish, 1965): how many points of equal weight would tell as much."""
    weight = torch.softmax(log_weight.double(), 0)
    return float(1 / weight.square().sum())


@dataclass(frozen=True)
class Boundary:
    """The set {z: f(z) = level}, and how its points are searched for.

    Attributes:
        f: convex, (n, d) -> (n,) or (n, 1).
        level: f at the points.
        box, tolerance, chunk: as for `shake_and_bake`.
        limit: largest length of a chord.
    """

    f: Function
    level: float
    box: Box | None = None
    tolerance: float | None = None
    chunk: int = 8192
    limit: float = 1e6

    def across(self, points: Tensor, inwards: Tensor, values: Tensor, guess: Tensor) -> Tensor:
        """The other ends (n, d) of chords from points where f has these values, of about these lengths (n,).

        The points themselves where a chord leaves the box first.
        """
        found = radius(
            self.f,
            points,
            inwards,
            self.level,
            box=self.box,
            tolerance=self._accepted(values),
            start=guess,
            limit=self.limit,
            chunk=self.chunk,
        )
        step = torch.where(found.reached, found.radius, 0.0)
        return torch.addcmul(points, step[:, None], inwards)

    def _accepted(self, values: Tensor) -> float:
        """That of `radius`, or the points' own |f - level|: where f rounds coarsely they lie no nearer."""
        tolerance = self.tolerance
        if tolerance is None:
            tolerance = PRECISION[values.dtype] * max(abs(self.level), float(values.abs().max()))
        return max(tolerance, float((values - self.level).abs().max()))


def shake_and_bake(
    f: Function,
    points: Tensor,
    level: float,
    steps: int,
    *,
    frame: Tensor | None = None,
    generator: torch.Generator | None = None,
    box: Box | None = None,
    tolerance: float | None = None,
    chunk: int = 8192,
) -> Tensor:
    """Moves every point through the set to another point of its boundary, `steps` times, keeping uniformity.

    The running shake-and-bake sampler of Boender et al. (1991): the direction inwards has a density
    proportional to its cosine with the normal, so that the step from x to y is as likely as the step back,
    and the uniform distribution on the surface is stationary.

    With a frame T the points move so in the coordinates y, z = T y, where a long set may be round. A piece of
    the surface has there the area |n^T T| / |det T| times its own, n its normal: so a step from z to z' is
    taken with the probability min(1, |n^T T| / |n'^T T|) of Metropolis et al. (1953).

    Args:
        f: convex, with f = level at every point.
        points: (n, d).
        level: f at the points.
        steps: how often.
        frame: T, (d, d), invertible and independent of the points' later moves.
        generator: source of randomness, on the points' device.
        box: as for `radius`; a chord that leaves it first is not taken.
        tolerance: as for `radius`; no less than the largest |f - level| of the points.
        chunk: points evaluated at once.
    """
    return walked(Boundary(f, level, box, tolerance, chunk), points, steps, frame, generator)[0]


def walked(
    boundary: Boundary,
    points: Tensor,
    steps: int,
    frame: Tensor | None = None,
    generator: torch.Generator | None = None,
    told: Callable[[int, int], None] = lambda step, steps: None,
) -> tuple[Tensor, float]:
    """The points (n, d) after steps of `shake_and_bake`, and the share of these that were taken.

    `told` is called after each step with its number, from 1, and that of all.
    """
    frame = None if frame is None else frame.to(points.dtype)
    values, normal = _values_and_normals(boundary.f, points, boundary.chunk)
    taken = 0.0
    for step in range(steps):
        pulled = normal if frame is None else normal @ frame
        inwards, guess = _chords(points, pulled, frame, generator)
        there = boundary.across(points, inwards, values, guess)
        values_there, normal_there = _values_and_normals(boundary.f, there, boundary.chunk)
        take = (there != points).any(1)
        if frame is not None:
            chance = pulled.norm(dim=1) / (normal_there @ frame).norm(dim=1)
            take &= _uniform(chance, generator) < chance
        points, normal = torch.where(
            take[:, None], torch.stack([there, normal_there]), torch.stack([points, normal])
        )
        values = torch.where(take, values_there, values)
        taken += float(take.double().mean()) / steps
        told(step + 1, steps)
    return points, taken


def _uniform(like: Tensor, generator: torch.Generator | None) -> Tensor:
    return torch.rand(like.shape, generator=generator, dtype=like.dtype, device=like.device)


def _chords(
    points: Tensor, pulled: Tensor, frame: Tensor | None, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Random directions inwards (n, d) and guesses of the lengths (n,) of the chords along them.

    `pulled` (n, d) are the normals in the frame, of any length. There the set is about the unit ball.
    """
    inwards, cosine = _cosine_directions(pulled / pulled.norm(dim=1, keepdim=True), generator)
    if frame is None:
        return inwards, 2 * cosine * (points - points.mean(0)).norm(dim=1)
    return inwards @ frame.T, 2 * cosine


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
