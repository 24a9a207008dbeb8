"""Initial weights for networks with non-negative weights (Hoedt & Klambauer, 2023), and the usual ones.

A layer with non-negative weights cannot centre them, so it shifts its pre-activations and correlates them.
`principled` gives the moments of weights and biases for which mean 0, variance `variance` and correlation
`correlation` of the pre-activations are a fixed point of one layer; the functions that end in an underscore
fill tensors or layers in place. Equation numbers are those of the paper.
"""

import math
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d


class LayerMoments(NamedTuple):
    """Mean and variance of the weights and of the biases of one layer."""

    weight_mean: float
    weight_variance: float
    bias_mean: float
    bias_variance: float


def kernel(correlation: float, slope: float = 0.0) -> float:
    """E[phi(s) phi(t)], phi a leaky ReLU, s and t standard normal with this correlation (Eq. 7, Eq. 23)."""
    bend = math.sqrt(1 - correlation**2) + correlation * math.acos(-correlation)
    return (1 - slope) ** 2 * bend / (2 * math.pi) + slope * correlation


def covariance_gain(correlation: float, fan_in: int, slope: float = 0.0) -> float:
    """Variance of a sum of `fan_in` activations of standard normals with this correlation (f_c, Eq. 35)."""
    squared_mean = kernel(0.0, slope)
    own, shared = kernel(1.0, slope) - squared_mean, kernel(correlation, slope) - squared_mean
    return fan_in * (own + (fan_in - 1) * shared)


def principled(
    fan_in: int,
    *,
    correlation: float = 0.5,
    variance: float = 1.0,
    bias_noise: float = 0.0,
    slope: float = 0.0,
) -> LayerMoments:
    """Moments for which (mean, variance, correlation) = (0, `variance`, `correlation`) is a fixed point.

    Eq. 11-13 for `slope` = 0; Eq. 42-43 for a leaky ReLU of this slope; Eq. 45-46 where random biases make
    the share `bias_noise` of the variance that features do not have in common.

    Raises ValueError, naming the argument, unless `fan_in` > 0, 0 < `correlation` < 1, `variance` > 0,
    0 <= `bias_noise` < 1 and 0 <= `slope` <= 1 (convex, non-decreasing activations).
    """
    _check(fan_in, correlation, variance, bias_noise, slope)
    own = 1 - correlation
    weight_mean = math.sqrt(correlation / covariance_gain(correlation, fan_in, slope))
    weight_variance = own * (1 - bias_noise) / (fan_in * kernel(1.0, slope))
    bias_mean = -fan_in * weight_mean * math.sqrt(variance * kernel(0.0, slope))
    return LayerMoments(weight_mean, weight_variance, bias_mean, bias_noise * own * variance)


def log_normal_parameters(mean: float, variance: float) -> tuple[float, float]:
    """Mean and standard deviation of log(w) for a log-normal w with this mean and variance (Sec. 3.3)."""
    if not mean > 0:
        raise ValueError(f"a log-normal mean must be positive, got mean={mean}")
    if not variance >= 0:
        raise ValueError(f"a variance cannot be negative, got variance={variance}")
    log_variance = math.log1p(variance / mean**2)
    return math.log(mean) - log_variance / 2, math.sqrt(log_variance)


@torch.no_grad()
def log_normal_(weight: Tensor, mean: float, variance: float, generator: Generator | None = None) -> Tensor:
    """Fill `weight` (any shape) with log-normal draws of exactly this mean and variance."""
    return weight.normal_(*log_normal_parameters(mean, variance), generator=generator).exp_()


