"""The inverse of contractive chains to 1e-6: Anderson's method against the plain iteration.

Peers: the plain iteration stopped at the same tolerance, and a hundred iterations a block, as the released
code takes. Two chains with c = .9: the features of a classifier of digits, whose trained branches contract
far more than c^3 says, and one of a single dimension that tries to fold the line, so that its branches stand
at the edge. Every side must bring its inputs back to within 1e-4 of their size.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch
from invex.analysis.inversion import reconstruct
from invex.experiments import iresnet_classifier as classifiers
from invex.experiments import residual_dynamics
from invex.nn.inverse import solve
from invex.nn.residual import InvertibleBlock, InvertibleChain
from torch import Tensor

from benchmarks import harness

BENCH, TOLERANCE, ERROR = "inverse", 1e-6, 1e-4


def to_tolerance(chain: InvertibleChain, y: Tensor, method: str) -> Tensor:
    """The preimage, each block solved to the tolerance."""
    for part in reversed(chain):
        if isinstance(part, InvertibleBlock):
            y = solve(part.branch, y, tolerance=TOLERANCE, method=method).x
        else:
            y = part.inverse(y)  # type: ignore[operator]
    return y


@torch.no_grad()
def hundred(chain: InvertibleChain, y: Tensor) -> Tensor:
    """A hundred iterations a block, whatever the residual (Algorithm 1 as released)."""
    for part in reversed(chain):
        if isinstance(part, InvertibleBlock):
            x = y
            for _ in range(100):
                x = y - part.branch(x)
            y = x
        else:
            y = part.inverse(y)  # type: ignore[operator]
    return y


def classifier(device: str) -> tuple[InvertibleChain, Tensor]:
    """Features of a classifier trained on the digits, and images."""
    config = replace(classifiers.QUICK, epochs=3, every=3)
    data = classifiers.load("digits", None, "cpu")
    network = classifiers.build(config, data)
    classifiers.train(config, network, data)
    network.eval().requires_grad_(False).to(device)
    return network.features, network.normalised(data.test[0][:64].to(device))


def folding(device: str) -> tuple[InvertibleChain, Tensor]:
    """A chain in one dimension that would fold the line if it could, and points."""
    chain = residual_dynamics.learn(0.9).float().to(device)
    return chain, torch.linspace(-2.5, 2.5, 500, device=device)[:, None]


def rows(full: bool) -> Iterator[dict[str, object]]:
    """The rows of the bench."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for name, make in (("digits", classifier), ("line", folding)):
        chain, x = make(device)
        y = chain(x)
        peers: dict[str, Callable[[], Tensor]] = {
            "the plain iteration to the tolerance": partial(to_tolerance, chain, y, "fixed-point"),
            "100 iterations a block": partial(hundred, chain, y),
        }
        ours = partial(to_tolerance, chain, y, "anderson")
        for peer, theirs in peers.items():
            error = max(_error(call(), x) for call in (ours, theirs))
            timing = harness.paired(ours, theirs, pairs=15 if full else 5)
            words = harness.case(chain=name, blocks=len(chain.blocks), n=len(x), c=0.9)
            yield harness.row(BENCH, words, peer, timing, unit="ms", error=error, tolerance=ERROR)
    yield _known(chain, y, x)


def _known(chain: InvertibleChain, y: Tensor, x: Tensor) -> dict[str, object]:
    """Thirty iterations a block alone, for the scale."""
    call = partial(reconstruct, chain, y, 30)
    words = harness.case(chain="line", iterations=30)
    timing = harness.paired(call)
    return harness.row(BENCH, words, None, timing, unit="ms", error=_error(call(), x), tolerance=1.0)


def _error(found: Tensor, x: Tensor) -> float:
    return float((found - x).abs().max() / x.abs().max())
