"""What has been called the norm of a convolution, side by side (Behrmann, 2019, Sec. 4.2.1)."""

import torch
from torch import Tensor

from invex.nn import operator_norm
from invex.nn.operator_norm import Convolution


def reshaped_norm(kernel: Tensor) -> float:
    """Norm of the kernel (out, in, k, l) as a matrix (out, in k l), which is no norm of the convolution."""
    return float(torch.linalg.matrix_norm(kernel.double().flatten(1), 2))


def circular_norm(kernel: Tensor, operator: Convolution) -> float:
    """Norm of the circular convolution on the image's own torus (Sedghi et al., 2019)."""
    transfer = torch.fft.rfft2(kernel.double(), s=operator.size).permute(2, 3, 0, 1)
    return float(torch.linalg.svdvals(transfer).max())


def four_norms(name: str, kernel: Tensor, operator: Convolution) -> dict[str, str | float]:
    """The row of a table: reshaped, circular, exact, and the certain bound."""
    return {
        "kernel": name,
        "as a matrix": reshaped_norm(kernel),
        "own torus": circular_norm(kernel, operator),
        "exact": operator_norm.exact(kernel, operator),
        "larger torus": operator_norm.fourier_bound(kernel, operator),
    }
