"""Random probes v with E[v v^T] = I, for which v^T A v estimates the trace of A (Lemma 5.6).

A probe is called as ``probe(m, x, generator)`` and returns (m, n, ...): m probes for each example of x.
Rademacher entries have the least variance among independent ones. Dependent ones can have less: `coloured`
probes of a local operator do not see the entries between neighbours.
"""

from collections.abc import Callable
from functools import partial

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
    """m <= d directions at right angles, each of length sqrt(d) and uniform: with m = d the trace is exact."""
    d = x[0].numel()
    if m > d:
        raise ValueError(f"there are no {m} orthogonal probes in {d} dimensions; take at most {d}")
    draw = torch.randn(len(x), d, m, generator=generator, device=x.device, dtype=x.dtype)
    q = torch.linalg.qr(draw).Q
    return _like((q * d**0.5).permute(2, 0, 1).reshape(m, *x.shape), x)


def coloured(m: int, x: Tensor, generator: Generator | None = None, *, side: int = 2) -> Tensor:
    """Rademacher signs on one of side^2 sub-lattices of the image at a time; m a multiple of side^2.

    v_c is the sign vector on the pixels of colour c, times side, and zero elsewhere. The mean of all colours is
    sum over c of s_c^T A s_c: as with side^2 independent probes, but entries of A between pixels of different
    colours, neighbours among them, do not count. For images (n, channels, height, width).
    """
    colours = side * side
    if m % colours or x.dim() != 4:
        raise ValueError(f"coloured probes of images come in multiples of {colours}, got {m} for shape {tuple(x.shape)}")
    rows, columns = (torch.arange(size, device=x.device) % side for size in x.shape[2:])
    colour = rows[:, None] * side + columns
    mask = colour == torch.arange(colours, device=x.device)[:, None, None]
    signs = rademacher(m // colours, x, generator)
    return (side * signs[:, None] * mask[:, None, None].to(x.dtype)).flatten(0, 1)


checkerboard: Probe = partial(coloured, side=2)


def _like(v: Tensor, x: Tensor) -> Tensor:
    """In the layout of x, which decides how fast convolutions are."""
    if x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous():
        m, n = v.shape[:2]
        return v.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, (m, n))
    return v
