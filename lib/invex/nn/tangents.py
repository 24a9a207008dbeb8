"""A branch g and its Jacobian J, as products: J v forwards with gradients, wᵀJ backwards without a graph.

Log-determinant estimators need one g(x), one Jv that can be differentiated, and many wᵀJ that need not be.
For a chain of linear maps and elementwise activations all three come from one pass: tangents travel beside
the values in one batch, and the slopes of the activations are kept for the way back. Any other branch is
handled by autograd, with the same results.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from invex.nn.lipschitz import Contractive, LipSwish

Branch = Callable[[Tensor], Tensor]
Curve = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Value and slope of an elementwise function."""


@dataclass(frozen=True)
class Linearisation:
    """g(x) and products with J = dg/dx at x, of which every example has its own.

    Attributes:
        value: g(x), of the shape (n, ...) of x, with its graph.
        pullback: w (m, n, ...) -> wᵀJ of the same shape, without a graph.
        product: w (m, n, ...) -> wᵀJv (m, n) for the v given to `linearise`, with a graph.
    """

    value: Tensor
    pullback: Callable[[Tensor], Tensor]
    product: Callable[[Tensor], Tensor]


def linearise(branch: Branch, x: Tensor, tangents: Tensor | None = None) -> Linearisation:
    """g and its Jacobian at x (n, ...), for tangents v (m, n, ...); None where `product` is not needed.

    Examples must not see each other (no batch statistics).
    """
    steps = _steps(branch)
    if steps is None:
        return _by_autograd(branch, x, tangents)
    value, moved, back = _through(steps, x, tangents)

    def product(w: Tensor) -> Tensor:
        if moved is None:
            raise ValueError("product needs the tangents that `linearise` was not given")
        return inner(w, moved)

    return Linearisation(value, lambda w: _backwards(back, w), product)


