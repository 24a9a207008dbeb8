"""Active units counted."""

import pytest
import torch
from invex.analysis.activity import active_shares
from invex.nn.classifier import METHODS, classifier
from torch import Generator


@pytest.mark.parametrize("method", METHODS)
def test_active_shares_are_those_of_the_forward_pass(method: str) -> None:
    network = classifier((6, 8, 8, 8, 3), method, generator=Generator().manual_seed(0)).double()
    x = torch.randn(50, 6, dtype=torch.float64, generator=Generator().manual_seed(1))
    before, hidden, expected = x.clone(), network.layers[0](x), []
    for i, layer in enumerate(list(network.layers)[1:]):
        expected.append((hidden > 0).double().mean().item())
        hidden = layer(hidden.relu()) + (network.skips[i](x) if network.skips else 0)
    assert active_shares(network, x).tolist() == pytest.approx(expected, abs=1e-12)
    assert torch.equal(x, before)


def test_a_network_with_large_negative_biases_is_silent() -> None:
    network = classifier((6, 8, 8, 3), "ICNN", generator=Generator().manual_seed(0))
    with torch.no_grad():
        network.layers[1].bias.fill_(-1e6)
    shares = active_shares(network, torch.randn(20, 6, generator=Generator().manual_seed(1)))
    assert shares[0] > 0.2
    assert shares[1] == 0
