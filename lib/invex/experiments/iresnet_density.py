"""Densities of images by i-ResNets: bits per dimension, samples, and the estimator of the log-determinant.

Behrmann (2019), Sec. 5.4 and App. A.2: Fig. 5.3, Fig. 5.4, Table 5.1.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from invex.analysis import log_determinants
from invex.data import images
from invex.lab.records import Outcome
from invex.nn import fit, lipschitz
from invex.nn.flows import (
    Affine,
    DiagonalGaussian,
    Flow,
    Logit,
    bits_per_dimension,
    dequantised,
    evaluate_bits,
    full_precision,
)
from invex.nn.inverse import InversionError
from invex.nn.logdet import PowerSeries
from invex.nn.residual import (
    ActNorm,
    InvertibleBlock,
    InvertibleChain,
    MultiScale,
    Squeeze,
    convolutional_branch,
)

OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamax": torch.optim.Adamax,
    "adam": torch.optim.Adam,
}
SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32), "digits": (1, 8, 8)}
SAMPLES, WEIGHTS = 64, 1_500_000


@dataclass(frozen=True)
class Config:
    """One density model; the defaults are the thesis's for MNIST.

    Attributes:
        blocks: residual blocks of each scale; between scales the images are squeezed.
        filters: of the hidden convolutions.
        c: norm of each convolution.
        terms: of the power series in training, with one probe and the Neumann gradient.
        squeeze_first: whether the first scale sees squeezed images already.
        factor_out: whether half of the channels leave after each scale but the last.
        margin: of the logit that the grey values go through first; 0: shifted by -1/2, as in the release.
        evaluated: test images whose bits are computed by the protocol.
        passes: over them at the most, each with 16 coloured probes.
    """

    dataset: str
    seed: int
    blocks: tuple[int, ...] = (32, 32, 32)
    filters: int = 32
    c: float = 0.97
    terms: int = 10
    squeeze_first: bool = False
    factor_out: bool = True
    margin: float = 0.0
    epochs: int = 200
    batch: int = 128
    optimiser: str = "adamax"
    rate: float = 3e-3
    warm_up: float = 0.01
    evaluated: int = 10_000
    passes: int = 12


MARGINS = {"mnist": 1e-6, "cifar10": 0.05}
PAPER = {"mnist": Config("mnist", 0), "cifar10": Config("cifar10", 0, filters=512, terms=5)}
# for two CPU cores: the images are squeezed before the first convolution, which is where the time goes
MNIST = Config(
    "mnist", 0, blocks=(6, 6), terms=5, squeeze_first=True, factor_out=False, margin=MARGINS["mnist"],
    epochs=6, batch=64, optimiser="adam", warm_up=0.05, evaluated=1000, passes=6,
)  # fmt: skip
CIFAR10 = replace(MNIST, dataset="cifar10", filters=64, margin=MARGINS["cifar10"], epochs=4, evaluated=500)
# for a quarter of an hour of a GPU: the thesis's width and depth, as many epochs as there is time for
MNIST_WIDE = replace(
    PAPER["mnist"], margin=MARGINS["mnist"], epochs=12, optimiser="adam", rate=1.5e-3, warm_up=0.05, passes=4
)
CIFAR10_WIDE = replace(
    PAPER["cifar10"], blocks=(16, 16), filters=256, squeeze_first=True, factor_out=False,
    margin=MARGINS["cifar10"], epochs=15, optimiser="adam", rate=1.5e-3, warm_up=0.05, evaluated=2000,
    passes=4,
)  # fmt: skip


def configs(profile: str) -> list[Config]:
    """Small ones for two cores, then wide ones for a GPU, then the long run on two cores; or the thesis's."""
    if profile == "quick":
        return [
            replace(
                MNIST, dataset="digits", blocks=(2, 2), filters=8, terms=4, epochs=3, batch=64, rate=5e-3,
                evaluated=100, passes=2,
            )
        ]  # fmt: skip
    if profile == "paper":
        return [replace(PAPER[name], seed=seed) for seed in range(3) for name in ("mnist", "cifar10")]
    long, short = replace(MNIST, epochs=36), replace(MNIST, epochs=1, evaluated=200, passes=3)
    return [
        short,
        replace(short, margin=0.0),
        replace(CIFAR10, epochs=1, evaluated=200, passes=3),
        MNIST,
        CIFAR10,
        MNIST_WIDE,
        CIFAR10_WIDE,
        long,
        replace(MNIST, seed=1),
        replace(MNIST, seed=2),
    ]


