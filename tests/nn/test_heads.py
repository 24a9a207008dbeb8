"""Property heads: a bowl makes a minimum where softplus units have none; the scaled tanh is monotone."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis import certificates
from invex.analysis.level_sets import level_before, minimum
from invex.analysis.level_sets.minimum import MinimumNotAttained
from invex.nn.convex import ConvexNetwork
from invex.nn.heads import ScaledTanh, StronglyConvex


def network(seed=0):
    """Softplus units that all rise the same way: strictly increasing along (1, 1), so without a minimum."""
    torch.manual_seed(seed)
    found = ConvexNetwork(2, (8, 8)).double()
    with torch.no_grad():
        for layer in found.inputs:
            layer.weight.abs_()
    return found


def test_a_softplus_network_may_have_no_minimum_and_with_a_bowl_it_has_one():
    start = torch.zeros(2, dtype=torch.float64)
    with pytest.raises(MinimumNotAttained):
        minimum(network(), start)
    found = minimum(StronglyConvex(network(), 0.1), start)
    assert found.gradient_norm < 1e-6


@given(curvature=st.floats(1e-3, 10), seed=st.integers(0, 20))
@settings(max_examples=10, deadline=None)
def test_theorem_3_4_the_hessian_is_at_least_the_curvature(curvature, seed):
    points = torch.randn(20, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    own = certificates.curvature(network(seed), points).smallest
    bowl = certificates.curvature(StronglyConvex(network(seed), curvature), points).smallest
    assert bowl.min() >= curvature * (1 - 1e-9)
    torch.testing.assert_close(bowl - own, torch.full_like(own, curvature))


@pytest.mark.parametrize("curvature", [0.0, -1.0])
def test_a_bowl_that_does_not_rise_is_refused(curvature):
    with pytest.raises(ValueError, match="must be positive"):
        StronglyConvex(network(), curvature)


def test_the_head_keeps_within_the_angles_rises_and_is_undone_by_its_level():
    head = ScaledTanh(math.pi / 4)
    y = torch.linspace(-3, 3, 101, dtype=torch.float64)
    assert (head(y).diff() > 0).all()
    assert head(y).abs().max() < math.pi / 4
    assert head(torch.tensor([1e-6])).item() == pytest.approx(1e-6)
    level = level_before(head, math.radians(36))
    assert head(torch.tensor([level], dtype=torch.float64)).item() == pytest.approx(
        math.radians(36), abs=1e-12
    )
