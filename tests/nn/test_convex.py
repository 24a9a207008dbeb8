"""Input-convex networks: Amos et al. (2017); strict convexity, Nesterov et al. (2022), Theorem 3.4."""

import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.nn.convex import POSITIVITIES, ConvexNetwork, check_activation, softplus
from invex.nn.initialise import principled
from torch import nn
from torch.nn import functional

ACTIVATIONS = {"softplus": softplus, "relu": functional.relu, "elu": functional.elu}
positivities = st.sampled_from(sorted(POSITIVITIES))


def make(seed, positivity="square", activation="softplus", dimension=3, widths=(16, 16, 16), skips=True):
    torch.manual_seed(seed)
    network = ConvexNetwork(
        dimension, widths, activation=ACTIVATIONS[activation], positivity=positivity, skips=skips
    )
    return network.double()


def gap(network, seed=0, scale=3.0, n=2000, dimension=3):
    """(f(a) + f(b)) / 2 - f((a + b) / 2) for random pairs: not negative if f is convex."""
    generator = torch.Generator().manual_seed(seed)
    a, b = scale * torch.randn(2, n, dimension, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        return (network(a) + network(b)) / 2 - network((a + b) / 2)


@settings(max_examples=25)
@given(st.integers(0, 999), positivities, st.sampled_from(sorted(ACTIVATIONS)), st.booleans())
def test_midpoint_convexity(seed, positivity, activation, skips):
    assert gap(make(seed, positivity, activation, skips=skips)).min() > -1e-12


@settings(max_examples=15)
@given(st.integers(0, 999), positivities, st.booleans())
def test_theorem_3_4_softplus_is_strictly_convex(seed, positivity, skips):
    network = make(seed, positivity, skips=skips)
    assert gap(network, scale=0.5).min() > 0
    assert network.spans_input()


@pytest.mark.parametrize("positivity", sorted(POSITIVITIES))
def test_convexity_survives_training(positivity):
    network = make(1, positivity, dimension=2)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 2, generator=generator, dtype=torch.float64)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    before = (network(x) + 5 * x.norm(dim=1)).square().mean()
    for _ in range(100):
        loss = (network(x) + 5 * x.norm(dim=1)).square().mean()  # a concave target pulls weights below zero
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        network.project_()
    assert loss < before
    assert gap(network, dimension=2).min() > -1e-12
    assert all((weight >= 0).all() for weight in network.weights())


def test_negative_control_one_negative_weight_is_seen():
    network = make(0, "projection")
    with torch.no_grad():
        network.raw[-1][0, 0] = -5.0
    assert gap(network).min() < -1e-3


def test_negative_control_of_projection_without_project_the_weights_turn_negative():
    network = make(0, "projection")
    with torch.no_grad():
        network.raw[1] -= 0.05
    assert any((weight < 0).any() for weight in network.weights())
    network.project_()
    assert all((weight >= 0).all() for weight in network.weights())


@pytest.mark.parametrize("positivity", sorted({*POSITIVITIES} - {"projection"}))
def test_projection_leaves_parameters_alone_whose_map_keeps_weights_positive(positivity):
    network = make(0, positivity)
    with torch.no_grad():
        network.raw[0].fill_(-2.0)
    network.project_()
    assert (network.raw[0] == -2).all()


def test_activation_of_the_released_code_is_convex_but_not_strictly():
    def released(x):
        return functional.elu(x) + 1e-5 * x

    check_activation(released)
    with pytest.raises(ValueError, match="not strictly convex"):
        check_activation(released, strictly=True)
    check_activation(softplus, strictly=True)


def test_a_network_without_hidden_layers_is_refused():
    with pytest.raises(ValueError, match="without a hidden layer"):
        ConvexNetwork(3, ())


def test_elu_network_is_affine_between_points_where_every_unit_is_positive():
    network = make(0, activation="elu", dimension=2)
    with torch.no_grad():
        for layer in network.inputs:
            layer.bias.fill_(30.0)
    assert gap(network, scale=0.1, dimension=2).abs().max() < 1e-10
    assert gap(make(0, dimension=2), scale=0.1, dimension=2).min() > 1e-10


@pytest.mark.parametrize(
    ("activation", "fault"),
    [(torch.tanh, "convex"), (torch.square, "increasing"), (functional.gelu, "increasing")],
)
def test_activations_that_break_convexity_are_refused(activation, fault):
    with pytest.raises(ValueError, match=f"not {fault}"):
        ConvexNetwork(2, (4,), activation=activation)


