"""The bundle-entropy method of Amos, Xu & Kolter (2017), Sec. 5: argmin of f(y) - H(y) over [0, 1]^p.

H is the entropy of independent bits. f is replaced by the largest of its tangents at the points seen so far;
the minimum of that model is the next point. The method needs f and its gradient alone, and copes with kinks.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from invex.analysis.argmin import simplex
from invex.analysis.argmin.problem import (
    UNIT,
    Energy,
    NotConvex,
    Solution,
    check_convex,
    slack,
    value_and_gradient,
)

ACTIVE = 1e-5
"""Multipliers below this belong to cuts that do not touch the solution."""

FLAT = 1e-7
"""Least y (1 - y) in the derivative: where all bits are decided, the multipliers would jump between cuts."""


@dataclass(frozen=True)
class Bundle(Solution):
    """A `Solution` of f - H with what its derivative needs.

    The residual is the duality gap: f - H at the point less a lower bound of its minimum.

    Attributes:
        logits: log y / (1 - y) of the point, (n, p): exact where y rounds to 0 or 1.
        cuts: the points of the tangents, (k, n, p).
        weights: their multipliers, (n, k).
    """

    logits: Tensor
    cuts: Tensor
    weights: Tensor


def entropy(y: Tensor) -> Tensor:
    """H(y) = -sum y log y + (1 - y) log(1 - y) over the last axis, 0 at its ends."""
    return -(torch.xlogy(y, y) + torch.xlogy(1 - y, 1 - y)).sum(-1)


def minimise(
    energy: Energy,
    start: Tensor,
    *,
    steps: int = 10,
    tolerance: float = 1e-6,
    check: bool = True,
    until: bool = True,
) -> Bundle:
    """Minimise f(y) - H(y) over the unit cube, each example with its own bundle.

    Args:
        energy: f, y (n, p) -> (n,); kinks are allowed.
        start: the first point of each bundle, (n, p).
        steps: cuts, at most.
        tolerance: of the duality gap, relative to 1 + |f - H|.
        check: whether every new tangent is held against every earlier point.
        until: whether to stop when all examples have converged.

    Raises:
        OutsideDomain: a start is not in the cube.
        NotConvex: a tangent lies above a point seen.
    """
    UNIT.check(start)
    y, first = start, torch.full(start.shape[:1], steps, dtype=torch.long, device=start.device)
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    for step in range(1, steps + 1):
        value, gradient = value_and_gradient(energy, y)
        seen.append((y, value, gradient))
        if check:
            _check(seen)
        G, h = _tangents(*(torch.stack(part) for part in zip(*seen, strict=True)))
        weights = simplex.maximise(G, h)
        logits, bound = -(weights.to(G.dtype)[:, None] @ G)[:, 0], simplex.dual(G, h.double(), weights)
        y = logits.sigmoid()
        with torch.no_grad():
            objective = energy(y) - entropy(y)
        gap = (objective - bound) / (1 + objective.abs())
        if check:
            _check_bound(gap)
        first = torch.where((gap <= tolerance) & (first == steps), step, first)
        if until and bool((gap <= tolerance).all()):
            break
    cuts = torch.stack([point for point, _, _ in seen])
    return Bundle(y, objective, gap.to(y), gap <= tolerance, first, logits, cuts, weights.to(y))


def _tangents(y: Tensor, value: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes G (n, k, p) and offsets h (n, k) of the tangents at points y (k, n, p)."""
    return gradient.transpose(0, 1), (value - (gradient * y).sum(-1)).T


def _check(seen: list[tuple[Tensor, Tensor, Tensor]]) -> None:
    """Hold the newest tangent against the points before it, and theirs against it."""
    y, value, gradient = seen[-1]
    for point, other, slope in seen[:-1]:
        check_convex(other, value, gradient, point - y, slack(value))
        check_convex(value, other, slope, y - point, slack(value))


def _check_bound(gap: Tensor) -> None:
    """Raise NotConvex where f - H lies below the minimum of a model that lies below every convex f - H."""
    if bool((gap < -slack(gap.float())).any()):
        row, least = int(gap.argmin()), float(gap.min())
        raise NotConvex(
            f"the energy of example {row} lies {-least:.2e} below its tangents: it is not convex. Keep the "
            "weights that must not be negative so, or minimise it by descent alone"
        )


def differentiable(energy: Energy, bundle: Bundle) -> Tensor:
    """The logits of a solution, (n, p), differentiable in everything that the energy depends on.

    The tangents at the bundle's points are made again, this time with their graph; the derivative of the
    solution in them follows from the optimality conditions of the last inner problem, so that memory and time
    do not depend on how it was solved.
    """
    value, gradient = value_and_gradient(energy, bundle.cuts, graph=True)
    G, h = _tangents(bundle.cuts, value, gradient)
    return _Argmin.apply(G, h, bundle.weights, bundle.logits)


class _Argmin(torch.autograd.Function):
    """The logits -G' l of the solution as a function of the cuts G, h."""

    @staticmethod
    def forward(ctx: FunctionCtx, G: Tensor, h: Tensor, weights: Tensor, logits: Tensor) -> Tensor:
        ctx.save_for_backward(G, weights, logits)
        return logits.clone()

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """With q = -G g and [S 1; 1' 0] (m, .) = (q, 0): d/dh = m, d/dG = m y' - l (W G' m + g)'.

        g is the gradient in the logits, W = diag y (1 - y) and S = G W G', over the cuts that touch.
        """
        G, weights, logits = ctx.saved_tensors  # type: ignore[attr-defined]
        (given,) = gradients
        cuts, g, y = G.double(), given.double(), logits.double().sigmoid()
        spread = y * (1 - y)
        touching = (weights > ACTIVE).double()
        q = -torch.einsum("nkp,np->nk", cuts, g) * touching
        m = _adjoint((cuts * spread.clamp_min(FLAT)[:, None]) @ cuts.mT, touching, q)
        back = spread * torch.einsum("nkp,nk->np", cuts, m) + g
        by_cut = m[..., None] * y[:, None] - (weights.double() * touching)[..., None] * back[:, None]
        return by_cut.to(G.dtype), m.to(G.dtype), None, None


def _adjoint(S: Tensor, touching: Tensor, q: Tensor) -> Tensor:
    """Solve [S 1; 1' 0] (m, .) = (q, 0) over the cuts that touch; m is 0 for the others.

    Cuts that coincide make S singular; a ridge at the level of rounding shares m among them.
    """
    inside = touching[:, :, None] * touching[:, None]
    size = (S.diagonal(dim1=1, dim2=2) * touching).amax(1).clamp_min(1e-30)
    diagonal = torch.where(touching > 0, 1e-9 * size[:, None], size[:, None])
    factor = torch.linalg.cholesky_ex(S * inside + torch.diag_embed(diagonal))[0]
    both = torch.cholesky_solve(torch.stack([q, touching], -1), factor) * touching[..., None]
    return both[..., 0] - (both[..., 0].sum(1) / both[..., 1].sum(1))[:, None] * both[..., 1]
