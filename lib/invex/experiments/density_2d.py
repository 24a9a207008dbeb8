"""Densities on the plane by i-ResNets and by Glow (Behrmann, 2019, Fig. 5.2), with exact log-likelihoods.

Both see the same fresh points for the same number of updates and have about as many parameters. It also
measures, on the trained blocks, what Lemmas 5.4 and 5.5 and Theorem 5.8 say.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from invex.analysis import log_determinants
from invex.data import planar
from invex.lab.records import Outcome
from invex.nn import fit, lipschitz, logdet
from invex.nn.coupling import glow
from invex.nn.flows import DiagonalGaussian, Flow, aligned_
from invex.nn.residual import ActNorm, InvertibleBlock, InvertibleChain, dense_branch

METHODS = ("i-ResNet", "Glow")
RATES = {"i-ResNet": 2e-3, "Glow": 5e-4}
"""At the i-ResNet's rate Glow's loss overflowed on one set of the first two that were tried."""
HELD_OUT, SAMPLES, UPDATES = 10_000, 3_000, 250


@dataclass(frozen=True)
class Config:
    """One flow.

    Attributes:
        dataset: of `invex.data.planar.SETS`.
        steps: updates, each on a fresh batch.
        blocks: residual blocks, or couplings for Glow.
        hidden: widths of a block's branch; of a coupling's network, the first two.
        c: norm of each linear layer, i-ResNet only.
    """

    dataset: str
    method: str
    seed: int
    steps: int = 5000
    batch: int = 500
    blocks: int = 10
    hidden: tuple[int, ...] = (128,) * 4
    c: float = 0.97
    rate: float = 2e-3


def configs(profile: str) -> list[Config]:
    """All sets and both methods of a seed before the next seed."""
    if profile == "quick":
        small = Config("eight Gaussians", "i-ResNet", 0, 150, 200, blocks=5, hidden=(32, 32), rate=5e-3)
        return [small, replace(small, method="Glow", blocks=10)]
    blocks = {"i-ResNet": 10, "Glow": 30}  # half a million parameters each
    found = [
        Config(name, method, seed, blocks=blocks[method], rate=RATES[method])
        for seed in range(3) for name in planar.SETS for method in METHODS
    ]  # fmt: skip
    if profile == "paper":
        return [replace(config, steps=50_000, blocks=100) for config in found]
    return [replace(config, steps=1500) for config in found if config.seed == 0] + found


def reduced(config: Config) -> str:
    """What is reduced against the article of 2019, whose toy experiment the thesis refers to."""
    return f"{config.blocks} blocks of 100, {config.steps:,} updates of 50,000"


def run(
    configs: Sequence[Config],
    *,
    device: str,
    folder: Path | None,
    progress: Callable[[str], None],
    keeper: Callable[[Config], fit.Keeper] | None = None,
) -> Iterator[tuple[Config, Outcome]]:
    """Train one flow after another and measure it."""
    for config in configs:
        started = time.perf_counter()
        flow, fitted = train(config, device, progress, keeper(config) if keeper else None)
        seconds = time.perf_counter() - started
        updates = min(UPDATES, config.steps)
        tables: dict[str, Any] = {"curve": curve(fitted, updates)}
        failed = None if fitted.failed is None else f"loss not finite at update {fitted.failed}"
        if failed:
            yield config, Outcome(tables, {"seconds": seconds}, {}, failed=failed)
            continue
        flow.double().eval()
        parameters = sum(p.numel() for p in flow.parameters() if p.requires_grad)
        metrics: dict[str, float] = {"parameters": parameters, "seconds": seconds}
        metrics |= likelihood(flow, config.dataset) | inversion(flow, config)
        if config.method == "i-ResNet":
            tables["series"], found = series(flow, config)
            metrics |= found
        yield config, Outcome(tables, metrics, {}, tensors=pictures(flow, config.seed))


def curve(fitted: fit.Fitted, updates: int) -> dict[str, list[float]]:
    """Updates, mean negative log-likelihood of the batches until then, and that of held-out points (nats)."""
    names = {"loss": "nats", "held_out": "held_out"}
    found = {names[name]: values for name, values in fitted.curve.items() if name in names}
    return {"update": [updates * (i + 1) for i in range(len(fitted.curve["loss"]))], **found}


def build(config: Config) -> Flow:
    """The untrained flow; its normalisations start with the first thousand points."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        if config.method == "Glow":
            chain = glow(2, config.blocks, config.hidden[:2])
        else:
            chain = residual_chain(2, config.blocks, config.hidden, config.c)
    flow = Flow(chain, DiagonalGaussian(2))
    flow.start_(planar.draw(config.dataset, 1000, 10**6 + config.seed))
    return flow


def residual_chain(d: int, blocks: int, hidden: Sequence[int], c: float) -> InvertibleChain:
    """ActNorm and a residual block in turn; branches start aligned, so that none of them starts dead."""
    parts: list[torch.nn.Module] = []
    for _ in range(blocks):
        branch = dense_branch(d, hidden, c=c)
        aligned_(branch)
        parts += [ActNorm(d), InvertibleBlock(branch)]
    return InvertibleChain([*parts, ActNorm(d)])


