"""Signal propagation with weights that are not centred: the recursion of Hoedt & Klambauer (2023).

A layer's state is the mean of a pre-activation, its variance and its covariance with another feature, over
random weights and one input; and the same two covariances between two independent inputs of one network: what
is left without them is what a histogram of one network over its data shows. Pre-activations are taken to be
jointly Gaussian, with any mean. Equation numbers are those of the paper.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from invex.nn.initialise import LayerMoments, covariance_gain, kernel, principled

NODES, WEIGHTS = (torch.from_numpy(values) for values in np.polynomial.hermite_e.hermegauss(96))


class Moments(NamedTuple):
    """Moments of features, scalars or tensors of one shape.

    `covariance` is that of two features; the two `between` inputs are those of a feature with itself, and of
    two features, at two independent inputs of one network.
    """

    mean: Tensor
    variance: Tensor
    covariance: Tensor
    variance_between: Tensor
    covariance_between: Tensor

    @property
    def correlation(self) -> Tensor:
        """Correlation of two features over networks."""
        return self.covariance / self.variance

    @property
    def data_variance(self) -> Tensor:
        """Expected variance of a feature over the inputs of one network."""
        return self.variance - self.variance_between

    @property
    def data_correlation(self) -> Tensor:
        """Correlation of two features over the inputs of one network (ratio of expected covariances)."""
        return (self.covariance - self.covariance_between) / self.data_variance


def moments(
    mean: float = 0.0, variance: float = 1.0, correlation: float = 0.0, *, correlation_between: float = 0.0
) -> Moments:
    """State with this mean, variance and feature correlation, in double precision.

    `correlation_between` is that of a feature with itself, or with another, at another input: 0 for the
    first layer, whose weights are centred, on inputs without a mean.
    """
    values = (mean, variance, correlation * variance, *2 * (correlation_between * variance,))
    return Moments(*(torch.tensor(value, dtype=torch.float64) for value in values))


def activation_mean(mean: Tensor, variance: Tensor, slope: float = 0.0) -> Tensor:
    """E[phi(s)] of a leaky ReLU phi of s ~ N(mean, variance)."""
    positive, density = _normal(mean, variance)
    return (1 - slope) * (mean * positive + density) + slope * mean


def activation_variance(mean: Tensor, variance: Tensor, slope: float = 0.0) -> Tensor:
    """Var[phi(s)] of a leaky ReLU phi of s ~ N(mean, variance)."""
    positive, density = _normal(mean, variance)
    square = mean**2 + variance
    mean_square = (1 - slope**2) * (square * positive + mean * density) + slope**2 * square
    return (mean_square - activation_mean(mean, variance, slope) ** 2).clamp_min(0)


def activation_covariance(mean: Tensor, variance: Tensor, covariance: Tensor, slope: float = 0.0) -> Tensor:
    """Cov[phi(s), phi(t)] for jointly Gaussian s and t with 0 <= `covariance` < `variance`; broadcasts.

    With mean 0 this is the arc-cosine kernel less its value at 0 (Eq. 23). For any mean: given what they
    share, s and t are independent, which leaves a Gauss-Hermite quadrature over one variable.
    """
    nodes, weights = NODES.to(covariance), WEIGHTS.to(covariance)
    at = mean[..., None] + covariance.sqrt()[..., None] * nodes
    given = activation_mean(at, (variance - covariance)[..., None], slope)
    product = given.square() @ weights / math.sqrt(2 * math.pi)
    # A covariance that vanishes can come out at -1e-17, whose root is not a number.
    return (product - activation_mean(mean, variance, slope) ** 2).clamp_min(0)


def activation_moments(state: Moments, slope: float = 0.0) -> Moments:
    """Moments of leaky ReLUs of jointly Gaussian features with non-negative covariances (Eq. 21)."""
    mean = activation_mean(state.mean, state.variance, slope)
    variance = activation_variance(state.mean, state.variance, slope)
    shared = (activation_covariance(state.mean, state.variance, cov, slope) for cov in state[2:])
    return Moments(mean, variance, *shared)


def propagate(state: Moments, layer: LayerMoments, fan_in: int, slope: float = 0.0) -> Moments:
    """Moments of the next pre-activations, W phi(s) + b with W of `fan_in` columns (Eq. 5, 6, 19)."""
    weight_mean, weight_variance, bias_mean, bias_variance = layer
    phi = activation_moments(state, slope)
    scale = fan_in * weight_mean**2
    covariance = scale * (phi.variance + (fan_in - 1) * phi.covariance)
    between = scale * (phi.variance_between + (fan_in - 1) * phi.covariance_between)
    own = fan_in * weight_variance * (phi.variance + phi.mean**2) + bias_variance
    own_between = fan_in * weight_variance * (phi.variance_between + phi.mean**2) + bias_variance
    mean = fan_in * weight_mean * phi.mean + bias_mean
    return Moments(mean, covariance + own, covariance, between + own_between, between)


def trajectory(
    state: Moments, layers: Sequence[LayerMoments], fan_ins: Sequence[int], slope: float = 0.0
) -> list[Moments]:
    """The state before the first and after every layer."""
    states = [state]
    for layer, fan_in in zip(layers, fan_ins, strict=True):
        states.append(propagate(states[-1], layer, fan_in, slope))
    return states


def published_map(state: Tensor, fan_in: int, correlation: float, slope: float = 0.0) -> Tensor:
    """(variance, correlation) after one principled layer, divided by the variance *before* it (Eq. 44)."""
    variance, shared = _zero_mean_step(state, fan_in, correlation, slope)
    return torch.stack([variance, shared / state[0]])


def correlation_map(state: Tensor, fan_in: int, correlation: float, slope: float = 0.0) -> Tensor:
    """(variance, correlation) after one principled layer, divided by the variance *after* it."""
    variance, shared = _zero_mean_step(state, fan_in, correlation, slope)
    return torch.stack([variance, shared / variance])


def full_map(state: Tensor, fan_in: int, correlation: float, slope: float = 0.0) -> Tensor:
    """(mean, variance, correlation) after one principled layer; the mean moves too."""
    layer = principled(fan_in, correlation=correlation, slope=slope)
    mean, variance, rho = state
    after = propagate(Moments(mean, variance, *3 * (rho * variance,)), layer, fan_in, slope)
    return torch.stack([after.mean, after.variance, after.correlation])


def jacobian(step: Callable[..., Tensor], state: Sequence[float], *settings: float) -> Tensor:
    """Jacobian (n, n) of one of the maps above at `state` (n numbers), by automatic differentiation."""
    point = torch.tensor(state, dtype=torch.float64)
    result = torch.autograd.functional.jacobian(lambda at: step(at, *settings), point)
    assert isinstance(result, Tensor)
    return result


def eigenvalues(fan_in: int, correlation: float = 0.5, slope: float = 0.0) -> tuple[float, float]:
    """Eigenvalues of the Jacobian of `published_map` at its fixed point (App. B.4)."""
    gain = fan_in * (fan_in - 1) * _kernel_slope(correlation, slope)
    return 1.0, correlation * gain / covariance_gain(correlation, fan_in, slope)


def stability_bound(correlation: float = 0.5, slope: float = 0.0) -> float:
    """Fan-in below which the second of the `eigenvalues` is less than 1 (App. B.4)."""
    squared_mean = kernel(0.0, slope)
    own, shared = kernel(1.0, slope) - squared_mean, kernel(correlation, slope) - squared_mean
    excess = correlation * _kernel_slope(correlation, slope) - shared
    return 1 + own / excess if excess > 0 else math.inf


def _zero_mean_step(state: Tensor, fan_in: int, correlation: float, slope: float) -> tuple[Tensor, Tensor]:
    variance, rho = state
    bend = torch.sqrt(1 - rho**2) + rho * torch.acos(-rho)
    squared_mean = kernel(0.0, slope)
    own = kernel(1.0, slope) - squared_mean
    shared = squared_mean * (bend - 1) + slope * rho
    gain = fan_in * (own + (fan_in - 1) * shared) / covariance_gain(correlation, fan_in, slope)
    covariance = variance * correlation * gain
    return (1 - correlation) * variance + covariance, covariance


def _kernel_slope(correlation: float, slope: float) -> float:
    return (1 - slope) ** 2 * math.acos(-correlation) / (2 * math.pi) + slope


def _normal(mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """P(s > 0), and sigma times the standard density at mean / sigma, for s ~ N(mean, variance)."""
    sigma = variance.sqrt()
    ratio = mean / sigma
    return torch.special.ndtr(ratio), sigma * torch.exp(-(ratio**2) / 2) / math.sqrt(2 * math.pi)
