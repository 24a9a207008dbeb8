"""Norms of linear and convolutional operators: exact, and bounded from above with certainty.

The operator of a convolution is the map of whole images, its stride and padding included; the norm of the
kernel reshaped to a matrix is something else (1.86 times too small for a common 3 x 3 kernel).
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import Tensor
from torch.nn import functional

DENSE = 2048
"""Up to this many rows or columns the certificate takes all singular values of the unrolled operator."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class Convolution:
    """The operator of a 2-D convolution on images of one size, with zero padding.

    Attributes:
        size: height and width of the images.
        stride, padding: of both directions.
    """

    size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)

    def apply(self, weight: Tensor, x: Tensor) -> Tensor:
        """A x, (n, out, h', w'), for x of shape (n, in, h, w) and a kernel (out, in, k, l)."""
        return functional.conv2d(x, weight, stride=self.stride, padding=self.padding)

    def adjoint(self, weight: Tensor, y: Tensor) -> Tensor:
        """A^T y, (n, in, h, w)."""
        high, wide = (
            size + 2 * p - k - s * (out - 1)
            for size, p, k, s, out in zip(
                self.size, self.padding, weight.shape[2:], self.stride, y.shape[2:], strict=True
            )
        )
        return functional.conv_transpose2d(
            y, weight, stride=self.stride, padding=self.padding, output_padding=(high, wide)
        )

    def patches(self, x: Tensor, kernel: tuple[int, int]) -> Tensor:
        """What each tap of the kernel reads, (n, in k l, h' w'), so that A x is a product of matrices."""
        return functional.unfold(x, kernel, padding=self.padding, stride=self.stride)

    def unpatched(self, patches: Tensor, kernel: tuple[int, int]) -> Tensor:
        """The adjoint of `patches`, (n, in, h, w)."""
        return functional.fold(patches, self.size, kernel, padding=self.padding, stride=self.stride)

    def output_size(self, kernel: tuple[int, int]) -> tuple[int, int]:
        """Height and width of A x."""
        high, wide = (
            (size + 2 * p - k) // s + 1
            for size, p, k, s in zip(self.size, self.padding, kernel, self.stride, strict=True)
        )
        return high, wide


def exact(weight: Tensor, operator: Convolution | None = None, tolerance: float = 1e-10) -> float:
    """The largest singular value, in double precision.

    Of a matrix (out, in) or a 1 x 1 kernel by its SVD; of other kernels by Lanczos' method on A^T A, whose
    value is below the norm by a relative `tolerance` at most once it has converged.

    Raises:
        ValueError: the weights are not finite.
    """
    weight = _finite(weight)
    if operator is None or weight.dim() == 2 or _pointwise(weight, operator):
        return float(torch.linalg.matrix_norm(weight.flatten(1), 2))
    weight = weight.cpu()
    shape = (1, weight.shape[1], *operator.size)
    length = shape[1] * shape[2] * shape[3]
    if length < 8 or not bool(weight.any()):
        return dense(weight, operator) if length < 8 else 0.0

    def product(x: np.ndarray) -> np.ndarray:
        image = torch.from_numpy(np.ascontiguousarray(x)).view(shape)
        return operator.adjoint(weight, operator.apply(weight, image)).flatten().numpy()

    start = torch.randn(length, generator=torch.Generator().manual_seed(0), dtype=torch.float64).numpy()
    gram = LinearOperator((length, length), matvec=product, dtype=np.float64)
    found = eigsh(gram, k=1, which="LA", v0=start, tol=tolerance, return_eigenvectors=False)
    return float(np.sqrt(max(found[0], 0.0)))


def _finite(weight: Tensor) -> Tensor:
    """The weights in double precision."""
    weight = weight.detach().double()
    if not bool(weight.isfinite().all()):
        raise ValueError("a layer's weights are not finite, so that it has no norm; its training diverged")
    return weight


