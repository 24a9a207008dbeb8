"""How many units of a ReLU classifier are active, layer by layer."""

import torch
from torch import Tensor

from invex.nn.classifier import Classifier
from invex.nn.stack import Stack


@torch.no_grad()
def active_shares(network: Classifier, x: Tensor) -> Tensor:
    """Share of positive activations in each hidden layer, (layers,), over units and inputs x (n, d)."""
    hidden = Stack([network]).forward(x[None])[1:-1]
    return torch.stack([(activations > 0).double().mean() for activations in hidden])
