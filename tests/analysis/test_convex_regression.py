"""The best convex function on a line, against a general solver and by its optimality conditions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.convex_regression import convex_regression
from scipy import optimize


def problem(seed, n=9):
    random = np.random.default_rng(seed)
    return random.permutation(np.sort(random.uniform(-2, 2, n))), random.normal(size=n)


def slopes(x, values):
    order = np.argsort(x)
    return np.diff(values[order]) / np.diff(x[order])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999))
def test_values_are_convex_and_nearest(seed):
    x, y = problem(seed)
    fit = convex_regression(x, y)
    assert (np.diff(slopes(x, fit)) > -1e-7).all()
    residual = y - fit
    assert abs(residual @ fit) < 1e-7  # the nearest point of a cone
    assert abs(residual.sum()) < 1e-7
    assert abs(residual @ x) < 1e-7


def test_as_a_general_solver_finds_it():
    x, y = problem(3)
    order = np.argsort(x)
    bend = {"type": "ineq", "fun": lambda v: np.diff(np.diff(v) / np.diff(x[order]))}
    found = optimize.minimize(lambda v: ((v - y[order]) ** 2).sum(), y[order], constraints=bend, tol=1e-12)
    np.testing.assert_allclose(convex_regression(x, y)[order], found.x, atol=1e-4)


def test_convex_values_are_kept():
    x = np.linspace(-1, 1, 7)
    np.testing.assert_allclose(convex_regression(x, x**2), x**2, atol=1e-10)


def test_refusals():
    with pytest.raises(ValueError, match="no two places the same"):
        convex_regression(np.array([0.0, 0.0]), np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="places and values"):
        convex_regression(np.zeros((2, 1)), np.zeros(2))
