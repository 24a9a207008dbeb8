"""Singular values of two convolutional networks over their layers (Behrmann, 2019, Fig. 3.4, Table 3.1)."""

import os
import statistics
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from invex.analysis.singular_values import ROUNDING, Spectrum, median_values, spectra
from invex.data import images
from invex.data.images import ImageSet
from invex.lab.records import Outcome
from invex.nn.fit import Fitted, Keeper, Moment, fit
from invex.nn.rectifier import MAPS, Shape, SideBySide, convolutional

ZEROS = (ROUNDING, 1e-8, 1e-6, 1e-4, 1e-3, 1e-2)
"""Shares of the largest singular value below which one is counted as zero."""
SHIFT = 0.1  # of height and width, as in the example of Keras
CURVE = 192  # values of a spectrum that a record keeps, by rank
ORDER = 2**32  # order of the examples and initial weights of one seed are different streams


@dataclass(frozen=True)
class Config:
    """A network, trained as the example `cifar10_cnn` of Keras was, and the images at which it is linearised.

    Attributes:
        architecture: one of `invex.nn.rectifier.MAPS`.
        epochs: 0 leaves the network as it was initialised.
        images: of the test set, at which singular values are computed; the first in canonical order.
        rate, decay: of RMSprop; the rate is divided by 1 + decay x updates.
        augment: flips, and shifts of up to a tenth of the image, the edge repeated.
    """

    architecture: str
    seed: int
    dataset: str = "cifar10"
    epochs: int = 100
    images: int = 50
    batch: int = 32
    rate: float = 1e-4
    decay: float = 1e-6
    augment: bool = True


def configs(profile: str) -> list[Config]:
    """Both networks trained, then both untrained; one seed of all before the next."""
    if profile == "quick":
        return [Config(name, 0, "digits", epochs=4, images=10) for name in MAPS]
    if profile == "reduced":
        return [Config(name, 0, epochs=epochs, images=5) for epochs in (2, 0) for name in MAPS]
    scales = [(0, 100, 50), (0, 0, 10), (1, 100, 10), (2, 100, 10)]
    return [Config(name, seed, "cifar10", epochs, count) for seed, epochs, count in scales for name in MAPS]


def reduced(config: Config) -> str:
    """What is less than at paper scale."""
    trained = f"{config.epochs} epochs of 100" if config.epochs else "untrained"
    return f"{trained}, {config.images} images of 50"


def batch_key(config: Config) -> Hashable:
    """Runs with equal keys are trained side by side; their seeds and numbers of images may differ."""
    return config.architecture, config.dataset, config.epochs, config.batch, config.augment


def run(
    configs: Sequence[Config],
    *,
    device: str,
    folder: Path | None,
    progress: Callable[[str], None],
    keeper: Callable[[Config], Keeper] | None = None,
) -> Iterator[tuple[Config, Outcome]]:
    """Train the networks, side by side on a GPU, then linearise each at its images."""
    at_once = 1 if device == "cpu" else len(configs)
    for start in range(0, len(configs), at_once):
        part = configs[start : start + at_once]
        alone = keeper(part[0]) if keeper is not None and len(part) == 1 else None
        networks, fitted = train(part, device=device, folder=folder, progress=progress, keeper=alone)
        for place, (config, network) in enumerate(zip(part, networks, strict=True)):
            yield config, _outcome(config, network, fitted, place, folder, progress)


