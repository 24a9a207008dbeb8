"""Training loss of input-convex classifiers by initialisation (Hoedt & Klambauer, 2023, Fig. 2, 5, 7-10)."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from pathlib import Path

import torch
from torch import Generator

from invex.analysis.bootstrap import interval, median
from invex.data import images
from invex.lab.attestations import Tolerance
from invex.lab.records import Outcome
from invex.nn.classifier import METHODS, ONLY_SHIFT, Classifier, classifier
from invex.nn.stack import Stack
from invex.nn.train import Examples, Run, Settings, evaluate, networks_at_once, train

DATASETS = ("mnist", "cifar10", "cifar100")
SEEDS = range(10)
# mean and standard deviation of each channel of the training set, as the released code has them
CHANNELS = {
    "mnist": ((0.1307,), (0.3081,)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "digits": ((0.3053,), (0.3760,)),
}
REPLAY = Tolerance(
    relative=1e-6,
    reason="float32; another number of threads or of networks in a stack sums in another order, and within "
    "some hundred steps training amplifies that to the spread of the seeds",
    chaotic=True,
)


@dataclass(frozen=True)
class Config:
    """One run.

    Attributes:
        hidden: constrained layers, the output among them; an unconstrained one precedes them.
        method: one of `invex.nn.classifier.METHODS`, or `ONLY_SHIFT` (Fig. 8).
        correlation, bias_noise: rho (Fig. 9) and beta (Fig. 7) of the principled initialisation.
        positivity: "projection", or "exponential" (Fig. 10).
        every: steps from one point of the curve to the next.
    """

    dataset: str
    hidden: int
    method: str
    seed: int
    correlation: float = 0.5
    bias_noise: float = 0.0
    positivity: str = "projection"
    epochs: int = 10
    every: int = 50


def configs(profile: str) -> list[Config]:
    """The runs of a profile, most valuable first; all methods of a seed come before the next seed."""
    if profile == "quick":
        return [Config("digits", 5, method, seed, every=5) for seed in range(3) for method in METHODS]
    depths = (5, 3, 7)  # Fig. 2 is the row of Fig. 5 with five
    figures_2_and_5 = [config for pair in product(depths, DATASETS) for config in _grid(*pair)]
    principled = [config for config in figures_2_and_5 if config.method == "ICNN + init"]
    figure_7 = [replace(config, bias_noise=0.5) for config in principled]
    figure_8 = [replace(config, method=ONLY_SHIFT) for config in principled]
    figure_9 = [replace(config, correlation=rho) for config in principled for rho in (0.1, 0.9)]
    convex = [config for config in figures_2_and_5 if config.method != "non-convex"]
    figure_10 = [replace(config, positivity="exponential") for config in convex]
    return figures_2_and_5 + figure_7 + figure_8 + figure_9 + figure_10


def _grid(hidden: int, dataset: str) -> list[Config]:
    return [Config(dataset, hidden, method, seed) for seed in SEEDS for method in METHODS]


def batch_key(config: Config) -> Hashable:
    """Runs with equal keys can be trained as one stack."""
    return config.dataset, config.hidden, config.positivity, config.epochs, config.every


def run(
    configs: Sequence[Config], *, device: str, folder: Path | None, progress: Callable[[str], None]
) -> Iterator[tuple[Config, Outcome]]:
    """Train the networks of configs that share a `batch_key`, as many at once as the device has room for."""
    first = configs[0]
    fitted, test, classes, data = _load(first.dataset, folder, device)
    sizes = [fitted.inputs.shape[1]] * (first.hidden + 1) + [classes]
    settings = Settings(epochs=first.epochs, precision="float32")  # on every machine, as the paper's runs
    at_once = networks_at_once(Classifier(sizes), device)
    for start in range(0, len(configs), at_once):
        part = configs[start : start + at_once]
        networks = [_network(sizes, config).to(device) for config in part]
        runs = train(networks, [config.seed for config in part], fitted, settings, progress)
        for config, trained in zip(part, runs, strict=True):
            yield config, _outcome(config, trained, test, data)


def start(config: Config, *, device: str, folder: Path | None) -> tuple[Classifier, Examples, dict[str, str]]:
    """The network of a run before training, its training examples, and what the data are."""
    fitted, _, classes, data = _load(config.dataset, folder, device)
    sizes = [fitted.inputs.shape[1]] * (config.hidden + 1) + [classes]
    return _network(sizes, config).to(device), fitted, data


def _network(sizes: Sequence[int], config: Config) -> Classifier:
    return classifier(
        sizes,
        config.method,
        correlation=config.correlation,
        bias_noise=config.bias_noise,
        positivity=config.positivity,
        generator=Generator().manual_seed(config.seed),
    )


def _outcome(config: Config, run: Run, test: Examples, data: dict[str, str]) -> Outcome:
    end = len(run.losses) if run.failed is None else run.failed
    steps = range(0, end, config.every)
    metrics: dict[str, float | int | str] = {"precision": str(run.precision).removeprefix("torch.")}
    if run.failed is None:
        last_epoch = run.losses[-(len(run.losses) // config.epochs) :]
        index = torch.arange(len(test), device=test.inputs.device)[None]
        loss, accuracy = evaluate(Stack([run.network]), test, index)[0].tolist()
        metrics |= {"final_loss": last_epoch.mean().item(), "test_loss": loss, "test_accuracy": accuracy}
        metrics |= {"validation_accuracy": run.validation[-1, 1].item()}
    epochs = range(1, len(run.validation) + 1)
    tables = {
        "curve": {"step": list(steps), "loss": run.losses[steps].tolist()},
        "epochs": {
            "epoch": list(epochs),
            "validation_loss": run.validation[:, 0].tolist(),
            "validation_accuracy": run.validation[:, 1].tolist(),
        },
    }
    failed = None if run.failed is None else f"loss not finite at step {run.failed}"
    return Outcome(tables, metrics, data, failed)


def precisions(seeds: Sequence[int] = range(5), dataset: str = "digits") -> Iterator[dict[str, str | float]]:
    """Median loss of the last epoch, with its interval over seeds, by method and precision of products."""
    fitted, _, classes, _ = _load(dataset, None, "cpu")
    sizes = [fitted.inputs.shape[1]] * 6 + [classes]
    for method, precision in product(METHODS, ("float32", "bfloat16")):
        networks = [_network(sizes, Config(dataset, 5, method, seed)) for seed in seeds]
        settings = Settings(precision=precision)
        runs = train(networks, seeds, fitted, settings)
        ends = [run.losses[-(len(run.losses) // settings.epochs) :].mean().item() for run in runs]
        value, low, high = interval(median, ends)
        yield {"method": method, "products": precision, "loss": value, "loss low": low, "loss high": high}


@lru_cache(maxsize=1)
def _load(dataset: str, folder: Path | None, device: str) -> tuple[Examples, Examples, int, dict[str, str]]:
    """Training and test examples on the device, the number of classes, and what the data are."""
    fitted, test = (images.load(dataset, split, folder) for split in ("train", "test"))
    mean, deviation = (
        torch.tensor(values).repeat(fitted.images[0, :, :, 0].size) for values in CHANNELS[dataset]
    )
    scale, shift = (1 / (255 * deviation)).to(device), (-mean / deviation).to(device)
    examples = [
        Examples(
            torch.as_tensor(part.images).flatten(1).to(device),
            torch.as_tensor(part.labels).to(device),
            scale,
            shift,
        )
        for part in (fitted, test)
    ]
    data = {f"{p.name} {p.split}": p.digest + (f" ({p.subset})" if p.subset else "") for p in (fitted, test)}
    return examples[0], examples[1], int(fitted.labels.max()) + 1, data
