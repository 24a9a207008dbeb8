"""How well a trained residual network is inverted: by iteration, block by block, against the lemmas.

Behrmann (2019), Sec. 4.3.1 and Lemma 4.5. Features are an `invex.nn.residual.InvertibleChain`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from invex.nn.inverse import solve
from invex.nn.residual import InvertibleBlock, InvertibleChain

STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 50, 100)
"""Iterations a block at which the error of a reconstruction is looked at."""


@torch.no_grad()
def reconstruct(features: InvertibleChain, y: Tensor, iterations: int, method: str = "fixed-point") -> Tensor:
    """The preimage with `iterations` evaluations of each branch, converged or not (Algorithm 1).

    A block whose residual reaches rounding stops there.
    """
    part: Any
    for part in reversed(features):
        if isinstance(part, InvertibleBlock):
            y = _last_iterate(part.branch, y, iterations, method)
        else:
            y = part.inverse(y)
    return y


def _last_iterate(branch: nn.Module, y: Tensor, iterations: int, method: str) -> Tensor:
    if not bool(y.isfinite().all()):
        return y
    return solve(branch, y, tolerance=0.0, most=iterations, method=method).x


@dataclass(frozen=True)
class BlockErrors:
    """One block's fixed-point iteration on images whose preimages are known.

    Attributes:
        lipschitz: certain bound of Lip(g), infinite where none is known.
        error: |x - x[k]| after k = 0, 1, ... iterations for each image, (k, n).
        bound: Lemma 4.5's bound of it, (k, n); empty unless `lipschitz` < 1.
    """

    lipschitz: float
    error: Tensor
    bound: Tensor

    @property
    def largest_ratio(self) -> float:
        """The largest error / bound, at errors above rounding; at most 1 if the lemma holds."""
        if not self.bound.numel():
            return float("nan")
        above = self.error > 1e-11 * self.error[0].max()
        return float((self.error / self.bound)[above].max())


@torch.no_grad()
def block_errors(block: InvertibleBlock, x: Tensor, most: int = 30) -> BlockErrors:
    """Iterate on y = x + g(x) from y, and compare with x; in the precision of `x`, better double."""
    y = block(x)
    lipschitz = block.lipschitz()
    iterate, errors = y, []
    first = torch.zeros(len(x), dtype=x.dtype, device=x.device)
    for k in range(most + 1):
        errors.append((iterate - x).flatten(1).norm(dim=1))
        after = y - block.branch(iterate)
        if k == 0:
            first = (after - iterate).flatten(1).norm(dim=1)
        iterate = after
    powers = torch.arange(most + 1, dtype=x.dtype, device=x.device)[:, None]
    bound = lipschitz**powers / (1 - lipschitz) * first if lipschitz < 1 else first.new_zeros(0, len(x))
    return BlockErrors(lipschitz, torch.stack(errors), bound)


@torch.no_grad()
def inputs_of_blocks(features: InvertibleChain, x: Tensor) -> list[tuple[InvertibleBlock, Tensor]]:
    """Each residual block with what it sees of ``x``."""
    seen = []
    for part in features:
        if isinstance(part, InvertibleBlock):
            seen.append((part, x))
        x = part(x)
    return seen


def local_norm(branch: nn.Module, x: Tensor, iterations: int = 20) -> tuple[Tensor, Tensor]:
    """Of the Jacobian of g at each point: estimates of its norm and of its spectral radius, (n,) each.

    Both by power iteration, so from below. The fixed-point iteration converges near x if the radius is below
    one, and contracts there if the norm is.
    """
    start = torch.randn(x.shape, generator=torch.Generator().manual_seed(0)).to(x)
    v, w = _units(start), _units(start)
    back = torch.func.vjp(branch, x)[1]  # J^T
    ahead = torch.func.vjp(lambda y: back(y)[0], torch.zeros_like(x))[1]  # its transpose, J
    growth = []
    for _ in range(iterations):
        jv, jw = ahead(v)[0], ahead(w)[0]
        norm = jv.flatten(1).norm(dim=1)
        v = _units(back(jv)[0])
        growth.append(jw.flatten(1).norm(dim=1))
        w = _units(jw)
    late = torch.stack(growth[iterations // 2 :]).clamp_min(1e-30).log().mean(0).exp()
    return norm.detach(), late.detach()


def _units(x: Tensor) -> Tensor:
    norm = x.flatten(1).norm(dim=1).clamp_min(1e-30)
    return x / norm.view(-1, *[1] * (x.dim() - 1))


def errors_by_iterations(
    features: InvertibleChain,
    x: Tensor,
    scale: Tensor,
    steps: Sequence[int] = STEPS,
    method: str = "fixed-point",
) -> dict[str, list[float]]:
    """Error of the whole reconstruction in the unit of `scale`: the root mean square over an image's pixels.

    Columns: iterations a block; mean and largest over images; infinite values are given as 1e30.
    """
    with torch.no_grad():
        y = features(x)
    columns: dict[str, list[float]] = {"iterations": [], "mean": [], "largest": []}
    for count in steps:
        gap = (reconstruct(features, y, count, method) - x) * scale
        error = gap.flatten(1).square().mean(1).sqrt().nan_to_num(1e30, 1e30, 1e30).clamp_max(1e30)
        columns["iterations"].append(count)
        columns["mean"].append(float(error.mean()))
        columns["largest"].append(float(error.max()))
    return columns