def reduced(config: Config) -> str:
    """What is reduced, in words."""
    whole = PAPER.get(config.dataset, PAPER["mnist"])
    parts = ["-".join(map(str, config.blocks)) + " blocks" if config.blocks != whole.blocks else ""]
    if config.filters != whole.filters:
        parts.append(f"{config.filters} filters of {whole.filters}")
    parts.append(f"{config.epochs} {'epoch' if config.epochs == 1 else 'epochs'} of {whole.epochs}")
    return ", ".join(filter(None, parts))


def run(
    configs: Sequence[Config],
    *,
    device: str,
    folder: Path | None,
    progress: Callable[[str], None],
    keeper: Callable[[Config], fit.Keeper] | None = None,
) -> Iterator[tuple[Config, Outcome]]:
    """Train one density after another and measure it."""
    for config in configs:
        started = time.perf_counter()
        train, test = (images.load(config.dataset, split, folder) for split in ("train", "test"))
        data = {f"{part.name}, {part.split}": digest_of(part) for part in (train, test)}
        flow, fitted = learn(
            config, as_tensor(train).to(device), as_tensor(test).to(device), progress,
            keeper(config) if keeper else None,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        curve = {"epoch": list(range(1, len(fitted.curve["loss"]) + 1)), "bits": fitted.curve["loss"]}
        tables: dict[str, Any] = {"curve": curve | {"held_out": fitted.curve["held_out"]}}
        if fitted.failed is not None:
            why = f"loss not finite at update {fitted.failed}"
            yield config, Outcome(tables, {"seconds": seconds}, data, failed=why)
            continue
        found, metrics, tensors = measure(flow, config, as_tensor(test).to(device), progress)
        metrics |= {"training_seconds": seconds, "stretches": fitted.stretches}
        yield config, Outcome(tables | found, metrics, data, tensors=tensors)


def digest_of(part: images.ImageSet) -> str:
    """A split's digest, with the remark on a subset."""
    return part.digest if part.subset is None else f"{part.digest} ({part.subset})"


def as_tensor(part: images.ImageSet) -> Tensor:
    """Its images as (n, channels, height, width) uint8."""
    return torch.from_numpy(part.images).permute(0, 3, 1, 2).contiguous()


def build(config: Config) -> Flow:
    """The untrained flow."""
    shape = SHAPES[config.dataset]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        chain, shape = _chain(config, shape)
    dimension = shape[0] * shape[1] * shape[2]
    latent = None if isinstance(chain[-1], MultiScale) else shape
    prior = DiagonalGaussian(dimension, learned=True)
    return Flow(chain, prior, PowerSeries(config.terms), shape=latent)


def _chain(config: Config, shape: tuple[int, int, int]) -> tuple[InvertibleChain, tuple[int, int, int]]:
    """The bijection, and the shape of its last images (of all latent coordinates, with several scales)."""
    start: list[nn.Module] = [Logit(config.margin) if config.margin else Affine(0.5)]
    whole = shape
    if config.squeeze_first:
        start.append(Squeeze())
        shape = _squeezed(shape)
    scales = []
    for place, blocks in enumerate(config.blocks):
        parts = _blocks(config, blocks, shape)
        if place + 1 < len(config.blocks):
            parts.append(Squeeze())
            channels, high, wide = _squeezed(shape)
            shape = (channels // 2 if config.factor_out else channels, high, wide)
        else:
            parts.append(ActNorm(shape[0], floor=1e-3))
        scales.append(InvertibleChain(parts))
    if config.factor_out:
        inside = _squeezed(whole) if config.squeeze_first else whole
        return InvertibleChain([*start, MultiScale(scales, inside)]), whole
    return InvertibleChain([*start, *(part for scale in scales for part in scale)]), shape


def _squeezed(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    return 4 * shape[0], shape[1] // 2, shape[2] // 2


def _blocks(config: Config, count: int, shape: tuple[int, int, int]) -> list[nn.Module]:
    """ActNorm and a residual block in turn."""
    channels, size, _ = shape
    parts: list[nn.Module] = []
    for _ in range(count):
        branch = convolutional_branch(channels, config.filters, size, c=config.c)
        parts += [ActNorm(channels, floor=1e-3), InvertibleBlock(branch, tolerance=1e-5)]
    return parts


def learn(
    config: Config,
    train: Tensor,
    test: Tensor,
    progress: Callable[[str], None] = lambda text: None,
    keeper: fit.Keeper | None = None,
) -> tuple[Flow, fit.Fitted]:
    """The flow after training on images (n, channels, height, width) uint8, and its curve in bits."""
    dimension, held_out = train[0].numel(), test[:1000]
    flow = build(config).to(train.device)
    flow.start_(prepared(train[:1024], torch.Generator(train.device).manual_seed(config.seed)))
    optimiser = OPTIMISERS[config.optimiser](flow.parameters(), lr=config.rate)

    def loss(rows: tuple[Tensor, ...], moment: fit.Moment) -> Tensor:
        x = prepared(rows[0], moment.generator)
        return bits_per_dimension(flow.log_prob(x, moment.generator), dimension).mean()

    @torch.no_grad()
    def after_epoch(epoch: int) -> dict[str, Tensor]:
        """By the estimator used in training, so biased; the protocol comes at the end."""
        generator = torch.Generator(train.device).manual_seed(epoch)
        found = [flow.log_prob(prepared(part, generator), generator) for part in held_out.split(200)]
        return {"held_out": bits_per_dimension(torch.cat(found), dimension).mean()}

    fitted = fit.fit(
        flow, loss, (train,), optimiser, epochs=config.epochs, batch=config.batch, seed=config.seed, clip=1.0,
        schedule=fit.one_cycle(warm_up=config.warm_up, start=0.05, final=1e-2),
        after_step=lambda: lipschitz.update_(flow), after_epoch=after_epoch, progress=progress, keeper=keeper,
        capture=True,
    )  # fmt: skip
    return flow, fitted


def prepared(rows: Tensor, generator: torch.Generator) -> Tensor:
    """Dequantised images in the layout that convolutions are fastest on."""
    return dequantised(rows, generator).contiguous(memory_format=torch.channels_last)


def measure(
    flow: Flow, config: Config, test: Tensor, progress: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Tensor]]:
    """Tables, metrics and tensors of a trained flow."""
    flow.eval()
    with full_precision():
        return _measured(flow, config, test, progress)


def _measured(
    flow: Flow, config: Config, test: Tensor, progress: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Tensor]]:
    started = time.perf_counter()
    bits = evaluate_bits(
        flow, test[: config.evaluated], most=config.passes, batch=100, seed=config.seed, progress=progress
    )
    metrics: dict[str, Any] = {
        "bits": bits.value,
        "bias": bits.bias,
        "probe_error": bits.probe_error,
        "image_error": bits.image_error,
        "passes": bits.passes,
        "most_terms": max(bits.terms),
        "evaluation_seconds": time.perf_counter() - started,
        "parameters": sum(p.numel() for p in flow.parameters()),
        "lipschitz": max(flow.lipschitz()),
    }
    tables = log_determinants.study(flow, test, config.seed, progress)
    samples, seconds = sampled(flow, config.seed, test.device)
    metrics |= {"sampling_seconds": seconds}
    tensors = {"samples": samples, "originals": test[:SAMPLES].cpu()}
    weights = {f"weights.{name}": value.cpu() for name, value in flow.named_parameters()}
    if sum(value.numel() for value in weights.values()) * 4 < WEIGHTS:
        tensors |= weights
    return tables, metrics, {name: value.detach().contiguous() for name, value in tensors.items()}


def sampled(flow: Flow, seed: int, device: torch.device) -> tuple[Tensor, float]:
    """Images (SAMPLES, channels, height, width) uint8, and seconds; none where a block is not inverted."""
    generator, started = torch.Generator(device).manual_seed(seed), time.perf_counter()
    try:
        x = flow.sample(SAMPLES, generator)
    except InversionError:
        return torch.zeros(0, *SHAPES["mnist"], dtype=torch.uint8), -1.0
    return (x * 256).nan_to_num(0.0).clamp(0, 255).to(torch.uint8).cpu(), time.perf_counter() - started