def push(branch: Branch, x: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    """g(x) (n, ...) and J v (m, n, ...), both with a graph: at the cost of 1 + m values on the fast path."""
    steps = _steps(branch)
    if steps is not None:
        value, moved, _ = _through(steps, x, tangents)
        assert moved is not None
        return value, moved
    return _push_by_autograd(branch, x, tangents)


def _push_by_autograd(branch: Branch, x: Tensor, tangents: Tensor) -> tuple[Tensor, Tensor]:
    """J v as the derivative of u -> uᵀJ, which is linear, along v."""
    with torch.enable_grad():
        repeated = x.expand_as(tangents).flatten(0, 1)
        repeated = repeated if repeated.requires_grad else repeated.detach().requires_grad_()
        values = branch(repeated)
        moved = torch.zeros_like(values)
        if values.requires_grad:
            u = torch.zeros_like(values).requires_grad_()
            (back,) = torch.autograd.grad(values, repeated, u, create_graph=True, materialize_grads=True)
            if back.requires_grad:
                (moved,) = torch.autograd.grad(back, u, tangents.flatten(0, 1), create_graph=True)
    values, moved = values[: len(x)], moved.view(tangents.shape[0], *values[: len(x)].shape)
    return (values, moved) if torch.is_grad_enabled() else (values.detach(), moved.detach())


def inner(w: Tensor, v: Tensor) -> Tensor:
    """Inner product of each example, (m, n), of w and v (m, n, ...)."""
    return (w * v).sum(tuple(range(2, w.dim())))


def _by_autograd(branch: Branch, x: Tensor, tangents: Tensor | None) -> Linearisation:
    wanted = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x if wanted and x.requires_grad else x.detach().requires_grad_()
        value = branch(x)

    def back(w: Tensor, graph: bool) -> Tensor:
        if not value.requires_grad:
            return torch.zeros_like(w)
        rows = [torch.autograd.grad(value, x, row, retain_graph=True, create_graph=graph)[0] for row in w]
        return torch.stack(rows)

    def product(w: Tensor) -> Tensor:
        if tangents is None:
            raise ValueError("product needs the tangents that `linearise` was not given")
        return inner(back(w, graph=True), tangents)

    return Linearisation(value if wanted else value.detach(), lambda w: back(w, graph=False), product)


@dataclass(frozen=True)
class _Linear:
    """x -> A x + bias by `apply`, w -> Aᵀ w by `transpose`."""

    apply: Callable[[Tensor], Tensor]
    transpose: Callable[[Tensor], Tensor]
    bias: Tensor | None


Step = _Linear | Curve


def _steps(branch: Branch) -> list[Step] | None:
    """The branch as linear maps and elementwise curves, each weight computed once; None where it is not so.

    LipSwish is swish(b x) / (1.1 b): its factors are multiplied into the weights around it.
    """
    if not isinstance(branch, nn.Sequential) or not all(_known(layer) for layer in branch):
        return None
    steps: list[Step] = []
    before: Tensor | None = None  # a factor of the next linear map's input
    for place, layer in enumerate(branch):
        if isinstance(layer, nn.Linear | nn.Conv2d):
            after = _gain(branch[place + 1]) if place + 1 < len(branch) else None
            steps.append(_linear(layer, before, after))
            before = None
            continue
        gain = _gain(layer)
        if gain is not None and not (place and isinstance(branch[place - 1], nn.Linear | nn.Conv2d)):
            steps.append(_scaling(gain if before is None else gain * before))
            before = None
        steps.append(CURVES[type(layer)](layer))
        before = before if gain is None else 1 / (1.1 * gain)
    return steps if before is None else [*steps, _scaling(before)]


def _known(layer: nn.Module) -> bool:
    if isinstance(layer, nn.ELU) and layer.alpha != 1:
        return False
    if isinstance(layer, nn.Conv2d):
        plain = all(s == 1 for s in (*layer.stride, *layer.dilation, layer.groups))
        return plain and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return isinstance(layer, nn.Linear) or type(layer) in CURVES


def _gain(layer: nn.Module) -> Tensor | None:
    return functional.softplus(layer.beta) if isinstance(layer, LipSwish) else None


def _linear(layer: nn.Linear | nn.Conv2d, before: Tensor | None, after: Tensor | None) -> _Linear:
    weight = layer.effective_weight() if isinstance(layer, Contractive) else layer.weight
    bias = layer.bias
    if before is not None:
        weight = weight * before
    if after is not None:
        weight, bias = weight * after, None if bias is None else bias * after
    if isinstance(layer, nn.Linear):
        return _dense(weight, bias)
    assert not isinstance(layer.padding, str)
    return _convolution(weight, bias, layer.padding)


def _scaling(factor: Tensor) -> _Linear:
    fixed = factor.detach()
    return _Linear(lambda x: x * factor, lambda w: w * fixed, None)


def _dense(weight: Tensor, bias: Tensor | None) -> _Linear:
    back = weight.detach()
    return _Linear(lambda x: functional.linear(x, weight), lambda w: w @ back, bias)


def _convolution(weight: Tensor, bias: Tensor | None, padding: Sequence[int]) -> _Linear:
    """The transpose of a convolution of stride one is the convolution with the kernel turned around."""
    weight = weight.contiguous(memory_format=torch.channels_last)
    back = weight.detach().transpose(0, 1).flip(2, 3).contiguous(memory_format=torch.channels_last)
    rest = [size - 1 - pad for size, pad in zip(weight.shape[2:], padding, strict=True)]
    column = None if bias is None else bias.view(-1, 1, 1)

    def transpose(w: Tensor) -> Tensor:
        return functional.conv2d(w, back, padding=rest)

    return _Linear(lambda x: functional.conv2d(x, weight, padding=tuple(padding)), transpose, column)


def _through(
    steps: Sequence[Step], x: Tensor, tangents: Tensor | None
) -> tuple[Tensor, Tensor | None, list[Callable[[Tensor], Tensor] | Tensor]]:
    """Values and tangents after all steps, and what is needed on the way back, last step last.

    They travel as one batch, the values first; a bias waits for the next activation, which adds it.
    """
    n, state = len(x), x if tangents is None else torch.cat([x, tangents.flatten(0, 1)])
    bias: Tensor | None = None
    back: list[Callable[[Tensor], Tensor] | Tensor] = []
    for step in steps:
        if isinstance(step, _Linear):
            if bias is not None:
                state = torch.cat([state[:n] + bias, state[n:]])
            state, bias = step.apply(state), step.bias
            back.append(step.transpose)
        else:
            state, slope = _Curved.apply(state, bias, n, step)
            bias = None
            back.append(slope)
    value = state[:n] if bias is None else state[:n] + bias
    if tangents is None:
        return value, None, back
    return value, state[n:].view(len(tangents), *value.shape), back


def _backwards(back: Sequence[Callable[[Tensor], Tensor] | Tensor], w: Tensor) -> Tensor:
    lead = w.shape[:2]
    with torch.no_grad():
        for step in reversed(back):
            w = w * step if isinstance(step, Tensor) else step(w.flatten(0, 1)).unflatten(0, lead)
    return w


class _Curved(torch.autograd.Function):
    """(a, t) -> (f(a + bias), f'(a + bias) t) and the slope f', in one step and with few passes over memory.

    The slope is for products without a graph; it is not differentiable.
    """

    @staticmethod
    def forward(ctx: Any, state: Tensor, bias: Tensor | None, n: int, curve: Curve) -> tuple[Tensor, Tensor]:
        a = state[:n] if bias is None else state[:n] + bias
        value, slope = curve(a)
        ctx.n, ctx.curve, ctx.shape = n, curve, None if bias is None else bias.shape
        moved = state[n:]
        ctx.save_for_backward(a, slope, moved)
        ctx.mark_non_differentiable(slope)
        if len(state) == n:
            return value, slope
        out = torch.empty_like(state)
        out[:n] = value
        torch.mul(moved.unflatten(0, (-1, n)), slope, out=out[n:].unflatten(0, (-1, n)))
        return out, slope

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor | None) -> tuple[Tensor, Tensor | None, None, None]:
        a, slope, moved = ctx.saved_tensors
        n = ctx.n
        result = torch.empty_like(grad)
        first = grad[:n] * slope
        if len(grad) > n:
            tangents = grad[n:].unflatten(0, (-1, n))
            torch.mul(tangents, slope, out=result[n:].unflatten(0, (-1, n)))
            bend = (tangents * moved.unflatten(0, (-1, n))).sum(0)
            first.addcmul_(bend, ctx.curve.bend(a, slope))
        result[:n] = first
        bias = None if ctx.shape is None else first.sum(0).sum_to_size(ctx.shape)
        return result, bias, None, None


