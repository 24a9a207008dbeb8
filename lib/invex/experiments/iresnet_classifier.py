"""Invertible residual classifiers and their inversion (Behrmann, 2019, Fig. 4.2-4.4, Table 4.1)."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from invex.analysis import inversion
from invex.data import images
from invex.lab.records import Outcome
from invex.nn import fit, lipschitz
from invex.nn.inverse import METHODS as SOLVERS
from invex.nn.residual import InvertibleBlock
from invex.nn.residual_classifier import ResidualClassifier, shifted

# mean and standard deviation of each channel of the training set; MNIST to [-.5, .5], App. A.1
CHANNELS = {
    "mnist": ((0.5,), (1.0,)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "digits": ((0.5,), (1.0,)),
}
THESIS_STEPS = fit.steps({0.3: 0.2, 0.6: 0.2, 0.8: 0.2})  # after 60, 120 and 160 of 200 epochs


@dataclass(frozen=True)
class Config:
    """One classifier; the defaults are those of the released script and App. A.1.

    Attributes:
        method: "contractive", "vanilla" or "batchnorm".
        c: largest norm of each convolution; None for the free networks.
        blocks, hidden: of the three stages.
        padding: channels of zeros appended to the images.
        squeezed: whether the first stage begins with a squeeze.
        optimiser: "sgd" (momentum .9) or "adam"; `schedule`: "steps" (the thesis's) or "one-cycle".
        precision: of products while training; what is measured afterwards is in single or double precision.
        every: epochs between two looks at the test error.
    """

    dataset: str
    method: str
    c: float | None
    seed: int
    blocks: tuple[int, ...] = (7, 7, 7)
    hidden: tuple[int, ...] = (32, 64, 128)
    padding: int = 13
    squeezed: bool = False
    optimiser: str = "sgd"
    rate: float = 0.1
    weight_decay: float = 5e-4
    schedule: str = "steps"
    epochs: int = 200
    batch: int = 128
    iterations: int = 1
    precision: str = "bfloat16"
    every: int = 10


NAMES = ("cifar10", "cifar100", "mnist")
FULL = {name: Config(name, "contractive", 0.9, 0) for name in NAMES}
SHORT = {name: replace(config, schedule="one-cycle", epochs=30) for name, config in FULL.items()}
SMALL = {
    name: replace(
        config, blocks=(3, 3, 3), squeezed=True, padding=0, optimiser="adam", rate=3e-3, weight_decay=0.0,
        schedule="one-cycle",
    )
    for name, config in FULL.items()
}  # fmt: skip
REDUCED = {
    "mnist": replace(SMALL["mnist"], hidden=(16, 32, 64), padding=1, epochs=3, every=1),
    "cifar10": replace(SMALL["cifar10"], epochs=6, every=1),
    "cifar100": replace(SMALL["cifar100"], epochs=12, every=2),
}
QUICK = Config(
    *("digits", "contractive", 0.9, 0), blocks=(2, 2), hidden=(16, 16), padding=1, squeezed=True,
    optimiser="adam", rate=1e-2, weight_decay=0.0, schedule="one-cycle", epochs=5, precision="float32",
    every=2,
)  # fmt: skip
TABLE = (("contractive", 0.9), ("vanilla", None), *(("contractive", c) for c in (0.5, 0.7, 0.8, 0.6)))
FIGURES = (("contractive", 0.3), ("batchnorm", None))  # Fig. 4.2 and 4.4, on CIFAR10
Table = dict[str, list[Any]]
DECAYED = 0.0246
"""Weight decay with which three epochs of SGD shrink free weights as much as the thesis's 200 epochs."""


def configs(profile: str) -> list[Config]:
    """The runs of a profile, most valuable first.

    Those of ``reduced`` with three blocks a stage are for two cores. The last, with ``padding=13``, are the
    thesis's networks with a short schedule, for a few minutes each on a GPU.
    """
    if profile == "quick":
        return [*_series(QUICK, (TABLE[0], TABLE[1], TABLE[2], *FIGURES))]
    if profile == "reduced":
        return _reduced() + [run for name in NAMES for run in _whole(SHORT[name])]
    return [replace(run, seed=seed) for seed in range(3) for name in NAMES for run in _whole(FULL[name])]


def _whole(base: Config) -> Iterator[Config]:
    return _series(base, (*TABLE, *FIGURES) if base.dataset == "cifar10" else TABLE)


def _reduced() -> list[Config]:
    """MNIST, CIFAR10 and CIFAR100 of a seed before the next seed; three seeds on MNIST, two on the others."""
    decayed = replace(
        REDUCED["mnist"], method="vanilla", c=None, optimiser="sgd", rate=0.1, weight_decay=DECAYED
    )
    series = {name: [*_whole(REDUCED[name])] for name in ("mnist", "cifar10", "cifar100")}
    series["mnist"].append(decayed)
    seeds = {"mnist": 3, "cifar10": 2, "cifar100": 2}
    return [
        replace(run, seed=seed)
        for seed in range(3)
        for name, runs in series.items()
        for run in runs
        if seed < seeds[name]
    ]


def _series(base: Config, methods: Sequence[tuple[str, float | None]]) -> Iterator[Config]:
    return (replace(base, method=method, c=c) for method, c in methods)


def reduced(config: Config) -> str:
    """What a config has less of than the thesis, in words."""
    blocks = "-".join(map(str, config.blocks))
    return f"{blocks} blocks, {config.epochs} of 200 epochs"


def run(
    configs: Sequence[Config],
    *,
    device: str,
    folder: Path | None,
    progress: Callable[[str], None],
    keeper: Callable[[Config], fit.Keeper] | None = None,
) -> Iterator[tuple[Config, Outcome]]:
    """Train one classifier after another and invert it."""
    for config in configs:
        name = f"{config.dataset}, {config.method}" + (f", c = {config.c}" if config.c else "")
        say = lambda text, name=name, seed=config.seed: progress(f"{name}, seed {seed}: {text}")  # noqa: E731
        yield config, _outcome(config, device, folder, say, keeper(config) if keeper else None)


@dataclass(frozen=True)
class Data:
    """The images of a run on its device, uint8 (n, h, w, c), and what they are."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    classes: int
    digests: Mapping[str, str]


def load(dataset: str, folder: Path | None, device: str) -> Data:
    """Training and test images; those of MNIST with a black rim up to 32 x 32."""
    splits, digests, most = [], {}, 0
    for split in ("train", "test"):
        found = images.load(dataset, split, folder)
        rim = (-found.images.shape[1] % 8) // 2
        padded = np.pad(found.images, ((0, 0), (rim, rim), (rim, rim), (0, 0)))
        splits.append((torch.from_numpy(padded).to(device), torch.from_numpy(found.labels).to(device)))
        digests[f"{dataset} {split}"] = found.digest + (f" ({found.subset})" if found.subset else "")
        most = max(most, int(found.labels.max()))
    return Data(splits[0], splits[1], most + 1, digests)


def build(config: Config, data: Data) -> ResidualClassifier:
    """The untrained network."""
    _, high, wide, channels = data.train[0].shape
    mean, deviation = CHANNELS[config.dataset]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return ResidualClassifier(
            (channels, high, wide),
            data.classes,
            method=config.method,
            c=config.c,
            blocks=config.blocks,
            hidden=config.hidden,
            padding=config.padding,
            squeezed=config.squeezed,
            mean=mean,
            deviation=deviation,
            iterations=config.iterations,
        )


def train(
    config: Config,
    network: ResidualClassifier,
    data: Data,
    progress: Callable[[str], None] = lambda text: None,
    keeper: fit.Keeper | None = None,
) -> fit.Fitted:
    """Cross-entropy on shifted images; ActNorm starts on 1,024 of them."""
    device = data.train[0].device

    def loss(batch: tuple[Tensor, ...], moment: fit.Moment) -> Tensor:
        pixels, targets = batch
        if pixels.shape[1] > 8:  # on the digits a pixel is an eighth of the image
            pixels = shifted(pixels, 2, moment.generator, flip="cifar" in config.dataset)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
            logits = network(pixels)
        return functional.cross_entropy(logits.float(), targets)

    with torch.no_grad():
        network(data.train[0][:1024])
    return fit.fit(
        *(network, loss, data.train, _optimiser(config, network)),
        epochs=config.epochs,
        batch=config.batch,
        seed=config.seed,
        schedule=fit.one_cycle() if config.schedule == "one-cycle" else THESIS_STEPS,
        after_step=lambda: lipschitz.update_(network),
        after_epoch=lambda epoch: _looked(config, network, data, epoch),
        progress=progress,
        keeper=keeper,
        capture=True,
    )


def _optimiser(config: Config, network: nn.Module) -> Optimizer:
    if config.optimiser == "adam":
        return torch.optim.Adam(
            network.parameters(), config.rate, weight_decay=config.weight_decay, fused=True
        )
    return torch.optim.SGD(
        network.parameters(), config.rate, momentum=0.9, weight_decay=config.weight_decay, fused=True
    )


def _looked(config: Config, network: ResidualClassifier, data: Data, epoch: int) -> dict[str, float]:
    if (epoch + 1) % config.every and epoch + 1 < config.epochs:
        return {}
    settle_(network, data.train[0])
    return {"test_epoch": epoch + 1, "test_error": error(network, *data.test)}


@torch.no_grad()
def settle_(network: nn.Module, pixels: Tensor, n: int = 2048) -> None:
    """Go to evaluation, with batch normalisation's statistics taken anew from `n` training images.

    Nothing holds the mean of the features that the head normalises; it moves by many of their deviations
    while training, and the running mean lags behind by some.
    """
    network.eval()
    layers = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over batches
        layer.train()
    for some in pixels[:n].split(512):
        network(some)
    for layer in layers:
        layer.momentum = 0.1
        layer.eval()


@torch.no_grad()
def error(network: ResidualClassifier, pixels: Tensor, targets: Tensor) -> float:
    """Share of images whose class is not found, in single precision."""
    wrong = [
        (network(some).argmax(1) != labels).sum()
        for some, labels in zip(pixels.split(500), targets.split(500), strict=True)
    ]
    return float(torch.stack(wrong).sum()) / len(targets)


def _outcome(
    config: Config,
    device: str,
    folder: Path | None,
    progress: Callable[[str], None],
    keeper: fit.Keeper | None,
) -> Outcome:
    data = load(config.dataset, folder, device)
    network = build(config, data).to(device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    start = time.perf_counter()
    fitted = train(config, network, data, progress, keeper)
    metrics: dict[str, float | int | str] = {
        "seconds": time.perf_counter() - start,
        "stretches": fitted.stretches,
    }
    metrics["parameters"] = sum(parameter.numel() for parameter in network.parameters())
    metrics["precision"] = config.precision
    losses = fitted.curve.get("loss", [])
    tables: dict[str, Table] = {"curve": {"epoch": list(range(1, len(losses) + 1)), "loss": losses}}
    tables["test"] = {
        "epoch": fitted.curve.get("test_epoch", []),
        "error": fitted.curve.get("test_error", []),
    }
    if fitted.failed is not None:
        reason = f"loss not finite at step {fitted.failed}"
        return Outcome({"test": tables["test"]}, metrics, data.digests, reason)
    metrics["test_error"] = tables["test"]["error"][-1]
    progress("singular values and inverse")
    network.eval().requires_grad_(False)
    with torch.backends.cudnn.flags(allow_tf32=False):
        measured, more, tensors = measure(network, data.test[0])
    return Outcome(tables | measured, metrics | more, data.digests, tensors=tensors)


def measure(
    network: ResidualClassifier, pixels: Tensor, n: int = 16
) -> tuple[dict[str, Table], dict[str, float | int], dict[str, Tensor]]:
    """Norms, and errors of the inverse on `n` test images, of a finished network in evaluation.

    Tables: "layers", the exact norm of every convolution; "blocks", what bounds and what measures Lip(g),
    and iterations to a residual of 1e-5; "lemma", error and bound of each block by iteration, in double
    precision; "reconstruction", error of the whole in grey levels by iterations a block and solver. Tensors:
    originals and reconstructions after 100 iterations a block.
    """
    tables: dict[str, Table] = {"layers": _layer_norms(network)}
    metrics: dict[str, float | int] = {"largest_norm": max(tables["layers"]["norm"])}
    if any(isinstance(part, nn.BatchNorm2d) for part in network.features.modules()):
        return tables, metrics, {}
    x = network.normalised(pixels[:n])
    tables["blocks"], tables["lemma"] = _blocks(network, x[:8])
    scale = 255 * network.deviation
    curves = {
        name: inversion.errors_by_iterations(network.features, x, scale, method=name) for name in SOLVERS
    }
    tables["reconstruction"] = {"solver": [name for name in SOLVERS for _ in inversion.STEPS]} | {
        key: [value for curve in curves.values() for value in curve[key]] for key in curves["fixed-point"]
    }
    metrics |= {"reconstruction_error": curves["fixed-point"]["mean"][-1]}
    metrics |= {f"inverted_{name}": int(all(tables["blocks"][f"{name} converged"])) for name in SOLVERS}
    again = network.pixels(inversion.reconstruct(network.features, network.features(x[:8]), 100))
    shown = again.nan_to_num(0, 255, 0).clamp(0, 255).round().to(torch.uint8)
    return tables, metrics, {"originals": pixels[:8].cpu(), "reconstructions": shown.cpu()}


def _layer_norms(network: ResidualClassifier) -> Table:
    """The norm of each convolution, in order, with its block and its place in it."""
    columns: Table = {"layer": [], "block": [], "place": [], "norm": []}
    for number, block in enumerate(network.features.blocks):
        for place, norm in enumerate(lipschitz.layer_norms(block).values()):
            values = (len(columns["layer"]) + 1, number + 1, place + 1, norm)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
    return columns


def _blocks(network: ResidualClassifier, x: Tensor) -> tuple[Table, Table]:
    """dict[str, Table] "blocks" and "lemma" from what each block sees of the images."""
    blocks: Table = {}
    lemma: Table = {"block": [], "iterations": [], "error": [], "bound": []}
    double = network.features.double()
    seen = inversion.inputs_of_blocks(double, x.double())
    for number, (block, inside) in enumerate(seen, 1):
        found = inversion.block_errors(block, inside)
        norm, radius = inversion.local_norm(block.branch, inside)
        row = {
            "block": number,
            "bound": found.lipschitz,
            "local_norm": float(norm.max()),
            "radius": float(radius.max()),
        }
        row |= _solved(block, block(inside))
        if found.bound.numel():
            row["ratio"] = found.largest_ratio
            lemma["block"] += [number] * len(found.error)
            lemma["iterations"] += list(range(len(found.error)))
            lemma["error"] += found.error.amax(1).tolist()
            lemma["bound"] += found.bound.amax(1).tolist()
        for name, value in row.items():
            blocks.setdefault(name, []).append(value)
    network.features.float()
    short = {name: values for name, values in blocks.items() if len(values) == len(seen)}
    return short, lemma


def _solved(block: InvertibleBlock, y: Tensor) -> dict[str, float]:
    """Iterations of each solver to a residual of 1e-5, at most 200, and whether it got there."""
    row: dict[str, float] = {}
    for name in SOLVERS:
        found = inversion.solve(block.branch, y, tolerance=1e-5, most=200, method=name)
        row |= {f"{name} iterations": found.iterations, f"{name} converged": int(found.converged)}
    return row
