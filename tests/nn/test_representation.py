"""Proposition 2 of Amos et al. (2017): what a partially convex network can stand for."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.nn.convex import POSITIVITIES, ConvexNetwork
from invex.nn.representation import from_convex, from_feedforward
from torch import nn

depths = st.integers(1, 3)


def points(seed, *sizes, n=50):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(n, size, generator=generator, dtype=torch.float64) for size in sizes]


def feedforward(seed, depth, activation=nn.ReLU, units=7, outputs=3):
    torch.manual_seed(seed)
    hidden = [module for i in range(depth) for module in (nn.Linear(units if i else 4, units), activation())]
    return nn.Sequential(*hidden, nn.Linear(units, outputs)).double()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), depths, st.sampled_from(sorted(POSITIVITIES)), st.booleans())
def test_proposition_2_any_convex_network(seed, depth, positivity, skips):
    torch.manual_seed(seed)
    convex = ConvexNetwork(3, (6,) * depth, positivity=positivity, skips=skips).double()
    same = from_convex(convex, context=5)
    x, y = points(seed, 5, 3)
    torch.testing.assert_close(same(x, y), convex(y), rtol=1e-14, atol=1e-14)
    assert len(same.raw) == len(convex.raw)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), depths, st.sampled_from([nn.ReLU, nn.Tanh, nn.SiLU]))
def test_proposition_2_any_feedforward_network(seed, depth, activation):
    g = feedforward(seed, depth, activation)
    x, y = points(seed, 4, 3)
    made = from_feedforward(g)
    torch.testing.assert_close(made(x, y), (y * g(x)).sum(1), rtol=1e-13, atol=1e-13)
    assert len(made.inputs) == depth + 1  # as many layers


def test_the_proof_as_printed_leaves_the_last_layer_out():
    g = feedforward(0, 2, units=3)
    x, y = points(0, 4, 3)
    printed = from_feedforward(g, as_printed=True)
    torch.testing.assert_close(printed(x, y), (y * g[:-1](x)).sum(1), rtol=1e-13, atol=1e-13)
    assert (printed(x, y) - (y * g(x)).sum(1)).abs().max() > 0.1


def test_negative_control_a_context_that_matters_is_seen():
    convex = ConvexNetwork(3, (6, 6)).double()
    same = from_convex(convex, context=5)
    with torch.no_grad():
        same.gates[0].weight[0, 0] = 1.0
        same.context[0].weight[0, 0] = 1.0
    x, y = points(0, 5, 3)
    assert (same(x, y) - convex(y)).abs().max() > 1e-6


def test_a_network_that_is_none_of_these_is_refused():
    with pytest.raises(ValueError, match="a linear layer first and last"):
        from_feedforward(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
    mixed = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1))
    with pytest.raises(ValueError, match="one kind of activation"):
        from_feedforward(mixed)
    with pytest.raises(ValueError, match="needs a bias"):
        from_feedforward(nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 1)))