def _pointwise(weight: Tensor, operator: Convolution) -> bool:
    return weight.shape[2:] == (1, 1) and operator.stride == (1, 1)


def upper_bound(weight: Tensor, operator: Convolution | None = None) -> float:
    """A number that the norm certainly does not exceed, whatever has or has not converged.

    All singular values where the operator is small or its kernel 1 x 1, else `fourier_bound`.
    """
    weight = _finite(weight).cpu()
    if operator is None or weight.dim() == 2 or _pointwise(weight, operator):
        return _largest(weight.flatten(1)) * (1 + ROUNDING)
    out = operator.output_size((weight.shape[2], weight.shape[3]))
    sizes = (weight.shape[1] * operator.size[0] * operator.size[1], weight.shape[0] * out[0] * out[1])
    if min(sizes) <= DENSE and max(sizes) <= 2 * DENSE:
        return dense(weight, operator) * (1 + ROUNDING)
    return fourier_bound(weight, operator) * (1 + ROUNDING)


def dense(weight: Tensor, operator: Convolution) -> float:
    """The largest singular value of the operator unrolled to a matrix: exact, and only for small ones."""
    return _largest(unrolled(weight, operator))


def unrolled(weight: Tensor, operator: Convolution) -> Tensor:
    """The operator as a matrix (inputs, outputs), each of its rows the image of one unit vector."""
    weight = weight.detach().double()
    shape = (weight.shape[1], *operator.size)
    length = shape[0] * shape[1] * shape[2]
    units = torch.eye(length, dtype=weight.dtype).view(length, *shape)
    return torch.cat([operator.apply(weight, part).flatten(1) for part in units.split(512)])


def _largest(matrix: Tensor) -> float:
    """The largest singular value of a real or complex matrix, or of a batch of them, by the smaller Gram."""
    high, wide = matrix.shape[-2:]
    gram = matrix @ matrix.mH if high <= wide else matrix.mH @ matrix
    return float(torch.linalg.eigvalsh(gram).max().clamp_min(0).sqrt())


def fourier_bound(weight: Tensor, operator: Convolution) -> float:
    """The norm of the circular convolution on a torus so large that nothing the image sends out wraps around.

    The zero-padded operator is the circular one between an inclusion and a restriction, both of norm one, and
    the norm of the circular one is the largest singular value of its transfer matrices (Sedghi et al., 2019).
    The torus is larger than an image with "same" padding by the kernel less one; on the torus of the image
    itself the value can lie below the operator's norm. A stride s is a convolution without one on the s x s
    phases of the image.
    """
    weight = weight.detach().double()
    torus = _torus(weight, operator)
    transfer = torch.fft.rfft2(_phases(weight, operator.stride), s=torus).permute(2, 3, 0, 1)
    return max(_largest(row) for row in transfer)


def _phases(weight: Tensor, stride: tuple[int, int]) -> Tensor:
    """The kernel (out, in s t, k / s, l / t) without stride that acts on the phases of the padded image."""
    (s, t), (high, wide) = stride, weight.shape[2:]
    padded = functional.pad(weight, (0, -wide % t, 0, -high % s))
    cut = padded.unflatten(2, (-1, s)).unflatten(4, (-1, t))  # out, in, k / s, s, l / t, t
    return cut.permute(0, 1, 3, 5, 2, 4).flatten(1, 3)


def _torus(weight: Tensor, operator: Convolution) -> tuple[int, int]:
    """The least torus on which no read of the padded image's phases falls on another pixel's place."""
    kernel = (weight.shape[2], weight.shape[3])
    sides = []
    for n, k, p, s, out in zip(
        operator.size, kernel, operator.padding, operator.stride, operator.output_size(kernel), strict=True
    ):
        taps, first, last = -(-k // s), p // s, (p + n - 1) // s
        sides.append(min(max(out + taps - 1, last + 1), last - first + taps))
    return sides[0], sides[1]
