"""How a ReLU network stretches and forgets around a point: singular values of its true linearisation.

A ReLU network is affine in a polytope around almost every input x, F(x') = A_P x' + b_P, and A_P is a chain
of the layers' matrices and of zeros and ones for the units that are off and on (Behrmann, 2019, Def. 3.4). A
zero singular value is a direction in which nothing changes; a small one, a direction in which the inverse is
unstable. `spectra` gives them after every layer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

ROUNDING = 1e-11
"""Share of the largest singular value below which one is rounding: about max(m, n) times that of float64."""
TRUSTED = 1e-6
"""Share of the largest singular value above which one is taken from a Gram matrix."""
_LAYERS = (nn.Conv2d, nn.Linear, nn.ReLU, nn.Flatten)


@dataclass(frozen=True)
class Spectrum:
    """The linearisation of the layers up to one.

    Attributes:
        layer: number of the last convolution or dense layer, from 1.
        rectified: whether the ReLU after it is included.
        outputs: size of the output.
        values: its min(outputs, inputs) singular values, descending; zeros among them.
    """

    layer: int
    rectified: bool
    outputs: int
    values: Tensor

    def rank(self, zero: float = ROUNDING) -> int:
        """Number of singular values above `zero` times the largest."""
        return int((self.values > zero * self.values[0]).sum())

    def condition(self, zero: float = ROUNDING) -> float:
        """Largest singular value over the smallest that is not zero; 0 where all are."""
        rank = self.rank(zero)
        return float(self.values[0] / self.values[rank - 1]) if rank else 0.0


@torch.no_grad()
def linearisations(
    network: nn.Sequential, point: Tensor, *, at_kinks: str = "raise"
) -> Iterator[tuple[nn.Module, Tensor]]:
    """The Jacobian of the first layers at a point, after each layer, as (inputs, *output).

    All basis vectors are pushed through the layers at once (forward mode): exact, one sweep for all layers.

    Args:
        network: of `Conv2d` (zero padding), `Linear`, `ReLU` and `Flatten`.
        point: one input, without a batch dimension.
        at_kinks: "raise", or "zero": a unit whose pre-activation is exactly 0 is taken as off (Def. 3.4, ii).

    Raises:
        TypeError: another layer, named.
        ValueError: a unit lies exactly on its kink, where there is no derivative.
    """
    value, tangent = point[None], _basis(point)
    for number, layer in enumerate(network):
        tangent = _pushed(layer, number, value, tangent, at_kinks)
        value = layer(value)
        yield layer, tangent


def _pushed(layer: nn.Module, number: int, value: Tensor, tangent: Tensor, at_kinks: str) -> Tensor:
    if isinstance(layer, nn.ReLU):
        kinks = int((value == 0).sum())
        if kinks and at_kinks == "raise":
            raise ValueError(
                f"{kinks} units before layer {number} (ReLU) lie on their kink: no derivative there"
            )
        return tangent * (value > 0)
    if isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros":
        convolved: Tensor = layer._conv_forward(tangent, layer.weight, None)
        return convolved
    if isinstance(layer, nn.Linear):
        return tangent @ layer.weight.mT
    if isinstance(layer, nn.Flatten):
        flat: Tensor = layer(tangent)
        return flat
    names = ", ".join(kind.__name__ for kind in _LAYERS)
    raise TypeError(f"layer {number} is {layer}: only {names} without other padding than zeros are handled")


@torch.no_grad()
def spectra(network: nn.Sequential, points: Tensor, *, at_kinks: str = "raise") -> Iterator[list[Spectrum]]:
    """Singular values after every convolution and dense layer, before and after its ReLU, point by point.

    Where an output has fewer numbers than there are directions left, only the directions that it depends on
    go further: those lost are exactly zero, and what follows is smaller. The first matrix is the same at all
    points, and decomposed once.

    Args:
        network: as of `linearisations`.
        points: (n, *input), of the network's dtype; float64, as values differ by orders of magnitude.
        at_kinks: as of `linearisations`.

    Raises:
        TypeError, ValueError: as `linearisations`.
    """
    first: Tensor | None = None
    for point in points:
        found = list(_spectra(network, point, at_kinks, first))
        first = found[0].values if found else None
        yield found


def _spectra(
    network: nn.Sequential, point: Tensor, at_kinks: str, first: Tensor | None
) -> Iterator[Spectrum]:
    value, tangent, layer = point[None], _basis(point), 0
    for number, module in enumerate(network):
        tangent = _pushed(module, number, value, tangent, at_kinks)
        value = module(value)
        if isinstance(module, nn.Flatten):
            continue
        rectified = isinstance(module, nn.ReLU)
        layer += not rectified
        on = value[0].flatten() > 0 if rectified else torch.ones_like(value[0].flatten(), dtype=torch.bool)
        rows = tangent.flatten(1)[:, on] if rectified else tangent.flatten(1)
        known = first if layer == 1 and not rectified else None
        values = singular_values(rows) if known is None else known
        yield Spectrum(layer, rectified, value.numel(), _padded(values, min(value.numel(), point.numel())))
        if rows.shape[1] < rows.shape[0]:
            tangent = _compressed(rows, on).view(-1, *tangent.shape[1:])


def _compressed(rows: Tensor, on: Tensor) -> Tensor:
    """Tangents along an orthonormal basis of the directions on which rows (directions, outputs) depend."""
    factor = torch.linalg.qr(rows, mode="r").R
    tangent = factor.new_zeros(len(factor), len(on))
    tangent[:, on] = factor
    return tangent


def _basis(point: Tensor) -> Tensor:
    size = point.numel()
    return torch.eye(size, dtype=point.dtype, device=point.device).view(size, *point.shape)


def singular_values(matrix: Tensor) -> Tensor:
    """Singular values of an (n, m) matrix, descending, on the CPU.

    Of a float64 matrix by the eigenvalues of its Gram matrix, which is many times as fast, and right to 1e-3
    of each value above 1e-6 of the largest; where one is smaller, by a singular value decomposition. Products
    are made on the matrix's device, decompositions on the CPU: a GPU is no faster at one.
    """
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.mT
    if not tall.numel():
        return tall.new_zeros(0).cpu()
    if tall.dtype == torch.float64:
        values = torch.linalg.eigvalsh((tall.mT @ tall).cpu()).flip(0).clamp(min=0).sqrt()
        if values[-1] >= TRUSTED * values[0]:
            return values
    factor = torch.linalg.qr(tall, mode="r").R if tall.shape[0] > tall.shape[1] else tall
    return torch.linalg.svdvals(factor.cpu())


def _padded(values: Tensor, size: int) -> Tensor:
    return torch.cat([values, values.new_zeros(size - len(values))])


def median_values(spectra: Sequence[Tensor]) -> Tensor:
    """Median over points of the singular values of each rank, (size,), from one tensor (size,) a point."""
    return torch.stack(list(spectra)).median(0).values