def train(
    config: Config,
    device: str = "cpu",
    progress: Callable[[str], None] = lambda text: None,
    keeper: fit.Keeper | None = None,
) -> tuple[Flow, fit.Fitted]:
    """The flow after training by maximum likelihood, on the CPU, and its curve."""
    flow = build(config).to(device)
    draw, test = planar.SETS[config.dataset], planar.draw(config.dataset, 2000, 10**7).to(device)
    updates = min(UPDATES, config.steps)

    def loss(rows: tuple[Tensor, ...], moment: fit.Moment) -> Tensor:
        return -flow.log_prob(draw(len(rows[0]), moment.generator), moment.generator).mean()

    @torch.no_grad()
    def held_out(epoch: int) -> dict[str, Tensor]:
        flow.eval()
        return {"held_out": -flow.log_prob(test).mean()}

    fitted = fit.fit(
        flow, loss, updates * config.batch, torch.optim.Adam(flow.parameters(), lr=config.rate),
        epochs=config.steps // updates, batch=config.batch, seed=config.seed, clip=10.0,
        schedule=fit.one_cycle(warm_up=0.1, start=0.1, final=1e-2),
        after_step=lambda: lipschitz.update_(flow), after_epoch=held_out, progress=progress, keeper=keeper,
        capture=True,
    )  # fmt: skip
    return flow.cpu(), fitted


@torch.no_grad()
def likelihood(flow: Flow, dataset: str) -> dict[str, float]:
    """Mean log-likelihood of held-out points, what the true density gives, and their difference, in nats."""
    x = planar.draw(dataset, HELD_OUT, 10**7 + 1).double()
    model, truth = flow.log_prob(x), planar.LOG_DENSITIES[dataset](x)
    gap = truth - model
    return {
        "log_likelihood": float(model.mean()),
        "truth": float(truth.mean()),
        "divergence": float(gap.mean()),
        "divergence_error": float(gap.std()) / math.sqrt(len(x)),
    }


@torch.no_grad()
def inversion(flow: Flow, config: Config) -> dict[str, float]:
    """Largest |F^-1(F(x)) - x| over 500 held-out points, in double precision."""
    x = planar.draw(config.dataset, 500, 10**7 + 2).double()
    z, _ = flow.latent(x)
    return {"round_trip": float((flow.preimage(z) - x).abs().max())}


@torch.no_grad()
def series(flow: Flow, config: Config, terms: int = 30) -> tuple[dict[str, Any], dict[str, float]]:
    """Per block and number of terms: the largest truncation error over points, and Theorem 5.8's bound.

    Also the determinants of Lemma 5.4, and how the whole log-determinant lies within Lemma 5.5's limits.
    """
    x = planar.draw(config.dataset, 500, 10**7 + 3).double()
    rows: dict[str, list[float]] = {name: [] for name in ("block", "terms", "error", "bound", "lipschitz")}
    inputs, bounds, least = log_determinants.block_inputs(flow, x), flow.lipschitz(), math.inf
    total = torch.zeros(len(x), dtype=x.dtype)
    for place, ((block, at), L) in enumerate(zip(inputs, bounds, strict=True)):
        _, J = logdet.jacobian(block.branch, at)
        whole = logdet.log_det_of(J)
        total, least = total + whole, min(least, float(torch.linalg.det(J + torch.eye(2)).min()))
        errors = (logdet.partial_sums(_traces(J, terms)) - whole).abs().amax(1)
        for n, error in enumerate(errors.tolist(), start=1):
            values = (place, n, error, logdet.truncation_bound(L, n, 2), L)
            for name, each in zip(rows, values, strict=True):
                rows[name].append(each)
    low, high = logdet.log_det_limits(bounds, 2)
    found = {
        "least_determinant": least,
        "limit_low": low,
        "limit_high": high,
        "largest_lipschitz": max(bounds),
    }
    return rows, found | {"log_det_low": float(total.min()), "log_det_high": float(total.max())}


def _traces(J: Tensor, terms: int) -> Tensor:
    power, found = J, []
    for _ in range(terms):
        found.append(power.diagonal(dim1=1, dim2=2).sum(1))
        power = power @ J
    return torch.stack(found)


@torch.no_grad()
def pictures(flow: Flow, seed: int) -> dict[str, Tensor]:
    """The log-density on a grid, (SIDE, SIDE) with x2 slowest, and samples, as float16."""
    axis = torch.linspace(-planar.LIMIT, planar.LIMIT, planar.SIDE, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).view(-1, 2)
    density = flow.log_prob(grid).view(planar.SIDE, planar.SIDE).clamp(min=-60)
    samples = flow.sample(SAMPLES, torch.Generator().manual_seed(seed)).clamp(-100, 100)
    return {"log_density": density.half(), "samples": samples.half()}
