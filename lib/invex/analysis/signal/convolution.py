"""Signal propagation through convolutions with non-negative weights (Hoedt & Klambauer, 2023, App. A.5).

In a convolution the terms of one sum are channels at neighbouring positions. Their covariances depend on the
channel (the same or another) and on the lag between the positions, and both propagate. One dimension here.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import conv1d, leaky_relu

from invex.analysis.signal import activation_covariance, activation_mean, activation_variance
from invex.analysis.signal.samples import two_point_
from invex.nn.initialise import LayerMoments, principled


class Lags(NamedTuple):
    """Moments of stationary channels: a mean, and covariances (lags,) at lags 0, 1, 2, ... of positions.

    `same` is that of a channel with itself (`same[0]` the variance), `other` that of two channels.
    """

    mean: Tensor
    same: Tensor
    other: Tensor


def lags(correlation: float, spread: int, count: int) -> Lags:
    """Channels of variance 1 with this correlation, covariances falling to 0 over `spread` positions."""
    decay = (1 - torch.arange(count, dtype=torch.float64) / spread).clamp_min(0)
    return Lags(torch.zeros((), dtype=torch.float64), decay, correlation * decay)


def propagate_convolution(
    state: Lags, layer: LayerMoments, channels: int, kernel_size: int, slope: float = 0.0
) -> Lags:
    """Moments after a convolution of `channels` x `kernel_size` weights (Eq. 29-32).

    The result has `kernel_size` - 1 lags fewer.
    """
    weight_mean, weight_variance, bias_mean, bias_variance = layer
    variance = state.same[0]
    mean = activation_mean(state.mean, variance, slope)
    own = torch.cat(
        [
            activation_variance(state.mean, variance, slope)[None],
            activation_covariance(state.mean, variance, state.same[1:], slope),
        ]
    )
    other = activation_covariance(state.mean, variance, state.other, slope)
    summed = _window(channels * (own + (channels - 1) * other), kernel_size)
    kept = len(summed)
    after = weight_mean**2 * summed
    fan_in = channels * kernel_size
    same = after + fan_in * weight_variance * (own[:kept] + mean**2) + bias_variance
    return Lags(fan_in * weight_mean * mean + bias_mean, same, after)


def _window(covariance: Tensor, kernel_size: int) -> Tensor:
    """Covariances of sums over windows of `kernel_size` positions, from those of single positions."""
    mirrored = torch.cat([covariance.flip(0)[:-1], covariance])
    offsets = torch.arange(1 - kernel_size, kernel_size)
    triangle = (kernel_size - offsets.abs()).to(covariance)
    full = conv1d(mirrored[None, None], triangle[None, None])[0, 0]
    return full[len(full) // 2 :]


def smooth_channels(
    networks: int,
    channels: int,
    length: int,
    correlation: float,
    spread: int,
    generator: Generator | None = None,
) -> Tensor:
    """Gaussian channels (networks, channels, length) with the moments of `lags`."""
    shared = _smooth_noise((networks, 1, length), spread, generator)
    own = _smooth_noise((networks, channels, length), spread, generator)
    return math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own


def _smooth_noise(shape: tuple[int, int, int], spread: int, generator: Generator | None) -> Tensor:
    networks, channels, length = shape
    noise = torch.randn(networks, channels, length + spread - 1, generator=generator)
    return noise.unfold(-1, spread, 1).sum(-1) / math.sqrt(spread)


def random_convolution(features: Tensor, weight: Tensor, bias: Tensor, slope: float = 0.0) -> Tensor:
    """Pre-activations (n, out, length - k + 1) after one convolution in each of n networks.

    `features` (n, channels, length), `weight` (n, out, channels, k), `bias` (n, out).
    """
    networks, out, channels, _ = weight.shape
    signal = leaky_relu(features, slope).reshape(1, networks * channels, -1)
    result = conv1d(signal, weight.reshape(networks * out, channels, -1), bias.reshape(-1), groups=networks)
    return result.reshape(networks, out, -1)


def measure_lags(features: Tensor, mean: float, count: int) -> dict[str, tuple[Tensor, Tensor]]:
    """Second moments about `mean` at lags 0 ... count - 1 with standard errors over networks, (lags,) each.

    `features` is (networks, channels, length); keys "same" and "other" as in `Lags`.
    """
    centred = features.double() - mean
    channels, length = centred.shape[1:]
    same, other = [], []
    for lag in range(count):
        head, tail = centred[..., : length - lag], centred[..., lag:]
        own = (head * tail).mean(-1).sum(1)
        total = (head.sum(1) * tail.sum(1)).mean(-1)
        same.append(own / channels)
        other.append((total - own) / (channels * (channels - 1)))
    root = math.sqrt(len(centred))
    values = {"same": torch.stack(same), "other": torch.stack(other)}
    return {name: (value.mean(-1), value.std(-1) / root) for name, value in values.items()}


def covariance_rows(
    spread: int,
    *,
    channels: int = 16,
    kernel_size: int = 3,
    count: int = 6,
    networks: int = 1500,
    seed: int = 0,
) -> Iterator[dict[str, float | int | str]]:
    """Covariances after one principled convolution, by lag: measured and expected, for Gaussian inputs."""
    source = Generator().manual_seed(seed)
    layer = principled(channels * kernel_size)
    features = smooth_channels(networks, channels, 24, 0.5, spread, source)
    weight = two_point_(torch.empty(networks, 8, channels, kernel_size), *layer[:2], source)
    after = random_convolution(features, weight, torch.full((networks, 8), layer.bias_mean))
    state = lags(0.5, spread, count + kernel_size)
    expected = propagate_convolution(state, layer, channels, kernel_size)
    for kind, (value, error) in measure_lags(after, expected.mean.item(), count).items():
        theory = getattr(expected, kind)
        for lag in range(count):
            row = {"measured": value[lag].item(), "error": error[lag].item(), "expected": theory[lag].item()}
            yield {"kind": kind, "spread": spread, "lag": lag, **row}


def smoothness_rows(
    spreads: Sequence[int], *, channels: int = 16, kernel_size: int = 3
) -> Iterator[dict[str, float | int]]:
    """Expected variance and channel correlation after one principled convolution, by smoothness."""
    layer = principled(channels * kernel_size)
    for spread in spreads:
        after = propagate_convolution(lags(0.5, spread, kernel_size + 1), layer, channels, kernel_size)
        variance, covariance = after.same[0].item(), after.other[0].item()
        yield {"spread": spread, "variance": variance, "correlation": covariance / variance}
