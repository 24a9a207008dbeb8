"""Partially input-convex networks: Amos et al. (2017), Eq. 3."""

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.nn.convex import POSITIVITIES, softplus
from invex.nn.partially_convex import PartiallyConvexNetwork
from torch import nn
from torch.nn import functional

ACTIVATIONS = {"softplus": softplus, "relu": functional.relu, "elu": functional.elu}
positivities = st.sampled_from(sorted(POSITIVITIES))


def make(seed, positivity="square", activation="softplus", context=4, dimension=3, widths=(12, 12)):
    torch.manual_seed(seed)
    chosen = ACTIVATIONS[activation]
    network = PartiallyConvexNetwork(context, dimension, widths, activation=chosen, positivity=positivity)
    return network.double()


def gap(network, seed=0, n=500, which="y"):
    """(f(a) + f(b)) / 2 - f((a + b) / 2) along random segments of y (or of x), the other being fixed."""
    generator = torch.Generator().manual_seed(seed)
    context, dimension = network.scales[0].in_features, network.scales[0].out_features
    x, x2 = 3 * torch.randn(2, n, context, generator=generator, dtype=torch.float64)
    y, y2 = 3 * torch.randn(2, n, dimension, generator=generator, dtype=torch.float64)
    x2, y2 = (x, y2) if which == "y" else (x2, y)
    with torch.no_grad():
        return (network(x, y) + network(x2, y2)) / 2 - network((x + x2) / 2, (y + y2) / 2)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), positivities, st.sampled_from(sorted(ACTIVATIONS)))
def test_proposition_1_convex_in_y(seed, positivity, activation):
    assert gap(make(seed, positivity, activation)).min() > -1e-11


def test_it_is_not_convex_in_x():
    assert gap(make(0), which="x").min() < -1e-3


@pytest.mark.parametrize("positivity", sorted(POSITIVITIES))
def test_convexity_survives_training(positivity):
    network = make(1, positivity)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 4, generator=generator, dtype=torch.float64)
    y = torch.randn(64, 3, generator=generator, dtype=torch.float64)
    target = -3 * y.norm(dim=1) * x[:, 0]
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(80):
        loss = (network(x, y) - target).square().mean()
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        network.project_()
    assert losses[-1] < losses[0]
    assert gap(network).min() > -1e-11


def test_negative_control_a_negative_weight_is_seen():
    network = make(0, "projection")
    with torch.no_grad():
        network.raw[-1][0, 0] = -5.0
    assert gap(network).min() < -1e-3


def test_equation_3_written_out():
    network = make(3, widths=(5, 6))
    x, y = torch.randn(7, 4).double(), torch.randn(7, 3).double()
    u, z = x, None
    for i in range(3):
        enters = network.inputs[i](y * network.scales[i](u)) + network.shifts[i](u)
        if z is not None:
            enters = enters + functional.linear(
                z * network.gates[i - 1](u).clamp_min(0), network.raw[i - 1].square()
            )
        z = enters if i == 2 else softplus(enters)
        u = u if i == 2 else network.context[i](u).relu()
    torch.testing.assert_close(network(x, y), z[:, 0], rtol=1e-12, atol=1e-12)


def test_gradient_in_y_and_many_points_at_one_context():
    network = make(0)
    x, y = torch.randn(5, 4).double(), torch.randn(5, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda points: network(x, points), (y,))
    energy = network.at(x)
    stacked = torch.stack([y, 2 * y])
    assert energy(stacked).shape == (2, 5)
    torch.testing.assert_close(energy(stacked)[1], network(x, 2 * y))
    torch.testing.assert_close(network(x[:1], y), network(x[:1].expand(5, -1), y))


def test_features_may_be_a_convolutional_network():
    features = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.Flatten())
    network = PartiallyConvexNetwork(36, 2, (8,), context_widths=(16,), features=features)
    value = network(torch.randn(5, 1, 8, 8), torch.randn(5, 2))
    assert value.shape == (5,)
    value.sum().backward()
    assert features[0].weight.grad.abs().sum() > 0


def test_starts_near_a_network_that_x_only_modulates():
    network = make(0)
    assert all((layer.bias == 1).all() for layer in (*network.gates, *network.scales))


def test_refusals():
    with pytest.raises(ValueError, match="not convex"):
        PartiallyConvexNetwork(2, 2, (4,), activation=torch.tanh)
    with pytest.raises(ValueError, match="without a hidden layer"):
        PartiallyConvexNetwork(2, 2, ())
    with pytest.raises(ValueError, match="as many hidden layers: 2 for x, 1 for y"):
        PartiallyConvexNetwork(2, 2, (4,), context_widths=(4, 4))
    with pytest.raises(KeyError):
        PartiallyConvexNetwork(2, 2, (4,), positivity="hope")


def test_a_network_can_be_pickled():
    network = make(0, "projection")
    x, y = torch.randn(5, 4).double(), torch.randn(5, 3).double()
    assert torch.equal(pickle.loads(pickle.dumps(network))(x, y), network(x, y))
