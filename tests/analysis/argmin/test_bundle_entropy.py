"""The bundle-entropy method (Amos et al., Sec. 5) against a general convex solver; its derivative; errors."""

import numpy as np
import pytest
import torch
from argmin_problems import by_cvxpy, kinked
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.argmin import NotConvex, OutsideDomain, bundle_entropy, simplex
from torch import nn

cp = pytest.importorskip("cvxpy")


def middle(n: int, p: int) -> torch.Tensor:
    return torch.full((n, p), 0.5, dtype=torch.float64)


@given(scale=st.sampled_from([0.1, 1.0, 10.0]), seed=st.integers(0, 1000))
@settings(max_examples=6, deadline=None)
def test_the_inner_problem_is_solved_as_clarabel_solves_it(scale, seed):
    draw = torch.Generator().manual_seed(seed)
    G, h = (scale * torch.randn(2, 5, 8, generator=draw).double()), torch.randn(2, 5, generator=draw).double()
    weights = simplex.maximise(G, h)
    for row in range(2):
        y, t = cp.Variable(8), cp.Variable()
        entropy = cp.sum(cp.entr(y)) + cp.sum(cp.entr(1 - y))
        problem = cp.Problem(cp.Minimize(t - entropy), [G[row].numpy() @ y + h[row].numpy() <= t])
        problem.solve(solver=cp.CLARABEL)
        ours = torch.sigmoid(-G[row].T @ weights[row])
        assert float(simplex.dual(G, h, weights)[row]) == pytest.approx(problem.value, abs=1e-6)
        np.testing.assert_allclose(ours, y.value, atol=2e-4)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_argmin_of_a_picnn_with_kinks_is_that_of_clarabel(seed):
    energy = kinked(seed=seed)
    found = bundle_entropy.minimise(energy, middle(4, 6), steps=60, tolerance=1e-8)
    assert found.converged.all()
    assert found.steps.max() > 5  # the kinks matter
    for row in range(4):
        y, value = by_cvxpy(energy, row, entropy=True)
        assert float(found.value[row]) == pytest.approx(value, abs=1e-6)
        np.testing.assert_allclose(found.point[row].detach(), y, atol=2e-3)


def test_the_residual_bounds_the_distance_to_the_minimum_at_every_number_of_cuts():
    energy = kinked()
    best = bundle_entropy.minimise(energy, middle(4, 6), steps=80, tolerance=1e-10).value
    for steps in (1, 2, 4, 8):
        found = bundle_entropy.minimise(energy, middle(4, 6), steps=steps, tolerance=0.0)
        gap = (found.value - best) / (1 + found.value.abs())
        assert (found.residual >= gap - 1e-9).all()
        assert (gap > -1e-9).all()


def test_an_affine_energy_takes_one_cut_and_gives_the_logistic_function():
    slope = torch.tensor([[1.0, -2.0, 0.0]], dtype=torch.float64)
    found = bundle_entropy.minimise(lambda y: y @ slope[0], middle(1, 3))
    torch.testing.assert_close(found.logits, -slope)
    torch.testing.assert_close(found.point, torch.sigmoid(-slope))
    assert found.steps.tolist() == [1]


@pytest.mark.parametrize("steps", [1, 3, 40])
def test_the_derivative_of_the_argmin_is_that_of_finite_differences(steps):
    """Also short of convergence: it is the derivative of the last inner problem's solution, its cuts held."""
    torch.manual_seed(0)
    x, target = torch.randn(3, 4, dtype=torch.float64), torch.randn(3, 6, dtype=torch.float64)
    lift = nn.Linear(6, 12).double()
    with torch.no_grad():
        lift.weight.mul_(4)
    shift = nn.Parameter(torch.randn(4, 12, dtype=torch.float64))

    def energy(y):
        return (lift(y) + x @ shift).relu().sum(-1)

    held = bundle_entropy.minimise(energy, middle(3, 6), steps=steps, tolerance=1e-9)

    def loss() -> torch.Tensor:
        return (again().sigmoid() * target).sum()

    def again() -> torch.Tensor:
        value, slope = bundle_entropy.value_and_gradient(energy, held.cuts)
        G, h = bundle_entropy._tangents(held.cuts, value, slope)
        return -torch.einsum("nkp,nk->np", G, simplex.maximise(G, h, tolerance=1e-14))

    logits = bundle_entropy.differentiable(energy, held)
    ours = torch.autograd.grad((logits.sigmoid() * target).sum(), shift)[0]
    for place in [(0, 0), (1, 5), (3, 11), (2, 7)]:
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                shift[place] += sign * 1e-5
            ends.append(float(loss().detach()))
            with torch.no_grad():
                shift[place] -= sign * 1e-5
        assert float(ours[place]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-3, abs=1e-6)


def test_cuts_that_coincide_do_no_harm():
    energy = kinked()
    found = bundle_entropy.minimise(energy, middle(4, 6), steps=60, tolerance=0.0)
    logits = bundle_entropy.differentiable(energy, found)
    assert logits.isfinite().all()
    (again,) = torch.autograd.grad(logits.sum(), energy.shifts[0], allow_unused=True)
    assert again is None or again.isfinite().all()


def test_in_float32_it_stays_finite_where_every_bit_is_decided():
    slope = torch.tensor([[80.0, -90.0], [0.5, 60.0]], requires_grad=True)
    energy = lambda y: (slope * y).sum(-1)  # noqa: E731
    found = bundle_entropy.minimise(energy, torch.full((2, 2), 0.5), steps=4, until=False)
    loss = nn.functional.binary_cross_entropy_with_logits(
        bundle_entropy.differentiable(energy, found), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    )
    assert torch.autograd.grad(loss, slope)[0].isfinite().all()


def test_a_start_outside_and_an_energy_that_is_not_convex_are_named():
    with pytest.raises(OutsideDomain, match="2 of 2 starts"):
        bundle_entropy.minimise(lambda y: y.sum(-1), torch.full((2, 2), 1.5))
    with pytest.raises(NotConvex, match="below its tangents"):
        bundle_entropy.minimise(lambda y: -4 * (y - 0.4).square().sum(-1), middle(2, 3))


def test_control_without_the_check_a_wrong_answer_comes_back_and_says_so():
    found = bundle_entropy.minimise(lambda y: -9 * (y - 0.4).square().sum(-1), middle(2, 3), check=False)
    assert (found.residual < -1e-3).any() or not found.converged.all()
