"""What residual networks of one dimension do to points on their way through the blocks (Behrmann, Fig. 4.1).

Both networks learn the same function, which falls, rises and falls again. A standard residual network fits
it, and must fold the line to do so; an invertible one keeps the order of all points.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from invex.nn import fit, lipschitz
from invex.nn.residual import InvertibleBlock, InvertibleChain, dense_branch

REACH = 2.5


def target(x: Tensor) -> Tensor:
    """2 sin(1.6 x): not monotone on [-2.5, 2.5]."""
    return 2 * torch.sin(1.6 * x)


def learn(c: float | None, *, blocks: int = 8, steps: int = 200, seed: int = 0) -> InvertibleChain:
    """A chain of residual blocks of one dimension fitted to the target; c = None: without constraint.

    Branches have one hidden layer of 32 tanh units and start near zero, so that the chain starts near the
    identity.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        chain = InvertibleChain(
            InvertibleBlock(dense_branch(1, (32,), c=c, activation=nn.Tanh)) for _ in range(blocks)
        )
    with torch.no_grad():
        for block in chain.blocks:
            for parameter in [*block.branch.parameters()][-2:]:
                parameter.mul_(0.1)
    x = torch.linspace(-REACH, REACH, 256)[:, None]

    def loss(batch: tuple[Tensor, ...], moment: fit.Moment) -> Tensor:
        return functional.mse_loss(chain(batch[0]), batch[1])

    fit.fit(
        *(chain, loss, (x, target(x)), torch.optim.Adam(chain.parameters(), 1e-2)),
        epochs=steps,
        batch=len(x),
        seed=seed,
        schedule=fit.cosine(),
        clip=1.0,
        after_step=lambda: lipschitz.update_(chain),
    )
    return chain.double().eval().requires_grad_(False)


@torch.no_grad()
def paths(chain: InvertibleChain, starts: Tensor) -> Tensor:
    """Positions of points (n,) before the first and after each block, (blocks + 1, n)."""
    positions = [starts[:, None]]
    for block in chain:
        positions.append(block(positions[-1]))
    return torch.stack(positions)[..., 0]


def folds(positions: Tensor) -> int:
    """Pairs of neighbouring paths that cross somewhere, of positions (blocks + 1, n) in order at the start.

    Between blocks paths are straight lines, so that two cross where their order changes.
    """
    gaps = positions.diff(dim=1)
    return int((gaps.amin(0) <= 0).sum())


def narrowest(positions: Tensor) -> float:
    """The smallest gap between neighbours at any block, relative to their gap at the start."""
    gaps = positions.diff(dim=1)
    return float((gaps / gaps[0]).min())
