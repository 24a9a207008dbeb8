"""Independence cross-entropy against cross-entropy, on MNIST with and without a planted pixel.

Behrmann (2019), Sec. 6.4: Definition 6.14, Remark 6.12, Fig. 6.4; metamers for Fig. 6.1 and Fig. 6.5.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from invex.analysis import reverse_view
from invex.data import images
from invex.data.planted import places, planted
from invex.lab.records import Outcome
from invex.nn import fit
from invex.nn.bijective_classifier import (
    BijectiveClassifier,
    NuisanceLikelihood,
    additive_network,
    nuisance_classifier,
    terms,
)

CLASSES, BANK = 10, 10_000
NORMAL = {"mnist": (0.1307, 0.3081), "fashion_mnist": (0.2860, 0.3530), "digits": (0.3053, 0.3760)}
ROLES = ("semantic", "nuisance", "likelihood")


@dataclass(frozen=True)
class Config:
    """One bijective classifier.

    Attributes:
        loss: "ce", plain; "ice", Definition 6.14 with the likelihood term of Eq. 6.13; "likelihood", that
            term without the nuisance classifier.
        planted: whether training images have the pixel that tells the class.
        capped: whether the encoder stops where the nuisance classifier does no better than a guess.
        couplings, width: additive couplings, and units of the two hidden layers of each.
        nuisance, likelihood: weights of the terms; the likelihood is per coordinate.
        adversary_rate: learning rate of the nuisance classifier, as a multiple.
        ramp: share of training over which the nuisance weight grows.
        noise: deviation of the noise on training images, in units of the grey range.
        examples: training images; 0: all.
        measured: training images that the estimators of information are fitted to.
        paired: test images that metamers are made of.
    """

    loss: str
    seed: int
    dataset: str = "mnist"
    planted: bool = True
    capped: bool = True
    couplings: int = 6
    width: int = 256
    nuisance: float = 1.0
    likelihood: float = 1.0
    adversary_rate: float = 3.0
    ramp: float = 0.3
    noise: float = 0.2
    epochs: int = 8
    batch: int = 128
    rate: float = 1e-3
    examples: int = 0
    measured: int = 30_000
    paired: int = 1000


QUICK = Config("ce", 0, "digits", couplings=4, width=64, noise=0.05, epochs=15, batch=64, paired=200)
WIDE = Config("ce", 0, couplings=12, width=1024, epochs=60)


def configs(profile: str) -> list[Config]:
    """Both losses with the planted pixel and without, then more seeds, then what each choice does."""
    if profile == "quick":
        return [replace(QUICK, loss=loss) for loss in ("ce", "ice")]
    base = WIDE if profile == "paper" else Config("ce", 0)
    both = [replace(base, loss=loss) for loss in ("ce", "ice")]
    plain = [replace(each, planted=False) for each in both]
    seeds = [replace(each, seed=seed) for seed in (1, 2) for each in both]
    choices = [replace(base, loss="ice", capped=False), replace(base, loss="likelihood")]
    more = [replace(each, seed=seed) for seed in (1, 2) for each in (*plain, *choices)]
    fashion = [replace(each, dataset="fashion_mnist") for each in plain]
    return [*both, *plain, *seeds, *choices, *more, *fashion]


def reduced(config: Config) -> str:
    """What is less than in the long runs, in words; the thesis states no sizes."""
    parts = []
    if (config.couplings, config.width) != (WIDE.couplings, WIDE.width):
        parts.append(f"{config.couplings} couplings of {config.width} units")
    if config.epochs != WIDE.epochs:
        parts.append(f"{config.epochs} epochs of {WIDE.epochs}")
    return ", ".join(parts)


def run(
    configs: Sequence[Config],
    *,
    device: str,
    folder: Path | None,
    progress: Callable[[str], None],
    keeper: Callable[[Config], fit.Keeper] | None = None,
) -> Iterator[tuple[Config, Outcome]]:
    """Train one classifier after another and measure it."""
    for config in configs:
        train, test = (images.load(config.dataset, split, folder) for split in ("train", "test"))
        data = {f"{part.name}, {part.split}": digest_of(part) for part in (train, test)}
        sets = inputs(config, train, test, device)
        model, parts, fitted = learn(config, sets["train"], progress, keeper(config) if keeper else None)
        curve = {name: values for name, values in fitted.curve.items() if name in ROLES}
        tables: dict[str, Any] = {"curve": {"epoch": list(range(1, len(curve["semantic"]) + 1))} | curve}
        if fitted.failed is not None:
            why = f"loss not finite at update {fitted.failed}"
            yield config, Outcome(tables, {"stretches": fitted.stretches}, data, failed=why)
            continue
        found, metrics, tensors = measure(config, model, parts, sets, progress)
        metrics |= {"stretches": fitted.stretches}
        yield config, Outcome(tables | found, metrics, data, tensors=tensors)


def digest_of(part: images.ImageSet) -> str:
    """A split's digest, with the remark on a subset."""
    return part.digest if part.subset is None else f"{part.digest} ({part.subset})"


