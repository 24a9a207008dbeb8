"""Argmin inference of a batch, against a general convex solver (cvxpy with Clarabel) called per example.

Both sides minimise the same network, convex in y, at a batch of contexts over the unit cube, and reach values
within 1e-5 of each other, relative: with kinks and the entropy of bits by the bundle-entropy method, and
smooth by projected gradient. The peer is timed on the first few examples. Its program is built and compiled
once, before the clock starts, with what depends on the context as parameters.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cvxpy as cp
import numpy as np
import torch
from invex.analysis.argmin import bundle_entropy, gradient
from invex.nn.convex import softplus
from invex.nn.partially_convex import AtContext, PartiallyConvexNetwork
from torch import Tensor
from torch.nn import functional

from benchmarks import harness

BENCH, UNIT, ERROR = "argmin", "examples/s", 1e-5


@dataclass(frozen=True)
class Problem:
    """A network at n contexts, in float64; with kinks, or smooth and with a quadratic term."""

    energy: AtContext
    kinks: bool
    n: int
    p: int

    @classmethod
    def draw(cls, n: int, p: int, width: int, kinks: bool) -> "Problem":
        """Random weights whose kinks or bends run near the middle of the cube."""
        torch.manual_seed(0)
        activation = functional.relu if kinks else softplus
        net = PartiallyConvexNetwork(16, p, (width, width), activation=activation).double()
        with torch.no_grad():
            net.inputs[0].weight.mul_(4)
            net.shifts[0].bias.copy_(-net.inputs[0].weight.sum(1) / 2 + 0.5 * torch.randn(width))
            for raw in net.raw:
                raw.mul_(2.5)
            net.requires_grad_(False)
            return cls(net.at(torch.randn(n, 16, dtype=torch.float64)), kinks, n, p)

    def objective(self, y: Tensor) -> Tensor:
        """What is minimised, (n, p) -> (n,)."""
        if self.kinks:
            return self.energy(y) - bundle_entropy.entropy(y)
        return self.energy(y) + 0.5 * (y - 0.5).square().sum(-1)

    def ours(self) -> Tensor:
        """The points of all examples by the library."""
        middle = torch.full((self.n, self.p), 0.5, dtype=torch.float64)
        if self.kinks:
            return bundle_entropy.minimise(self.energy, middle, steps=60, tolerance=ERROR / 2).point
        return gradient.minimise(self.objective, middle, tolerance=1e-4, steps=2000).point

    def error(self, ours: Tensor, theirs: Tensor) -> float:
        """Largest difference of the two minima, relative to 1 + their size."""
        k = len(theirs)
        padded = torch.cat([theirs, ours[k:]])
        values = [self.objective(points)[:k] for points in (ours, padded)]
        return float(((values[0] - values[1]).abs() / (1 + values[1].abs())).max())


class Program:
    """Eq. 3 as a convex program, compiled once; a hidden layer is a variable above its activation."""

    def __init__(self, problem: Problem) -> None:
        self.energy = problem.energy
        sizes = [shift.shape[1] for shift in self.energy.shifts]
        self.y = cp.Variable(problem.p)
        self.slopes = [cp.Parameter((size, problem.p)) for size in sizes]
        self.shifts = [cp.Parameter(size) for size in sizes]
        self.maps = [cp.Parameter((size, before)) for before, size in pairwise(sizes)]
        hidden = [cp.Variable(size) for size in sizes[:-1]]
        entering = [A @ self.y + b for A, b in zip(self.slopes, self.shifts, strict=True)]
        before = [entering[0], *(W @ z + e for W, z, e in zip(self.maps, hidden, entering[1:], strict=True))]
        rise = cp.pos if problem.kinks else cp.logistic
        above = [z >= rise(inside) for z, inside in zip(hidden, before[:-1], strict=True)]
        entropy = cp.sum(cp.entr(self.y)) + cp.sum(cp.entr(1 - self.y))
        extra = -entropy if problem.kinks else 0.5 * cp.sum_squares(self.y - 0.5)
        goal = cp.Minimize(cp.sum(before[-1]) + extra)
        self.problem = cp.Problem(goal, [*above, self.y >= 0, self.y <= 1])
        assert self.problem.is_dcp(dpp=True)

    def __call__(self, rows: range) -> Tensor:
        """The points of some examples."""
        return torch.from_numpy(np.stack([self._solve(row) for row in rows]))

    def _solve(self, row: int) -> np.ndarray:
        energy = self.energy
        for i, (slope, shift) in enumerate(zip(self.slopes, self.shifts, strict=True)):
            slope.value = (energy.inputs[i] * energy.scales[i][row]).numpy()
            shift.value = energy.shifts[i][row].numpy()
        for i, weight in enumerate(energy.weights):
            self.maps[i].value = (weight * energy.gates[i][row]).numpy()
        self.problem.solve(solver=cp.CLARABEL)
        return self.y.value.clip(0, 1)


def rows(full: bool) -> Iterator[dict[str, object]]:
    """A row a solver; `full` adds smaller and larger batches."""
    for kinks in (True, False):
        for n in (128, 16, 1024) if full else (128,):
            yield _row(Problem.draw(n, 32, 64, kinks), sample=8)


def _row(problem: Problem, sample: int) -> dict[str, object]:
    some, program = range(sample), Program(problem)
    method = "bundle-entropy" if problem.kinks else "projected-gradient"
    case = harness.case(method=method, n=problem.n, labels=problem.p, width=64, peer_examples=sample)
    error = problem.error(problem.ours(), program(some))
    timing = harness.paired(problem.ours, lambda: program(some), pairs=7)
    sizes = {"work": problem.n, "their_work": sample, "error": error, "tolerance": ERROR}
    return harness.row(BENCH, case, "cvxpy with Clarabel", timing, unit=UNIT, **sizes)
