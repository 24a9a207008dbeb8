"""Points on a level set per second, against the published searches, brentq and a vectorised bisection.

Every side works on the same float64 network from the same centre in the same directions, knows no radius
beforehand, and brings every point within 1e-6 of its level. On a ray from inside a convex set that fixes the
point. A search per ray is timed on the first few rays, and on the processor, which is faster point by point.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from invex.analysis.level_sets import minimum, radius
from invex.nn.convex import ConvexNetwork
from scipy import optimize
from torch import Tensor

from benchmarks import harness

BENCH, UNIT, ERROR = "level-sets", "points/s", 1e-6
LIMIT = "three evaluations of f and its directional derivative a point"


@dataclass(frozen=True)
class Shape:
    """The sizes of a network."""

    dimension: int
    widths: tuple[int, ...]
    skips: bool

    @property
    def operations(self) -> int:
        """Floating-point operations of one value of f."""
        sizes = [*self.widths, 1]
        entering = sum(sizes) if self.skips else sizes[0]
        return 2 * (self.dimension * entering + sum(a * b for a, b in pairwise(sizes)))

    def words(self) -> dict[str, object]:
        """For the case of a row."""
        widths = "-".join(map(str, self.widths))
        return {"dimension": self.dimension, "widths": widths, "skips": "yes" if self.skips else "no"}


@dataclass(frozen=True)
class Problem:
    """A convex network, a point inside the level set, and n rays; `level` is f at a typical distance."""

    network: ConvexNetwork
    centre: Tensor
    directions: Tensor
    level: float

    @classmethod
    def draw(cls, n: int, shape: Shape, device: str) -> "Problem":
        """A random network that has a minimum: each input weight occurs with both signs."""
        torch.manual_seed(0)
        dimension, skips = shape.dimension, shape.skips
        network = ConvexNetwork(dimension, shape.widths, positivity="projection", skips=skips)
        network.double().requires_grad_(False)
        for layer in network.inputs[:-1] if skips else network.inputs[:1]:
            half = layer.weight[: len(layer.weight) // 2]
            layer.weight.copy_(torch.cat([half, -half]))
        if skips:
            network.inputs[-1].weight.zero_()
        centre = minimum(network, torch.zeros(dimension, dtype=torch.float64)).point
        directions = torch.nn.functional.normalize(torch.randn(n, dimension, dtype=torch.float64))
        if dimension == 2:
            angle = torch.arange(n, dtype=torch.float64) * (2 * math.pi / n)
            directions = torch.stack([angle.cos(), angle.sin()], 1)
        level = float(network(centre + 2 * dimension**0.5 * directions[:100]).mean())
        return cls(network.to(device), centre.to(device), directions.to(device), level)

    def on_cpu(self) -> "Problem":
        """The same problem on the processor."""
        network, moved = copy.deepcopy(self.network).cpu(), (self.centre.cpu(), self.directions.cpu())
        return replace(self, network=network, centre=moved[0], directions=moved[1])

    def ours(self) -> Tensor:
        """The radii by the library."""
        return radius(self.network, self.centre, self.directions, self.level, tolerance=ERROR).radius

    def slopes(self) -> Tensor:
        """f and its directional derivative at typical radii, as the limit counts them."""
        r = torch.full_like(self.directions[:, 0], 2 * len(self.centre) ** 0.5, requires_grad=True)
        values = self.network(self.centre + r[:, None] * self.directions)
        return torch.autograd.grad(values.sum(), r)[0]

    def values(self, r: Tensor) -> Tensor:
        """f - level at radii on the first rays, as many as there are radii."""
        with torch.inference_mode():
            return self.network(self.centre + r[:, None] * self.directions[: len(r)]) - self.level

    def error(self, r: Tensor) -> float:
        """Largest |f - level| at radii on the first rays; infinite if a radius is not positive."""
        r = r.to(self.centre)
        return float(self.values(r).abs().max()) if bool((r > 0).all()) else math.inf

    def along(self, ray: int) -> Callable[[float], float]:
        """f - level on one ray as a function of the radius."""
        centre, direction = self.centre, self.directions[ray]

        def gap(r: float) -> float:
            with torch.inference_mode():
                return float(self.network((centre + r * direction)[None])) - self.level

        return gap


def nelder_mead(problem: Problem, rays: range) -> Tensor:
    """Nesterov et al.'s search: Nelder-Mead on (f - level)^2, each angle from the radius before it."""
    r, found, options = 1.0, [], {"xatol": 1e-5, "fatol": ERROR**2}
    for ray in rays:
        gap = problem.along(ray)
        square = lambda x, gap=gap: gap(x[0]) ** 2  # noqa: E731
        r = float(optimize.minimize(square, r, method="Nelder-Mead", options=options).x[0])
        found.append(r)
    return torch.tensor(found, dtype=torch.float64)