def inputs(
    config: Config, train: images.ImageSet, test: images.ImageSet, device: str
) -> dict[str, tuple[Tensor, Tensor]]:
    """Normalised images with labels: "train", "test"; their shifted versions; both without the pixel."""
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for name, part in (("train", train), ("test", test)):
        count = config.examples or len(part.labels)
        pictures, labels = part.images[:count], part.labels[:count]
        versions = {"": pictures, " plain": pictures}
        if config.planted:
            versions[""] = planted(pictures, labels, CLASSES)
            versions[" shifted"] = planted(pictures, labels, CLASSES, shifted=True, seed=config.seed)
        for kind, each in versions.items():
            few = slice(None, max(config.measured, BANK) if kind and name == "train" else None)
            tags = torch.from_numpy(labels[few]).to(device)
            found[name + kind] = normalised(each[few], config).to(device), tags
    return found


def normalised(pictures: Any, config: Config) -> Tensor:
    """(n, c, h, w) of mean 0 and deviation 1 over the pixels of the data set."""
    mean, deviation = NORMAL[config.dataset]
    return ((torch.from_numpy(pictures).permute(0, 3, 1, 2) / 255 - mean) / deviation).contiguous()


def build(config: Config, shape: Sequence[int]) -> tuple[BijectiveClassifier, nn.ModuleDict]:
    """The untrained classifier of images (c, h, w), and the parts of its loss."""
    channels, high, wide = shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        chain = additive_network((channels, high, wide), config.couplings, (config.width, config.width))
        rest = channels * high * wide - CLASSES
        parts = nn.ModuleDict()
        if config.loss == "ice":
            parts["nuisance"] = nuisance_classifier(rest, CLASSES, (2 * config.width, config.width))
        if config.loss in ("ice", "likelihood"):
            parts["likelihood"] = NuisanceLikelihood(rest)
    return BijectiveClassifier(chain, CLASSES), parts


def learn(
    config: Config,
    train: tuple[Tensor, Tensor],
    progress: Callable[[str], None] = lambda text: None,
    keeper: fit.Keeper | None = None,
) -> tuple[BijectiveClassifier, nn.ModuleDict, fit.Fitted]:
    """The classifier after training on normalised images and labels, the parts of its loss, the curve."""
    x, labels = train
    model, parts = build(config, x.shape[1:])
    model, parts = model.to(x.device), parts.to(x.device)
    noise = config.noise / NORMAL[config.dataset][1]
    first = torch.Generator(x.device).manual_seed(config.seed)
    with torch.no_grad():
        model(noisy(x[:1024], noise, first))  # what the scales of the latent coordinates start from
    rates = {"nuisance": config.rate * config.adversary_rate, "likelihood": 3 * config.rate}
    groups = [{"params": parts[name].parameters(), "lr": rates[name]} for name in parts]
    optimiser = torch.optim.Adam([{"params": model.parameters(), "lr": config.rate}, *groups], lr=config.rate)

    def loss(rows: tuple[Tensor, ...], moment: fit.Moment) -> dict[str, Tensor]:
        weight = config.nuisance * (moment.share / config.ramp).clamp(max=1)
        seen = noisy(rows[0], noise, moment.generator)
        return terms(
            model,
            dict(parts.items()),
            seen,
            rows[1],
            nuisance=weight,
            likelihood=config.likelihood,
            capped=config.capped,
        )

    whole = nn.ModuleDict({"model": model, "parts": parts})
    fitted = fit.fit(
        whole, loss, (x, labels), optimiser, epochs=config.epochs, batch=config.batch, seed=config.seed,
        clip=5.0, schedule=fit.one_cycle(final=0.01), progress=progress, keeper=keeper,
    )  # fmt: skip
    whole.eval()
    return model, parts, fitted


def noisy(x: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    """x with Gaussian noise: a density needs it, and Theorem 6.16 a stochastic encoder."""
    return x + deviation * torch.randn(x.shape, generator=generator, device=x.device)


def measure(
    config: Config,
    model: BijectiveClassifier,
    parts: nn.ModuleDict,
    sets: dict[str, tuple[Tensor, Tensor]],
    progress: Callable[[str], None] = lambda text: None,
) -> tuple[dict[str, Any], dict[str, float], dict[str, Tensor]]:
    """Tables, metrics and tensors of a trained classifier."""
    progress("accuracies and information")
    kinds = ("", " shifted") if config.planted else ("",)
    names = {"": "training", " shifted": "shifted"}
    few = slice(None, config.measured)
    tables = {
        "accuracy": reverse_view.accuracies(model, {k: v for k, v in sets.items() if k.startswith("test")}),
        "information": reverse_view.informations(
            model,
            dict(parts.items()).get("nuisance"),
            {names[kind]: (sets[f"train{kind}"][0][few], sets[f"train{kind}"][1][few]) for kind in kinds},
            {names[kind]: sets[f"test{kind}"] for kind in kinds},
            seed=config.seed,
        ),
    }
    progress("metamers")
    mean, deviation = NORMAL[config.dataset]
    x, labels = sets["test"]
    rows = 1 + places(x.shape[2:], CLASSES)[-1][0] if config.planted else 0
    bank = sets["train plain"][0][:BANK].clone(), sets["train plain"][1][:BANK]
    bank[0][:, :, :rows] = -mean / deviation
    found, metrics, tensors = reverse_view.metamer_study(
        model, (x[: config.paired], labels[: config.paired]), bank,
        mean=mean, deviation=deviation, hidden_rows=rows, seed=config.seed,
    )  # fmt: skip
    metrics |= {"parameters": sum(p.numel() for p in model.parameters())}
    return tables | found, metrics, {name: value.contiguous() for name, value in tensors.items()}
