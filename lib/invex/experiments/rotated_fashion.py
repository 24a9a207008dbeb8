"""Turned clothes on the level set of one angle (Nesterov et al. 2022, Sec. 5.2, App. A.4, Fig. 5).

An image model is trained on turned images with their angle as property. `invex.experiments.rotated_paths`
then joins pairs of test images of one angle by paths that keep to its level set, or do not, and a regressor
trained on other images reads the angle of every picture on the way.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from invex.analysis.level_sets import LevelSetError
from invex.data import rotated
from invex.data.rotated import Upright
from invex.experiments import rotated_paths as paths
from invex.lab.records import Outcome, Tables
from invex.nn import fit as fitting
from invex.nn.convex import ConvexNetwork
from invex.nn.fit import Fitted, Keeper, Moment
from invex.nn.heads import ScaledTanh, StronglyConvex
from invex.nn.image_coders import ImageDecoder, ImageEncoder, placed, settling
from invex.nn.posterior import encoder_outputs
from invex.nn.vae import GenerativeModel, objective

TRAINING_ANGLES, SETTLING_ANGLES = 0, 2
"""Seeds of what all runs share: how the images are turned."""


@dataclass(frozen=True)
class Config:
    """A model, how it is trained, and what is measured; the defaults are the released code's.

    Attributes:
        dataset: "fashion_mnist", or "digits", its stand-in.
        width, dense: channels of the first convolution, units of the dense layers.
        latent: dimension; the text's main part says 40, its appendix and the code 35.
        head: units of the convex network's layers; a bowl of this curvature is added to it.
        gamma: weight of the cycle term.
        property_weight: weight of the angle's likelihood against that of all pixels.
        cooling, cooled_every, floor: beta starts at 1 and is multiplied by `cooling` every so many updates.
        regressor_width, regressor_epochs: of the network that reads angles; it sees test images alone.
        pairs: of test images that are joined by paths, the shown ones among them.
    """

    seed: int = 0
    dataset: str = "fashion_mnist"
    epochs: int = 30
    batch: int = 32
    rate: float = 3e-3
    final_rate: float = 5e-5
    width: int = 64
    dense: int = 1024
    latent: int = 35
    head: tuple[int, ...] = (50,) * 5
    curvature: float = 0.1
    gamma: float = 0.01
    property_weight: float = 0.2 * 1024
    cooling: float = 0.95
    cooled_every: int = 20
    floor: float = 1e-7
    regressor_width: int = 32
    regressor_epochs: int = 60
    pairs: int = 106


SMALL = Config(
    width=16, dense=256, epochs=5, cooled_every=3, regressor_width=16, regressor_epochs=20, pairs=56
)
QUICK = replace(SMALL, dataset="digits", width=8, dense=64, latent=8, pairs=10)
QUICK = replace(QUICK, epochs=6, cooled_every=1, regressor_epochs=12)


def configs(profile: str) -> list[Config]:
    """Three seeds of the paper's model, or a narrow one, and a steeper bowl; or one run on the digits."""
    if profile == "quick":
        return [QUICK]
    if profile == "reduced":
        short = replace(SMALL, epochs=2, regressor_epochs=8, pairs=26)
        return [replace(base, seed=seed) for base in (short, SMALL) for seed in range(3)]
    base = Config()
    return [*(replace(base, seed=seed) for seed in range(3)), replace(base, curvature=1.0)]


def reduced(config: Config) -> str:
    """What a reduced run has less of, in words."""
    full = Config()
    return f"{config.epochs} of {full.epochs} epochs, {config.width} of {full.width} filters"


@dataclass
class Trained:
    """A model with what was kept of its training; in evaluation mode, float32, on its device."""

    model: GenerativeModel
    curve: dict[str, list[float]]
    failed: str | None
    stretches: int
    shift: float


def run(
    configs: Sequence[Config],
    *,
    device: str,
    folder: Path | None,
    progress: Callable[[str], None],
    keeper: Callable[[Config], Keeper] | None = None,
) -> Iterator[tuple[Config, Outcome]]:
    """Train one model after another, and measure it with a regressor of its own."""
    for config in configs:
        training = _loaded(config.dataset, "train", folder).to(device)
        test = _loaded(config.dataset, "test", folder).to(device)
        trained = train(config, training, progress, keeper(config) if keeper else None)
        tables = {"curve": {"epoch": list(range(1, len(trained.curve["loss"]) + 1)), **trained.curve}}
        data = training.data | test.data
        if trained.failed:
            yield config, Outcome(tables, {}, data, trained.failed)
            continue
        found = _outcome(config, trained, test, tables, data, progress)
        yield config, replace(found, metrics={**found.metrics, "shift": trained.shift})


def _outcome(
    config: Config,
    trained: Trained,
    test: Upright,
    tables: Tables,
    data: dict[str, str],
    progress: Callable[[str], None],
) -> Outcome:
    others, kept = paths.split(test)
    reader = regressor(config, test, others, progress)
    accuracy, examples = paths.accuracy(trained.model, reader, test, kept)
    try:
        found = paths.paths(trained.model, reader, test, paths.pairs(test, kept, config.pairs), progress)
    except LevelSetError as error:
        return Outcome(tables, accuracy, data, f"no level sets: {error}", tensors=examples)
    tensors = examples | found.tensors
    return Outcome({**tables, **found.tables}, accuracy | found.metrics, data, tensors=tensors)


