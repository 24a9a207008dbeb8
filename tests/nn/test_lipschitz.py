"""Contractive layers: Eq. 4.6 and 4.9 of Behrmann (2019), their estimates, states and certificates."""

import copy

import pytest
import torch
from invex.nn import lipschitz, operator_norm
from invex.nn.lipschitz import ContractiveConv2d, ContractiveLinear, LipSwish, certificate
from torch import nn


def layers(seed=0, c=0.7, gain=3.0):
    torch.manual_seed(seed)
    made = [ContractiveLinear(6, 9, c=c), ContractiveConv2d(3, 4, 3, size=6, c=c)]
    made.append(ContractiveConv2d(2, 3, 3, size=(7, 6), stride=2, c=c))
    with torch.no_grad():
        for layer in made:
            layer.weight.mul_(gain)
    return made


def inputs(layer, n=4):
    shape = (6,) if layer.operator is None else (layer.in_channels, *layer.size)
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("place", range(3))
def test_eq_4_9_the_operator_has_norm_c_in_evaluation(place):
    layer = layers()[place].eval()
    norm = operator_norm.exact(layer.effective_weight(), layer.operator)
    assert norm <= 0.7
    assert norm == pytest.approx(0.7, rel=1e-5)
    assert layer.norm() == pytest.approx(norm, rel=1e-6)
    assert layer.norm() <= layer.upper_bound()


@pytest.mark.parametrize("place", range(3))
def test_eq_4_9_a_smaller_weight_is_left_alone(place):
    layer = layers(gain=1e-2)[place]
    for mode in (True, False):
        torch.testing.assert_close(layer.train(mode).effective_weight(), layer.weight)


@pytest.mark.parametrize("place", range(3))
def test_the_power_iteration_comes_from_below_and_arrives(place):
    layer = layers()[place]
    norm = layer.refresh_()
    layer.update_(1)
    assert layer.sigma().item() <= norm * (1 + 1e-6)
    layer.update_(300)
    assert layer.sigma().item() == pytest.approx(norm, rel=1e-3)


@pytest.mark.parametrize("place", range(3))
def test_the_slope_is_the_derivative_of_the_norm(place):
    layer = layers()[place]
    layer.update_(500)
    other = layer.weight.detach().clone().double()
    direction = torch.randn(other.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    step = 1e-5
    above, below = (operator_norm.exact(other + s * direction, layer.operator) for s in (step, -step))
    slope = (layer.slope.double() * direction).sum().item()
    assert slope == pytest.approx((above - below) / (2 * step), rel=2e-2, abs=1e-2)


def test_layers_of_equal_shape_are_updated_together_as_one_by_one():
    torch.manual_seed(0)
    module = nn.ModuleList([*(ContractiveConv2d(3, 4, 3, size=6) for _ in range(3)), *layers()])
    apart = copy.deepcopy(module)
    lipschitz.update_(module)
    for layer in apart:
        layer.update_(1)
    for one, other in zip(module, apart, strict=True):
        assert not one.stale
        torch.testing.assert_close(one.slope, other.slope, rtol=1e-4, atol=1e-5)


def test_while_training_a_changed_weight_is_noticed():
    layer = layers()[1]
    layer.update_()
    with torch.no_grad():
        layer.weight.mul_(2)
    assert layer.stale
    before = layer.slope.clone()
    layer(inputs(layer))
    assert not layer.stale
    assert not torch.equal(before, layer.slope)


def test_evaluation_after_a_change_or_a_load_uses_the_new_norm():
    layer, other = layers()[1].eval(), layers(seed=5)[1].eval()
    layer(inputs(layer))
    layer.load_state_dict(other.state_dict())
    torch.testing.assert_close(layer(inputs(layer)), other(inputs(layer)))
    layer.train()
    layer.weight.data.mul_(50)  # without a new version, as a replayed CUDA graph changes it
    assert operator_norm.exact(layer.eval().effective_weight(), layer.operator) <= 0.7


def test_a_restored_state_goes_on_as_if_uninterrupted():
    def train(layer, steps):
        optimiser = torch.optim.SGD(layer.parameters(), 0.1)
        for step in range(steps):
            optimiser.zero_grad()
            layer(inputs(layer, n=2) + step).square().mean().backward()
            optimiser.step()
            lipschitz.update_(layer)

    whole, first, second = layers()[1], layers()[1], layers(seed=3)[1]
    for layer in (whole, first):
        lipschitz.update_(layer)
        train(layer, 3)
    with torch.no_grad():
        for own, saved in zip(
            (*second.parameters(), *second.buffers()), (*first.parameters(), *first.buffers()), strict=True
        ):
            own.copy_(saved)
    assert not second.stale
    train(whole, 2)
    train(second, 2)
    torch.testing.assert_close(whole.weight, second.weight, rtol=0, atol=0)


@pytest.mark.parametrize("c", [0.0, 1.0, 1.5, -0.2])
def test_c_outside_the_unit_interval_is_refused(c):
    with pytest.raises(ValueError, match="c must be in"):
        ContractiveLinear(2, 2, c=c)


def test_larger_images_than_the_norm_was_taken_for_are_refused():
    with pytest.raises(ValueError, match="made for images of 6 x 6 got 7 x 6"):
        layers()[1](torch.zeros(1, 3, 7, 6))


def test_zero_weights_neither_divide_by_zero_nor_get_stuck():
    layer = layers()[1]
    weight = layer.weight.detach().clone()
    with torch.no_grad():
        layer.weight.zero_()
    layer.update_(3)
    assert layer(inputs(layer)).isfinite().all()
    with torch.no_grad():
        layer.weight.copy_(weight)
    layer.update_(300)
    assert layer.sigma().item() == pytest.approx(layer.refresh_(), rel=1e-3)


def test_lipswish_has_slope_at_most_one():
    module, x = LipSwish().double(), torch.linspace(-20, 20, 20001, dtype=torch.float64)
    for beta in (-3.0, 0.0, 0.5, 4.0):
        module.beta.data.fill_(beta)
        slope = torch.func.vmap(torch.func.grad(module))(x)
        assert slope.abs().max() <= 1


def branch():
    torch.manual_seed(0)
    return nn.Sequential(nn.ELU(), ContractiveLinear(4, 8), nn.Sequential(nn.Tanh(), nn.Linear(8, 4)))


def test_eq_4_6_the_certificate_bounds_every_difference_quotient():
    g = branch().double().eval()
    a, b = (3 * torch.randn(500, 4, generator=torch.Generator().manual_seed(s)).double() for s in (0, 1))
    quotient = ((g(a) - g(b)).norm(dim=1) / (a - b).norm(dim=1)).max().item()
    assert quotient <= certificate(g, exact=True) <= certificate(g) * (1 + 1e-12)
    linear = g[2][1]
    assert certificate(g) == pytest.approx(0.9 * torch.linalg.matrix_norm(linear.weight, 2).item(), rel=1e-4)


def test_a_layer_without_a_known_norm_is_named():
    g = nn.Sequential(ContractiveLinear(4, 4), nn.GELU())
    with pytest.raises(TypeError, match="'1', a GELU"):
        certificate(g)


def test_a_free_convolution_needs_the_size_of_its_images():
    layer = nn.Conv2d(2, 2, 3, padding=1)
    with pytest.raises(ValueError, match="size of its images"):
        lipschitz.layer_norms(nn.Sequential(layer))
    layer.size = (5, 5)
    norms = lipschitz.layer_norms(nn.Sequential(layer))
    assert norms["0"] == pytest.approx(
        operator_norm.dense(layer.weight, operator_norm.Convolution((5, 5), (1, 1), (1, 1)))
    )
