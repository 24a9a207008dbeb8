"""The published training procedure, as its competent user would write it: the peer of the ICNN benches."""

import copy

import torch
from invex.nn.classifier import Classifier
from torch import Tensor, nn


class Published(nn.Module):
    """A classifier that clamps its weights in every forward pass, from the same start as `network`."""

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.layers, self.skips = copy.deepcopy(network.layers), copy.deepcopy(network.skips)
        self.optimiser = torch.optim.Adam(self.parameters(), lr=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.layers[0](x)
        for i, layer in enumerate(self.layers[1:]):
            layer.weight.data.clamp_(min=0)
            hidden = layer(hidden.relu())
            if self.skips:
                hidden = hidden + self.skips[i](x)
        return hidden

    @torch.enable_grad()
    def step(self, x: Tensor, targets: Tensor) -> Tensor:
        """One update on a batch; the mean loss before it."""
        self.optimiser.zero_grad()
        loss = nn.functional.cross_entropy(self(x), targets, reduction="sum")
        loss.backward()
        self.optimiser.step()
        return loss.detach() / len(x)
