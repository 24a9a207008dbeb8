"""Left halves of Olivetti faces from the right ones, by argmin over pixels (Amos et al., 2017, Sec. 6.3)."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from invex.analysis.argmin import SPACE, bundle_entropy, gradient
from invex.data import faces
from invex.lab.records import Outcome
from invex.nn.completion import CompletionEnergy
from invex.nn.fit import Fitted, Keeper, Moment, fit

BY_BUNDLE, BY_GRADIENT, NON_CONVEX = "convex, bundle entropy", "convex, gradient", "non-convex, gradient"
METHODS = (BY_GRADIENT, NON_CONVEX, BY_BUNDLE)
TEST, VALIDATION, SHOWN = 50, 35, 8
"""Faces for the test and, of the 350 others, for the choice of the epoch; faces whose completion is kept."""
EDGE = 1e-3  # the mean half starts bundles within the open cube


@dataclass(frozen=True)
class Config:
    """One network; defaults are the source's.

    Attributes:
        method: one of `METHODS`.
        seed: of the split, the weights and the order.
        rate: of Adam.
        steps: inner steps: of gradient descent, or cuts of the bundle.
        inner_rate, momentum: of gradient descent.
        width: of the dense layer.
    """

    method: str
    seed: int
    dataset: str = "olivetti"
    epochs: int = 200
    batch: int = 70
    rate: float = 1e-3
    steps: int = 30
    inner_rate: float = 0.01
    momentum: float = 0.9
    width: int = 512


def configs(profile: str) -> list[Config]:
    """Three seeds, all methods of a seed before the next; the bundle has ten cuts."""
    seeds = range(1 if profile == "quick" else 3)
    found = [Config(m, seed, steps=10 if m == BY_BUNDLE else 30) for seed in seeds for m in METHODS]
    if profile == "quick":
        return [
            replace(c, dataset="enlarged-digits", epochs=2, rate=3e-3, steps=6, inner_rate=0.04, width=64)
            for c in found
        ]
    return [replace(c, epochs=20) for c in found] if profile == "reduced" else found


def reduced(config: Config) -> str:
    """What a reduced run leaves out."""
    return f"{config.epochs} epochs of 200"


@dataclass(frozen=True)
class Halves:
    """Images in [0, 1]: x the right half, mirrored as in the source, y the left, flattened."""

    train: tuple[Tensor, Tensor]
    validation: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    shape: tuple[int, int]

    @property
    def mean(self) -> Tensor:
        """The mean of the training halves, (p,): where inference starts."""
        return self.train[1].mean(0)


def run(
    configs: Sequence[Config],
    *,
    device: str,
    folder: Path | None,
    progress: Callable[[str], None],
    keeper: Callable[[Config], Keeper | None] = lambda config: None,
) -> Iterator[tuple[Config, Outcome]]:
    """Train one network after another; what it makes of the first test faces goes into the tensors."""
    for config in configs:
        images = faces.load(config.dataset, folder)
        halves = divide(images, config, device)
        model = build(config, halves).to(device)
        start = time.perf_counter()
        fitted, shown = _train(model, config, halves, progress, keeper(config))
        seconds = time.perf_counter() - start
        failed = None if fitted.failed is None else f"loss not finite at update {fitted.failed}"
        tables = {"curve": {"epoch": list(range(len(fitted.curve["loss"]))), **fitted.curve}}
        metrics = _chosen(fitted.curve) | _without_learning(halves) | {"seconds": seconds}
        tensors = _pictures(shown, halves)
        yield config, Outcome(tables, metrics, {images.name: images.digest}, failed, tensors)


def build(config: Config, halves: Halves) -> CompletionEnergy:
    """The untrained energy. For the bundle it starts with the mean half as its argmin.

    f - H with f = <b, y> is least at y = sigmoid(-b); descent starts at the mean half without that.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = CompletionEnergy(halves.shape, config.width, convex=config.method != NON_CONVEX)
    if config.method == BY_BUNDLE:
        with torch.no_grad():
            model.field.copy_(-halves.mean.clamp(EDGE, 1 - EDGE).logit())
    return model