@torch.no_grad()
def principled_(
    weight: Tensor,
    bias: Tensor,
    *,
    fan_in: int | None = None,
    correlation: float = 0.5,
    variance: float = 1.0,
    bias_noise: float = 0.0,
    slope: float = 0.0,
    generator: Generator | None = None,
) -> LayerMoments:
    """Fill `weight` (..., out, in) with log-normal, `bias` (..., out) with Gaussian draws; see `principled`.

    `fan_in` is the last dimension of `weight` unless given (in * kh * kw for a convolution). Returns the
    moments drawn from. Log-normal weights of wide layers are heavy-tailed: see the chapter.
    """
    moments = principled(
        _fan_in(weight, fan_in),
        correlation=correlation,
        variance=variance,
        bias_noise=bias_noise,
        slope=slope,
    )
    log_normal_(weight, moments.weight_mean, moments.weight_variance, generator)
    bias.normal_(moments.bias_mean, math.sqrt(moments.bias_variance), generator=generator)
    return moments


@torch.no_grad()
def principled_exponential_(
    log_weight: Tensor,
    bias: Tensor,
    *,
    fan_in: int | None = None,
    generator: Generator | None = None,
    **settings: float,
) -> LayerMoments:
    """As `principled_` for a layer with weights exp(`log_weight`): Gaussian draws (App. C.5)."""
    moments = principled(_fan_in(log_weight, fan_in), **settings)
    log_weight.normal_(
        *log_normal_parameters(moments.weight_mean, moments.weight_variance), generator=generator
    )
    bias.normal_(moments.bias_mean, math.sqrt(moments.bias_variance), generator=generator)
    return moments


def principled_layer_(layer: Layer, *, generator: Generator | None = None, **settings: float) -> LayerMoments:
    """As `principled_` for a linear or convolutional layer of torch; its fan-in is that of one output.

    Raises ValueError for a layer without a bias: nothing else can centre its pre-activations; for one whose
    weight or bias is computed from other tensors (weight_norm, parametrize), which would stay as it was; and
    TypeError for any other kind of layer.
    """
    if not isinstance(layer, Layer):
        raise TypeError(
            f"{layer} is neither linear nor a convolution: give `principled_` its tensors and fan-in"
        )
    if layer.bias is None:
        raise ValueError(f"{layer} has no bias to centre its pre-activations with")
    own = dict(layer.named_parameters(recurse=False))
    if computed := [name for name in ("weight", "bias") if name not in own]:
        raise ValueError(
            f"the {computed[0]} of {layer} is computed from other tensors (weight_norm, parametrize): "
            "initialise the layer before it is parametrised, or give `principled_` the tensors and fan-in"
        )
    fan_in = layer.weight[0].numel()
    return principled_(layer.weight, layer.bias, fan_in=fan_in, generator=generator, **settings)


@torch.no_grad()
def lecun_normal_(weight: Tensor, fan_in: int | None = None, generator: Generator | None = None) -> Tensor:
    """Fill `weight` (..., out, in) with draws from N(0, 1 / fan_in) (LeCun et al., 1998)."""
    return weight.normal_(0, _fan_in(weight, fan_in) ** -0.5, generator=generator)


@torch.no_grad()
def he_normal_(
    weight: Tensor, fan_in: int | None = None, *, slope: float = 0.0, generator: Generator | None = None
) -> Tensor:
    """Fill `weight` (..., out, in) with draws from N(0, 2 / ((1 + slope^2) fan_in)) (He et al., 2015)."""
    return weight.normal_(0, (kernel(1.0, slope) * _fan_in(weight, fan_in)) ** -0.5, generator=generator)


def _fan_in(weight: Tensor, fan_in: int | None) -> int:
    return weight.shape[-1] if fan_in is None else fan_in


def _check(fan_in: int, correlation: float, variance: float, bias_noise: float, slope: float) -> None:
    if not fan_in > 0:
        raise ValueError(f"fan_in must be positive, got {fan_in}")
    if not 0 < correlation < 1:
        raise ValueError(f"correlation must lie between 0 and 1, both excluded, got {correlation}")
    if not variance > 0:
        raise ValueError(f"variance must be positive, got {variance}")
    if not 0 <= bias_noise < 1:
        raise ValueError(f"bias_noise must be at least 0 and below 1, got {bias_noise}")
    if not 0 <= slope <= 1:
        raise ValueError(f"slope must lie between 0 and 1, got {slope}")
