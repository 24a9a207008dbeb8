"""Multi-label prediction on BibTeX by argmin over the labels (Amos et al., 2017, Sec. 6.2)."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from invex.analysis.argmin import SPACE, bundle_entropy, gradient
from invex.analysis.argmin.problem import Energy
from invex.data import text
from invex.data.text import LabelledTexts
from invex.lab.records import Outcome
from invex.nn.fit import Fitted, Keeper, Moment, fit
from invex.nn.partially_convex import PartiallyConvexNetwork

FEED_FORWARD, BY_GRADIENT, BY_BUNDLE = "feed-forward", "PICNN, gradient", "PICNN, bundle entropy"
METHODS = (FEED_FORWARD, BY_GRADIENT, BY_BUNDLE)
SIZES = {"bibtex": (4480, 400, 2515), "topics": (400, 60, 140)}
"""Training, validation and test: BibTeX's published 4,880 and 2,515, drawn anew for every seed."""
EVALUATED = 503  # examples at a time


@dataclass(frozen=True)
class Config:
    """One network; defaults are the source's.

    Attributes:
        method: one of `METHODS`.
        seed: of the split, the weights and the order.
        width: hidden units, of the feed-forward network and of both paths of the PICNN.
        rate: of Adam.
        steps: inner steps: of gradient descent, or cuts of the bundle.
        inner_rate, momentum: of gradient descent.
    """

    method: str
    seed: int
    dataset: str = "bibtex"
    width: int = 600
    epochs: int = 100
    batch: int = 128
    rate: float = 1e-3
    steps: int = 30
    inner_rate: float = 0.01
    momentum: float = 0.3


def configs(profile: str) -> list[Config]:
    """All methods of a seed before the next seed; the bundle has ten cuts where descent has thirty steps."""
    seeds = range(2 if profile == "quick" else 5)
    found = [Config(m, seed, steps=10 if m == BY_BUNDLE else 30) for seed in seeds for m in METHODS]
    if profile == "quick":
        return [replace(c, dataset="topics", width=48, epochs=10, batch=80, rate=5e-3) for c in found]
    return [replace(c, epochs=30) for c in found] if profile == "reduced" else found


def reduced(config: Config) -> str:
    """What a reduced run leaves out."""
    return f"{config.epochs} epochs of 100"


def run(
    configs: Sequence[Config],
    *,
    device: str,
    folder: Path | None,
    progress: Callable[[str], None],
    keeper: Callable[[Config], Keeper | None] = lambda config: None,
) -> Iterator[tuple[Config, Outcome]]:
    """Train and judge one network after another."""
    for config in configs:
        texts = text.load(config.dataset, folder)
        parts = _parts(texts, config, device)
        model = build(config, texts).to(device)
        start = time.perf_counter()
        fitted = _train(model, config, parts, progress, keeper(config))
        seconds = time.perf_counter() - start
        failed = None if fitted.failed is None else f"loss not finite at update {fitted.failed}"
        yield (
            config,
            Outcome(
                {"curve": {"epoch": list(range(len(fitted.curve["loss"]))), **fitted.curve}},
                _best(fitted.curve) | _leak(model, config, parts[2]) | {"seconds": seconds},
                {texts.name: texts.digest},
                failed,
            ),
        )


def build(config: Config, texts: LabelledTexts) -> nn.Module:
    """The untrained network: 1,836 words, one hidden layer of 600 with batch normalisation, 159 labels.

    The PICNN has the feed-forward network's hidden layer as its view of the words, and one hidden layer of
    the same width on each path.
    """
    words, labels, width = texts.words.shape[1], texts.labels.shape[1], config.width
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        hidden = nn.Sequential(nn.Linear(words, width), nn.ReLU(), nn.BatchNorm1d(width))
        if config.method == FEED_FORWARD:
            return hidden.append(nn.Linear(width, labels))
        return PartiallyConvexNetwork(
            width, labels, (width,), activation=functional.relu, positivity="projection", features=hidden
        )


def scores(model: nn.Module, x: Tensor, labels: int, config: Config, *, learn: bool = False) -> Tensor:
    """Scores (n, l), positive where a label is predicted: logits, or y - 1/2 for gradient descent on y.

    With ``learn`` they can be differentiated in the parameters. As in the released code, descent is not held
    to the cube: the threshold is the same, and a projection would stop the derivative at its edge.
    """
    if config.method == FEED_FORWARD:
        return model(x)
    energy: Energy = model.at(x)  # type: ignore[operator]
    middle = x.new_full((len(x), labels), 0.5)
    if config.method == BY_GRADIENT:
        inner: Any = {"steps": config.steps, "rate": config.inner_rate, "momentum": config.momentum}
        return gradient.descend(energy, middle, **inner, box=SPACE, unroll=learn) - 0.5
    found = bundle_entropy.minimise(energy, middle, steps=config.steps, check=False)
    return bundle_entropy.differentiable(energy, found) if learn else found.logits