def divide(images: faces.Faces, config: Config, device: str) -> Halves:
    """The faces split into training, validation and test, and each into halves."""
    rest, test = faces.split(images, config.seed, TEST)
    rows = rest[VALIDATION:], rest[:VALIDATION], test
    whole = torch.from_numpy(images.images).to(device, torch.float32) / 255
    half = whole.shape[2] // 2
    places = [torch.from_numpy(part).to(device) for part in rows]
    parts = [(whole[p][:, :, half:].flip(2), whole[p][:, :, :half].flatten(1)) for p in places]
    return Halves(parts[0], parts[1], parts[2], (whole.shape[1], half))


def infer(model: CompletionEnergy, x: Tensor, mean: Tensor, config: Config, *, learn: bool = False) -> Tensor:
    """The halves y (n, p) of least energy; with ``learn`` differentiable in the parameters."""
    energy, start = model.at(x), mean.expand(len(x), -1)
    if config.method != BY_BUNDLE:
        inner: Any = {"steps": config.steps, "rate": config.inner_rate, "momentum": config.momentum}
        return gradient.descend(energy, start, **inner, box=SPACE, unroll=learn)
    start = start.clamp(EDGE, 1 - EDGE)
    found = bundle_entropy.minimise(energy, start, steps=config.steps, check=False, until=False)
    return bundle_entropy.differentiable(energy, found).sigmoid() if learn else found.point


def _train(
    model: CompletionEnergy,
    config: Config,
    halves: Halves,
    progress: Callable[[str], None],
    keeper: Keeper | None,
) -> tuple[Fitted, Tensor]:
    """Train; the first test faces as completed at the epoch that validation chooses come with the curve."""
    mean, best = halves.mean, float("inf")
    shown = mean[None]

    def objective(batch: tuple[Tensor, ...], moment: Moment) -> Tensor:
        x, y = batch
        return 255**2 * (infer(model, x, mean, config, learn=True) - y).square().mean()

    def measure(epoch: int) -> Mapping[str, float]:
        nonlocal best, shown
        found = {name: complete(model, config, halves, part) for name, part in _judged(halves).items()}
        errors = {name: error(y, _judged(halves)[name][1]) for name, y in found.items()}
        if errors["validation"] < best:
            best, shown = errors["validation"], found["test"][:SHOWN]
        return errors

    optimiser = torch.optim.Adam(model.parameters(), config.rate)
    settings: Any = {"epochs": config.epochs, "batch": config.batch, "seed": config.seed}
    fitted = fit(
        model, objective, halves.train, optimiser, **settings, keeper=keeper,
        after_step=model.project_, after_epoch=measure,
        progress=lambda text: progress(f"{config.method}, seed {config.seed}: {text}"),
        capture=config.method != BY_BUNDLE,
    )  # fmt: skip
    return fitted, shown


def _judged(halves: Halves) -> dict[str, tuple[Tensor, Tensor]]:
    return {"validation": halves.validation, "test": halves.test}


@torch.no_grad()
def complete(model: CompletionEnergy, config: Config, halves: Halves, part: tuple[Tensor, Tensor]) -> Tensor:
    """The missing halves of the faces of a part, within [0, 1], (n, p)."""
    model.eval()
    return infer(model, part[0], halves.mean, config).clamp(0, 1)


def error(guess: Tensor, y: Tensor) -> float:
    """MSE x 255^2, the source's measure."""
    return 255**2 * float((guess - y).square().mean())


def _chosen(curve: Mapping[str, list[float]]) -> dict[str, float | int]:
    """The test error at the epoch with the best validation, and at the last."""
    by = curve["validation"]
    best = min(range(len(by)), key=by.__getitem__)
    return {"mse": curve["test"][best], "mse_last": curve["test"][-1], "epoch": best}


def _without_learning(halves: Halves) -> dict[str, float]:
    """What two guesses that learn nothing are wrong by: the mean half, and the known half mirrored."""
    x, y = halves.test
    return {"mse_mean": error(halves.mean.expand_as(y), y), "mse_mirror": error(x.flatten(1), y)}


def _pictures(shown: Tensor, halves: Halves) -> dict[str, Tensor]:
    """The first test faces, whole and completed, as bytes (n, height, width)."""
    x, y = (part[:SHOWN] for part in halves.test)
    right, whole = x.flip(2), {"true": y, "completed": shown.expand_as(y)}
    return {
        name: (255 * torch.cat([left.unflatten(1, halves.shape), right], 2)).round().to("cpu", torch.uint8)
        for name, left in whole.items()
    }
