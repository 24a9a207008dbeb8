"""What is measured of a trained bijective classifier: accuracies, information in both parts, its metamers."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor, nn

from invex.analysis import information
from invex.analysis.metamers import metamers, neighbours, pixels, references
from invex.nn.bijective_classifier import BijectiveClassifier

Columns = dict[str, list[Any]]
Labelled = tuple[Tensor, Tensor]
SHARES = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)


@torch.no_grad()
def accuracies(model: nn.Module, sets: Mapping[str, Labelled]) -> Columns:
    """Share of right decisions on each named set of inputs and labels."""
    found: Columns = {"images": [], "accuracy": [], "n": []}
    for name, (x, labels) in sets.items():
        right = torch.cat([model(part).argmax(1) for part in x.split(1000)]) == labels
        found["images"].append(name)
        found["accuracy"].append(float(right.double().mean()))
        found["n"].append(len(labels))
    return found


def informations(
    model: BijectiveClassifier,
    adversary: nn.Module | None,
    seen: Mapping[str, Labelled],
    unseen: Mapping[str, Labelled],
    *,
    counted: int = 5000,
    epochs: int = 10,
    seed: int = 0,
) -> Columns:
    """I(Y; X), I(Y; Z_s) and I(Y; Z_n) under each named distribution, by each estimator, in nats.

    Args:
        adversary: D_nc as training left it, whose own bound joins the table; None where there was none.
        seen, unseen: of each distribution, points to fit a classifier to and points to judge it by.
        counted: unseen points that neighbours are counted among.
    """
    found: Columns = {"distribution": [], "features": [], "estimator": [], "value": [], "low": [], "high": []}

    def note(*names: str, estimate: information.Information) -> None:
        for key, value in zip(found, (*names, *estimate), strict=True):
            found[key].append(value)

    for name in seen:
        fitted, judged = parts(model, seen[name][0]), parts(model, unseen[name][0])
        labels = unseen[name][1]
        for features, values in judged.items():
            pair = (fitted[features], seen[name][1]), (values, labels)
            estimate = information.variational(*pair, epochs=epochs, seed=seed)
            note(name, features, "variational", estimate=estimate)
            few = information.principal(values[:counted]).cpu(), labels[:counted].cpu()
            note(name, features, "neighbours", estimate=information.nearest_neighbours(*few))
        if adversary is not None:
            estimate = information.bound(adversary, judged["nuisance"], labels)
            note(name, "nuisance", "adversary", estimate=estimate)
    return found


@torch.no_grad()
def parts(model: BijectiveClassifier, x: Tensor) -> dict[str, Tensor]:
    """The inputs as vectors, and their z_s and z_n."""
    halves = [model.split(part) for part in x.split(1000)]
    semantic, nuisance = (torch.cat(each) for each in zip(*halves, strict=True))
    return {"input": x.flatten(1), "semantic": semantic, "nuisance": nuisance}


@torch.no_grad()
def metamer_study(
    model: BijectiveClassifier,
    images: Labelled,
    bank: Labelled,
    *,
    mean: float,
    deviation: float,
    hidden_rows: int = 0,
    kept: int = 12,
    seed: int = 0,
) -> tuple[dict[str, Columns], dict[str, float], dict[str, Tensor]]:
    """Metamers of images with references of other classes, along the way from one's nuisances to the other's.

    Args:
        images, bank: normalised images (n, c, h, w) with labels; the bank's classes vote on what is seen.
        mean, deviation: of the normalisation.
        hidden_rows: rows at the top that neighbours do not look at.
        kept: pairs whose pictures are given back.

    Returns:
        Tables "metamers" (a row a share of the way, and a control, of share -1) and "pairs" (a row a pair,
        at the whole way), metrics, and pictures as uint8 tensors.
    """
    exact, (x, labels) = copy.deepcopy(model).double().eval(), images
    x = x.double()
    which = references(labels.cpu(), Generator().manual_seed(seed)).to(x.device)
    target, other = x[which], labels[which]
    dark = -mean / deviation

    def judged(pictures: Tensor) -> tuple[Tensor, Tensor]:
        shown = pictures.clamp(dark, (1 - mean) / deviation).float()
        shown[:, :, :hidden_rows] = dark
        found = neighbours(shown, bank[0], bank[1])
        return found.distance * deviation, found.vote

    rows: Columns = {
        key: [] for key in ("share", "own", "reference", "distance", "moved", "error", "kept", "n")
    }
    decision, path = exact(x).argmax(1), []
    for share in SHARES:
        made = metamers(exact, x, target, share)
        distance, vote = judged(made.images)
        shown = pixels(made.images, mean, deviation)
        held = exact((shown.double() / 255 - mean) / deviation).argmax(1) == decision
        moved = (made.images - target).flatten(1).norm(dim=1) * deviation
        row = (vote == labels, vote == other, distance, moved, made.error, held)
        _row(rows, share, *row)
        path.append(shown[:kept].cpu())
    noise = torch.randn(x.shape, generator=Generator().manual_seed(seed), dtype=x.dtype).to(x.device)
    scale = moved / deviation / noise.flatten(1).norm(dim=1)
    away, said = judged(target + noise * scale[:, None, None, None])  # as far from the reference as a metamer
    control = (said == labels, said == other, away, moved, torch.zeros_like(moved), torch.zeros_like(held))
    _row(rows, -1.0, *control)
    pairs: Columns = {
        "label": labels.tolist(), "reference": other.tolist(), "seen": vote.tolist(),
        "decision": decision.tolist(), "distance": distance.tolist(),
    }  # fmt: skip
    tensors = {
        "path": torch.stack(path, 1), "originals": pixels(x[:kept], mean, deviation).cpu(),
        "references": pixels(target[:kept], mean, deviation).cpu(), "logits": exact(x[:kept]).float().cpu(),
        "labels": torch.stack([labels[:kept], other[:kept]], 1).cpu(),
        "metamer_logits": exact(made.images[:kept]).float().cpu(),
    }  # fmt: skip
    real = judged(x)
    metrics = {"real_distance": float(real[0].median()), "oracle": float((real[1] == labels).double().mean())}
    return {"metamers": rows, "pairs": pairs}, metrics, tensors


def _row(rows: Columns, share: float, own: Tensor, reference: Tensor, distance: Tensor, moved: Tensor,
         error: Tensor, kept: Tensor) -> None:  # fmt: skip
    values = (
        share, float(own.double().mean()), float(reference.double().mean()), float(distance.median()),
        float(moved.median()), float(error.max()), float(kept.double().mean()), len(own),
    )  # fmt: skip
    for key, value in zip(rows, values, strict=True):
        rows[key].append(value)
