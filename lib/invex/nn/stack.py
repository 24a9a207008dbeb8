"""Many classifiers of one architecture as one model, with forward and backward passes written out.

Written out, so that the trainer updates a layer as soon as its gradient is known, in buffers that are used
again; autograd would hold the gradients of all layers first. A test compares the two.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from invex.nn.classifier import Classifier


class Stack:
    """B classifiers of equal sizes as one model whose tensors have a leading dimension B.

    Networks are sorted inside (those with skip connections first, the convex ones side by side), so that each
    kind is a slice and no product is spent on a connection that a network does not have.

    Attributes:
        networks: the classifiers, sorted; they get their trained parameters back from `unload`.
        convex: which of them are convex.
        groups: master parameters by layer: weight (B, out, in), bias (B, out) and, with skip connections,
            skip weight (S, out, d) of the first S networks.
        working: what the products use: the masters, or their copies in `precision`, exponentiated where the
            positivity is "exponential".

    Raises ValueError where sizes, or the positivity of convex networks, differ.
    """

    def __init__(self, networks: Sequence[Classifier], precision: torch.dtype | None = None) -> None:
        if len({tuple(layer.weight.shape for layer in n.layers) for n in networks}) != 1:
            raise ValueError("the networks of a stack must have equal sizes")
        if len({n.positivity for n in networks if n.convex}) > 1:
            raise ValueError("the convex networks of a stack must share one positivity")
        self.networks = sorted(networks, key=lambda n: n.kind)
        by_layer = [list(parts) for parts in zip(*(n.groups() for n in self.networks), strict=True)]
        self.groups = [
            [torch.stack([p[k].detach() for p in parts if len(p) > k]) for k in range(len(parts[0]))]
            for parts in by_layer
        ]
        self.precision = precision or self.groups[0][0].dtype
        self._scratch: dict[tuple[object, ...], Tensor] = {}
        self._prepare()

    def _prepare(self) -> None:
        convex = [i for i, n in enumerate(self.networks) if n.convex]
        self.convex = slice(convex[0], convex[-1] + 1) if convex else slice(0)
        self.exponential = any(self.networks[i].positivity == "exponential" for i in convex)
        self.working = [
            [t.to(self.precision, copy=self._transformed(layer)) for t in group]
            for layer, group in enumerate(self.groups)
        ]
        self._spare = [
            [copy if copy is master else torch.empty_like(copy) for master, copy in zip(*pair, strict=True)]
            for pair in zip(self.groups, self.working, strict=True)
        ]
        for layer in range(len(self.groups)):
            self.settle(layer)

    def _transformed(self, layer: int) -> bool:
        return self.exponential and layer > 0

    def __len__(self) -> int:
        return len(self.networks)

    def settle(self, layer: int) -> None:
        """Make changed parameters of a layer ready for products: project, copy, exponentiate.

        Copies take turns: the one that products have just read is slow to write (as `_passed_back` says).
        """
        weight = self.groups[layer][0]
        if layer and not self.exponential:
            weight[self.convex].clamp_(min=0)
        self.working[layer], self._spare[layer] = self._spare[layer], self.working[layer]
        for master, copy in zip(self.groups[layer], self.working[layer], strict=True):
            if copy is not master:
                copy.copy_(master)
        if self._transformed(layer):
            self.working[layer][0][self.convex] = weight[self.convex].exp()

    def forward(self, x: Tensor) -> list[Tensor]:
        """Input (B, n, d), hidden activations and logits (B, n, classes), in this order."""
        hidden = [x]
        for layer, (weight, bias, *skip) in enumerate(self.working):
            values = _affine(hidden[-1].relu_() if layer else x, weight, bias)
            for extra in skip:
                values[: len(extra)] += _product(x[: len(extra)], extra.mT)
            hidden.append(values)
        return hidden

    def gradients(self, hidden: list[Tensor], delta: Tensor) -> Iterator[tuple[int, list[Tensor]]]:
        """Gradients of a loss by layer, from the last to the first, as `groups` orders them.

        A layer's parameters are not read again once its gradients are out, so they may be updated then; the
        gradients live in buffers that the next layer overwrites.

        Args:
            hidden: what `forward` returned.
            delta: derivative of the loss by the logits, (B, n, classes).
        """
        for layer in reversed(range(len(self.groups))):
            weight, _, *skip = self.working[layer]
            found = [self._outer(delta, hidden[layer]), delta.sum(1, dtype=self.groups[0][0].dtype)]
            found += [self._outer(delta[: len(s)], hidden[0][: len(s)], "skip") for s in skip]
            if self._transformed(layer):
                found[0][self.convex] *= weight[self.convex]
            if layer:
                delta = self._passed_back(delta, layer)
                delta.mul_(hidden[layer].sign())  # the slope of ReLU, cheaply
            yield layer, found

    def _passed_back(self, delta: Tensor, layer: int) -> Tensor:
        """Derivative by a layer's inputs (B, n, in), from that by its outputs (B, n, out).

        On a CPU from copies of the weights that are to be updated. This product contracts the rows and gives
        each core some of the columns, the update gives it some of the rows. Where cores have no cache in
        common, memory that the other one has just read is slow to write: up to a third of a step, measured;
        a copy costs 1 to 5 %, if it is made network by network and stays in the cache.
        """
        weight = self.working[layer][0]
        if weight is not self.groups[layer][0] or weight.device.type != "cpu":
            return _product(delta, weight)
        values = _columns(delta, weight.shape[2])
        copy = self._buffer((*weight.shape[1:], f"copy {layer}"), weight.dtype)
        for value, d, w in zip(values, delta, weight, strict=True):
            torch.mm(d, copy.copy_(w), out=value)
        return values

    def _outer(self, delta: Tensor, x: Tensor, use: str = "weight") -> Tensor:
        """Sum over the batch of delta x^T, (B, out, in), in a buffer that later layers use again."""
        shape = (len(delta), delta.shape[2], x.shape[2])
        product = self._buffer((*shape, use), delta.dtype)
        _product(delta.mT, x, out=product)
        target = self._buffer((*shape, use), self.groups[0][0].dtype)
        return product if target is product else target.copy_(product)

    def _buffer(self, key: tuple[int | str, ...], dtype: torch.dtype) -> Tensor:
        if (*key, dtype) not in self._scratch:
            shape = [size for size in key if isinstance(size, int)]
            self._scratch[*key, dtype] = torch.empty(shape, dtype=dtype, device=self.groups[0][0].device)
        return self._scratch[*key, dtype]

    def keep(self, places: Sequence[int]) -> None:
        """Go on with the networks at these places alone, in increasing order."""
        self.groups = [select(group, places) for group in self.groups]
        self.networks = [self.networks[i] for i in places]
        self._scratch.clear()
        self._prepare()

    @torch.no_grad()
    def unload(self) -> None:
        """Copy the parameters of the stack into its networks."""
        for layer, group in enumerate(self.groups):
            for k, tensor in enumerate(group):
                for values, network in zip(tensor, self.networks, strict=False):
                    network.groups()[layer][k].copy_(values)


def select(tensors: Sequence[Tensor], places: Sequence[int]) -> list[Tensor]:
    """Rows of stacked tensors; those of the first S networks alone give the places below S."""
    return [t[[i for i in places if i < len(t)]] for t in tensors]


def _affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if _batched(x):
        return torch.baddbmm(bias[:, None], x, weight.mT)
    values = _columns(x, weight.shape[1])
    for out, *parts in zip(values, bias, x, weight.mT, strict=True):
        torch.addmm(*parts, out=out)
    return values


def _product(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    if _batched(a):
        return torch.bmm(a, b, out=out)
    values = _columns(a, b.shape[2]) if out is None else out
    for value, *parts in zip(values, a, b, strict=True):
        torch.mm(*parts, out=value)
    return values


def _columns(x: Tensor, width: int) -> Tensor:
    """Room for (B, n, width) with n innermost in memory, where a CPU's products are faster."""
    return x.new_empty(len(x), width, x.shape[1]).mT


def _batched(x: Tensor) -> bool:
    """One product a network on a CPU: no slower there, and a network's numbers do not depend on its stack."""
    return len(x) > 1 and x.device.type != "cpu"
