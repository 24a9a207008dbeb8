"""Projected gradient with momentum: a fixed number of steps to unroll, and a solver to a tolerance.

Amos, Xu & Kolter (2017) infer by the first; the second is Beck & Teboulle's (2009) accelerated method with
backtracking, restarted where momentum points uphill (O'Donoghue & Candes, 2015), example by example.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from invex.analysis.argmin.problem import (
    UNIT,
    Box,
    Energy,
    Solution,
    Unbounded,
    check_convex,
    slack,
    value_and_gradient,
)

FAR = 1e6
LARGEST = 1e12  # inverse rate beyond which a step is below rounding


def descend(
    energy: Energy,
    start: Tensor,
    *,
    steps: int = 30,
    rate: float = 0.01,
    momentum: float = 0.9,
    box: Box = UNIT,
    unroll: bool = False,
) -> Tensor:
    """A fixed number of gradient steps with Nesterov's momentum, the inference of Amos et al.:

        v_{k+1} = m v_k - r grad f(y_k),   y_{k+1} = P(y_k - m v_k + (1 + m) v_{k+1}).

    Args:
        energy: y (n, p) -> (n,).
        start: y_0, (n, p).
        rate: r.
        momentum: m.
        box: that P projects on; `SPACE` for none.
        unroll: whether the result can be differentiated in everything the energy depends on, through all
            steps; memory grows with their number.

    Raises:
        OutsideDomain: a start is not in the box.
    """
    box.check(start)
    y, speed = start, torch.zeros_like(start)
    for _ in range(steps):
        gradient = value_and_gradient(energy, y, graph=unroll)[1]
        before, speed = speed, momentum * speed - rate * gradient
        y = box.project(y - momentum * before + (1 + momentum) * speed)
    return y


@dataclass
class _State:
    """Each example's own iterate y, extrapolated point w, momentum and inverse rate."""

    y: Tensor
    value: Tensor
    w: Tensor
    age: Tensor
    inverse_rate: Tensor
    residual: Tensor


def minimise(
    energy: Energy,
    start: Tensor,
    *,
    box: Box = UNIT,
    tolerance: float = 1e-6,
    steps: int = 1000,
    check: bool = True,
) -> Solution:
    """Minimise a convex energy over a box, each example to its own tolerance.

    The residual is the largest entry of the gradient mapping, (y - P(y - r grad f(y))) / r: zero exactly at a
    minimum. With kinks (ReLU) the method need not get there; `converged` says for which examples it has.

    Args:
        energy: y (n, p) -> (n,), differentiable.
        start: (n, p).
        steps: at most.
        check: whether each pair of points seen is tested for convexity.

    Raises:
        OutsideDomain: a start is not in the box.
        NotConvex: the energy lies below one of its tangents.
        Unbounded: an example runs away in an open box.
    """
    box.check(start)
    ones = torch.ones_like(start[:, 0])
    with torch.no_grad():
        value = energy(start)
    state = _State(start, value, start, ones.clone(), ones.clone(), ones * torch.inf)
    first = torch.full(ones.shape, steps, dtype=torch.long, device=start.device)
    for step in range(steps):
        _advance(energy, state, box, state.residual <= tolerance, check)
        first = torch.where((state.residual <= tolerance) & (first == steps), step + 1, first)
        if bool((state.residual <= tolerance).all()):
            break
    return Solution(state.y, state.value, state.residual, state.residual <= tolerance, first)


def _advance(energy: Energy, state: _State, box: Box, done: Tensor, check: bool) -> None:
    """One accelerated step of the examples that are not done."""
    value, gradient = value_and_gradient(energy, state.w)
    if check:
        check_convex(state.value, value, gradient, state.y - state.w, slack(value))
    after, there = _backtrack(energy, state, box, value, gradient, done)
    move = after - state.w
    if check:
        check_convex(there, value, gradient, move, slack(value))
    state.residual = torch.where(done, state.residual, (state.inverse_rate * move.abs().amax(-1)))
    _check_bounded(torch.where(done[:, None], state.y, after), box)
    uphill = ((move * (after - state.y)).sum(-1) < 0) | (there > state.value)
    age = torch.where(uphill, 1.0, (1 + (1 + 4 * state.age.square()).sqrt()) / 2)
    share = torch.where(uphill, 0.0, (state.age - 1) / age)[:, None]
    w = box.project(after + share * (after - state.y))
    keep = done[:, None]
    state.w, state.y = torch.where(keep, state.w, w), torch.where(keep, state.y, after)
    state.value, state.age = torch.where(done, state.value, there), torch.where(done, state.age, age)
    state.inverse_rate = torch.where(done, state.inverse_rate, 0.9 * state.inverse_rate)


def _backtrack(
    energy: Energy, state: _State, box: Box, value: Tensor, gradient: Tensor, done: Tensor
) -> tuple[Tensor, Tensor]:
    """The projected step from w, and f there, with the rate halved until the quadratic model lies above f."""
    while True:
        after = box.project(state.w - gradient / state.inverse_rate[:, None])
        with torch.no_grad():
            there = energy(after)
        move = after - state.w
        model = value + (gradient * move).sum(-1) + state.inverse_rate / 2 * move.square().sum(-1)
        short = there > model + 10 * torch.finfo(value.dtype).eps * (1 + value.abs())
        short &= ~done & (state.inverse_rate < LARGEST)
        if not bool(short.any()):
            return after, there
        state.inverse_rate = torch.where(short, 2 * state.inverse_rate, state.inverse_rate)


def _check_bounded(y: Tensor, box: Box) -> None:
    if box.low > -float("inf") and box.high < float("inf"):
        return
    far = y.abs().amax(-1) > FAR
    if bool(far.any()):
        raise Unbounded(
            f"{int(far.sum())} of {len(y)} examples went further than {FAR:g} without a minimum, the first "
            f"in row {int(far.nonzero()[0])}: give a finite box, or add a term that grows"
        )
