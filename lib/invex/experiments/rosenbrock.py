"""The Rosenbrock model of Nesterov et al. (2022), Fig. 1-3, and what the choices left open change."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from invex.analysis.level_sets.minimum import MinimumNotFound
from invex.data import synthetic
from invex.experiments.rosenbrock_measures import errors, shape
from invex.lab.attestations import Tolerance
from invex.lab.records import Outcome
from invex.nn.bijections import Activation, autoregressive_flow
from invex.nn.convex import ConvexNetwork, softplus
from invex.nn.vae import GenerativeModel, Schedule, train

ACTIVATIONS: dict[str, Activation] = {"elu": functional.elu, "softplus": softplus}
SEEDS = 10
REPLAY = Tolerance(
    relative=1e-6,
    reason="training in float32 adds in one order on one model of processor, in another on the next",
    times=("seconds",),
    chaotic=True,
)


@dataclass(frozen=True)
class Config(Schedule):
    """A model and how it is trained; the defaults are the source's (App. A.3, and the released code).

    Attributes:
        choice: what differs from the chapter's own settings, in words.
        activation: of the bijection's networks.
        positivity: of the convex network's weights.
        skips: whether the input enters every layer of the convex network.
        principled: whether its weights start from Hoedt and Klambauer's initialisation.
        sigma_x, sigma_z: starting values of the scales.
        identity: whether the bijection starts as the identity, by last layers of zeros.
        kept: whether the record keeps the trained weights, rounded as in `weights`, and measures the model
            that they give.
    """

    choice: str = ""
    activation: str = "elu"
    positivity: str = "square"
    skips: bool = True
    principled: bool = False
    sigma_x: float = 0.23
    sigma_z: float = 0.05
    identity: bool = False
    kept: bool = False


RELEASED = Config(choice="schedule of the released code")
TEXT = replace(RELEASED, choice="schedule of the text", batch=250, final_beta=20 * 0.99 ** (1351 / 30))
CHAPTER = Config(
    choice="this chapter", epochs=200, batch=100, rate=2e-3, final_rate=2e-5, scale_rate=0.2,
    warm_up=0.05, clip=10.0, beta=0.05, final_beta=1e-3, anneal=0.5, sigma_x=0.1, sigma_z=0.003,
)  # fmt: skip
PROFILES = {"quick": replace(CHAPTER, epochs=20), "recorded": CHAPTER, "paper": RELEASED}
CHOICES = (
    CHAPTER,
    RELEASED,
    replace(CHAPTER, choice="bijection starts as the identity", identity=True),
    replace(CHAPTER, choice="longer warm-up", warm_up=0.25),
    replace(CHAPTER, choice="weights kept positive by projection", positivity="projection"),
    replace(CHAPTER, choice="weights kept positive by softplus", positivity="softplus"),
    replace(CHAPTER, choice="principled initialisation", principled=True),
    replace(CHAPTER, choice="no skips", skips=False),
    replace(CHAPTER, choice="softplus in the bijection", activation="softplus"),
    replace(CHAPTER, choice="stronger divergence, more noise", beta=1.0, sigma_x=0.23, sigma_z=0.05),
    replace(CHAPTER, choice="almost no divergence or noise", beta=1e-3, sigma_z=1e-3),
    TEXT,
)


def configs(profile: str) -> list[Config]:
    """Ten seeds of the chapter's choice, with their weights; then all others of a seed before the next."""
    if profile == "quick":
        return [replace(config, epochs=8) for config in CHOICES if config.epochs == CHAPTER.epochs][:2]
    own = [replace(CHAPTER, seed=seed, kept=True) for seed in range(SEEDS)]
    return own + [replace(config, seed=seed) for seed in range(3) for config in CHOICES[1:]]


def run(
    configs: Sequence[Config], *, device: str, folder: Path | None, progress: Callable[[str], None]
) -> Iterator[tuple[Config, Outcome]]:
    """Train one model after another and measure it."""
    for config in configs:
        progress(f"{config.choice}, seed {config.seed}")
        start = time.perf_counter()
        model, curve = fit(config, device, progress)
        known: dict[str, float | int | str] = {"seconds": time.perf_counter() - start}
        tables = {"curve": {"epoch": list(range(config.epochs)), **curve}}
        tensors = weights(model) if config.kept else {}
        model = trained(config, tensors) if config.kept else model
        try:
            known |= errors(model)
            yield config, Outcome(tables, known | shape(model), {}, tensors=tensors)
        except MinimumNotFound as error:
            yield config, Outcome(tables, known, {}, failed=str(error), tensors=tensors)


def weights(model: GenerativeModel) -> dict[str, Tensor]:
    """What `trained` needs: float32, but for the 512 x 512 weights of f in float16, to halve the size."""
    head = cast(ConvexNetwork, model.head)
    wide = {id(raw) for raw in head.raw}  # of f before they are made positive
    return {
        name: parameter.detach().to(torch.float16 if id(parameter) in wide else torch.float32)
        for name, parameter in model.named_parameters()
    }


def trained(config: Config, tensors: Mapping[str, Tensor]) -> GenerativeModel:
    """The model of these weights, in float64."""
    model = build(config).double()
    own = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in tensors.items():
            own[name].copy_(tensor)
    return model


def build(config: Config) -> GenerativeModel:
    """The untrained model: four autoregressive layers of 128-128, a convex network of 4 x 512 (App. A.3)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        bijection = autoregressive_flow(2, 4, (128, 128), activation=ACTIVATIONS[config.activation])
        head = ConvexNetwork(2, (512,) * 4, positivity=config.positivity, skips=config.skips)
        if config.principled:
            head.principled_()
        for layer in bijection if config.identity else ():
            last = cast(nn.Linear, cast(nn.Sequential, layer.layers)[-1])
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
    return GenerativeModel.bijective(bijection, head, sigma_x=config.sigma_x, sigma_z=config.sigma_z)


def fit(
    config: Config, device: str = "cpu", progress: Callable[[str], None] = lambda text: None
) -> tuple[GenerativeModel, dict[str, list[float]]]:
    """Train on the 1,600 points of the grid; the model in float64 on the CPU, and each term by epoch."""
    x = synthetic.grid()
    model = build(config).to(device)
    curve = train(model, x.to(device), synthetic.rosenbrock(x).to(device), config, progress)
    return model.double().cpu(), curve


def unconstrained(seed: int) -> nn.Module:
    """The negative control: an ordinary tanh network, trained on the mixture with two minima, in float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        linear = [nn.Linear(2, 64), nn.Linear(64, 64), nn.Linear(64, 1)]
    with torch.no_grad():
        linear[0].weight.mul_(10)  # as the inputs lie within 0.4
    head = nn.Sequential(linear[0], nn.Tanh(), linear[1], nn.Tanh(), linear[2], nn.Flatten(0))
    model = GenerativeModel(nn.Identity(), nn.Identity(), head, sigma_z=1e-3)
    x = synthetic.grid()
    schedule = Schedule(
        100, 200, rate=1e-2, final_rate=1e-3, scale_rate=0.0, beta=1e-3, final_beta=1e-3, seed=seed
    )
    train(model, x, synthetic.gaussian_mixture(x), schedule)
    return head.double()
