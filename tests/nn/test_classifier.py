"""The four methods as ordinary modules: where weights may be negative, and convexity as its consequence."""

import math

import pytest
import torch
from invex.nn import initialise
from invex.nn.classifier import METHODS, ONLY_SHIFT, Classifier, classifier
from torch import Generator, nn

SIZES = (12, 16, 16, 16, 5)


def make(method: str, seed: int = 0, **settings: object) -> Classifier:
    return classifier(SIZES, method, generator=Generator().manual_seed(seed), **settings).double()


def midpoint_excess(network: nn.Module, pairs: int = 2000) -> float:
    """Largest f((a + b) / 2) - (f(a) + f(b)) / 2 over random segments; at most rounding for a convex f."""
    a, b = torch.randn(2, pairs, 12, generator=Generator().manual_seed(1), dtype=torch.float64) * 3
    with torch.no_grad():
        values = [network(x) for x in (a, b, (a + b) / 2)]
    return ((values[2] - (values[0] + values[1]) / 2) / (1 + values[2].abs())).max().item()


@pytest.mark.parametrize("method", METHODS[1:])
def test_logits_of_an_icnn_are_convex_in_the_input(method: str) -> None:
    assert midpoint_excess(make(method)) < 1e-12
    assert midpoint_excess(make(method, positivity="exponential")) < 1e-12


def test_a_non_convex_network_violates_midpoint_convexity() -> None:
    assert midpoint_excess(make("non-convex")) > 1e-3


def test_one_negative_weight_breaks_convexity_and_projection_mends_it() -> None:
    network = make("ICNN")
    with torch.no_grad():
        network.layers[-1].weight.neg_()
    assert midpoint_excess(network) > 1e-3
    network.project_()
    assert midpoint_excess(network) < 1e-12


@pytest.mark.parametrize("method", METHODS)
def test_constrained_are_all_layers_but_the_first_and_the_skips(method: str) -> None:
    network = make(method)
    negative = [bool((layer.weight < 0).any()) for layer in network.layers]
    assert negative == [True] + [method == "non-convex"] * 3
    assert len(network.skips) == (3 if method == "ICNN + skip" else 0)
    assert all((skip.weight < 0).any() and skip.bias is None for skip in network.skips)


def test_first_layer_is_lecun_and_others_principled() -> None:
    network = classifier((784, 784, 784, 10), "ICNN + init", generator=Generator().manual_seed(0))
    assert network.layers[0].weight.std().item() == pytest.approx(1 / 28, rel=0.01)
    for layer in network.layers[1:]:
        assert torch.allclose(layer.bias, torch.tensor(-0.7393), atol=1e-4)
    assert network.layers[1].weight.mean().item() == pytest.approx(0.0023637, rel=0.1)


@pytest.mark.parametrize(("method", "share"), [("non-convex", 1.0), ("ICNN", 0.5), ("ICNN + skip", 0.5)])
def test_others_start_from_hes_gaussians_without_biases_and_torchs_skips(method: str, share: float) -> None:
    """Clamping at zero takes half of the mean square of a Gaussian weight."""
    network = classifier((400, 400, 400, 400), method, generator=Generator().manual_seed(0))
    for layer in network.layers[1:]:
        assert layer.weight.square().mean().item() == pytest.approx(share * 2 / 400, rel=0.03)
    assert all((layer.bias == 0).all() for layer in network.layers)
    assert all(skip.weight.abs().max().item() == pytest.approx(1 / 20, rel=0.01) for skip in network.skips)


def test_c5_parameters_of_principled_weights_are_their_logarithms() -> None:
    direct, logarithms = (make("ICNN + init", positivity=p) for p in ("projection", "exponential"))
    for ours, theirs in zip(logarithms.layers[1:], direct.layers[1:], strict=True):
        torch.testing.assert_close(ours.weight.exp(), theirs.weight, rtol=1e-5, atol=0)
        assert torch.equal(ours.bias, theirs.bias)


def test_only_shift_centres_what_clamping_moved() -> None:
    layer = classifier((400, 400, 400, 10), ONLY_SHIFT, generator=Generator().manual_seed(0)).layers[1]
    mean = math.sqrt(2 / 400) / 4  # of a uniform weight with its negative half clamped
    assert layer.bias[0].item() == pytest.approx(-400 * mean / math.sqrt(2 * math.pi), rel=0.01)


def test_bias_noise_and_correlation_reach_the_initialiser() -> None:
    for settings in ({"bias_noise": 0.5}, {"correlation": 0.9}):
        bias = (
            classifier((400, 400, 400, 10), "ICNN + init", generator=Generator(), **settings).layers[1].bias
        )
        moments = initialise.principled(400, **settings)
        assert bias.mean().item() == pytest.approx(moments.bias_mean, abs=0.08)
        assert bias.var().item() == pytest.approx(moments.bias_variance, rel=0.15, abs=1e-9)


def test_unknown_names_are_refused_with_what_exists() -> None:
    with pytest.raises(ValueError, match=r"unknown method 'icnn': one of non-convex, ICNN, ICNN \+ skip"):
        classifier(SIZES, "icnn")
    with pytest.raises(ValueError, match="projection"):
        Classifier(SIZES, positivity="square")
