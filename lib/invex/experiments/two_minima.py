"""Data with two minima (Nesterov et al. 2022, Fig. 4): a beta-VAE that is free, and models that are not.

The free model is that of App. A.3.1: encoder and decoder of their own, held together by the cycle term, and
an unconstrained property head. The convex models have a strictly convex head, after a bijection or after free
coders. All learn the mixture of two wells, and the Rosenbrock function as a control with one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product
from pathlib import Path

import torch
from torch import Tensor, nn

from invex.analysis.basins import Basin, basins
from invex.data import synthetic
from invex.lab.records import Outcome
from invex.nn.bijections import autoregressive_flow
from invex.nn.convex import ConvexNetwork
from invex.nn.heads import StronglyConvex
from invex.nn.vae import GenerativeModel, Schedule, train

FREE, CONVEX, NEARLY = "free", "convex after a bijection", "convex after free coders"
MODELS = (CONVEX, FREE, NEARLY)
FUNCTIONS = {"two minima": synthetic.gaussian_mixture, "one minimum": synthetic.rosenbrock}
SIDE = 81
"""Points along each axis of the grids on which minima are counted and which are kept."""
LOOSE = 5
"""How many times as large the scale of x starts where the reconstruction is to count for less."""
MARGIN = 0.1
"""Of the window in latent space around the data's codes, as a part of their extent."""
LEAST = 0.02
"""Depth from which a minimum counts, as a part of the range of the property in the data."""


@dataclass(frozen=True)
class Config(Schedule):
    """A model, what it learns, and how: by the text's schedule (App. A.3.1), for the released code's epochs.

    Attributes:
        model: one of `MODELS`.
        function: one of `FUNCTIONS`.
        width: units of the two layers of free encoder and decoder; half as many in those of the free head.
        flow: units of each layer of the bijection's networks.
        convex: units of each of the four layers of the convex head; a bowl of this curvature is added to it.
        sigma_x, sigma_z: starting values of the scales.
    """

    model: str = CONVEX
    function: str = "two minima"
    epochs: int = 735
    batch: int = 250
    final_beta: float = 20 * 0.99 ** (735 / 30)
    gamma: float = 0.01
    width: int = 1024
    flow: int = 128
    convex: int = 512
    curvature: float = 0.02
    sigma_x: float = 0.23
    sigma_z: float = 0.05


BRISK = Config(
    width=256, flow=64, convex=128, epochs=200, batch=100, rate=2e-3, final_rate=2e-5, scale_rate=0.2,
    warm_up=0.05, clip=10.0, beta=0.05, final_beta=1e-3, anneal=0.5, sigma_x=0.02, sigma_z=0.003,
)  # fmt: skip
"""Narrower, and by the schedule of the Rosenbrock chapter."""
QUICK = replace(BRISK, epochs=40, width=64, flow=32, convex=32)


def configs(profile: str) -> list[Config]:
    """Every model on both functions, all of a seed before the next seed; the mixture comes first.

    The nearly bijective model is there once more with a reconstruction that counts for less (`LOOSE`).
    """
    if profile == "quick":
        return [replace(QUICK, model=model) for model in MODELS]
    base = Config() if profile == "paper" else BRISK
    kinds = [replace(base, function=function, model=model) for function, model in product(FUNCTIONS, MODELS)]
    kinds.append(replace(base, model=NEARLY, sigma_x=LOOSE * base.sigma_x))
    return [replace(kind, seed=seed) for seed in range(5) for kind in kinds]


def reduced(config: Config) -> str:
    """What a reduced run has less of, in words."""
    full = Config()
    coders = f"{config.width} of {full.width} units in free coders"
    heads = f"{config.convex} of {full.convex} in convex heads"
    return f"{coders}, {heads}, {config.epochs} of {full.epochs} epochs at a larger rate"


def run(
    configs: Sequence[Config], *, device: str, folder: Path | None, progress: Callable[[str], None]
) -> Iterator[tuple[Config, Outcome]]:
    """Train one model after another and measure it."""
    for config in configs:
        progress(f"{config.model}, {config.function}, seed {config.seed}")
        x = synthetic.grid()
        y = FUNCTIONS[config.function](x)
        model = build(config).to(device)
        plain = replace(config, gamma=0.0) if config.model == CONVEX else config
        curve = train(model, x.to(device), y.to(device), plain, progress)
        tables = {"curve": {"epoch": list(range(1, config.epochs + 1)), **curve}}
        if any(value != value for value in curve["property"]):
            yield config, Outcome(tables, {}, {}, "loss not finite")
            continue
        metrics, pieces, tensors = measure(model.double().cpu(), x.double(), y.double())
        yield config, Outcome({**tables, "pieces": pieces}, metrics, {}, tensors=tensors)


