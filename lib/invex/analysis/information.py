"""Mutual information between a class and continuous features, by two estimators of different kinds.

`variational` is a lower bound, of a classifier (Barber & Agakov, 2003; Behrmann, 2019, Lemma 6.15);
`nearest_neighbours` counts neighbours (Ross, 2014) and knows of no classifier. All in nats.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from scipy.special import digamma
from torch import Tensor, nn
from torch.nn import functional

from invex.nn.coupling import dense_network
from invex.nn.fit import cosine, fit


class Information(NamedTuple):
    """An estimate in nats and its 95 % interval over the points, as a sample of all points."""

    value: float
    low: float
    high: float


def exact(joint: Tensor) -> float:
    """I(Y; X) of a table of joint probabilities (y, x).

    Raises:
        ValueError: negative entries, or a sum that is not one.
    """
    if bool((joint < 0).any()) or abs(float(joint.sum()) - 1) > 1e-9:
        raise ValueError(f"joint probabilities must be non-negative and sum to 1, got {float(joint.sum())}")
    independent = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return float(torch.where(joint > 0, joint * (joint / independent).log(), joint.new_zeros(())).sum())


def entropy(labels: Tensor) -> float:
    """H(Y) by the frequencies of labels (n,) int64."""
    share = torch.bincount(labels).double() / len(labels)
    return float(-(share[share > 0] * share[share > 0].log()).sum())


def bound(classifier: nn.Module, features: Tensor, labels: Tensor) -> Information:
    """I_theta(Y; Z) = H(Y) + E log q(y|z) of any classifier (Lemma 6.15); its points must be new to it."""
    with torch.no_grad():
        each = -functional.cross_entropy(classifier(features), labels, reduction="none").double()
    return _interval(entropy(labels) + each)


def variational(
    seen: tuple[Tensor, Tensor],
    unseen: tuple[Tensor, Tensor],
    *,
    hidden: Sequence[int] = (256,),
    epochs: int = 10,
    batch: int = 256,
    rate: float = 2e-3,
    seed: int = 0,
) -> Information:
    """The variational bound of a classifier that is trained here, evaluated on points it has not seen.

    Its confidence is lowered by one temperature, chosen on a tenth of the seen points: else an overfitted q
    gives a bound below zero where there is information.

    Args:
        seen, unseen: features (n, d) and labels (n,) int64, on one device.
        hidden, epochs, batch, rate, seed: of the classifier q.
    """
    features, labels = seen
    scale = features.std(0).clamp_min(0.1 * float(features.std()))  # pixels that hardly ever vary stay small
    shift, classes = features.mean(0), int(max(labels.max(), unseen[1].max())) + 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        q = dense_network(features.shape[1], hidden, classes).to(features.device)
    cut = max(1, len(labels) // 10)
    points = ((features - shift) / scale).detach()
    optimiser = torch.optim.AdamW(q.parameters(), lr=rate, weight_decay=0.1)
    fit(
        q, lambda rows, moment: functional.cross_entropy(q(rows[0]), rows[1]), (points[cut:], labels[cut:]),
        optimiser, epochs=epochs, batch=batch, seed=seed, schedule=cosine(0.02),
    )  # fmt: skip
    q.eval()
    with torch.no_grad():
        logits, value = q(points[:cut]), q((unseen[0] - shift) / scale)
        by = min(_TEMPERATURES, key=lambda t: float(functional.cross_entropy(logits / t, labels[:cut])))
    return bound(nn.Identity(), value / by, unseen[1])


_TEMPERATURES = tuple(1.25**power for power in range(0, 24))


def nearest_neighbours(features: Tensor, labels: Tensor, *, neighbours: int = 5) -> Information:
    """Ross's (2014) estimate of I(Y; Z), by distances among the points and within each class.

    With m_i points of any class within the distance of point i to its k-th neighbour of its own class, N_i
    points in its class and N in all: mean of psi(N) + psi(k) - psi(N_i) - psi(m_i). The bias grows with the
    dimension; use some twenty coordinates, and 2,000 points or more.

    Args:
        features: (n, d).
        labels: (n,) int64; each class with more than `neighbours` points.
        neighbours: k.

    Raises:
        ValueError: a class with too few points, named.
    """
    counts = torch.bincount(labels)
    if bool(((counts > 0) & (counts <= neighbours)).any()):
        small = int(((counts > 0) & (counts <= neighbours)).nonzero()[0])
        raise ValueError(f"class {small} has {int(counts[small])} points: more than {neighbours} are needed")
    x = features.double()
    each = torch.empty(len(labels), dtype=torch.float64)
    for rows in torch.arange(len(labels), device=x.device).split(500):
        distance = torch.cdist(x[rows], x)
        distance[torch.arange(len(rows)), rows] = math.inf  # no point is its own neighbour
        other = labels[rows][:, None] != labels[None]
        radius = distance.masked_fill(other, math.inf).kthvalue(neighbours, dim=1).values
        inside = (distance <= radius[:, None]).sum(1)
        own = counts[labels[rows]]
        terms = digamma(neighbours) - digamma(own.cpu().numpy()) - digamma(inside.cpu().numpy())
        each[rows.cpu()] = torch.from_numpy(terms + digamma(len(labels)))
    return _interval(each)


def principal(features: Tensor, components: int = 20) -> Tensor:
    """The coordinates (n, components) of largest variance: what `nearest_neighbours` can count in.

    A function of the features, so it has at most their information.
    """
    centred = features.double() - features.double().mean(0)
    kept = min(components, *features.shape)
    covariance = centred.T @ centred
    return centred @ torch.linalg.eigh(covariance).eigenvectors[:, -kept:]


def _interval(each: Tensor) -> Information:
    value, error = float(each.mean()), float(each.std()) / math.sqrt(len(each))
    return Information(value, value - 1.96 * error, value + 1.96 * error)
