"""What a network is made of, read from the module itself: units, weights, and the sign that each needs.

Proposition 1 of Amos et al. (2017) asks for non-negative weights wherever what comes in may be curved: from
one hidden layer to the next, and never from the input, whose weights may have any sign.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor, fx, nn

from invex.nn.convex import ConvexNetwork, check_activation
from invex.nn.partially_convex import PartiallyConvexNetwork

LINE, CONTEXT = "y", "x"  # the two paths: convex in what travels on the first


@dataclass(frozen=True)
class Unit:
    """A layer's units, or an input. ``level`` is the number of layers before it; ``convex`` whether it may be
    curved in y: an input is not.
    """

    name: str
    size: int
    level: int
    path: str = LINE
    curved: bool = True


@dataclass(frozen=True)
class Arrow:
    """A matrix between two layers, or onto the way of another matrix (``factor``), where it multiplies.

    Attributes:
        weight: (out, in), as the network uses it now; the parameter itself where it is used as it is.
        signed: whether convexity needs it non-negative.
    """

    source: str
    target: str
    name: str
    weight: Tensor
    signed: bool = False
    factor: bool = False

    @property
    def negative(self) -> int:
        """How many of its entries are negative now."""
        return int((self.weight < 0).sum())


@dataclass(frozen=True)
class Wiring:
    """All of a network. ``faults`` says in words what Proposition 1 does not allow about it, as it is now."""

    units: dict[str, Unit]
    arrows: list[Arrow]
    faults: list[str] = field(default_factory=list)

    def counts(self) -> tuple[int, int]:
        """Weights that need a sign, and weights that do not."""
        signed = sum(arrow.weight.numel() for arrow in self.arrows if arrow.signed)
        return signed, sum(arrow.weight.numel() for arrow in self.arrows) - signed


@singledispatch
def wiring(network: nn.Module, size: int = 1) -> Wiring:
    """The wiring of a network: of the library's own, or of any module of linear layers, activations and sums.

    A module of yours is followed through its forward (`torch.fx`). If it does more than linear layers, sums
    and elementwise functions of one argument, describe it: ``@wiring.register`` a function for its class.

    Args:
        network: a scalar function of one input, or of x and y (`PartiallyConvexNetwork`).
        size: of the input, where no linear layer tells.

    Raises:
        TypeError: an operation that is none of these, by name.
    """
    return _Followed(network, size).wiring()


@wiring.register
def _of_convex(network: ConvexNetwork, size: int = 1) -> Wiring:
    made = _Drawn()
    first = network.inputs[0]
    assert isinstance(first, nn.Linear)
    made.unit("y", first.in_features, 0, curved=False)
    last = len(network.inputs) - 1
    sizes = [first.out_features, *(len(weight) for weight in network.weights())]
    for i, (layer, units) in enumerate(zip(network.inputs, sizes, strict=True)):
        name = "f" if i == last else f"z_{i + 1}"
        made.unit(name, units, i + 1)
        if i > 0:
            made.arrow(f"z_{i}", name, f"W_{i}^{{(z)}}", network.weights()[i - 1], signed=True)
        if isinstance(layer, nn.Linear):
            made.arrow("y", name, f"W_{i}^{{(y)}}", layer.weight)
    return made.done(network.activation)


@wiring.register
def _of_partially_convex(network: PartiallyConvexNetwork, size: int = 1) -> Wiring:
    made = _Drawn()
    inputs, scales, shifts = (_linear(m) for m in (network.inputs, network.scales, network.shifts))
    gates, context = _linear(network.gates), _linear(network.context)
    made.unit("x", scales[0].in_features, 0, CONTEXT, curved=False)
    made.unit("y", scales[0].out_features, 0, curved=False)
    last, u = len(inputs) - 1, "x"
    for i, layer in enumerate(inputs):
        name = "f" if i == last else f"z_{i + 1}"
        made.unit(name, layer.out_features, i + 1)
        if i > 0:
            made.arrow(f"z_{i}", name, f"W_{i}^{{(z)}}", network.weights()[i - 1], signed=True)
            made.arrow(u, f"W_{i}^{{(z)}}", f"W_{i}^{{(zu)}}", gates[i - 1].weight, factor=True)
        made.arrow("y", name, f"W_{i}^{{(y)}}", layer.weight)
        made.arrow(u, f"W_{i}^{{(y)}}", f"W_{i}^{{(yu)}}", scales[i].weight, factor=True)
        made.arrow(u, name, f"W_{i}^{{(u)}}", shifts[i].weight)
        if i < last:
            made.unit(f"u_{i + 1}", context[i].out_features, i + 1, CONTEXT, curved=False)
            made.arrow(u, f"u_{i + 1}", rf"\tilde{{W}}_{i}", context[i].weight)
            u = f"u_{i + 1}"
    return made.done(network.activation)


def _linear(layers: nn.ModuleList) -> list[nn.Linear]:
    return [layer for layer in layers if isinstance(layer, nn.Linear)]


class _Drawn:
    """Units and arrows while they are collected."""

    def __init__(self) -> None:
        self.units: dict[str, Unit] = {}
        self.arrows: list[Arrow] = []
        self.faults: list[str] = []

    def unit(self, name: str, size: int, level: int, path: str = LINE, curved: bool = True) -> None:
        self.units[name] = Unit(name, size, level, path, curved)

    def arrow(self, source: str, target: str, name: str, weight: Tensor, **kind: bool) -> None:
        self.arrows.append(Arrow(source, target, name, weight.detach(), **kind))

    def activation(self, function: Any) -> None:
        try:
            check_activation(function)
        except ValueError as error:
            self.faults.append(str(error))

    def done(self, *activations: Any) -> Wiring:
        for function in activations:
            self.activation(function)
        for arrow in self.arrows:
            if arrow.signed and arrow.negative:
                self.faults.append(
                    f"{arrow.name}: {arrow.negative} of {arrow.weight.numel()} weights are negative"
                )
        return Wiring(self.units, self.arrows, self.faults)


Elementwise = Callable[[Tensor], Any]
Entering = list[tuple[str, str, Tensor]]  # source, name and weight of what is summed before an activation


class _Followed:
    """A module's forward, followed with `torch.fx`: a value is a unit's name or what enters the next unit."""

    def __init__(self, network: nn.Module, size: int) -> None:
        self.graph = fx.symbolic_trace(network).graph
        self.network, self.made, self.size = network, _Drawn(), size
        self.values: dict[fx.Node, str | Entering] = {}
        self.hidden = 0

    def wiring(self) -> Wiring:
        for node in self.graph.nodes:
            self.values[node] = self._value(node)
        return self.made.done()

    def _value(self, node: fx.Node) -> str | Entering:
        given = [self.values[one] for one in node.all_input_nodes]
        module = self.network.get_submodule(str(node.target)) if node.op == "call_module" else None
        if node.op == "placeholder":
            self.made.unit("y", self._input_size(), 0, curved=False)
            return "y"
        if node.op == "output":
            return self._unit(given[0], "f")
        if isinstance(module, nn.Linear):
            source = self._unit(given[0])
            return [(source, str(node.target), module.weight)]
        if node.target in (operator.add, torch.add) and len(given) == 2:
            return [entry for value in given for entry in self._entering(value)]
        if len(given) == 1 and node.op in ("call_module", "call_function", "call_method"):
            return self._function(node, self._callable(node, module), given[0])
        raise TypeError(f"{node.op} {node.target}: no linear layer, sum or activation; register your class")

    def _function(self, node: fx.Node, function: Elementwise, given: str | Entering) -> str | Entering:
        """An activation ends a layer; a function of an input alone is one more thing that enters the next."""
        if isinstance(given, str) and not self.made.units[given].curved:
            name = f"{getattr(node.target, '__name__', node.target)}(y)"
            bend = function(torch.linspace(-12, 12, 961, dtype=torch.float64)).diff().diff()
            if bend.min() < -1e-9:
                self.made.faults.append(f"{name} is not convex")
            return [(given, name, torch.ones(1, self.made.units[given].size))]
        self.made.activation(function)
        return self._unit(given)

    def _callable(self, node: fx.Node, module: nn.Module | None) -> Elementwise:
        """The function of one argument that a node applies."""

        def function(value: Tensor) -> Any:
            given = [value if isinstance(one, fx.Node) else one for one in node.args]
            if module is not None:
                return module(*given)
            if node.op == "call_method":
                return getattr(given[0], str(node.target))(*given[1:], **node.kwargs)
            assert callable(node.target)
            return node.target(*given, **node.kwargs)

        return function

    def _entering(self, value: str | Entering) -> Entering:
        return [(value, "1", torch.ones(1, 1))] if isinstance(value, str) else value

    def _unit(self, value: str | Entering, name: str = "") -> str:
        """The unit that a value is, made now if it is a sum that no activation has ended."""
        if isinstance(value, str) and not name:
            return value
        self.hidden += not name
        name = name or f"z_{self.hidden}"
        entering = self._entering(value)
        level = 1 + max(self.made.units[source].level for source, _, _ in entering)
        self.made.unit(name, max(len(weight) for _, _, weight in entering), level)
        for source, label, weight in entering:
            self.made.arrow(source, name, label, weight, signed=self.made.units[source].curved)
        return name

    def _input_size(self) -> int:
        linear = [m for m in self.network.modules() if isinstance(m, nn.Linear)]
        return linear[0].in_features if linear else self.size
