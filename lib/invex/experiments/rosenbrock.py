"""The Rosenbrock model of Nesterov et al. (2022), Fig. 1-3, and what the choices left open change."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from invex.analysis.level_sets.minimum import MinimumNotFound, minimum
from invex.data import synthetic
from invex.lab.attestations import Tolerance
from invex.lab.records import Outcome
from invex.nn.bijections import Activation, autoregressive_flow
from invex.nn.convex import ConvexNetwork, softplus
from invex.nn.vae import GenerativeModel, Schedule, train

ACTIVATIONS: dict[str, Activation] = {"elu": functional.elu, "softplus": softplus}
MINIMUM = (0.1, 0.1)
SPACING = 0.8 / 39
"""Distance between neighbouring training points."""
REPLAY = Tolerance(
    relative=1e-6,
    reason="two hundred epochs in float32 are the same sums in the same order on one model of processor",
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
    """

    choice: str = ""
    activation: str = "elu"
    positivity: str = "square"
    skips: bool = True
    principled: bool = False
    sigma_x: float = 0.23
    sigma_z: float = 0.05


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
    """The choices, three seeds each, all choices of a seed before the next seed."""
    if profile == "quick":
        return [replace(config, epochs=8) for config in CHOICES if config.epochs == CHAPTER.epochs][:2]
    return [replace(config, seed=seed) for seed in range(3) for config in CHOICES]


def run(
    configs: Sequence[Config], *, device: str, folder: Path | None, progress: Callable[[str], None]
) -> Iterator[tuple[Config, Outcome]]:
    """Train one model after another and measure it."""
    for config in configs:
        progress(f"{config.choice}, seed {config.seed}")
        start = time.perf_counter()
        model, curve = fit(config, device, progress)
        seconds = time.perf_counter() - start
        tables = {"curve": {"epoch": list(range(config.epochs)), **curve}}
        try:
            yield config, Outcome(tables, measure(model) | {"seconds": seconds}, {})
        except MinimumNotFound as error:
            yield config, Outcome(tables, {"seconds": seconds}, {}, failed=str(error))


def build(config: Config) -> GenerativeModel:
    """The untrained model: four autoregressive layers of 128-128, a convex network of 4 x 512 (App. A.3)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        bijection = autoregressive_flow(2, 4, (128, 128), activation=ACTIVATIONS[config.activation])
        head = ConvexNetwork(2, (512,) * 4, positivity=config.positivity, skips=config.skips)
        if config.principled:
            head.principled_()
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


def measure(model: GenerativeModel) -> dict[str, float]:
    """Property error on the data and around them, place of the minimum, stray of the valley's floor."""
    with torch.no_grad():
        residual, around = (model.predict(x) - synthetic.rosenbrock(x) for x in (_points(), _surroundings()))
        start = model.encoder(torch.tensor([MINIMUM], dtype=torch.float64))[0]
    lowest = minimum(model.head, start)
    place = model.decoder(lowest.point[None])[0].detach()
    away = (place - torch.tensor(MINIMUM, dtype=torch.float64)).norm()
    floor, truth = valley(model)
    return {
        "rmse": residual.square().mean().sqrt().item(),
        "rmse_around": around.square().mean().sqrt().item(),
        "largest_residual": residual.abs().max().item(),
        "minimum": lowest.value,
        "minimum_away": away.item(),
        "valley_away": (floor - truth).abs().max().item(),
    }


def _points() -> Tensor:
    return synthetic.grid(dtype=torch.float64)


def _surroundings() -> Tensor:
    """A grid on the window of the paper's Fig. 3, [-0.6, 0.6] x [-0.2, 1], without the training square."""
    axes = [torch.linspace(low, high, 61, dtype=torch.float64) for low, high in ((-0.6, 0.6), (-0.2, 1.0))]
    window = torch.cartesian_prod(*axes)
    return window[(window.abs() > 0.4).any(1)]


def valley(model: GenerativeModel, heights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Where the valley's floor runs above the training square: the model's x1 and the true +-(x2 / 10)^(1/2).

    Both are (2, n): left and right branch at each height x2, by default 30 of them from the square's upper
    side to x2 = 1. The floor is the x1 of least F in a row, |x1| <= 0.4, to 1e-4.
    """
    if heights is None:
        heights = torch.linspace(0.4, 1.0, 31, dtype=torch.float64)[1:]
    truth = torch.stack([-(heights / 10).sqrt(), (heights / 10).sqrt()])
    rows = []
    for sign in (-1.0, 1.0):
        x1 = sign * torch.linspace(0.0, 0.4, 201, dtype=torch.float64).expand(len(heights), -1)
        for width in (2e-3, 1e-4):
            best = _lowest(model, x1, heights)
            x1 = best[:, None] + width * torch.linspace(-1, 1, 41, dtype=torch.float64)
        rows.append(best)
    return torch.stack(rows), truth


def _lowest(model: GenerativeModel, x1: Tensor, x2: Tensor) -> Tensor:
    """The x1 of least F in each row, (n,), among candidates (n, m)."""
    points = torch.stack([x1, x2[:, None].expand_as(x1)], dim=-1)
    with torch.no_grad():
        values = model.predict(points)
    return x1.gather(1, values.argmin(1, keepdim=True))[:, 0]
