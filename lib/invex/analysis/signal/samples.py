"""Signal propagation measured: random networks, their pre-activations, and moments with standard errors."""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

import torch
from torch import Generator, Tensor
from torch.nn.functional import leaky_relu

from invex.nn.initialise import LayerMoments, he_normal_, lecun_normal_, log_normal_, principled

Method = Literal["regular", "clamped", "principled"]
Draw = Callable[[Tensor, float, float, Generator | None], Tensor]


class Measurement(NamedTuple):
    """A measured value and its standard error."""

    value: float
    error: float

    def z(self, expected: float) -> float:
        """Standard errors between the value and what was expected."""
        return (self.value - expected) / self.error


class Measured(NamedTuple):
    """Moments of exchangeable features over networks."""

    mean: Measurement
    variance: Measurement
    covariance: Measurement
    correlation: Measurement


@torch.no_grad()
def two_point_(weight: Tensor, mean: float, variance: float, generator: Generator | None = None) -> Tensor:
    """Fill `weight` with draws from {0, w}: of all non-negative laws the one with the lightest tail.

    Raises:
        ValueError: the mean is not positive.
    """
    if not mean > 0:
        raise ValueError(f"the mean of non-negative weights must be positive, got mean={mean}")
    share = mean**2 / (mean**2 + variance)
    return weight.bernoulli_(share, generator=generator).mul_(mean / share)


def gaussian_features(
    networks: int,
    width: int,
    *,
    mean: float = 0.0,
    variance: float = 1.0,
    correlation: float = 0.5,
    generator: Generator | None = None,
    device: str = "cpu",
) -> Tensor:
    """Jointly Gaussian features (networks, 1, width) that satisfy the theory's assumption exactly."""
    shared = torch.randn(networks, 1, 1, generator=generator, device=device)
    own = torch.randn(networks, 1, width, generator=generator, device=device)
    return mean + math.sqrt(variance) * (math.sqrt(correlation) * shared + math.sqrt(1 - correlation) * own)


def random_layer(
    features: Tensor,
    width: int,
    moments: LayerMoments,
    *,
    slope: float = 0.0,
    draw: Draw = log_normal_,
    generator: Generator | None = None,
) -> Tensor:
    """Pre-activations (networks, inputs, width) after one layer with fresh non-negative weights a network."""
    networks, _, fan_in = features.shape
    weight = draw(features.new_empty(networks, width, fan_in), *moments[:2], generator)
    noise = torch.randn(networks, 1, width, generator=generator, device=features.device)
    bias = moments.bias_mean + math.sqrt(moments.bias_variance) * noise
    return leaky_relu(features, slope) @ weight.mT + bias


def random_network(
    inputs: Tensor,
    widths: Sequence[int],
    method: Method,
    *,
    correlation: float = 0.5,
    bias_noise: float = 0.0,
    slope: float = 0.0,
    draw: Draw = log_normal_,
    generator: Generator | None = None,
) -> list[Tensor]:
    """Pre-activations (networks, inputs, width) of every layer, for `inputs` (networks, inputs, features).

    The first layer is LeCun's, of any sign. The others are He's ("regular"), He's with negative weights set
    to zero ("clamped"), or principled, from the non-negative law `draw`.

    Raises:
        ValueError: an unknown method.
    """
    if method not in get_args(Method):
        raise ValueError(f"unknown method {method!r}: choose one of {get_args(Method)}")
    weight = inputs.new_empty(len(inputs), widths[0], inputs.shape[-1])
    layers = [inputs @ lecun_normal_(weight, generator=generator).mT]
    for fan_in, width in pairwise(widths):
        if method == "principled":
            moments = principled(fan_in, correlation=correlation, bias_noise=bias_noise, slope=slope)
            step = random_layer(layers[-1], width, moments, slope=slope, draw=draw, generator=generator)
        else:
            weight = inputs.new_empty(len(inputs), width, fan_in)
            he_normal_(weight, slope=slope, generator=generator)
            weight = weight.clamp_(min=0) if method == "clamped" else weight
            step = leaky_relu(layers[-1], slope) @ weight.mT
        layers.append(step)
    return layers


def measure(features: Tensor) -> Measured:
    """Moments over networks of `features` (networks, inputs, width), standard errors by the delta method.

    A network is one independent draw: its inputs and features are averaged first.
    """
    features = features.double()
    width = features.shape[-1]
    square = features.square().mean(-1)
    product = (features.mean(-1).square() * width - square) / (width - 1)
    first, second, mixed = (value.mean(-1) for value in (features.mean(-1), square, product))
    mean = first.mean()
    shift = 2 * mean * (first - mean)
    variance, covariance = second.mean() - mean**2, mixed.mean() - mean**2
    of_variance, of_covariance = second - second.mean() - shift, mixed - mixed.mean() - shift
    return Measured(_estimate(mean, first - mean), *_ratio(variance, of_variance, covariance, of_covariance))


def measure_data(features: Tensor) -> Measured:
    """Moments of `features` (networks, inputs, width) over the inputs of one network, expected over networks.

    The counterpart of `Moments.data_variance` and `data_correlation`, with errors over networks.
    """
    features = features.double()
    inputs, width = features.shape[1:]
    first = features.mean((1, 2))
    centred = features - features.mean(1, keepdim=True)
    square = centred.square().sum((1, 2)) / (inputs - 1)
    total = centred.sum(-1).square().sum(-1) / (inputs - 1)
    second, mixed = square / width, (total - square) / (width * (width - 1))
    mean, variance, covariance = first.mean(), second.mean(), mixed.mean()
    rest = _ratio(variance, second - variance, covariance, mixed - covariance)
    return Measured(_estimate(mean, first - mean), *rest)


def feature_correlation(features: Tensor) -> Tensor:
    """Correlation matrix (width, width) of `features` (inputs, width); constant features give NaN."""
    return torch.corrcoef(features.double().T)


def distance_to_gaussian(samples: Tensor) -> Tensor:
    """Kolmogorov distance (networks,) of `samples` (networks, n) from a Gaussian of their moments."""
    standard = (samples - samples.mean(1, keepdim=True)) / samples.std(1, keepdim=True)
    expected = torch.special.ndtr(standard.sort(1).values.double())
    rank = torch.arange(1, samples.shape[1] + 1, device=samples.device) / samples.shape[1]
    return (expected - rank).abs().amax(1)


def _ratio(
    variance: Tensor, of_variance: Tensor, covariance: Tensor, of_covariance: Tensor
) -> tuple[Measurement, Measurement, Measurement]:
    correlation = covariance / variance
    of_correlation = (of_covariance - correlation * of_variance) / variance
    return (
        _estimate(variance, of_variance),
        _estimate(covariance, of_covariance),
        _estimate(correlation, of_correlation),
    )


def _estimate(value: Tensor, influence: Tensor) -> Measurement:
    """Standard error of a mean of independent influences (networks,)."""
    return Measurement(value.item(), (influence.std() / math.sqrt(len(influence))).item())
