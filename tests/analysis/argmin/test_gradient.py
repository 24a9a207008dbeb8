"""Projected gradient with momentum: fixed steps, convergence by example, and what is named."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.argmin import SPACE, UNIT, Box, NotConvex, OutsideDomain, Unbounded, gradient
from scipy import optimize


def quadratic(n: int = 5, p: int = 4, seed: int = 0):
    """(y - c)' A (y - c) / 2, each row with its own A and c; and c."""
    draw = torch.Generator().manual_seed(seed)
    root = torch.randn(n, p, p, generator=draw, dtype=torch.float64)
    A = root @ root.mT + 0.1 * torch.eye(p, dtype=torch.float64)
    c = 2 * torch.rand(n, p, generator=draw, dtype=torch.float64) - 0.5

    def energy(y, rows=slice(None)):
        d = y - c[rows]
        return (d[..., None, :] @ A[rows] @ d[..., None])[..., 0, 0] / 2

    return energy, c


def by_scipy(energy, row: int, p: int, bounds=(0, 1)) -> np.ndarray:
    def both(y):
        t = torch.tensor(y, requires_grad=True)
        value = energy(t[None], slice(row, row + 1))[0]
        return value.item(), torch.autograd.grad(value, t)[0].numpy()

    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5000}
    start = np.full(p, 0.5)
    return optimize.minimize(both, start, jac=True, bounds=[bounds] * p, method="L-BFGS-B", options=options).x


@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_the_minimum_over_the_cube_is_that_of_l_bfgs_b(seed):
    energy, _ = quadratic(seed=seed)
    found = gradient.minimise(
        energy, torch.full((5, 4), 0.5, dtype=torch.float64), tolerance=1e-8, steps=5000
    )
    assert found.converged.all()
    for row in range(5):
        np.testing.assert_allclose(found.point[row], by_scipy(energy, row, 4), atol=1e-5)


def test_without_a_box_the_minimum_is_where_it_is_known_to_be():
    energy, c = quadratic()
    start = torch.zeros(5, 4, dtype=torch.float64)
    found = gradient.minimise(energy, start, box=SPACE, tolerance=1e-9, steps=5000)
    torch.testing.assert_close(found.point, c, atol=1e-7, rtol=0)


def test_descend_is_nesterovs_recursion_written_out():
    energy, _ = quadratic()
    y = start = torch.full((5, 4), 0.3, dtype=torch.float64)
    speed = torch.zeros_like(y)
    for _ in range(7):
        t = y.clone().requires_grad_()
        slope = torch.autograd.grad(energy(t).sum(), t)[0]
        before, speed = speed, 0.9 * speed - 0.02 * slope
        y = (y + speed + 0.9 * (speed - before)).clamp(0, 1)
    ours = gradient.descend(energy, start, steps=7, rate=0.02, momentum=0.9)
    torch.testing.assert_close(ours, y)


def test_unrolling_differentiates_through_every_step():
    factor = torch.tensor([[0.3, -0.2]], dtype=torch.float64, requires_grad=True)

    def last(weight):
        energy = lambda y: (y - weight).square().sum(-1) + (3 * y * weight).exp().sum(-1)  # noqa: E731
        start = torch.zeros(1, 2, dtype=torch.float64)
        return gradient.descend(energy, start, steps=5, rate=0.05, box=SPACE, unroll=True)

    assert torch.autograd.gradcheck(last, (factor,))


def test_each_example_reports_its_own_convergence():
    scale = torch.tensor([1.0, 1e4], dtype=torch.float64)
    bend = torch.tensor([[1.0, 1.0], [1.0, 1e-3]], dtype=torch.float64)
    energy = lambda y: scale * (bend * (y - 0.3).square()).sum(-1)  # noqa: E731
    found = gradient.minimise(energy, torch.ones(2, 2, dtype=torch.float64), tolerance=1e-9, steps=30)
    assert found.converged.tolist() == [True, False]
    assert found.steps[0] < 30
    assert found.steps[1] == 30
    assert found.residual[0] <= 1e-9 < found.residual[1]


def test_a_kink_is_reported_as_not_converged():
    energy = lambda y: (y - 1 / 3).abs().sum(-1)  # noqa: E731
    found = gradient.minimise(energy, torch.zeros(1, 2, dtype=torch.float64), tolerance=1e-9, steps=200)
    assert not found.converged.any()
    assert found.value[0] < 1e-3  # near, all the same


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_a_start_outside_the_box_is_named(value):
    start = torch.full((3, 2), 0.5)
    start[1, 0] = value
    for solve in (gradient.minimise, gradient.descend):
        with pytest.raises(OutsideDomain, match=r"1 of 3 starts lie outside \[0, 1\], the first in row 1"):
            solve(lambda y: y.square().sum(-1), start)


def test_an_energy_that_is_not_convex_is_named():
    sign = torch.tensor([1.0, -1.0])
    with pytest.raises(NotConvex, match=r"example 1 lies .* below its tangent"):
        gradient.minimise(lambda y: sign * (y - 0.4).square().sum(-1), torch.full((2, 3), 0.1))


@pytest.mark.parametrize("energy", [lambda y: y.sum(-1), lambda y: (y.relu() / 2 - y).sum(-1)])
def test_an_unbounded_energy_is_named(energy):
    with pytest.raises(Unbounded, match="2 of 2 examples went further than 1e"):
        gradient.minimise(energy, torch.zeros(2, 3), box=SPACE, steps=3000, check=False)


def test_a_box_needs_low_below_high_and_an_energy_one_value_an_example():
    with pytest.raises(ValueError, match="low 1 is not below high 0"):
        Box(1, 0)
    with pytest.raises(ValueError, match=r"\(3, 2\) -> \(\)"):
        gradient.minimise(lambda y: y.square().sum(), torch.zeros(3, 2), check=False)
    assert Box(0.0, 1.0) == UNIT
