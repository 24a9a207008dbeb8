"""Metameric sampling: the logits of one image and everything else of another (Behrmann, 2019, Def. 6.8)."""

from typing import NamedTuple

import torch
from torch import Tensor

from invex.nn.bijective_classifier import BijectiveClassifier


class Metamers(NamedTuple):
    """What metameric sampling gives.

    Attributes:
        images: (n, ...) of the inputs' shape, not clipped to the range of pixels.
        logits: (n, C) of the inputs.
        error: largest absolute difference between these and the logits of `images`, for each image (n,).
    """

    images: Tensor
    logits: Tensor
    error: Tensor


@torch.no_grad()
def metamers(model: BijectiveClassifier, x: Tensor, reference: Tensor, share: float = 1.0) -> Metamers:
    """F^-1(z_s(x), z_n), z_n on the way from the nuisances of x to those of the reference.

    Args:
        model: in evaluation mode; in double precision the logits agree to about 1e-12.
        x, reference: (n, ...) each.
        share: of the way; 1 is Definition 6.8, and 0 gives x back.

    Raises:
        ValueError: shapes that differ.
    """
    if x.shape != reference.shape:
        raise ValueError(f"{tuple(x.shape)} inputs and {tuple(reference.shape)} references: one for each")
    semantic, own = model.split(x)
    other = model.split(reference)[1]
    images = model.merge(semantic, own + share * (other - own))
    return Metamers(images, semantic, (model(images) - semantic).abs().amax(1))


def references(labels: Tensor, generator: torch.Generator) -> Tensor:
    """For each image the number of one of another class, drawn at random, (n,).

    Raises:
        ValueError: there is one class only.
    """
    if len(labels.unique()) < 2:
        raise ValueError("all images are of one class: a reference of another class is needed")
    other = labels[:, None] != labels[None]
    return torch.multinomial(other.double().cpu(), 1, generator=generator)[:, 0]


class Neighbours(NamedTuple):
    """Distance (n,) to the nearest example, and the vote (n,) of the k nearest."""

    distance: Tensor
    vote: Tensor


def neighbours(images: Tensor, bank: Tensor, labels: Tensor, k: int = 5) -> Neighbours:
    """How far images are from a set of examples, and of which class these say they are.

    Args:
        images, bank: (n, ...) and (m, ...), in the same units; distances are Euclidean in them.
        labels: (m,) int64 of the bank.
        k: voters; of classes with equally many votes the one with the smaller number wins.
    """
    flat = bank.flatten(1)
    near, votes = [], []
    for part in images.flatten(1).split(200):
        distance, which = torch.cdist(part, flat).topk(k, dim=1, largest=False)
        near.append(distance[:, 0])
        votes.append(labels[which].mode(dim=1).values)
    return Neighbours(torch.cat(near), torch.cat(votes))


def pixels(images: Tensor, mean: float, deviation: float) -> Tensor:
    """8-bit pixels of normalised images, clipped and rounded: what a picture can show of them."""
    return ((images * deviation + mean) * 255).round().clamp(0, 255).to(torch.uint8)