def loss(scores: Tensor, y: Tensor, method: str) -> Tensor:
    """Cross-entropy of logits, squared error of y; summed over labels, mean over examples."""
    if method == BY_GRADIENT:
        return (scores + 0.5 - y).square().sum(1).mean()
    return functional.binary_cross_entropy_with_logits(scores, y, reduction="none").sum(1).mean()


def f1_over_labels(y: Tensor, predicted: Tensor) -> float:
    """Macro-F1: the mean over labels of F1 over examples, 0 for a label that neither has; (n, l) each."""
    hits, either = (y * predicted).sum(0), y.sum(0) + predicted.sum(0)
    return float((2 * hits / either.clamp_min(1)).mean())


def f1_over_examples(y: Tensor, predicted: Tensor) -> float:
    """What the released code calls macro-F1: the mean over examples of F1 over labels."""
    return f1_over_labels(y.T, predicted.T)


def _parts(texts: LabelledTexts, config: Config, device: str) -> list[tuple[Tensor, Tensor]]:
    """Words and labels of the training, validation and test examples."""
    rows = texts.split(config.seed, SIZES[config.dataset])
    both = [torch.from_numpy(array).to(device, torch.float32) for array in (texts.words, texts.labels)]
    places = [torch.from_numpy(part).to(device) for part in rows]
    return [(both[0][place], both[1][place]) for place in places]


def _train(
    model: nn.Module,
    config: Config,
    parts: Sequence[tuple[Tensor, Tensor]],
    progress: Callable[[str], None],
    keeper: Keeper | None,
) -> Fitted:
    labels = parts[0][1].shape[1]

    def objective(batch: tuple[Tensor, ...], moment: Moment) -> Tensor:
        x, y = batch
        return loss(scores(model, x, labels, config, learn=True), y, config.method)

    def measure(epoch: int) -> Mapping[str, float]:
        return _measure(model, config, parts)

    optimiser = torch.optim.Adam(model.parameters(), config.rate)
    project = model.project_ if isinstance(model, PartiallyConvexNetwork) else None
    settings: Any = {"epochs": config.epochs, "batch": config.batch, "seed": config.seed}
    return fit(
        model, objective, parts[0], optimiser, **settings, keeper=keeper,
        after_step=project, after_epoch=measure,
        progress=lambda text: progress(f"{config.method}, seed {config.seed}: {text}"),
        capture=config.method != BY_BUNDLE,
    )  # fmt: skip


def _measure(model: nn.Module, config: Config, parts: Sequence[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Both F1 on validation and test; which epoch is reported, validation alone decides (`_best`)."""
    found = {}
    for name, (x, y) in zip(("validation", "test"), parts[1:], strict=True):
        predicted = predict(model, config, x, y.shape[1])
        found[f"{name}_f1"] = f1_over_labels(y, predicted)
        found[f"{name}_f1_examples"] = f1_over_examples(y, predicted)
    return found


@torch.no_grad()
def predict(model: nn.Module, config: Config, x: Tensor, labels: int) -> Tensor:
    """Predicted labels (n, l), 0 or 1, from the words alone."""
    model.eval()
    parts = [scores(model, part, labels, config) for part in x.split(EVALUATED)]
    return (torch.cat(parts) > 0).float()


def _best(curve: Mapping[str, list[float]]) -> dict[str, float | int]:
    """The test figures of the epoch with the best validation, and those of the last one."""
    by = curve["validation_f1"]
    best = max(range(len(by)), key=by.__getitem__)
    at = {"f1": curve["test_f1"], "f1_examples": curve["test_f1_examples"]}
    chosen = {name: values[best] for name, values in at.items()}
    return chosen | {f"{name}_last": values[-1] for name, values in at.items()} | {"epoch": best}


@torch.no_grad()
def _leak(model: nn.Module, config: Config, test: tuple[Tensor, Tensor]) -> dict[str, float]:
    """F1 at the last epoch as the released test of the bundle computes it: tangents taken at the true labels.

    All its tangents are then the same one, so that a single cut at the truth is what it solves.
    """
    if config.method != BY_BUNDLE:
        return {}
    model.eval()
    x, y = test
    found = []
    for words, truth in zip(x.split(EVALUATED), y.split(EVALUATED), strict=True):
        energy = model.at(words)  # type: ignore[operator]
        found.append(bundle_entropy.minimise(energy, truth, steps=1, check=False).logits > 0)
    predicted = torch.cat(found).float()
    return {"leak_f1": f1_over_labels(y, predicted), "leak_f1_examples": f1_over_examples(y, predicted)}
