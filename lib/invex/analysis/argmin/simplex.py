"""The inner problem of the bundle-entropy method: a concave dual over the simplex, a batch at a time.

With cuts G y + h <= t, minimising t - H(y) over [0, 1]^p has the dual (Amos et al., 2017, Sec. 5)

    max over the simplex of  h . l - sum log(1 + exp(-G' l)),   y = sigmoid(-G' l).
"""

import torch
from torch import Tensor
from torch.nn import functional

SHRINK, KEEP = 0.1, 0.99


def maximise(G: Tensor, h: Tensor, *, tolerance: float | None = None, steps: int = 60) -> Tensor:
    """The multipliers l (n, k) of n such problems, in float64, by a primal-dual interior-point method.

    Args:
        G: slopes of the cuts, (n, k, p); products with them keep its type, all else is float64.
        h: offsets, (n, k).
        tolerance: of complementarity, relative to the size of the cuts' values; by default what the type of G
            allows.
    """
    n, k, _ = G.shape
    tolerance = (1e-10 if G.dtype == torch.float64 else 1e-7) if tolerance is None else tolerance
    h, weights = h.double(), h.new_full((n, k), 1 / k, dtype=torch.float64)
    if k == 1:
        return weights
    slope, _ = _derivatives(G, h, weights)
    scale = 1e-3 + (slope.amax(1) - slope.amin(1))
    level = scale - slope.amin(1)
    slack = slope + level[:, None]
    for _ in range(steps):
        slope, curvature = _derivatives(G, h, weights)
        residual = slope - slack + level[:, None]
        barrier = (weights * slack).mean(1)
        if bool(((barrier < tolerance * scale) & (residual.abs().amax(1) < 100 * tolerance * scale)).all()):
            break
        right = -residual + SHRINK * barrier[:, None] / weights - slack
        move, change = _newton(curvature, slack / weights, right)
        move_slack = (SHRINK * barrier[:, None] - weights * slack - slack * move) / weights
        share = torch.minimum(_room(weights, move), _room(slack, move_slack))
        weights, slack = weights + share * move, slack + share * move_slack
        level = level + share[:, 0] * change
    return weights / weights.sum(1, keepdim=True)


def dual(G: Tensor, h: Tensor, weights: Tensor) -> Tensor:
    """Its value at multipliers (n, k): a lower bound of the minimum of max(G y + h) - H(y), (n,)."""
    return (h * weights).sum(1) - functional.softplus(_logits(G, weights)).double().sum(1)


def _logits(G: Tensor, weights: Tensor) -> Tensor:
    return -(weights.to(G.dtype)[:, None] @ G)[:, 0]


def _derivatives(G: Tensor, h: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Slope (n, k) and curvature (n, k, k) of minus the dual."""
    y = _logits(G, weights).sigmoid()
    curvature = (G * (y * (1 - y))[:, None]) @ G.mT
    # cuts that coincide leave it singular, to the rounding of G's type; the solution does not depend on it
    ridge = 4 * G.shape[1] * torch.finfo(G.dtype).eps * curvature.diagonal(dim1=1, dim2=2).amax(1)
    eye = torch.eye(G.shape[1], dtype=torch.float64, device=G.device)
    slope = -(G @ y[..., None])[..., 0].double() - h
    return slope, curvature.double() + ridge.double()[:, None, None] * eye


def _newton(curvature: Tensor, diagonal: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """Solve (curvature + diagonal) move + change = right with the moves summing to 0."""
    factor = torch.linalg.cholesky_ex(curvature + torch.diag_embed(diagonal))[0]
    both = torch.cholesky_solve(torch.stack([right, torch.ones_like(right)], -1), factor)
    change = both[..., 0].sum(1) / both[..., 1].sum(1)
    return both[..., 0] - change[:, None] * both[..., 1], change


def _room(x: Tensor, move: Tensor) -> Tensor:
    """The share (n, 1) of a move that keeps x positive, with a margin; at most 1."""
    limit = torch.where(move < 0, -x / move, torch.inf).amin(1, keepdim=True)
    return (KEEP * limit).clamp(max=1.0)