class Elu:
    """x for x > 0, else e^x - 1; its slope e^min(x, 0) is at most one and continuous."""

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Value and slope."""
        slope = x.clamp(max=0).exp_()
        return x.clamp(min=0).add_(slope).sub_(1), slope

    def bend(self, x: Tensor, slope: Tensor) -> Tensor:
        """Second derivative."""
        return functional.threshold(slope.neg(), -1.0, 0.0).neg_()  # slope where it is below one


class Tanh:
    """The hyperbolic tangent."""

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Value and slope."""
        value = x.tanh()
        return value, 1 - value * value

    def bend(self, x: Tensor, slope: Tensor) -> Tensor:
        """Second derivative."""
        return -2 * x.tanh() * slope


class Swish:
    """x sigmoid(x)."""

    def __call__(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Value and slope."""
        gate = x.sigmoid()
        value = x * gate
        return value, torch.addcmul(gate, value, 1 - gate)

    def bend(self, x: Tensor, slope: Tensor) -> Tensor:
        """Second derivative: gate (1 - gate) (2 + x (1 - 2 gate))."""
        gate = x.sigmoid()
        bend = (x * (1 - 2 * gate)).add_(2)
        return bend.mul_(gate).mul_(1 - gate)


CURVES: dict[type[nn.Module], Callable[[Any], Curve]] = {
    nn.ELU: lambda layer: Elu(),
    nn.Tanh: lambda layer: Tanh(),
    LipSwish: lambda layer: Swish(),
}
"""Activations that have a fast path; of LipSwish, the swish inside."""
