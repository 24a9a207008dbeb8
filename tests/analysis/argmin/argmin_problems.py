"""Energies for the tests of argmin inference, and the same in the language of a general convex solver."""

import cvxpy as cp
import numpy as np
import torch
from invex.nn.partially_convex import AtContext, PartiallyConvexNetwork
from torch.nn import functional


def kinked(n: int = 4, p: int = 6, seed: int = 0, units: int = 16) -> AtContext:
    """A PICNN with ReLU at n contexts, in float64; its kinks run near the middle of the unit cube."""
    torch.manual_seed(seed)
    net = PartiallyConvexNetwork(3, p, (units, units), activation=functional.relu).double()
    with torch.no_grad():
        net.inputs[0].weight.mul_(6)
        net.shifts[0].bias.copy_(-net.inputs[0].weight.sum(1) / 2 + 0.5 * torch.randn(units))
        for raw in net.raw:
            raw.mul_(2.5)
    return net.at(torch.randn(n, 3, dtype=torch.float64))


def by_cvxpy(energy: AtContext, row: int, entropy: bool) -> tuple[np.ndarray, float]:
    """Argmin and minimum of f(y), or f(y) - H(y), over the unit cube, for one example."""
    y = cp.Variable(energy.inputs[0].shape[1])
    f = formulate(energy, row, y)
    objective = f - cp.sum(cp.entr(y)) - cp.sum(cp.entr(1 - y)) if entropy else f
    problem = cp.Problem(cp.Minimize(objective), [y >= 0, y <= 1])
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return y.value, problem.value


def formulate(energy: AtContext, row: int, y: cp.Variable) -> cp.Expression:
    """Eq. 3 as a convex program: each hidden layer is the positive part of an affine map."""

    def plain(tensor: torch.Tensor) -> np.ndarray:
        return tensor.detach().numpy()

    def entering(i: int) -> cp.Expression:
        return plain(energy.inputs[i] * energy.scales[i][row]) @ y + plain(energy.shifts[i][row])

    z = cp.pos(entering(0))
    for i, weight in enumerate(energy.weights, start=1):
        before = plain(weight * energy.gates[i - 1][row]) @ z + entering(i)
        z = before if i == len(energy.weights) else cp.pos(before)
    return cp.sum(z)
