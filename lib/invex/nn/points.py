"""Networks fitted to a handful of points, all of them in every update."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from invex.nn.fit import Fitted, cosine, fit


def squared_error(value: Tensor, target: Tensor) -> Tensor:
    """Mean of (value - target)^2, for values to be met."""
    return (value - target).square().mean()


def squared_hinge(value: Tensor, sign: Tensor) -> Tensor:
    """Mean of max(0, 1 - sign value)^2, for points that shall lie below zero (sign -1) or above it (1)."""
    return (1 - sign * value).clamp_min(0).square().mean()


def fit_points(
    network: nn.Module,
    points: Tensor,
    targets: Tensor,
    *,
    loss: Callable[[Tensor, Tensor], Tensor] = squared_error,
    steps: int = 1500,
    rate: float = 0.02,
    after_step: Callable[[], None] | None = None,
) -> Fitted:
    """Fit a network to points (n, d) and targets (n,) by Adam on all at once, the rate falling to zero.

    Args:
        network: (n, d) -> (n,), changed in place.
        loss: of values and targets.
        steps: updates.
        after_step: called after each, to put constrained weights back: `ConvexNetwork.project_`.
    """
    return fit(
        network,
        lambda batch, moment: loss(network(batch[0]), batch[1]),
        (points, targets),
        torch.optim.Adam(network.parameters(), lr=rate),
        epochs=steps, batch=len(points), schedule=cosine(), after_step=after_step,
    )  # fmt: skip
