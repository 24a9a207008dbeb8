"""Random probes v with E[v v^T] = I, for which v^T A v estimates the trace of A (Lemma 5.6).

A probe is called as ``probe(m, x, generator)`` and returns (m, n, ...): m probes for each example of x.
Rademacher entries have the least variance among independent ones; `coloured` probes, which depend on each
other, have less where the matrix belongs to a local operator.
"""

from collections.abc import Callable

import torch
from torch import Generator, Tensor

Probe = Callable[[int, Tensor, Generator | None], Tensor]


def rademacher(m: int, x: Tensor, generator: Generator | None = None) -> Tensor:
    """Entries -1 or 1, each with probability 1/2."""
    signs = torch.randint(0, 2, (m, *x.shape), generator=generator, device=x.device, dtype=torch.int8)
    return _like(signs.to(x.dtype).mul_(2).sub_(1), x)


def gaussian(m: int, x: Tensor, generator: Generator | None = None) -> Tensor:
    """Standard normal entries, as in the thesis's Algorithm 2."""
    return _like(torch.randn((m, *x.shape), generator=generator, device=x.device, dtype=x.dtype), x)


def orthogonal(m: int, x: Tensor, generator: Generator | None = None) -> Tensor:
    """m <= d directions at right angles, of length sqrt(d) and uniform: with m = d the trace is exact."""
    d = x[0].numel()
    if m > d:
        raise ValueError(f"there are no {m} orthogonal probes in {d} dimensions; take at most {d}")
    draw = torch.randn(len(x), d, m, generator=generator, device=x.device, dtype=x.dtype)
    q = torch.linalg.qr(draw).Q
    return _like((q * d**0.5).permute(2, 0, 1).reshape(m, *x.shape), x)


def coloured(m: int, x: Tensor, generator: Generator | None = None) -> Tensor:
    """One vector of Rademacher signs cut into m by the colour of each coordinate, times sqrt(m).

    The mean over the m probes is the sum over colours of s_c^T A s_c: entries of A between coordinates of
    different colours do not count, which among m independent probes they do, at 1 / m of their variance. It
    pays where the large entries of A stand between neighbours, as those of a convolution do. Colours go by
    channel, then by row and twice the column, so that what is near differs.
    """
    colour = _colours(m, x.shape[1:], x.device)
    signs = rademacher(1, x, generator)
    masks = colour == torch.arange(m, device=x.device).view(-1, *[1] * colour.dim())
    return _like(signs * m**0.5 * masks[:, None].to(x.dtype), x)


def _colours(m: int, shape: torch.Size, device: torch.device) -> Tensor:
    """A number below m for each coordinate, of the shape of one example."""
    colour = torch.arange(shape[0], device=device).view(-1, *[1] * (len(shape) - 1))
    for place, size in enumerate(shape[1:], start=1):
        along = torch.arange(size, device=device).view(-1, *[1] * (len(shape) - 1 - place))
        colour = colour + shape[0] * place * along
    return colour % m


def _like(v: Tensor, x: Tensor) -> Tensor:
    """In the layout of x, which decides how fast convolutions are."""
    if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
        m, n = v.shape[:2]
        return v.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (m, n))
    return v