def train(
    configs: Sequence[Config],
    *,
    device: str = "cpu",
    folder: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
    keeper: Keeper | None = None,
) -> tuple[list[nn.Sequential], Fitted]:
    """Networks of configs with one `batch_key`, trained, and how that went."""
    first = configs[0]
    pixels, labels, _ = _load(first.dataset, "train", folder, device)
    networks = [_untrained(config, pixels.shape[1:]).to(device) for config in configs]
    if not first.epochs:
        return networks, Fitted()
    together = SideBySide(networks, MAPS[first.architecture], _shape(pixels)).to(device)
    if device == "cpu":
        _arranged_(together, torch.channels_last)
    optimiser = torch.optim.RMSprop(together.stack.parameters(), first.rate, alpha=0.9, eps=1e-7)
    updates = first.epochs * -(-len(pixels) // first.batch)
    fitted = fit(
        together, _loss(together, configs, pixels, labels), len(pixels), optimiser,
        epochs=first.epochs, batch=first.batch, progress=progress, keeper=keeper, capture=True,
        schedule=lambda share: 1 / (1 + first.decay * share * updates),
    )  # fmt: skip
    _arranged_(together, torch.contiguous_format)
    return together.unload(), fitted


def _arranged_(network: nn.Module, order: torch.memory_format) -> None:
    """Arrange the weights of convolutions in memory: channels last is faster on a CPU."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=order)


def _untrained(config: Config, shape: Sequence[int]) -> nn.Sequential:
    generator = Generator().manual_seed(config.seed)
    channels, height, width = shape
    return convolutional(MAPS[config.architecture], shape=(channels, height, width), generator=generator)


def _loss(
    together: SideBySide, configs: Sequence[Config], pixels: Tensor, labels: Tensor
) -> Callable[[tuple[Tensor, ...], Moment], Mapping[str, Tensor]]:
    """Cross-entropy of each network on images of its own: their order is permuted by each seed.

    So what a seed trains on does not depend on the networks beside it.
    """
    orders = [torch.randperm(len(pixels), generator=Generator().manual_seed(ORDER + c.seed)) for c in configs]
    own = torch.stack(orders).to(pixels.device)

    def loss(batch: tuple[Tensor, ...], moment: Moment) -> dict[str, Tensor]:
        index = own[:, batch[0]]
        x = pixels[index].float() / 255
        if configs[0].augment:
            x = augmented(x, moment.generator)
        logits = together(x.transpose(0, 1).flatten(1, 2))
        each = cross_entropy(logits.flatten(0, 1), labels[index].T.flatten(), reduction="none")
        means = each.view(-1, len(configs)).mean(0)
        return {"loss": means.sum(), **{f"loss {i}": means[i] for i in range(len(configs))}}

    return loss


def augmented(x: Tensor, generator: Generator) -> Tensor:
    """Images (B, n, c, h, w), each flipped or not and moved by up to a tenth, the edge repeated.

    The n moves are the same for all B. By whole pixels, where Keras interpolates.
    """
    count, _, height, width = x.shape[1:]

    def drawn(size: int, flip: bool) -> Tensor:
        far = int(SHIFT * size)
        move = torch.randint(-far, far + 1, (count, 1), generator=generator, device=x.device)
        place = torch.arange(size, device=x.device).expand(count, -1)
        if flip:
            turned = torch.randint(0, 2, (count, 1), generator=generator, device=x.device).bool()
            place = torch.where(turned, size - 1 - place, place)
        return (place + move).clamp(0, size - 1)

    rows, columns = drawn(height, False), drawn(width, True)
    x = torch.take_along_dim(x, rows.view(1, count, 1, height, 1), 3)
    return torch.take_along_dim(x, columns.view(1, count, 1, 1, width), 4)


def _outcome(
    config: Config, network: nn.Sequential, fitted: Fitted, place: int,
    folder: Path | None, progress: Callable[[str], None],
) -> Outcome:  # fmt: skip
    device = str(next(network.parameters()).device)
    pixels, labels, test = _load(config.dataset, "test", folder, device)
    _, _, training = _load(config.dataset, "train", folder, device)
    data = {
        f"{p.name} {p.split}": p.digest + (f" ({p.subset})" if p.subset else "") for p in (training, test)
    }
    curve = fitted.curve.get(f"loss {place}", [])
    metrics = {"test_accuracy": accuracy(network, pixels, labels)}
    if fitted.failed is not None:
        return Outcome({}, metrics, data, f"loss not finite at update {fitted.failed}")
    points = pixels[: config.images].double() / 255
    measured = []
    for number, found in enumerate(_measured(network.double(), points)):
        measured.append(found)
        progress(f"{config.architecture}, seed {config.seed}: image {number + 1}/{len(points)}")
    tables = {"layers": _layers(measured), "values": _values(measured), "images": _images(measured)}
    tables["curve"] = {"epoch": list(range(1, len(curve) + 1)), "loss": curve}
    return Outcome(tables, metrics, data)


def _measured(network: nn.Sequential, points: Tensor) -> Iterator[list[Spectrum]]:
    """Spectra at points (n, c, h, w); beside a GPU several at once, as each decomposition takes a core."""
    if points.device.type == "cpu":
        yield from spectra(network, points, at_kinks="zero")
        return
    workers = min(len(points), os.cpu_count() or 1)
    # each thread has its own number of threads for products and decompositions, by default all cores
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.map(lambda point: next(spectra(network, point[None], at_kinks="zero")), points)


@torch.no_grad()
def accuracy(network: nn.Sequential, pixels: Tensor, labels: Tensor, chunk: int = 500) -> float:
    """Share of the images (n, c, h, w), of 0 to 255, that a float32 network classifies rightly."""
    right = [
        network(x.float() / 255).argmax(1) == y
        for x, y in zip(pixels.split(chunk), labels.split(chunk), strict=True)
    ]
    return torch.cat(right).double().mean().item()


def _layers(measured: Sequence[Sequence[Spectrum]]) -> dict[str, list[float | int]]:
    """Medians over images: number of singular values, condition number, largest; by layer and by zero."""
    table: dict[str, list[float | int]] = {
        name: [] for name in ("layer", "rectified", "outputs", "zero", "number", "condition", "largest")
    }
    for same in zip(*measured, strict=True):
        for zero in ZEROS:
            row = (
                same[0].layer, int(same[0].rectified), same[0].outputs, zero,
                statistics.median(s.rank(zero) for s in same),
                statistics.median(s.condition(zero) for s in same),
                statistics.median(float(s.values[0]) for s in same),
            )  # fmt: skip
            for name, value in zip(table, row, strict=True):
                table[name].append(value)
    return table


def _values(measured: Sequence[Sequence[Spectrum]]) -> dict[str, list[float | int]]:
    """Median over images of the singular values at some ranks, evenly spaced, both ends among them."""
    table: dict[str, list[float | int]] = {"layer": [], "rectified": [], "rank": [], "value": []}
    for same in zip(*measured, strict=True):
        values = median_values([s.values for s in same])
        ranks = torch.linspace(0, len(values) - 1, min(CURVE, len(values))).round().long().unique()
        table["layer"] += [same[0].layer] * len(ranks)
        table["rectified"] += [int(same[0].rectified)] * len(ranks)
        table["rank"] += (ranks + 1).tolist()
        table["value"] += values[ranks].tolist()
    return table


def _images(measured: Sequence[Sequence[Spectrum]]) -> dict[str, list[float | int]]:
    """Number of singular values, condition number and largest singular value at each image, by layer."""
    table: dict[str, list[float | int]] = {
        name: [] for name in ("image", "layer", "rectified", "number", "condition", "largest")
    }
    for image, own in enumerate(measured):
        for s in own:
            row = (image, s.layer, int(s.rectified), s.rank(), s.condition(), float(s.values[0]))
            for name, value in zip(table, row, strict=True):
                table[name].append(value)
    return table


def _shape(pixels: Tensor) -> Shape:
    channels, height, width = pixels.shape[1:]
    return channels, height, width


@lru_cache(maxsize=4)
def _load(dataset: str, split: str, folder: Path | None, device: str) -> tuple[Tensor, Tensor, ImageSet]:
    """Images (n, c, h, w) of 0 to 255 and labels on the device, and the set that they are from."""
    found = images.load(dataset, split, folder)
    pixels = torch.as_tensor(found.images).permute(0, 3, 1, 2).contiguous()
    return pixels.to(device), torch.as_tensor(found.labels).to(device), found