def unbounded_brent(problem: Problem, rays: range) -> Tensor:
    """Hoedt & Klambauer's search: Brent's minimisation of |f - level| along the ray, without bounds."""
    gaps = (problem.along(ray) for ray in rays)
    found = [float(optimize.minimize_scalar(lambda x, gap=gap: abs(gap(x))).x) for gap in gaps]
    return torch.tensor(found, dtype=torch.float64)


def brentq(problem: Problem, rays: range) -> Tensor:
    """SciPy's bracketing root finder on each ray, the bracket grown by doubling."""
    found = []
    for ray in rays:
        gap, high = problem.along(ray), 1.0
        while gap(high) < 0:
            high *= 2
        found.append(optimize.brentq(gap, high / 2 if high > 1 else 0.0, high, xtol=1e-8))
    return torch.tensor(found, dtype=torch.float64)


def bisection(problem: Problem, rays: range) -> Tensor:
    """Bisection of all rays at once until every point is within the error."""
    low = torch.zeros_like(problem.directions[: len(rays), 0])
    high = torch.ones_like(low)
    while bool((short := problem.values(high) < 0).any()):
        low, high = torch.where(short, high, low), torch.where(short, 2 * high, high)
    while True:
        middle = (low + high) / 2
        gap = problem.values(middle)
        if float(gap.abs().max()) <= ERROR:
            return middle
        low, high = torch.where(gap < 0, middle, low), torch.where(gap < 0, high, middle)


def rows(full: bool) -> Iterator[dict[str, object]]:
    """The rows of the bench; `full` adds the cost against the number of points and the dimension."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for shape in (Shape(2, (512,) * 4, True), Shape(512, (128, 128), False)):
        yield from _against_peers(shape, device)
    if full:
        for n in (10, 100, 1_000, 10_000, 100_000):
            yield _alone(Shape(2, (512,) * 4, True), n, device)
            yield _alone(Shape(512, (128, 128), False), n, device)
        for dimension in (5, 10, 30, 100, 300, 1_000):
            yield _alone(Shape(dimension, (512,) * 4, True), 1_000, device)


def _against_peers(shape: Shape, device: str, n: int = 1_000) -> Iterator[dict[str, object]]:
    problem = Problem.draw(n, shape, device)
    published = nelder_mead if shape.dimension == 2 else unbounded_brent
    yield _row(problem, shape, published.__name__, published, 20)
    yield _row(problem, shape, "brentq", brentq, 50)
    yield _row(problem, shape, "bisection", bisection, n)


def _row(
    problem: Problem, shape: Shape, peer: str, search: Callable[[Problem, range], Tensor], sample: int
) -> dict[str, object]:
    """Ours on all rays against a peer on the first `sample` of them."""
    n, rays = len(problem.directions), range(sample)
    theirs = problem if sample == n else problem.on_cpu()
    case = harness.case(**shape.words(), n=n, peer_points=sample)
    error = max(problem.error(problem.ours()), problem.error(search(theirs, rays)))
    timing = harness.paired(problem.ours, lambda: search(theirs, rays), pairs=31)
    limit = n / (3 * harness.best(problem.slopes))
    sizes = {"work": n, "their_work": sample, "limit": limit, "limit_of": LIMIT}
    return harness.row(BENCH, case, peer, timing, unit=UNIT, **sizes, error=error, tolerance=ERROR)


def _alone(shape: Shape, n: int, device: str) -> dict[str, object]:
    """Ours alone, against three evaluations at the rate of the machine's products of the same shape."""
    problem = Problem.draw(n, shape, device)
    error = problem.error(problem.ours())
    rate = harness.gemm_rate(min(n, 8192), shape.widths[0], shape.widths[-1], torch.float64, device)
    limit = rate / (3 * 2 * shape.operations)
    case = harness.case(**shape.words(), n=n)
    said = {"work": n, "limit": limit, "limit_of": "three evaluations at the rate of float64 products"}
    return harness.row(
        BENCH, case, None, harness.paired(problem.ours), unit=UNIT, **said, error=error, tolerance=ERROR
    )
