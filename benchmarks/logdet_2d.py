"""A training step of a planar residual flow, against normflows 1.7.3.

Ten blocks of four hidden layers of 128, a batch of 500, Adam, one power iteration for each layer and step on
both sides. Ours pushes both tangents through the branch and has the exact log-determinant; theirs is the
estimator that the package trains with (two terms, then a geometric number more, Neumann gradient), or the
exact one. What is checked is ours, in double precision: log-determinants against autograd's Jacobian.
"""

import warnings
from collections.abc import Callable, Iterator

import torch
from invex.data import planar
from invex.experiments import density_2d
from invex.nn import lipschitz
from invex.nn.flows import DiagonalGaussian, Flow
from invex.nn.logdet import Exact
from torch import Tensor, nn

from benchmarks import harness

BENCH, BLOCKS, HIDDEN, BATCH = "logdet-2d", 10, (128,) * 4, 500
SETTINGS = {"as it trains": {}, "exact": {"brute_force": True}}


def rows(full: bool) -> Iterator[dict[str, object]]:
    x = planar.draw("eight Gaussians", BATCH, 0)
    error = disagreement()
    for name, settings in SETTINGS.items():
        torch.manual_seed(0)
        timing = harness.paired(ours(x), theirs(x, **settings), pairs=15 if full else 5)
        words = harness.case(blocks=BLOCKS, batch=BATCH, peer=name.replace(" ", "-"))
        yield harness.row(
            BENCH, words, f"normflows, {name}", timing, unit="ms", error=error, tolerance=1e-8
        )  # fmt: skip


def ours(x: Tensor) -> Callable[[], object]:
    flow = Flow(density_2d.residual_chain(2, BLOCKS, HIDDEN, 0.97), DiagonalGaussian(2))
    flow.start_(x)
    optimiser = torch.optim.Adam(flow.parameters(), lr=1e-3)

    def step() -> None:
        optimiser.zero_grad()
        (-flow.log_prob(x).mean()).backward()
        optimiser.step()
        lipschitz.update_(flow)

    return step


def theirs(x: Tensor, **settings: bool) -> Callable[[], object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import normflows as nf

    layers: list[nn.Module] = []
    for _ in range(BLOCKS):
        net = nf.nets.LipschitzMLP([2, *HIDDEN, 2], init_zeros=False, lipschitz_const=0.97)
        layers += [nf.flows.Residual(net, **settings), nf.flows.ActNorm(2)]
    model = nf.NormalizingFlow(nf.distributions.DiagGaussian(2, trainable=False), layers)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> None:
        optimiser.zero_grad()
        model.forward_kld(x).backward()
        optimiser.step()
        nf.utils.update_lipschitz(model, 1)

    return step


def disagreement(points: int = 200) -> float:
    """Largest difference of our log-determinant and autograd's, over the blocks of an untrained flow."""
    chain = density_2d.residual_chain(2, BLOCKS, HIDDEN, 0.97).double().eval()
    x, worst = planar.draw("eight Gaussians", points, 1).double(), 0.0
    for block in Flow(chain, DiagonalGaussian(2)).blocks:
        at = x.clone().requires_grad_()
        value = block.branch(at)
        columns = [torch.autograd.grad(value[:, i].sum(), at, retain_graph=True)[0] for i in range(2)]
        J = torch.stack(columns, 1) + torch.eye(2, dtype=torch.float64)
        worst = max(worst, float((Exact()(block.branch, x)[1] - J.det().log()).detach().abs().max()))
    return worst
