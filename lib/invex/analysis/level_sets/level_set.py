"""Level sets of convex functions in hyperspherical coordinates (Nesterov et al. 2022, Sec. 3.2-3.3).

`minimum` finds the centre, `radius` the radius in given directions, and `LevelSet` holds both together:
points, grids, uniform samples, interpolation, geodesics and walks. Everything happens in the space in which f
is convex; a model g(f(h(x))) with a monotone head g has the level set f(z) = `level_before(g, alpha)`, mapped
back by h^-1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from invex.analysis.level_sets import arguments
from invex.analysis.level_sets.heads import head_level
from invex.analysis.level_sets.paths import short_path, steps_along
from invex.analysis.level_sets.radius import Radii, precision, radius, refuse_ray
from invex.analysis.level_sets.rays import (
    Box,
    Function,
    LevelSetError,
    NotOnLevel,
    name_of,
    value,
)
from invex.analysis.level_sets.sampling import Boundary, corners
from invex.analysis.level_sets.spherical import from_angles, grid_directions, to_angles
from invex.analysis.level_sets.whitened import uniform
from invex.analysis.modes import outside_inference

__all__ = ["LevelSet", "level_before"]


def level_before(
    head: Callable[[Tensor], Tensor], level: float, *, like: Tensor | None = None, limit: float = 1e6
) -> float:
    """The level of f at which a strictly monotone head g reaches `level`: g^-1(level), by bracketing.

    Args:
        head: g, of a tensor (1,); where it is not a number below zero, it is looked at above zero alone.
        level: the value of g.
        like: a tensor with the head's dtype and device; default float64 on the CPU.
        limit: how far from zero to look.

    Raises:
        LevelNotReached: g does not reach the level between -limit and limit; in rounding, a level that it
            only approaches counts as not reached.
        LevelSetError: g is not a number on the way, or not strictly monotone and continuous at the level.
    """
    return head_level(head, level, torch.empty(0, dtype=torch.float64) if like is None else like, limit)


@dataclass(frozen=True)
class LevelSet:
    """The set {z: f(z) = level} of a convex f, seen from a centre inside it.

    Attributes:
        f: (n, d) -> (n,) or (n, 1), convex.
        level: above f(centre).
        centre: (d,), by rule the minimum; its dtype and device are the set's. No derivatives lead back to it,
            nor from any points to the directions or points that they were found from.
        box: if given, the part of the set within it: directions that leave it first give NaN points.
        tolerance: as for `radius`, from the centre.
        chunk: points evaluated at once.
        limit: distance from the centre beyond which the level counts as not reached.

    Raises:
        LevelNotReached: the level is not above f at the centre.
        LevelSetError: it is not finite, nor f at the centre, or the centre lies outside the box.
        ValueError: tolerance, chunk or limit is not positive; a shape, a device or the order of the box's
            sides is wrong; f gives more than one value a point or not the same value twice, or is in training
            mode with layers that then draw random numbers.
        TypeError: the centre is neither float32 nor float64, or f is a module of another dtype.
        The message names the thing and the way out. The methods check what they are given alike.
    """

    f: Function
    level: float
    centre: Tensor
    box: Box | None = None
    tolerance: float | None = None
    chunk: int = 8192
    limit: float = 1e6

    def __post_init__(self) -> None:
        arguments.positive(tolerance=self.tolerance, chunk=self.chunk, limit=self.limit)
        arguments.count("chunk", self.chunk)
        arguments.point("centre", self.centre)
        arguments.box_in_order(self.box, self.centre)
        with torch.inference_mode(False):
            object.__setattr__(self, "centre", self.centre.detach().clone())
        lower, upper = corners(self.box, self.centre)
        if bool(((self.centre < lower) | (self.centre > upper)).any()):
            raise LevelSetError(f"the centre, {name_of(self.centre)}, lies outside the box")
        lowest = arguments.steady(self.f, self.centre, "centre")
        object.__setattr__(self, "level", arguments.above(self.level, lowest, self.centre))

    def radii(self, directions: Tensor, start: Tensor | None = None) -> Radii:
        """Radius in each direction (n, d), in multiples of its length; see `radius`."""
        arguments.alike("directions", directions, (None, len(self.centre)), self.centre)
        if start is not None:
            arguments.alike("radii to start from", start, (len(directions),), self.centre)
        length = directions.norm(dim=1)
        found = radius(
            self.f,
            self.centre,
            directions / length[:, None],
            self.level,
            box=self.box,
            tolerance=self.accepted(),
            start=None if start is None else start * length,
            limit=self.limit,
            chunk=self.chunk,
        )
        found.radius = found.radius / length
        return found

    def accepted(self) -> float:
        """Largest |f - level| of a point of the set: `tolerance`, or that of `radius` from the centre."""
        part = precision(self.centre.dtype)
        size = max(abs(self.level), float(value(self.f, self.centre[None]).abs()))
        return part * size if self.tolerance is None else self.tolerance

    @torch.no_grad()
    def points(self, directions: Tensor, start: Tensor | None = None) -> Tensor:
        """Points of the set in each direction (n, d); NaN where a ray leaves the box first.

        Raises:
            UnboundedLevelSet: without a box, the level is not reached in a direction that the message names.
            LevelNotReached: the same, as f jumps over the level or is not a number from some radius on.
        """
        found = self.radii(directions, start)
        if self.box is None and not bool(found.reached.all()):
            ray = int(torch.nonzero(~found.reached)[0])
            refuse_ray(self.f, self.centre, directions[ray], self.level, self.limit, f"ray {ray}")
        return torch.addcmul(self.centre, found.radius[:, None], directions)

    def grid(self, *counts: int) -> Tensor:
        """Points at a grid of hyperspherical angles, (*counts, d), one count for each of the d - 1 angles.

        The last angle goes once round from 0 in equal steps; the others go from 0 to pi, both included. In
        two dimensions `grid(n)` is the closed curve, anticlockwise.
        """
        for number in counts:
            arguments.count("a count of the grid", number, 0)
        directions = grid_directions(counts, self.centre)
        return self.points(directions.flatten(0, -2)).view(directions.shape)

    @outside_inference
    def sample(
        self,
        n: int,
        *,
        steps: int | None = None,
        generator: torch.Generator | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> Tensor:
        """n points uniform on the set by its surface measure, (n, d).

        Uniform directions are resampled by the area that each stands for, and the points so drawn are moved
        by shake and bake until they have spread, in a frame in which the set is about round. The first alone
        is enough in a few dimensions; in hundreds, where the areas differ by orders of magnitude, and on long
        sets the second does the work (`whitened.spread`). In one dimension the set is two points.

        Args:
            n: how many. At least 2 d, and 256, are moved, as their spread is measured: in 1000 dimensions
                by 20 million evaluations of f or more. A long set takes more stretches: an ellipsoid 100
                times as long as wide takes about 12 d steps of some 7 evaluations a point (measured for
                d = 10 and 30), for 1,000 points in 300 dimensions 25 million. `progress` says how far it is.
            steps: moves between two looks at the spread, by default and at least 8 + 2 d, what a round set
                takes: fewer show too little. 0 leaves the points that resampling drew.
            generator: source of randomness, on the centre's device.
            progress: called now and then with how many steps are done, of how many that may be needed, and
                how round the set is so far.

        Raises:
            ValueError: n is negative.
            UnboundedLevelSet: without a box, the level is not reached in a direction drawn.
            LevelNotReached: within the box, in none.
            NotSpread: the points do not spread over a set that is too long, or cut up by the box.
        """
        arguments.count("n", n, 0)
        if steps is not None:
            arguments.count("steps", steps, 0)
        arguments.generator_on(generator, self.centre)
        boundary = Boundary(self.f, self.level, self.box, self.accepted(), self.chunk, 2 * self.limit)
        return uniform(boundary, self.points, self.centre, n, steps, generator, progress)

    def retract(self, points: Tensor) -> Tensor:
        """Points (n, d) moved to the set along their rays from the centre."""
        arguments.alike("points", points, (None, len(self.centre)), self.centre)
        offsets = points - self.centre
        return self.points(offsets, start=torch.ones_like(offsets[:, 0]))

    def check(self, points: Tensor) -> Tensor:
        """The points (n, d) themselves if they lie on the set.

        That is, up to 1e3 times `accepted`, and to a hundredth of the way in f from the centre to the level.

        Raises:
            NotOnLevel: a point does not; the message names it and its value.
        """
        arguments.alike("points", points, (None, len(self.centre)), self.centre)
        values, accepted = value(self.f, points, self.chunk), self.accepted()
        depth = self.level - float(value(self.f, self.centre[None]))
        wrong = ~((values - self.level).abs() <= min(1e3 * accepted, max(1e-2 * depth, 2 * accepted)))
        if bool(wrong.any()):
            at = int(torch.nonzero(wrong)[0])
            where = f"point {at}, {name_of(points[at])}"
            found = f"f = {values[at]:.6g}, the level is {self.level:.6g}"
            raise NotOnLevel(f"{where}: {found}; `retract` moves points to the set")
        return points

    def interpolate(self, a: Tensor, b: Tensor, n: int) -> Tensor:
        """n points of the set from a to b, both (d,), equally spaced in hyperspherical angles (Sec. 3.3).

        The last angle takes the shorter way round. The ends are a and b themselves; beyond the box, NaN.
        """
        a, b = self._ends(a, b, n)
        (_, first), (_, last) = to_angles(a - self.centre), to_angles(b - self.centre)
        way = last - first
        way[-1] = torch.remainder(way[-1] + math.pi, 2 * math.pi) - math.pi
        share = torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)[:, None]
        path = self.points(from_angles(torch.ones_like(share[:, 0]), first + share * way))
        path[0], path[-1] = a, b
        return path

    def _ends(self, a: Tensor, b: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """Both ends of a path of n points, if they are on the set."""
        for name, end in (("ends a", a), ("ends b", b)):
            arguments.alike(name, end, tuple(self.centre.shape), self.centre)
        arguments.count("n", n, 2)
        first, last = self.check(torch.stack([a, b]).detach())
        return first, last

    @outside_inference
    def geodesic(
        self, a: Tensor, b: Tensor, n: int, *, embed: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """n points of a short path on the set from a to b, both (d,), equally spaced (`paths.short_path`).

        With `embed` (by rule h^-1 of a bijection) the length is that of the path in its image. Several ways
        round are pulled tight and the best of them is returned: it is shortest nearby, and no bound shows
        that none is shorter elsewhere. `paths.short_path` says what was measured. The box plays no part.
        """
        a, b = self._ends(a, b, n)
        return short_path(replace(self, box=None), a, b, n, embed)

    @outside_inference
    def walk(
        self,
        start: Tensor,
        steps: int,
        size: float,
        *,
        direction: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Walks in tangent directions, each step pulled back on the set along its ray: (steps + 1, m, d).

        Args:
            start: (m, d) points of the set, or (d,) for one walk, which then is (steps + 1, d).
            steps: how many steps.
            size: length of a step along the tangent.
            direction: of the same shape as `start`: go straight that way, the tangent part carried along.
                Without it every step takes a new random direction.
            generator: source of randomness, on the centre's device.
        """
        arguments.count("steps", steps, 0)
        arguments.finite("size", size)
        arguments.generator_on(generator, self.centre)
        points = self.check(torch.atleast_2d(start).detach())
        if direction is not None:
            arguments.alike("directions", direction, tuple(start.shape), self.centre)
        way = None if direction is None else torch.atleast_2d(direction).detach()
        return steps_along(self, points, steps, size, way, generator).view(steps + 1, *start.shape)
