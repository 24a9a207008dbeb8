"""A failed fit as a detector of disconnected level sets (after Nesterov et al. 2022, Sec. 5.1; ours).

Data sets are drawn from functions with one and with several minima, of varied difficulty and noise. To each a
convex model after a bijection is fitted, and the same model whose weights may have any sign: the error that
the first has more, on points that neither has seen, is the statistic.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from invex.analysis.basins import Basin, basins
from invex.data import landscapes
from invex.lab.records import Outcome
from invex.nn import fit as fitting
from invex.nn.bijections import autoregressive_flow
from invex.nn.convex import ConvexNetwork
from invex.nn.fit import Moment
from invex.nn.heads import StronglyConvex
from invex.nn.together import Together
from invex.nn.vae import GenerativeModel

NOISES = (0.0, 0.1, 0.3)
"""Standard deviations of the noise on the property, whose own is 1."""
FINE = 121
"""Points along each axis of the grid on which the truth is counted."""
LEAST = 0.01
"""Depth from which a minimum counts as one, as a part of the range of the function."""


@dataclass(frozen=True)
class Config:
    """A block of data sets that are fitted together.

    Attributes:
        seed: number of the block, which decides its data sets.
        datasets: how many.
        points: to fit, and as many to judge by.
        flow, convex: units of the layers of the bijection and of the head.
        sigma_z: noise of the codes, fixed.
        beta: weight of the divergence at the start; it falls to 0 over the first half.
    """

    seed: int
    datasets: int = 16
    points: int = 900
    epochs: int = 250
    batch: int = 100
    rate: float = 3e-3
    flow: int = 32
    convex: int = 64
    sigma_z: float = 0.01
    beta: float = 0.01


def configs(profile: str) -> list[Config]:
    """Six blocks, 96 data sets; or one small block, briefly fitted."""
    if profile == "quick":
        return [Config(0, datasets=18, points=200, epochs=60, flow=16, convex=16)]
    return [Config(seed) for seed in range(6)] if profile == "paper" else []


@dataclass(frozen=True)
class Case:
    """A data set and what is true of it.

    Attributes:
        family: one of `landscapes.FAMILIES`.
        noise: standard deviation on the property.
        minima: of the function within the square.
        depth: of the second, as a part of the range; 0 where there is one.
        x, y: points (2 n, 2) and properties (2 n,), the first half to fit.
    """

    family: str
    noise: float
    minima: int
    depth: float
    x: Tensor
    y: Tensor


def run(
    configs: Sequence[Config], *, device: str, folder: Path | None, progress: Callable[[str], None]
) -> Iterator[tuple[Config, Outcome]]:
    """Draw the data sets of each block, fit both models to all of them at once, and judge."""
    for config in configs:
        cases = [case(config.seed * config.datasets + i, config.points) for i in range(config.datasets)]
        x = torch.stack([c.x for c in cases], 1).to(device)
        y = torch.stack([c.y for c in cases], 1).to(device)
        errors = {}
        for name, build in {"convex": convex_model, "free": free_model}.items():
            errors[name], failed = _fitted(config, build, x, y, progress)
            if failed is not None:
                yield config, Outcome({}, {}, {}, f"{name}: loss not finite at update {failed}")
                break
        else:
            yield config, Outcome({"cases": _table(config, cases, errors)}, _metrics(errors), {})


def case(number: int, points: int) -> Case:
    """The data set of that number: families and noises in turn, everything else by chance."""
    family = landscapes.FAMILIES[number % len(landscapes.FAMILIES)]
    noise = NOISES[number // len(landscapes.FAMILIES) % len(NOISES)]
    function = landscapes.landscape(family, number)
    generator = torch.Generator().manual_seed(number)
    x = 2 * torch.rand(2 * points, 2, generator=generator, dtype=torch.float64) - 1
    y = function(x) + noise * torch.randn(len(x), generator=generator, dtype=torch.float64)
    found = truth(function)[: 1 if family == "bowl" else None]  # a bowl has one by construction
    depth = found[1].depth if len(found) > 1 else 0.0
    return Case(family, noise, len(found), depth, x.float(), y.float())


def truth(function: landscapes.Function) -> list[Basin]:
    """The minima of a function within the square, deeper than `LEAST`, deepest first; depths of the range.

    One at the edge of the square is none of the function's, unless it is the lowest.
    """
    axis = torch.linspace(-1, 1, FINE, dtype=torch.float64)
    values = function(torch.cartesian_prod(axis, axis)).view(FINE, FINE).numpy()
    span = float(np.ptp(values))
    found = basins((values - values.min()) / span, LEAST)
    return [found[0], *(b for b in found[1:] if all(0 < i < FINE - 1 for i in b.place))]


class Pass(nn.Module):
    """A generative model's terms and prediction in one pass: (3 terms, (n,)) of x, y and noise."""

    def __init__(self, model: GenerativeModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, y: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Input, property and divergence terms, and the property at the mean codes."""
        terms = self.model.terms(x, y, cycle=False, noise=noise)
        return torch.stack(terms[:3]), self.model.predict(x)


def convex_model(config: Config) -> nn.Module:
    """A bijection and a convex head with a minimum."""
    return _model(config, ConvexNetwork(2, (config.convex,) * 3))


def free_model(config: Config) -> nn.Module:
    """The same bijection and head, whose weights may have any sign: all that is taken away is convexity."""
    network = ConvexNetwork(2, (config.convex,) * 3, positivity="projection")  # and it is never projected
    with torch.no_grad():
        for raw in network.raw:
            raw *= 2 * torch.randint(2, raw.shape) - 1
    return _model(config, network)


def _model(config: Config, network: ConvexNetwork) -> nn.Module:
    flow = autoregressive_flow(2, 4, (config.flow,) * 2)
    head = StronglyConvex(network, 0.02)
    return Pass(GenerativeModel.bijective(flow, head, sigma_x=0.05, sigma_z=config.sigma_z))


def _fitted(
    config: Config,
    build: Callable[[Config], nn.Module],
    x: Tensor,
    y: Tensor,
    progress: Callable[[str], None],
) -> tuple[list[float], int | None]:
    """RMSE of each data set on the points that were not fitted; and the update at which training failed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        many = Together([build(config) for _ in range(config.datasets)]).to(x.device)

    def loss(batch: tuple[Tensor, ...], moment: Moment) -> Mapping[str, Tensor]:
        inputs, properties = batch[0].transpose(0, 1), batch[1].transpose(0, 1)
        noise = torch.randn(inputs.shape, generator=moment.generator, device=inputs.device)
        terms = many(inputs, properties, noise)[0].sum(0)
        beta = config.beta * (1 - 2 * moment.share).clamp_min(0)
        return {"loss": terms[0] + terms[1] + beta * terms[2], "property": terms[1] / config.datasets}

    done = fitting.fit(
        many,
        loss,
        (x[: config.points], y[: config.points]),
        torch.optim.Adam(many.parameters(), lr=config.rate),
        epochs=config.epochs,
        batch=config.batch,
        seed=config.seed,
        schedule=fitting.one_cycle(0.1, 0.1, 0.01),
        progress=progress,
        capture=True,
    )
    held = x[config.points :].transpose(0, 1), y[config.points :].transpose(0, 1)
    with torch.no_grad():
        predicted = many(*held, torch.zeros_like(held[0]))[1]
    return (predicted - held[1]).square().mean(1).sqrt().tolist(), done.failed


def _table(
    config: Config, cases: Sequence[Case], errors: Mapping[str, list[float]]
) -> dict[str, list[object]]:
    numbers = range(config.seed * config.datasets, (config.seed + 1) * config.datasets)
    return {
        "number": list(numbers),
        "family": [c.family for c in cases],
        "noise": [c.noise for c in cases],
        "minima": [c.minima for c in cases],
        "depth": [c.depth for c in cases],
        "rmse_convex": list(errors["convex"]),
        "rmse_free": list(errors["free"]),
    }


def _metrics(errors: Mapping[str, list[float]]) -> dict[str, float | int | str]:
    return {f"median_{name}": float(np.median(values)) for name, values in errors.items()}