def test_theorem_3_4_non_zero_rows_are_not_enough():
    """Rows that are all multiples of (1, 1) are not zero, yet f is affine along (1, -1)."""
    network = make(0, dimension=2)
    with torch.no_grad():
        for layer in network.inputs:
            layer.weight[:] = layer.weight[:, :1]
    assert all((layer.weight.abs() > 0).all() for layer in network.inputs)
    steps = torch.linspace(-1, 1, 5, dtype=torch.float64)
    along = network(steps[:, None] * torch.tensor([1.0, -1.0], dtype=torch.float64))
    torch.testing.assert_close(along, along[:1].expand(5))
    assert not network.spans_input()


def test_spanning_counts_only_rows_that_reach_the_output():
    network = make(0, "projection", dimension=2, widths=(4, 4), skips=False)
    assert network.spans_input()
    with torch.no_grad():
        network.raw[0][:, 1:] = 0.0
    assert not network.spans_input()
    network = make(0, "projection", dimension=2, widths=(4, 4), skips=False)
    with torch.no_grad():
        network.raw[0][0, 1:] = network.raw[1][0, 1:] = 0.0  # other rows of the first end at the second
    assert not network.spans_input()


@pytest.mark.parametrize("positivity", sorted(POSITIVITIES))
def test_positivity_maps_invert(positivity):
    weight = torch.logspace(-6, 3, 40, dtype=torch.float64)
    pair = POSITIVITIES[positivity]
    torch.testing.assert_close(pair.forward(pair.inverse(weight)), weight, rtol=1e-9, atol=0)


@pytest.mark.parametrize("positivity", sorted(POSITIVITIES))
def test_starting_weights_do_not_depend_on_positivity(positivity):
    torch.manual_seed(0)
    network = ConvexNetwork(2, (64, 64), positivity=positivity)
    network.reset_weights(torch.Generator().manual_seed(3))
    reference = ConvexNetwork(2, (64, 64))
    reference.reset_weights(torch.Generator().manual_seed(3))
    for ours, theirs in zip(network.weights(), reference.weights(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-9)
        assert abs(ours.sum(1).mean().item() - 1 / 3) < 0.05


@pytest.mark.parametrize("positivity", sorted(POSITIVITIES))
def test_principled_initialisation_has_hoedts_moments(positivity):
    network = ConvexNetwork(200, (200, 200, 200), positivity=positivity, activation=functional.relu)
    network.principled_(0.3, generator=torch.Generator().manual_seed(0))
    moments = principled(200, correlation=0.3)
    weight = network.weights()[0]
    assert abs(weight.mean().item() / moments.weight_mean - 1) < 0.05
    assert network.inputs[1].bias[0].item() == pytest.approx(moments.bias_mean)
    network.principled_(0.3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network.weights()[0], weight, rtol=0, atol=0)


def test_shapes_dtype_and_layers_as_in_equation_4():
    network = make(0, dimension=2, widths=(5, 6))
    z = torch.randn(4, 3, 2, dtype=torch.float64)
    first = softplus(network.inputs[0](z))
    second = softplus(first @ network.raw[0].square().T + network.inputs[1](z))
    expected = second @ network.raw[1].square().T + network.inputs[2](z)
    torch.testing.assert_close(network(z), expected[..., 0])
    assert network(z).shape == (4, 3)
    assert network.float()(z.float()).dtype == torch.float32


@settings(max_examples=20)
@given(st.integers(0, 999), positivities, st.booleans(), st.booleans())
def test_on_rays_is_the_network_at_the_points_of_the_rays(seed, positivity, skips, one_centre):
    network = make(seed, positivity, skips=skips)
    centre, directions = torch.randn(2, 6, 3, dtype=torch.float64)
    centre = centre[0] if one_centre else centre
    rays, r = torch.tensor([4, 0, 4]), torch.rand(3, dtype=torch.float64).requires_grad_()
    points = (centre if one_centre else centre[rays]) + r[:, None] * directions[rays]
    expected, restricted = network(points), network.on_rays(centre, directions)
    by_number, in_order = restricted(r, rays), restricted.subset(rays)(r, torch.arange(3))
    torch.testing.assert_close(by_number, expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(in_order, by_number)
    slopes = [torch.autograd.grad(values.sum(), r)[0] for values in (by_number, expected)]
    torch.testing.assert_close(*slopes, rtol=1e-12, atol=1e-12)
    single = restricted.float()(r.float(), rays)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), expected, rtol=1e-4, atol=1e-4)


def test_a_network_can_be_pickled():
    network = make(0, "exp")
    again = pickle.loads(pickle.dumps(network))
    z = torch.randn(5, 3, dtype=torch.float64)
    assert torch.equal(again(z), network(z))


def test_softplus_is_convex_to_rounding_and_pytorchs_default_is_not():
    x = torch.linspace(19, 21, 4001, dtype=torch.float64)
    assert softplus(x).diff().diff().min() > -1e-14
    assert nn.Softplus()(x).diff().diff().min() < -1e-9
