"""What the pages take for granted of the library, measured anew: signs of weights, determinants, means.

A network whose weights may fall a little below zero, a log-determinant that lacks a layer, a loss that is a
sum and not a mean: each leaves a figure much as it was. These are small computations, live on a page, that
show it.
"""

from copy import deepcopy
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from invex.nn.classifier import Classifier
from invex.nn.convex import ConvexNetwork
from invex.nn.train import Examples, Settings, train
from invex.nn.vae import GenerativeModel


@torch.no_grad()
def least_projected_weight(network: ConvexNetwork) -> float:
    """Smallest weight of a convex network (positivity "projection") all of whose weights were negative.

    The network is copied, each weight lowered below zero by one, and put back as after a step of training: 0,
    or f is not convex.

    Raises:
        ValueError: the network keeps its weights positive in another way.
    """
    if network.positivity != "projection":
        raise ValueError(f"the weights are kept positive by {network.positivity!r}, not by projection")
    network = deepcopy(network)
    for raw in network.raw:
        raw.copy_(-raw.abs() - 1)
    network.project_()
    return min(float(weight.min()) for weight in network.weights())


def least_trained_weight(network: Classifier, examples: Examples, seed: int = 0) -> float:
    """Smallest constrained weight of a copy of a convex classifier, trained for an epoch at a high rate."""
    network = deepcopy(network)
    train([network], [seed], examples, Settings(epochs=1, batch=16, rate=0.1, precision="float32"))
    weights = [cast(Tensor, layer.weight) for layer in list(network.layers)[1:]]
    return min(float(weight.detach().min()) for weight in weights)


def reported_loss_error(network: Classifier, examples: Examples, seed: int = 0) -> float:
    """Largest relative error of two losses that training reports, beside the mean over examples.

    They are that of the first step, which sees all examples to fit at once, and that of those held out.
    """
    start, network = deepcopy(network), deepcopy(network)
    settings = Settings(epochs=1, batch=len(examples), precision="float32")
    (run,) = train([network], [seed], examples, settings)
    pairs = (
        (float(run.losses[0]), _mean_loss(start, examples, run.fitted)),
        (float(run.validation[0, 0]), _mean_loss(network, examples, run.held_out)),
    )
    return max(abs(reported - mean) / mean for reported, mean in pairs)


def log_det_error(bijection: Any, x: Tensor) -> float:
    """Largest |log det - log |det J|| at points x (n, d), J by differentiating each coordinate (`autograd`).

    Args:
        bijection: a module that has ``forward_and_log_det``: (n, d) -> (n, d) and (n,).
        x: points, in the module's dtype.
    """
    x = x.detach()
    with torch.no_grad():
        _, log_det = bijection.forward_and_log_det(x)
    rows = torch.func.vmap(torch.func.jacrev(lambda each: bijection(each[None])[0]))(x)
    return float((torch.linalg.slogdet(rows)[1] - log_det).abs().max().detach())


@torch.no_grad()
def repeated_batch_error(model: GenerativeModel, x: Tensor, y: Tensor) -> float:
    """Largest relative change of a term of the objective where each point of a batch is there twice.

    Means do not change; a sum doubles. The noise is repeated with the points x (n, ...), properties y (n,).
    """
    generator = torch.Generator().manual_seed(0)
    k = model.encode(x).shape[1]
    draws = torch.randn(2, len(x), k, generator=generator, dtype=torch.float64).to(x)
    once = model.terms(x, y, noise=draws[0], codes=draws[1])
    twice = model.terms(
        torch.cat([x, x]),
        torch.cat([y, y]),
        noise=torch.cat([draws[0], draws[0]]),
        codes=torch.cat([draws[1], draws[1]]),
    )
    size = max(float(term.abs()) for term in once)
    return max(abs(float(two - one)) for one, two in zip(once, twice, strict=True)) / size


def _mean_loss(network: Classifier, examples: Examples, index: Tensor) -> float:
    x, targets = examples.batch(index[None], examples.scale.dtype)
    with torch.no_grad():
        return float(functional.cross_entropy(network(x[0]), targets[0]))