@lru_cache(maxsize=2)
def _loaded(dataset: str, split: str, folder: Path | None) -> Upright:
    return rotated.load(dataset, split, folder)


def build(config: Config) -> GenerativeModel:
    """The untrained model of App. A.4, with a full-covariance posterior and a head that has a minimum."""
    side = rotated.SIDES[config.dataset]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        encoder = ImageEncoder(side, encoder_outputs(config.latent, "full"), config.width, config.dense)
        decoder = ImageDecoder(config.latent, side, config.width, config.dense)
        convex = StronglyConvex(ConvexNetwork(config.latent, config.head), config.curvature)
    head = nn.Sequential(convex, ScaledTanh(rotated.LIMIT))
    return GenerativeModel(encoder, decoder, head, covariance="full")


def train(
    config: Config,
    data: Upright,
    progress: Callable[[str], None] = lambda text: None,
    keeper: Keeper | None = None,
) -> Trained:
    """Adamax on all images, each turned once, on their device (App. A.4); the last epoch's model."""
    model = build(config)
    placed(model, data.images.device)
    angles = rotated.angles(len(data.images), TRAINING_ANGLES, device=data.images.device)
    pictures = data.turned(angles)
    updates = config.epochs * math.ceil(len(angles) / config.batch)

    def loss(batch: tuple[Tensor, ...], moment: Moment) -> Mapping[str, Tensor]:
        x, y = batch[0].float() / 255, batch[1]
        terms = model.terms(x, y, generator=moment.generator)
        cooled = torch.floor((moment.share * updates).round() / config.cooled_every)
        beta = (config.cooling**cooled).clamp_min(config.floor)
        weights = {"input_weight": 0.5, "property_weight": 0.5 * config.property_weight}
        return {"loss": objective(terms, beta, config.gamma, **weights), **terms._asdict()}

    final = config.final_rate / config.rate
    fitted = fitting.fit(
        model,
        loss,
        (pictures, angles),
        torch.optim.Adamax(model.parameters(), lr=config.rate),
        epochs=config.epochs,
        batch=config.batch,
        seed=config.seed,
        schedule=lambda share: final + (1 - final) * (1 - share) ** 2,
        progress=progress,
        keeper=keeper,
        capture=True,
    )
    with settling(model):
        for some in pictures.split(512):
            model.decoder(model.encode(some.float() / 255))
    return Trained(model, fitted.curve, _failure(fitted), fitted.stretches, centre(model, pictures, angles))


@torch.no_grad()
def centre(model: GenerativeModel, pictures: Tensor, angles: Tensor) -> float:
    """Shift f so that the median residual at the training images' mean codes is zero; the shift, in f.

    In training f is evaluated at noisy codes, which lie higher in its bowl than the mean codes that it is
    used at: by half its curvature times the variance of the noise.
    """
    convex = next(model.head.children())
    assert isinstance(convex, StronglyConvex)
    found = torch.cat([convex(model.encode(some.float() / 255)) for some in pictures.split(512)])
    aimed = rotated.LIMIT * torch.atanh((angles / rotated.LIMIT).clamp(-0.999, 0.999))
    shift = (aimed - found).median()
    convex.offset += shift
    return float(shift)


def _failure(fitted: Fitted) -> str | None:
    return None if fitted.failed is None else f"loss not finite at update {fitted.failed}"


def regressor(
    config: Config, data: Upright, rows: Tensor, progress: Callable[[str], None] = lambda text: None
) -> nn.Module:
    """A network that reads the angle of a picture, trained on the images at `rows`, turned anew each time.

    Some are blurred, so that it can read the soft pictures of a decoder.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1000 + config.seed)
        model: nn.Module = nn.Sequential(
            ImageEncoder(data.side, 1, config.regressor_width, 8 * config.regressor_width), nn.Flatten(0)
        )
    placed(model, rows.device)

    def loss(batch: tuple[Tensor, ...], moment: Moment) -> Tensor:
        drawn = torch.rand(2, len(batch[0]), generator=moment.generator, device=rows.device)
        angle, share = rotated.LIMIT * (2 * drawn[0] - 1), drawn[1][:, None, None]
        turned = rotated.rotate(batch[0].float() / 255, angle, data.side)
        soft = nn.functional.avg_pool2d(turned[:, None], 3, stride=1, padding=1)[:, 0]
        return (model(turned + share * (soft - turned)) - angle).square().mean()

    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    fitting.fit(
        model,
        loss,
        (data.images[rows],),
        optimiser,
        epochs=config.regressor_epochs,
        batch=64,
        seed=config.seed,
        schedule=fitting.cosine(0.01),
        progress=lambda text: progress(f"regressor, {text}"),
        capture=True,
    )
    with settling(model):
        angles = rotated.angles(len(rows), SETTLING_ANGLES, device=rows.device)
        model(data.turned(angles, rows).float() / 255)
    return model
