"""The convolutional energy: Eq. 3 with convolutions, convex in y, broadcast over many y."""

import pytest
import torch
from invex.nn.completion import CompletionEnergy


def network(convex: bool = True) -> CompletionEnergy:
    torch.manual_seed(0)
    return CompletionEnergy((16, 8), 12, convex=convex).double().eval()


def gaps(net: CompletionEnergy) -> torch.Tensor:
    """f at midpoints less the mean of f at the ends; positive where convexity fails."""
    x = torch.rand(5, 16, 8, dtype=torch.float64)
    energy, (a, b) = net.at(x), 3 * torch.randn(2, 40, 5, 128, dtype=torch.float64)
    return energy((a + b) / 2) - (energy(a) + energy(b)) / 2


def test_proposition_1_holds_for_convolutions_and_fails_without_the_constraint():
    net = network()
    assert gaps(net).max() < 1e-12
    for layer in (*net.convex_maps, *net.convex_dense):
        layer.weight.data.sub_(layer.weight.mean())
    assert gaps(net).max() > 1e-3
    net.project_()
    assert gaps(net).max() < 1e-12


def test_without_convexity_nothing_is_projected():
    net = network(convex=False)
    before = net.convex_dense[0].weight.clone()
    net.project_()
    assert before.equal(net.convex_dense[0].weight)
    assert (before < 0).any()


def test_many_y_at_once_are_the_single_ones():
    net = network()
    x, y = torch.rand(3, 16, 8, dtype=torch.float64), torch.rand(4, 3, 128, dtype=torch.float64)
    both = net.at(x)(y)
    assert both.shape == (4, 3)
    for k in range(4):
        torch.testing.assert_close(both[k], net(x, y[k]))


def test_a_half_that_the_strides_do_not_divide_is_named():
    with pytest.raises(ValueError, match="cannot be divided by strides"):
        CompletionEnergy((20, 10))
