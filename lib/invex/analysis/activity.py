"""How many units of a ReLU classifier are active, layer by layer, and what that has to do with learning."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from invex.nn.classifier import Classifier
from invex.nn.stack import Stack


@torch.no_grad()
def active_shares(network: Classifier, x: Tensor) -> Tensor:
    """Share of positive activations in each hidden layer, (layers,), over units and inputs x (n, d)."""
    hidden = Stack([network]).forward(x[None])[1:-1]
    return torch.stack([(activations > 0).double().mean() for activations in hidden])


def superiority(first: Sequence[float], second: Sequence[float]) -> float:
    """Probability that a value of the first sample exceeds one of the second; a tie counts half.

    Mann-Whitney's U over the number of pairs. NaN where a sample is empty.
    """
    if not (len(first) and len(second)):
        return float("nan")
    a, b = np.asarray(first, dtype=float)[:, None], np.asarray(second, dtype=float)
    return float(((a > b) + 0.5 * (a == b)).mean())
