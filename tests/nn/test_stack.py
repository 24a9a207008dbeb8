"""Stacked networks: the written-out passes against autograd, and each network as if it were alone."""

import pytest
import torch
from invex.nn import stack as stack_module
from invex.nn.classifier import METHODS, Classifier, classifier
from invex.nn.stack import Stack, select
from invex.nn.train import cross_entropy as summed
from torch import Generator
from torch.nn.functional import cross_entropy

SIZES = (12, 12, 12, 12, 4)


def networks(positivity: str = "projection", dtype: torch.dtype = torch.float64) -> list[Classifier]:
    generator = Generator().manual_seed(0)
    return [classifier(SIZES, m, positivity=positivity, generator=generator).to(dtype) for m in METHODS]


def batch(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = Generator().manual_seed(1)
    x = torch.randn(count, 7, 12, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 4, (count, 7), generator=generator)


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("positivity", ["projection", "exponential"])
def test_loss_and_gradients_equal_autograd(
    monkeypatch: pytest.MonkeyPatch, positivity: str, batched: bool
) -> None:
    if batched:  # the products of a GPU
        monkeypatch.setattr(stack_module, "_batched", lambda x: len(x) > 1)
    stack, (x, y) = Stack(networks(positivity)), batch(4)
    hidden = stack.forward(x)
    losses, delta = summed(hidden[-1], y)
    found = {layer: [g.clone() for g in gradients] for layer, gradients in stack.gradients(hidden, delta)}
    for i, network in enumerate(stack.networks):
        loss = cross_entropy(network(x[i]), y[i], reduction="sum")
        loss.backward()
        torch.testing.assert_close(losses[i], loss.detach())
        for layer, group in enumerate(network.groups()):
            for k, parameter in enumerate(group):
                torch.testing.assert_close(found[layer][k][i], parameter.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("positivity", ["projection", "exponential"])
def test_skip_connections_may_belong_to_networks_that_are_not_convex(positivity: str) -> None:
    """No method has such networks; `Classifier` makes them."""
    torch.manual_seed(0)
    free = Classifier(SIZES, convex=False, skip=True).double()
    stack, (x, y) = Stack([*networks(positivity), free, *networks(positivity)]), batch(9)
    assert stack.networks[0] is free
    for layer in range(4):
        stack.settle(layer)
    assert torch.equal(stack.groups[1][0][0], free.layers[1].weight)
    losses, delta = summed((hidden := stack.forward(x))[-1], y)
    for layer, (weight, *_) in stack.gradients(hidden, delta):
        for i, network in enumerate(stack.networks):
            found = torch.autograd.grad(
                cross_entropy(network(x[i]), y[i], reduction="sum"), network.layers[layer].weight
            )[0]
            torch.testing.assert_close(weight[i], found, rtol=1e-9, atol=1e-9)
    assert losses.isfinite().all()


def test_only_networks_with_skips_have_skip_weights() -> None:
    stack = Stack(networks())
    assert [len(group) for group in stack.groups] == [2, 3, 3, 3]
    assert stack.groups[1][2].shape == (1, 12, 12)
    assert stack.networks[0].skips


def test_settle_projects_the_constrained_layers_of_convex_networks_alone() -> None:
    stack = Stack(networks())
    for layer, (weight, *_) in enumerate(stack.groups):
        weight.neg_()
        stack.settle(layer)
    assert (stack.groups[0][0] < 0).any(2).any(1).all()
    for weight, *_ in stack.groups[1:]:
        assert (weight[:3] >= 0).all()
        assert (weight[3] < 0).any()


def test_keep_leaves_the_others_as_they_were() -> None:
    stack, (x, _) = Stack(networks()), batch(4)
    before = stack.forward(x.clone())[-1]
    stack.keep([1, 3])
    torch.testing.assert_close(stack.forward(x[[1, 3]])[-1], before[[1, 3]])
    assert [len(group) for group in stack.groups] == [2, 3, 3, 3]
    assert [t.shape[0] for t in stack.groups[1]] == [2, 2, 0]


def test_select_takes_the_rows_that_a_tensor_has() -> None:
    both, first = select([torch.arange(4), torch.arange(2)], [1, 3])
    assert (both.tolist(), first.tolist()) == ([1, 3], [1])


def test_unload_gives_ordinary_modules_back() -> None:
    originals = networks()
    stack, (x, _) = Stack(originals), batch(4)
    for group in stack.groups:
        for tensor in group:
            tensor.mul_(1.1)
    expected = stack.forward(x.clone())[-1]
    stack.unload()
    for i, network in enumerate(stack.networks):
        assert any(network is original for original in originals)
        torch.testing.assert_close(network(x[i]).detach(), expected[i])


def test_bfloat16_products_keep_masters_in_float32() -> None:
    stack, (x, y) = Stack(networks(dtype=torch.float32), torch.bfloat16), batch(4)
    hidden = stack.forward(x.bfloat16())
    delta = summed(hidden[-1], y)[1]
    gradients = [g.clone() for _, found in stack.gradients(hidden, delta) for g in found]
    torch.testing.assert_close(gradients[1], delta.float().sum(1))  # of the last biases, summed in float32
    assert hidden[-1].dtype == torch.bfloat16
    assert {tensor.dtype for group in stack.groups for tensor in group} == {torch.float32}
    assert {gradient.dtype for gradient in gradients} == {torch.float32}


def test_networks_that_do_not_fit_together_are_refused() -> None:
    other = classifier((12, 12, 4), "ICNN").double()
    with pytest.raises(ValueError, match="equal sizes"):
        Stack([*networks(), other])
    with pytest.raises(ValueError, match="one positivity"):
        Stack([networks()[1], networks("exponential")[1]])
