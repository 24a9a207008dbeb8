"""Convexity on random segments: Proposition 1 of Amos et al. (2017)."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.segments import ends, midpoints
from invex.nn.convex import POSITIVITIES, ConvexNetwork


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 999), st.sampled_from(sorted(POSITIVITIES)))
def test_proposition_1_no_violation(seed, positivity):
    torch.manual_seed(seed)
    network = ConvexNetwork(3, (12, 12), positivity=positivity).double()
    found = midpoints(network, *ends(500, 3, seed=seed))
    assert found.violations == 0
    assert found.gaps.shape == (500,)


@pytest.mark.parametrize(
    ("f", "violations", "flat"),
    [
        (lambda y: y.square().sum(1), 0, 0),
        (lambda y: y[:, 0] - 2 * y[:, 1], 0, 200),
        (lambda y: -y.square().sum(1), 200, 0),
    ],
)
def test_known_functions(f, violations, flat):
    found = midpoints(f, *ends(200, 2))
    assert (found.violations, found.flat) == (violations, flat)


def test_the_gap_of_a_square_is_a_quarter_of_the_squared_length():
    a, b = ends(50, 1)
    found = midpoints(lambda y: y[:, 0].square(), a, b)
    torch.testing.assert_close(found.gaps, (a - b)[:, 0].square() / 4)
    assert found.smallest == found.gaps.min()


def test_rounding_of_a_large_affine_function_is_no_violation():
    found = midpoints(lambda y: 1e6 * y[:, 0] / 3 + 1e6, *ends(2000, 1))
    assert found.gaps.min() < 0
    assert found.violations == 0


def test_refusals():
    a, b = ends(5, 2)
    with pytest.raises(ValueError, match="as many ends"):
        midpoints(lambda y: y[:, 0], a, b[:3])
    with pytest.raises(ValueError, match="one value a point"):
        midpoints(lambda y: y, a, b)
