"""Active units counted, and how one sample exceeds another."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from invex.analysis.activity import active_shares, superiority
from invex.nn.classifier import METHODS, classifier
from scipy.stats import mannwhitneyu
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


SAMPLE = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=12)


@given(SAMPLE, SAMPLE)
def test_superiority_is_mann_whitneys_u_over_the_number_of_pairs(a: list[float], b: list[float]) -> None:
    u = mannwhitneyu(a, b, method="asymptotic").statistic if len({*a, *b}) > 1 else len(a) * len(b) / 2
    assert superiority(a, b) == pytest.approx(u / (len(a) * len(b)))
    assert superiority(a, b) + superiority(b, a) == pytest.approx(1)


def test_superiority_of_nothing_is_not_a_number() -> None:
    assert np.isnan(superiority([], [1.0]))