def build(config: Config) -> GenerativeModel:
    """The untrained model (App. A.3.1)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        head = free_network(2, config.width // 2, 1)
        if config.model != FREE:
            head = StronglyConvex(ConvexNetwork(2, (config.convex,) * 4), config.curvature)
        x, z = config.sigma_x, config.sigma_z
        if config.model == CONVEX:
            return GenerativeModel.bijective(
                autoregressive_flow(2, 4, (config.flow,) * 2), head, sigma_x=x, sigma_z=z
            )
        encoder, decoder = (free_network(2, config.width, 2) for _ in range(2))
        return GenerativeModel(encoder, decoder, head, sigma_x=x, sigma_z=z)


def free_network(inputs: int, width: int, outputs: int) -> nn.Module:
    """Two layers of ReLU units and an output, which is flat if it is one."""
    layers: list[nn.Module] = []
    for before, after in pairwise((inputs, width, width)):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, outputs), *[nn.Flatten(0)] * (outputs == 1))


@torch.no_grad()
def measure(
    model: GenerativeModel, x: Tensor, y: Tensor
) -> tuple[dict[str, float | int | str], dict[str, list[float | int]], dict[str, Tensor]]:
    """Errors on the data x (n, 2), y (n,); minima in both spaces; pieces of sub-level sets; the maps drawn.

    Minima at the edge of the window do not count: there the function falls on to where no data are. `pieces`
    has one row for each of ten levels between the least and the largest property.
    """
    codes = model.encode(x)
    decoded = model.decoder(codes)
    predicted, again = model.head(codes), model.predict(decoded)
    low, high = codes.amin(0), codes.amax(0)
    margin = MARGIN * (high - low)
    latent = window(low - margin, high + margin)
    inputs = window(x.amin(0), x.amax(0))
    maps = {"latent": model.head(latent).view(SIDE, SIDE), "input": model.predict(inputs).view(SIDE, SIDE)}
    span = float(y.max() - y.min())
    minima = {name: _inner(basins(values.numpy(), LEAST * span)) for name, values in maps.items()}
    levels = [float(level) for level in torch.linspace(float(y.min()), float(y.max()), 12)[1:-1]]
    pieces: dict[str, list[float | int]] = {"level": levels}
    pieces |= {name: [_alive(found, level) for level in levels] for name, found in minima.items()}
    rmse = float((predicted - y).square().mean().sqrt())
    metrics: dict[str, float | int | str] = {
        "rmse": rmse,
        "rmse_relative": rmse / float(y.std()),
        "rmse_inputs": float((decoded - x).square().mean().sqrt()),
        "rmse_cycle": float((predicted - again).square().mean().sqrt()),
        "minima_latent": len(minima["latent"]),
        "minima_input": len(minima["input"]),
        "second_depth": _second(minima["latent"]) / span,
    }
    corners = torch.stack([low - margin, high + margin])
    tensors = {
        "latent": maps["latent"].float(),
        "input": maps["input"].float(),
        "corners": corners.float(),
        "points": torch.cat([codes, decoded, predicted[:, None], y[:, None]], 1).float(),
    }
    return metrics, pieces, tensors


def window(low: Tensor, high: Tensor) -> Tensor:
    """A grid of `SIDE` x `SIDE` points from one corner (2,) to the other, (SIDE^2, 2), the first slowest."""
    share = torch.linspace(0, 1, SIDE, dtype=low.dtype)
    return torch.cartesian_prod(*(low[i] + share * (high[i] - low[i]) for i in range(2)))


def _inner(found: Sequence[Basin]) -> list[Basin]:
    """Those that do not lie at the edge of the grid."""
    return [basin for basin in found if all(0 < i < SIDE - 1 for i in basin.place)]


def _alive(found: Sequence[Basin], level: float) -> int:
    """Pieces of the sub-level set that hold a minimum deeper than `LEAST`."""
    return sum(basin.height <= level < basin.height + basin.depth for basin in found)


def _second(found: Sequence[Basin]) -> float:
    """Depth of the second minimum; 0 where there is one alone."""
    return found[1].depth if len(found) > 1 else 0.0
