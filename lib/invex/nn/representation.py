"""Proposition 2 of Amos et al. (2017) as code: networks that a partially convex one can stand for."""

from itertools import pairwise

import torch
from torch import nn

from invex.nn.convex import ConvexNetwork
from invex.nn.partially_convex import PartiallyConvexNetwork


@torch.no_grad()
def from_convex(network: ConvexNetwork, context: int) -> PartiallyConvexNetwork:
    """The partially convex network f(x, y) that equals a convex one f(y) at every x, of as many layers.

    As in the proof: every weight on the x-path is zero and b^z = b^y = 1, so that both factors are one; W^z
    and W^y are those of the convex network, and its biases are the b_i.

    Args:
        network: with weights of any positivity; copied, in its precision.
        context: size of x, which makes no difference.
    """
    widths = [weight.shape[1] for weight in network.weights()]
    dimension = next(layer.in_features for layer in network.inputs if isinstance(layer, nn.Linear))
    made = PartiallyConvexNetwork(
        context, dimension, widths, activation=network.activation, positivity="projection"
    ).to(network.raw[0])
    _clear(made)
    for layer in (*made.gates, *made.scales):
        layer.bias.fill_(1)
    for raw, weight in zip(made.raw, network.weights(), strict=True):
        raw.copy_(weight)
    for source, into, shift in zip(network.inputs, made.inputs, made.shifts, strict=True):
        if isinstance(source, nn.Linear):
            into.weight.copy_(source.weight)
        shift.bias.copy_(source.bias)
    return made


@torch.no_grad()
def from_feedforward(network: nn.Sequential, *, as_printed: bool = False) -> PartiallyConvexNetwork:
    """The partially convex network with f(x, y) = y^T g(x) for a feed-forward network g of k linear layers.

    The x-path is g without its last layer, and everything else is zero but the last factor on y, whose
    weights and bias are those of g's last layer, and W_{k-1}^y = 1^T. The proof sets that factor to the
    identity instead, which gives y^T u_{k-1}: what g has computed before its last layer.

    Args:
        network: linear layers and between them one elementwise activation, the same everywhere.
        as_printed: set the last factor to the identity; then y has as many components as g's last hidden
            layer has units.

    Raises:
        ValueError: the modules do not alternate so, or the activations are not of one kind.
    """
    layers, activation = _alternating(network)
    hidden, last = layers[:-1], layers[-1]
    outputs = last.in_features if as_printed else last.out_features
    made = PartiallyConvexNetwork(
        layers[0].in_features, outputs, [1] * len(hidden), context_widths=[i.out_features for i in hidden],
        context_activation=activation, positivity="projection",
    ).to(last.weight)  # fmt: skip
    _clear(made)
    for own, given in zip(made.context, hidden, strict=True):
        own.weight.copy_(given.weight)
        own.bias.copy_(given.bias)
    if as_printed:
        made.scales[-1].weight.copy_(torch.eye(outputs))
    else:
        made.scales[-1].weight.copy_(last.weight)
        made.scales[-1].bias.copy_(last.bias)
    made.inputs[-1].weight.fill_(1)
    return made


def _clear(network: PartiallyConvexNetwork) -> None:
    for parameter in network.parameters():
        parameter.zero_()


def _alternating(network: nn.Sequential) -> tuple[list[nn.Linear], nn.Module]:
    """The linear layers and the activation between them."""
    layers, between = list(network)[::2], list(network)[1::2]
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    alternate = len(linear) == len(layers) == len(between) + 1 and len(linear) > 1
    if not alternate or len({repr(module) for module in between}) != 1:
        raise ValueError(
            f"a linear layer first and last, one kind of activation between, is needed: {network}"
        )
    for a, b in pairwise(linear):
        if a.bias is None or b.bias is None:
            raise ValueError("each linear layer needs a bias, if only of zeros")
    return linear, between[0]
