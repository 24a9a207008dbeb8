"""Derivatives of an argmin by the implicit function theorem, without a trace of how it was found.

At a minimum y* of f(y, theta) the gradient vanishes on the free coordinates; differentiating that in theta
gives dy*/dtheta = -H^-1 d(grad f)/dtheta, with H the Hessian of f in y. A vector-Jacobian product takes one
linear system an example, solved here by conjugate gradients on products with H.
"""

from collections.abc import Callable
from weakref import WeakSet

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from invex.analysis.argmin.problem import UNIT, Box, Energy, value_and_gradient

Apply = Callable[[Tensor], Tensor]


class Singular(ValueError):  # noqa: N818 - named after the finding
    """The Hessian at the point is not positive definite, so that the argmin has no derivative there."""


def differentiable(
    energy: Energy, point: Tensor, *, box: Box = UNIT, tolerance: float = 1e-8, steps: int = 200
) -> Tensor:
    """The argmin ``point`` (n, p), differentiable in everything that the energy depends on.

    Coordinates on the edge of the box that the gradient presses against it stay there. The energy needs a
    positive definite Hessian on the others: with kinks use `invex.analysis.argmin.bundle_entropy`.

    Args:
        energy: y (n, p) -> (n,), twice differentiable.
        point: a minimum over the box, found by any means; only so far is the derivative right.
        tolerance: relative residual of the linear systems.
        steps: of conjugate gradients, at most.

    Raises:
        Singular: in the backward pass, where a direction has no curvature.
    """
    y = point.detach().requires_grad_()
    _, gradient = value_and_gradient(energy, y, graph=True)
    pressed = ((y <= box.low) & (gradient > 0)) | ((y >= box.high) & (gradient < 0))
    free = (~pressed).to(y.dtype).detach()

    def curvature(v: Tensor) -> Tensor:
        (product,) = torch.autograd.grad(gradient, y, v * free, retain_graph=True)
        return product * free

    def solve(right: Tensor) -> Tensor:
        return conjugate_gradients(curvature, right * free, tolerance=tolerance, steps=steps)

    return _Attach.apply(point.detach(), gradient, solve)


def conjugate_gradients(apply: Apply, right: Tensor, *, tolerance: float, steps: int) -> Tensor:
    """Solve H v = right for each row, (n, p), given products with the symmetric positive H of each.

    Raises:
        Singular: a row meets a direction of no or negative curvature before it has converged.
    """
    v, residual = torch.zeros_like(right), right.clone()
    direction, norm = residual.clone(), residual.square().sum(-1)
    goal = tolerance**2 * norm
    for _ in range(steps):
        going = norm > goal
        if not bool(going.any()):
            break
        product = apply(direction)
        bend = (direction * product).sum(-1)
        if bool((going & ~(bend > 0)).any()):
            row = int((going & ~(bend > 0)).nonzero()[0])
            raise Singular(
                f"the energy of example {row} has a direction of curvature {float(bend[row]):.1e}: its "
                "argmin has no derivative there. Add a strictly convex term, or use the bundle-entropy method"
            )
        share = torch.where(going, norm / bend, 0.0)[:, None]
        v, residual = v + share * direction, residual - share * product
        after = residual.square().sum(-1)
        direction = residual + torch.where(going, after / norm, 0.0)[:, None] * direction
        norm = after
    return v


class _Attach(torch.autograd.Function):
    """The identity on a point, whose backward pass hands -H^-1 of what comes to the energy's gradient."""

    @staticmethod
    def forward(ctx: FunctionCtx, point: Tensor, gradient: Tensor, solve: Apply) -> Tensor:
        ctx.solve = solve  # type: ignore[attr-defined]
        return point.clone()

    @staticmethod
    def backward(ctx: FunctionCtx, *gradients: Tensor) -> tuple[None, Tensor, None]:
        return None, -ctx.solve(gradients[0]), None  # type: ignore[attr-defined]


def saved_bytes(make: Callable[[], Tensor]) -> int:
    """Bytes of the tensors that making a result keeps for its backward pass, each storage counted once.

    Views and repeats of one storage count once, and so do the parameters, whatever the number of steps.
    """
    kept: WeakSet[_Kept] = WeakSet()

    def note(tensor: Tensor) -> _Kept:
        kept.add(holder := _Kept(tensor))
        return holder

    with torch.autograd.graph.saved_tensors_hooks(note, lambda holder: holder.tensor):
        result = make()  # held on to, so that what it keeps is alive when counted
    storages = {s.data_ptr(): s.nbytes() for s in (holder.tensor.untyped_storage() for holder in kept)}
    del result
    return sum(storages.values())


class _Kept:
    """A tensor that a graph has saved: gone when the graph is."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor.detach()  # else an output would keep the graph that keeps it
