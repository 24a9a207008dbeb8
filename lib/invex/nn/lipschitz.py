"""Linear and convolutional layers whose operator norm is at most c, and what is certain about them.

Behrmann (2019), Sec. 4.2.1. A layer's weight W is free; what it computes with is W min(1, c / sigma)
(Eq. 4.9), sigma the norm of the true operator. While training, sigma comes from a power iteration that goes
on from step to step (`update_`); in evaluation from the exact norm, computed again after each change to
evaluation and each change of the weights. `certificate` bounds the Lipschitz constant of a finished branch by
what needs no convergence.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from invex.nn import operator_norm
from invex.nn.operator_norm import Convolution

SAFETY = 1e-6
"""Relative distance that the exact norm keeps from c, for the rounding of single precision."""


class LipSwish(nn.Module):
    """x sigmoid(softplus(beta) x) / 1.1, with |slope| <= 1 whatever beta is learnt (Chen et al., 2019)."""

    def __init__(self) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Values of the shape of ``x``."""
        return x * torch.sigmoid(x * functional.softplus(self.beta)) / 1.1


class Contractive(nn.Module):
    """What the two kinds of layers share; use `ContractiveLinear` or `ContractiveConv2d`."""

    weight: nn.Parameter
    bias: nn.Parameter | None
    u: Tensor
    v: Tensor
    slope: Tensor

    def _begin(self, c: float, iterations: int, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        if not 0 < c < 1:
            raise ValueError(
                f"c must be in (0, 1) for a contraction, got {c}; leave c out (None) for a free layer"
            )
        self.c, self.iterations = c, iterations
        self._updated = (-1, -1)  # versions of weight and slope after the last power iteration
        self._refreshed = -1  # version of the weight that the exact norm belongs to
        self._exact = float("nan")
        for name, shape in (("u", outputs), ("v", inputs)):
            self.register_buffer(
                name, functional.normalize(torch.randn(*shape).flatten(), dim=0).view(*shape)
            )
        self.register_buffer("slope", torch.zeros_like(self.weight))
        self.update_(20)

    @property
    def operator(self) -> Convolution | None:
        """The convolution whose norm counts; None for a matrix."""
        raise NotImplementedError

    def update_(self, iterations: int = 1) -> None:
        """Go on with the power iteration, v ~ A^T u and u ~ A v, for the weights as they are now."""
        _iterate([self], iterations)

    def updated(self) -> None:
        """Note that u, v and slope belong to the weights as they are now."""
        self._updated = self.weight._version, self.slope._version

    @property
    def stale(self) -> bool:
        """Whether the weights have changed since the last power iteration, and not been restored with it."""
        weight, slope = self._updated
        return self.weight._version != weight and self.slope._version == slope

    def train(self, mode: bool = True) -> Self:
        """As of a module; evaluation begins by computing the norm anew."""
        if self.training and not mode:
            self._refreshed = -1  # a replayed CUDA graph changes weights without a new version
        return super().train(mode)

    def refresh_(self) -> float:
        """Compute the norm of the free weight's operator exactly, for evaluation, and return it."""
        if self._refreshed != self.weight._version:
            self._exact = operator_norm.exact(self.weight, self.operator)
            self._refreshed = self.weight._version
        return self._exact

    def sigma(self) -> Tensor:
        """<u, A v>, the estimate of the norm while training, as a function of the weight."""
        return (self.weight * self.slope).sum()

    def effective_weight(self) -> Tensor:
        """W min(1, c / sigma), Eq. 4.9."""
        if not self.training:
            return self.weight * self.scale()
        if self.stale:
            self.update_(self.iterations)
        return self.weight * (self.c / self.sigma().clamp_min(self.c))

    def scale(self) -> float:
        """min(1, c / norm) with the exact norm: what the weight is multiplied by in evaluation."""
        return min(1.0, self.c / max(self.refresh_() * (1 + SAFETY), self.c))

    def norm(self) -> float:
        """The exact norm of the operator in evaluation; at most c."""
        return self.scale() * self.refresh_()

    def upper_bound(self) -> float:
        """A certain bound of `norm`, which rests on no iteration (`operator_norm.upper_bound`)."""
        return self.scale() * operator_norm.upper_bound(self.weight, self.operator)

    def extra_repr(self) -> str:
        """As of the layer, and c."""
        return f"{super().extra_repr()}, c={self.c}"


class ContractiveLinear(Contractive, nn.Linear):
    """A linear layer of norm at most c.

    Args:
        inputs, outputs: features.
        c: the largest norm allowed, in (0, 1).
        iterations: of the power iteration a step.

    Raises:
        ValueError: c is outside (0, 1).
    """

    def __init__(
        self, inputs: int, outputs: int, *, c: float = 0.9, iterations: int = 1, bias: bool = True
    ) -> None:
        super().__init__(inputs, outputs, bias)
        self._begin(c, iterations, (inputs,), (outputs,))

    @property
    def operator(self) -> None:
        """None: the operator is the matrix."""
        return None

    def forward(self, x: Tensor) -> Tensor:
        """Values of shape (..., outputs) at inputs (..., inputs)."""
        return functional.linear(x, self.effective_weight(), self.bias)


class ContractiveConv2d(Contractive, nn.Conv2d):
    """A convolution on images of one size, whose operator has norm at most c.

    Args:
        inputs, outputs: channels.
        kernel: odd for "same" padding, the default.
        size: height and width of the images (one number: both); smaller images have a smaller norm.
        c: the largest norm allowed, in (0, 1).
        stride, padding: of both directions.
        iterations: of the power iteration a step.

    Raises:
        ValueError: c is outside (0, 1); or, when called, the images are larger than `size`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        size: int | tuple[int, int],
        c: float = 0.9,
        stride: int = 1,
        padding: int | None = None,
        iterations: int = 1,
        bias: bool = True,
    ) -> None:
        around = kernel // 2 if padding is None else padding
        super().__init__(inputs, outputs, kernel, stride, around, bias=bias)
        self.size = (size, size) if isinstance(size, int) else size
        after = self.operator.output_size((kernel, kernel))
        self._begin(c, iterations, (inputs, *self.size), (outputs, *after))

    @property
    def operator(self) -> Convolution:
        """The convolution of images of this size."""
        stride, padding = self.stride, self.padding
        assert not isinstance(padding, str)
        return Convolution(self.size, (stride[0], stride[1]), (padding[0], padding[1]))

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, outputs, h', w') of images (n, inputs, h, w)."""
        if x.shape[-2] > self.size[0] or x.shape[-1] > self.size[1]:
            raise ValueError(
                f"a layer made for images of {self.size[0]} x {self.size[1]} got {x.shape[-2]} x "
                f"{x.shape[-1]}, on which its norm can be larger; give the size when the layer is made"
            )
        return functional.conv2d(x, self.effective_weight(), self.bias, self.stride, self.padding)


def contractive_layers(module: nn.Module) -> Iterator[tuple[str, Contractive]]:
    """The normalised layers of a module with their names."""
    return ((name, part) for name, part in module.named_modules() if isinstance(part, Contractive))


def update_(module: nn.Module, iterations: int | None = None) -> None:
    """One power iteration for all normalised layers of a module: call it after each update of the weights.

    Layers of equal shape go together, which matters on a GPU; without this call each layer updates itself
    when it is next used.
    """
    groups: dict[tuple[object, ...], list[Contractive]] = {}
    for _, layer in contractive_layers(module):
        groups.setdefault((layer.weight.shape, layer.operator, layer.iterations), []).append(layer)
    for layers in groups.values():
        _iterate(layers, layers[0].iterations if iterations is None else iterations)


@torch.no_grad()
def _iterate(layers: Sequence[Contractive], iterations: int) -> None:
    """Power iterations of layers of equal shape, as batched products with what each tap reads."""
    weight = torch.stack([layer.weight for layer in layers])
    u, v = (torch.stack([getattr(layer, name) for layer in layers]) for name in "uv")
    operator, kernel = layers[0].operator, layers[0].weight.shape[2:]
    weight, shape = weight.flatten(2), u.shape
    with torch.autocast(weight.device.type, enabled=False):
        for _ in range(iterations):
            back = torch.bmm(weight.mT, u.flatten(2) if operator else u[:, :, None])
            v = _units(operator.unpatched(back, (kernel[0], kernel[1])) if operator else back[:, :, 0], v)
            read = operator.patches(v, (kernel[0], kernel[1])) if operator else v[:, :, None]
            u = _units(torch.bmm(weight, read).view(shape), u)
        slope = torch.bmm(u.view(*shape[:2], -1), read.mT)
    for layer, *values in zip(layers, u, v, slope.view(len(layers), *layers[0].weight.shape), strict=True):
        for buffer, value in zip((layer.u, layer.v, layer.slope), values, strict=True):
            buffer.copy_(value)
        layer.updated()


def _units(x: Tensor, before: Tensor) -> Tensor:
    """Each row divided by its norm, or what was there before where that is zero."""
    norm = x.flatten(1).norm(dim=1).view(-1, *[1] * (x.dim() - 1))
    return torch.where(norm > 0, x / norm.clamp_min(torch.finfo(x.dtype).tiny), before)


def refresh_(module: nn.Module) -> None:
    """Compute the exact norms of all normalised layers that have changed; evaluation does so by itself."""
    for _, layer in contractive_layers(module):
        layer.refresh_()


def layer_norms(module: nn.Module) -> dict[str, float]:
    """The exact operator norm of each linear or convolutional layer, free or normalised, by name.

    A free convolution does not know the size of its images: it must carry it as an attribute ``size``.

    Raises:
        ValueError: a free convolution without ``size``.
    """
    found = {}
    for name, part in module.named_modules():
        if isinstance(part, Contractive):
            found[name] = part.norm()
        elif isinstance(part, nn.Conv2d | nn.Linear):
            found[name] = operator_norm.exact(part.weight, _operator(name, part))
    return found


def _operator(name: str, layer: nn.Module) -> Convolution | None:
    if not isinstance(layer, nn.Conv2d):
        return None
    size, padding = getattr(layer, "size", None), layer.padding
    if size is None or isinstance(padding, str) or layer.groups != 1 or layer.dilation != (1, 1):
        raise ValueError(
            f"the norm of convolution {name!r} depends on the size of its images, which it does not know; "
            "set its attribute `size` to (height, width); groups, dilation and named padding are refused"
        )
    return Convolution(size, (layer.stride[0], layer.stride[1]), (padding[0], padding[1]))


SLOPES: dict[type[nn.Module], Callable[[Any], float]] = {
    nn.ELU: lambda layer: max(1.0, layer.alpha),
    nn.ReLU: lambda layer: 1.0,
    nn.LeakyReLU: lambda layer: max(1.0, abs(layer.negative_slope)),
    nn.Tanh: lambda layer: 1.0,
    nn.Softplus: lambda layer: 1.0,
    nn.Identity: lambda layer: 1.0,
    nn.Flatten: lambda layer: 1.0,
    nn.Sigmoid: lambda layer: 0.25,
    LipSwish: lambda layer: 1.0,
}
"""Lipschitz constants of activations; a reader's own are added here."""


def certificate(branch: nn.Module, *, exact: bool = False) -> float:
    """A bound of the Lipschitz constant of a branch in evaluation, Eq. 4.6: the product over its layers.

    Args:
        branch: a chain (`nn.Sequential`) of linear layers, convolutions and activations.
        exact: take the exact norms, by Lanczos' method, instead of bounds that rest on no iteration.

    Raises:
        TypeError: a layer whose Lipschitz constant is not known, named.
    """
    product = 1.0
    for name, part in _leaves(branch):
        if isinstance(part, Contractive):
            product *= part.norm() if exact else part.upper_bound()
        elif isinstance(part, nn.Linear | nn.Conv2d):
            norm = operator_norm.exact if exact else operator_norm.upper_bound
            product *= norm(part.weight, _operator(name, part))
        elif (slope := SLOPES.get(type(part))) is not None:
            product *= slope(part)
        else:
            raise TypeError(
                f"no Lipschitz constant is known of layer {name!r}, a {type(part).__name__}; "
                "use ContractiveLinear, ContractiveConv2d and the activations in invex.nn.lipschitz.SLOPES, "
                "or add yours there"
            )
    return product


def _leaves(branch: nn.Module) -> Iterable[tuple[str, nn.Module]]:
    if not isinstance(branch, nn.Sequential):
        return [(type(branch).__name__, branch)]
    return [
        (f"{name}.{inner}" if inner != type(part).__name__ else name, leaf)
        for name, part in branch.named_children()
        for inner, leaf in _leaves(part)
    ]
