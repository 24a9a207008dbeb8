"""Descent to the first stationary point on the way, by a method that is blind to what lies beyond a ridge."""

from typing import Any

import torch
from torch import Tensor

from invex.analysis.level_sets.gradients import values_and_gradients
from invex.analysis.level_sets.rays import Function
from invex.analysis.modes import outside_inference


@outside_inference
def hessians(function: Function, points: Tensor) -> Tensor:
    """Hessians (n, d, d) at points (n, d), by differentiating twice; zeros where the function is affine."""
    with torch.enable_grad():
        x = points.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
        if not gradient.requires_grad:
            return x.new_zeros(*x.shape, x.shape[1])
        again: dict[str, Any] = {"retain_graph": True, "materialize_grads": True}
        rows = [torch.autograd.grad(gradient[:, i].sum(), x, **again)[0] for i in range(x.shape[1])]
    return torch.stack(rows, dim=1)


@outside_inference
def descend(function: Function, starts: Tensor, *, steps: int = 100, tolerance: float = 1e-8) -> Tensor:
    """Where descent from each start (n, d) ends: Newton steps by |eigenvalue|, halved until the value falls.

    A local method, blind to what lies beyond a ridge: it stops at the first stationary point it comes to,
    that is, where the gradient is below ``tolerance`` or no step falls any more beyond rounding.
    """
    x = starts.clone()
    active = torch.arange(len(x), device=x.device)
    for _ in range(steps):
        values, gradient = values_and_gradients(function, x[active])
        moving = gradient.norm(dim=1) > tolerance
        active, values, gradient = active[moving], values[moving], gradient[moving]
        if not len(active):
            break
        x[active], fell = _fall(function, x[active], values, gradient)
        active = active[fell]
    return x


def _fall(function: Function, x: Tensor, values: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """From each point the first halved Newton step that falls by enough (Armijo), and whether one did."""
    eigenvalues, vectors = torch.linalg.eigh(hessians(function, x))
    floor = max(1e-8, 8 * torch.finfo(x.dtype).eps) * eigenvalues.abs().amax(1, keepdim=True) + 1e-12
    along = torch.einsum("nij,ni->nj", vectors, gradient) / eigenvalues.abs().clamp_min(floor)
    step = -torch.einsum("nij,nj->ni", vectors, along)
    expected = (step * gradient).sum(1)
    ends, open_ = x.clone(), torch.arange(len(x), device=x.device)
    for halvings in range(30):
        tried = x[open_] + 0.5**halvings * step[open_]
        with torch.no_grad():
            reached = function(tried).reshape(len(open_))
        enough = reached <= values[open_] + 1e-4 * 0.5**halvings * expected[open_]
        ends[open_[enough]] = tried[enough]
        open_ = open_[~enough]
        if not len(open_):
            break
    fell = torch.ones(len(x), dtype=torch.bool, device=x.device)
    fell[open_] = False
    return ends, fell
