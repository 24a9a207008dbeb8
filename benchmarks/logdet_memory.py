"""Memory of a training step of an image flow against the number of terms.

The Neumann gradient needs a graph of one product, however many terms there are; through the series each term
keeps its own. Measured as the bytes that autograd saves for the backward pass of one block (what a step
allocates besides), counted by hooks, on a CPU and a GPU alike. `ours` and `theirs` are megabytes for the
Neumann gradient and for the plain series; `ratio` is theirs over ours. The gradients of the two are
checked to be equal in double precision with all orthogonal probes, where both are exact.
"""

from collections.abc import Iterator

import torch
from invex.nn.logdet import PowerSeries
from invex.nn.probes import orthogonal
from invex.nn.residual import convolutional_branch
from torch import Generator, Tensor

from benchmarks import harness

BENCH, PEER = "logdet-memory", "gradient through the series"


def rows(full: bool) -> Iterator[dict[str, object]]:
    error = disagreement()
    for terms in (2, 5, 10, 20) if full else (2, 20):
        ours, theirs = (saved(PowerSeries(terms, gradient=kind)) / 1e6 for kind in ("neumann", "series"))
        words = harness.case(terms=terms, channels=4, filters=32, size=14, batch=32)
        if not error <= 1e-8:
            yield harness.failed(BENCH, words, PEER, f"the two gradients differ by {error:.3g}, allowed 1e-8")
            continue
        ratio = theirs / ours
        values = (BENCH, words, PEER, ratio, ratio, ratio, "MB", ours, theirs, None, "", error)
        yield dict(zip(harness.KEYS, values, strict=True))


def saved(estimator: PowerSeries) -> int:
    """Bytes of distinct tensors that autograd keeps between the forward and the backward pass."""
    torch.manual_seed(0)
    branch = convolutional_branch(4, 32, 14)
    x = torch.randn(32, 4, 14, 14, requires_grad=True)
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)  # or an address could be used again and counted once for two
        return tensor

    alive: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        value, log_det = estimator(branch, x, Generator().manual_seed(0))
        (value.sum() + log_det.sum()).backward()
    return sum(kept.values())


def disagreement() -> float:
    """Largest difference of the gradients by both ways, with as many orthogonal probes as dimensions."""
    torch.manual_seed(0)
    branch, x = convolutional_branch(1, 4, 4).double().eval(), torch.randn(2, 1, 4, 4, dtype=torch.float64)
    branch(x)
    found = []
    for kind in ("neumann", "series"):
        log_det = PowerSeries(5, 16, kind, orthogonal)(branch, x, Generator().manual_seed(0))[1]
        found.append(torch.autograd.grad(log_det.sum(), list(branch.parameters()), allow_unused=True))
    return max(
        float((a - b).abs().max()) for a, b in zip(*found, strict=True) if a is not None and b is not None
    )
