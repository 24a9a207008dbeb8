"""A convolutional energy of two halves of an image, convex in one of them (Amos et al., 2017, Sec. 6.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

CONVOLUTIONS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
"""Channels, kernel and stride of each, as in the source."""


class CompletionEnergy(nn.Module):
    """f(x, y) for a known half x and a missing half y of an image, convex in y if the weights W^z are >= 0:

        u_{i+1} = BN(relu(C'_i u_i)),   u_0 = x,
        z_{i+1} = relu(W_i^z (z_i * [G_i u_i]_+) + C_i (y_i * S_i u_i) + U_i u_i),   y_{i+1} = R_i y_i,

    three convolutions, then a hidden layer and the output, which y enters by one field of weights <b, y>. It
    is Eq. 3 with convolutions; y is reduced by linear maps R_i to the size of each layer.

    Args:
        shape: height and width of a half, each a multiple of the product of strides.
        width: units of the hidden layer.
        convex: whether `project_` keeps W^z non-negative, and they start so; if not, nothing does.
        convolutions: channels, kernel and stride of each.
    """

    def __init__(
        self,
        shape: tuple[int, int] = (64, 32),
        width: int = 512,
        *,
        convex: bool = True,
        convolutions: Sequence[tuple[int, int, int]] = CONVOLUTIONS,
    ) -> None:
        super().__init__()
        self.shape, self.convex = shape, convex
        channels = [1, *(c for c, _, _ in convolutions)]
        sizes = list(zip(channels, convolutions, strict=False))
        self.context = nn.ModuleList(
            nn.Sequential(_conv(i, o, k, s), nn.ReLU(), nn.BatchNorm2d(o)) for i, (o, k, s) in sizes
        )
        self.gates = nn.ModuleList(_conv(i, i, 3, 1) for i in channels[1:-1])
        self.scales = nn.ModuleList(_conv(i, 1, 3, 1) for i in channels[:-1])
        self.inputs = nn.ModuleList(_conv(1, o, k, s, bias=False) for o, k, s in convolutions)
        self.reduce = nn.ModuleList(_conv(1, 1, k, s) for _, k, s in convolutions[:-1])
        self.shifts = nn.ModuleList(_conv(i, o, k, s) for i, (o, k, s) in sizes)
        self.convex_maps = nn.ModuleList(_conv(i, o, k, s, bias=False) for i, (o, k, s) in sizes[1:])
        flat = channels[-1] * _after(shape, convolutions)
        self.context_dense = nn.Sequential(nn.Linear(flat, width), nn.ReLU(), nn.BatchNorm1d(width))
        self.gates_dense = nn.ModuleList([nn.Linear(flat, flat), nn.Linear(width, width)])
        self.shifts_dense = nn.ModuleList([nn.Linear(flat, width), nn.Linear(width, 1)])
        self.convex_dense = nn.ModuleList(
            [nn.Linear(flat, width, bias=False), nn.Linear(width, 1, bias=False)]
        )
        self.field = nn.Parameter(torch.zeros(shape[0] * shape[1]))
        self.reset_weights()

    @torch.no_grad()
    def reset_weights(self) -> None:
        """W^z uniform on [0, 6 / fan_in], so that they sum to 3; factors on y and z start near 1.

        What y does to the first layer, of either sign, cancels in sums with weights of one sign: where these
        sum to 1, the energy starts far flatter in y than one without the constraint, and hardly learns.
        Without convexity W^z keep the default, of both signs.
        """
        if self.convex:
            for weight in self._constrained():
                weight.uniform_(0, 6 / weight[0].numel())
        for layer in (*self.gates, *self.scales, *self.gates_dense):
            layer.bias.fill_(1)

    def _constrained(self) -> list[Tensor]:
        return [layer.weight for layer in (*self.convex_maps, *self.convex_dense)]

    @torch.no_grad()
    def project_(self) -> None:
        """Put W^z back on the non-negative orthant, if the energy is to be convex."""
        if self.convex:
            for weight in self._constrained():
                weight.clamp_(min=0)

    def at(self, x: Tensor) -> "AtHalf":
        """The function y -> f(x, y) for known halves x (n, height, width)."""
        path = [x[:, None]]
        for layer in self.context:
            path.append(layer(path[-1]))
        flat = path[-1].flatten(1)
        dense = [flat, self.context_dense(flat)]
        return AtHalf(
            self,
            [layer(u).relu() for layer, u in zip(self.gates, path[1:], strict=False)],
            [layer(u) for layer, u in zip(self.scales, path, strict=False)],
            [layer(u) for layer, u in zip(self.shifts, path, strict=False)],
            [layer(u).relu() for layer, u in zip(self.gates_dense, dense, strict=True)],
            [layer(u) for layer, u in zip(self.shifts_dense, dense, strict=True)],
        )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Values (n,) for halves (n, height, width) and (n, height * width)."""
        return self.at(x)(y)


@dataclass(frozen=True)
class AtHalf:
    """A `CompletionEnergy` at n known halves: what depends on them alone is computed once."""

    network: CompletionEnergy
    gates: list[Tensor]
    scales: list[Tensor]
    shifts: list[Tensor]
    gates_dense: list[Tensor]
    shifts_dense: list[Tensor]

    def __call__(self, y: Tensor) -> Tensor:
        """Values (..., n) at missing halves (..., n, height * width), row by row of the image."""
        net, lead = self.network, y.shape[:-1]
        here = y.reshape(-1, *self.shifts[0].shape[:1], 1, *net.shape)
        z: Tensor | None = None
        for i, shift in enumerate(self.shifts):
            total = _apply(net.inputs[i], here * self.scales[i]) + shift
            if z is not None:
                total = total + _apply(net.convex_maps[i - 1], z * self.gates[i - 1])
            z = total.relu()
            if i < len(net.reduce):
                here = _apply(net.reduce[i], here)
        assert z is not None
        flat = z.flatten(2)
        hidden = (net.convex_dense[0](flat * self.gates_dense[0]) + self.shifts_dense[0]).relu()
        out = net.convex_dense[1](hidden * self.gates_dense[1]) + self.shifts_dense[1]
        return out.reshape(lead) + y @ net.field


def _conv(inputs: int, outputs: int, kernel: int, stride: int, *, bias: bool = True) -> nn.Conv2d:
    """A convolution that divides height and width by its stride."""
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - stride + 1) // 2, bias=bias)


def _apply(layer: nn.Module, images: Tensor) -> Tensor:
    """A convolution of images (m, n, channels, height, width)."""
    return layer(images.flatten(0, 1)).unflatten(0, images.shape[:2])


def _after(shape: tuple[int, int], convolutions: Sequence[tuple[int, int, int]]) -> int:
    """Places that are left of an image after the strides."""
    height, width = shape
    for _, _, stride in convolutions:
        if height % stride or width % stride:
            raise ValueError(
                f"a half of {shape} cannot be divided by strides {[s for _, _, s in convolutions]}"
            )
        height, width = height // stride, width // stride
    return height * width
