"""Masked autoregressive layers: inverse, log-determinant, triangular Jacobian; against autograd and zuko."""

import math

import pytest
import torch
import zuko
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.nn.bijections import Chain, MaskedAutoregressive, autoregressive_flow
from torch.nn import functional

dimensions = st.integers(1, 5)


def points(n, dimension, seed=0, dtype=torch.float64):
    return torch.randn(n, dimension, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def make(seed, dimension, layers=4, gain=1.0, activation=functional.elu, bound=6.0):
    """A flow with its weights scaled up by `gain`, so that it is far from the identity."""
    torch.manual_seed(seed)
    flow = autoregressive_flow(dimension, layers, (24, 24), activation=activation, bound=bound).double()
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.mul_(gain)
    return flow


@settings(max_examples=25)
@given(st.integers(0, 999), dimensions, st.sampled_from([functional.elu, functional.softplus]))
def test_inverse_is_exact_in_float64(seed, dimension, activation):
    flow, x = make(seed, dimension, activation=activation), points(64, dimension, seed)
    assert (flow.inverse(flow(x)) - x).abs().max() < 1e-10
    assert (flow(flow.inverse(x)) - x).abs().max() < 1e-10


@pytest.mark.parametrize("dimension", [2, 5])
def test_inverse_round_trip_in_float32(dimension):
    flow, x = make(0, dimension).float(), points(500, dimension, dtype=torch.float32)
    assert (flow.inverse(flow(x)) - x).abs().max() < 1e-5


@settings(max_examples=15)
@given(st.integers(0, 999), dimensions)
def test_log_determinant_is_autograds(seed, dimension):
    flow, x = make(seed, dimension, gain=1.5), points(8, dimension, seed)
    jacobian = torch.func.vmap(torch.func.jacrev(flow))(x)
    z, log_det = flow.forward_and_log_det(x)
    torch.testing.assert_close(log_det, jacobian.det().abs().log(), rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(z, flow(x))


@settings(max_examples=15)
@given(st.permutations(range(4)), st.integers(0, 99))
def test_jacobian_of_a_layer_is_triangular_in_its_order_and_no_sparser(order, seed):
    torch.manual_seed(seed)
    layer = MaskedAutoregressive(order, (24, 24)).double()
    jacobian = torch.func.vmap(torch.func.jacrev(layer))(points(8, 4)).abs().amax(0)
    ordered = jacobian[order][:, order]
    assert (ordered.triu(1) == 0).all()
    assert (ordered[torch.tril(torch.ones(4, 4, dtype=torch.bool))] > 0).all()
    assert (ordered.diagonal() <= math.exp(layer.bound)).all()


@pytest.mark.parametrize("width", [3, 7, 8, 20])
def test_in_a_layer_narrower_than_the_input_features_early_and_late_see_and_are_seen(width):
    torch.manual_seed(0)
    layer = MaskedAutoregressive(range(9), (width,)).double()
    seen = torch.func.vmap(torch.func.jacrev(layer))(points(8, 9)).abs().amax(0).tril(-1) > 0
    assert seen[1:].any(1).sum() == 8  # each feature but the first depends on an earlier one
    assert seen[:, :-1].any(0).sum() == 8  # and each but the last has an influence


def test_negative_control_without_masks_the_jacobian_is_full_and_the_inverse_fails():
    layer = make(0, 3)[0]
    for linear in layer.layers:
        linear.mask.fill_(True)
    x = points(8, 3)
    jacobian = torch.func.vmap(torch.func.jacrev(layer))(x).abs().amax(0)
    assert (jacobian > 0).all()
    assert (layer.inverse(layer(x)) - x).abs().max() > 1e-3


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_zukos_autoregressive_transform_agrees(order):
    """zuko's generic transform, given our scales and shifts, has our values, inverse and log-determinant."""
    torch.manual_seed(0)
    layer = MaskedAutoregressive(order, (24, 24)).double()

    def meta(x):
        log_scale, shift = layer.scale_and_shift(x)
        affine = torch.distributions.AffineTransform(shift, log_scale.exp())
        return zuko.transforms.DependentTransform(affine, 1)

    theirs = zuko.transforms.AutoregressiveTransform(meta, passes=3)
    x = points(50, 3)
    z, log_det = layer.forward_and_log_det(x)
    torch.testing.assert_close(z, theirs(x))
    torch.testing.assert_close(log_det, theirs.log_abs_det_jacobian(x, z))
    torch.testing.assert_close(layer.inverse(z), theirs.inv(z))


def test_zukos_masks_admit_the_same_dependencies():
    rank = torch.tensor([2, 0, 1])  # feature 0 comes last, as in our order (1, 2, 0)
    theirs = zuko.flows.autoregressive.MaskedAutoregressiveTransform(3, order=rank, hidden_features=(24, 24))
    ours = MaskedAutoregressive((1, 2, 0), (24, 24))
    x = points(16, 3, dtype=torch.float32)
    ours_depends = torch.func.vmap(torch.func.jacrev(ours))(x).abs().amax(0) > 0
    theirs_depends = (
        torch.stack([torch.func.jacrev(lambda v: theirs()(v))(row) for row in x]).abs().amax(0) > 0
    )
    assert torch.equal(ours_depends, theirs_depends)


def test_chain_adds_log_determinants_and_reverses_the_order():
    flow, x = make(0, 3), points(10, 3)
    halves = Chain(flow[:2]), Chain(flow[2:])
    middle, first = halves[0].forward_and_log_det(x)
    z, second = halves[1].forward_and_log_det(middle)
    torch.testing.assert_close(flow.forward_and_log_det(x), (z, first + second))
    assert [layer.order for layer in flow] == [[0, 1, 2], [2, 1, 0]] * 2


def test_every_layer_has_the_activation_that_the_flow_was_given():
    assert {layer.activation for layer in make(0, 2, activation=functional.softplus)} == {functional.softplus}


@pytest.mark.parametrize("bound", [0.5, 6.0])
def test_log_scales_stay_bounded_far_from_the_data(bound):
    flow = make(0, 2, gain=3.0, bound=bound)
    far = 1e6 * points(100, 2)
    z, log_det = flow.forward_and_log_det(far)
    assert z.isfinite().all()
    assert log_det.abs().max() <= 4 * 2 * bound


def test_gradients_flow_through_the_inverse():
    flow = make(0, 2)
    z = points(5, 2).requires_grad_()
    assert torch.autograd.gradcheck(flow.inverse, z)


def test_an_order_that_is_no_permutation_is_refused():
    with pytest.raises(ValueError, match="permutation of 0"):
        MaskedAutoregressive((0, 2))
