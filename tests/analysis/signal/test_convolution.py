"""Signal propagation through convolutions (Hoedt & Klambauer, 2023, App. A.5)."""

import math

import pytest
import torch
from invex.analysis import signal
from invex.analysis.signal import convolution as signal_convolution
from invex.analysis.signal.samples import two_point_
from invex.nn import initialise

LIMIT = 4.5  # standard errors, for 2 x 4 x 12 comparisons that depend on each other


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("slope", [0.0, 0.2])
@pytest.mark.parametrize("spread", [1, 4])
def test_eq29_32_covariances_over_channels_and_positions(spread, slope):
    channels, kernel_size, count = 6, 3, 6
    expected, measured = convolve(channels, kernel_size, spread, slope, fan_in=channels * kernel_size)
    for name in ("same", "other"):
        value, error = measured[name]
        z = (value - getattr(expected, name)[:count]) / error
        assert z.abs().max() < LIMIT, name


def test_fan_in_without_the_kernel_size_is_detected():
    right = signal_convolution.propagate_convolution(
        signal_convolution.lags(0.5, 4, 12), initialise.principled(18), 6, 3
    )
    _, measured = convolve(6, 3, 4, 0.0, fan_in=6)
    value, error = measured["same"]
    assert (value[0] - right.same[0]) / error[0] > LIMIT


def convolve(channels: int, kernel_size: int, spread: int, slope: float, fan_in: int):
    source, networks, length, out = generator(), 3000, 16, 4
    layer = initialise.principled(fan_in, slope=slope, bias_noise=0.3)
    features = signal_convolution.smooth_channels(networks, channels, length, 0.5, spread, source)
    weight = two_point_(torch.empty(networks, out, channels, kernel_size), *layer[:2], source)
    bias = torch.randn(networks, out, generator=source) * math.sqrt(layer.bias_variance) + layer.bias_mean
    after = signal_convolution.random_convolution(features, weight, bias, slope)
    state = signal_convolution.lags(0.5, spread, 12)
    expected = signal_convolution.propagate_convolution(state, layer, channels, kernel_size, slope)
    return expected, signal_convolution.measure_lags(after, expected.mean.item(), 6)


@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_kernel_of_one_position_is_a_fully_connected_layer(slope):
    layer = initialise.principled(10, slope=slope, bias_noise=0.2)
    after = signal_convolution.propagate_convolution(
        signal_convolution.lags(0.5, 1, 4), layer, 10, 1, slope=slope
    )
    dense = signal.propagate(signal.moments(0, 1, 0.5), layer, 10, slope)
    assert after.same[0].item() == pytest.approx(dense.variance.item(), rel=1e-6)
    assert after.other[0].item() == pytest.approx(dense.covariance.item(), rel=1e-6)


def test_rows_of_the_chapter_are_measured_as_expected_by_lag():
    rows = list(signal_convolution.covariance_rows(4, channels=4, count=3, networks=400))
    assert [(row["kind"], row["lag"]) for row in rows] == [
        (k, i) for k in ("same", "other") for i in range(3)
    ]
    assert all(abs(row["measured"] - row["expected"]) < LIMIT * row["error"] for row in rows)
    assert len({row["expected"] for row in rows}) == 6


def test_smoothness_leaves_the_fixed_point_of_a_kernel_of_one_position_alone():
    for row in signal_convolution.smoothness_rows((1, 8), kernel_size=1):
        assert (row["variance"], row["correlation"]) == pytest.approx((1, 0.5))
    rough, smooth = signal_convolution.smoothness_rows((1, 8))
    assert rough["correlation"] < smooth["correlation"] - 0.05


def test_channels_have_the_covariances_they_were_drawn_with():
    features = signal_convolution.smooth_channels(4000, 5, 20, 0.3, 3, generator())
    state = signal_convolution.lags(0.3, 3, 5)
    for name, (value, error) in signal_convolution.measure_lags(features, 0.0, 5).items():
        assert ((value - getattr(state, name)) / error).abs().max() < LIMIT
