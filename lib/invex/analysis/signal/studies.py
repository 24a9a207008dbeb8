"""The measurements of the chapter on signal propagation: rows of numbers, theory beside samples.

Every study draws networks with `signal_samples` and asks `signal` what to expect; rows are dictionaries,
ready for a data frame.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Literal

import torch
from torch import Generator, Tensor

from invex.analysis import signal
from invex.analysis.signal.samples import (
    Draw,
    Measured,
    Method,
    distance_to_gaussian,
    feature_correlation,
    gaussian_features,
    measure,
    random_layer,
    random_network,
    two_point_,
)
from invex.nn.initialise import LayerMoments, covariance_gain, kernel, log_normal_, principled

Row = dict[str, float | int | str]
Start = Literal["gaussian", "lecun", "lifted"]
MOMENTS = ("mean", "variance", "correlation")


def one_layer(
    width: int,
    layer: LayerMoments,
    *,
    correlation: float = 0.5,
    slope: float = 0.0,
    networks: int = 4000,
    draw: Draw = two_point_,
    seed: int = 0,
    device: str = "cpu",
) -> Measured:
    """Moments of eight features after one layer whose inputs satisfy the theory's assumptions exactly."""
    source = Generator(device).manual_seed(seed)
    features = gaussian_features(networks, width, correlation=correlation, generator=source, device=device)
    return measure(random_layer(features, 8, layer, slope=slope, draw=draw, generator=source))


def fixed_points(
    widths: Sequence[int],
    slopes: Sequence[float],
    correlations: Sequence[float],
    *,
    networks: int = 4000,
    seed: int = 0,
) -> Iterator[Row]:
    """One principled layer at each width, slope and correlation: measured, expected, and how far apart."""
    for index, (width, slope, rho) in enumerate(product(widths, slopes, correlations)):
        layer = principled(width, correlation=rho, slope=slope)
        draw = 1000 * seed + index
        measured = one_layer(width, layer, correlation=rho, slope=slope, networks=networks, seed=draw)
        for name, expected in zip(MOMENTS, (0.0, 1.0, rho), strict=True):
            found = getattr(measured, name)
            yield {
                "width": width,
                "slope": slope,
                "rho": rho,
                "moment": name,
                "measured": found.value,
                "error": found.error,
                "expected": expected,
                "z": found.z(expected),
            }


def depth(
    width: int,
    layers: int,
    *,
    start: Start = "lecun",
    correlation: float = 0.5,
    slope: float = 0.0,
    bias_noise: float = 0.0,
    networks: int = 200,
    draw: Draw = log_normal_,
    seed: int = 0,
    device: str = "cpu",
) -> Iterator[Row]:
    """Moments layer by layer through principled layers of one width, beside the recursion.

    `start`: from Gaussian features with the correlation of the fixed point, from LeCun's first layer, or from
    the latter with a first principled layer that lifts the correlation from 0 to that of the fixed point.
    """
    source = Generator(device).manual_seed(seed)
    layer = principled(width, correlation=correlation, slope=slope, bias_noise=bias_noise)
    first = lifting(width, correlation=correlation, slope=slope) if start == "lifted" else layer
    rho = correlation if start == "gaussian" else 0.0
    features = gaussian_features(networks, width, correlation=rho, generator=source, device=device)
    sequence = [first] + [layer] * (layers - 1)
    expected = signal.trajectory(signal.moments(0, 1, rho), sequence, [width] * layers, slope)
    for index, state in enumerate(expected):
        if index:
            here = sequence[index - 1]
            features = random_layer(features, width, here, slope=slope, draw=draw, generator=source)
        yield from _beside(index, measure(features), state)


def fates(width: int, layers: int, *, networks: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Shares of networks whose signal has died (feature variance below 0.01) or exploded (above 10).

    For one input each, after `layers` principled layers from Gaussian features at the fixed point.
    """
    source, layer = Generator().manual_seed(seed), principled(width)
    features = gaussian_features(networks, width, generator=source)
    for _ in range(layers):
        features = random_layer(features, width, layer, draw=two_point_, generator=source)
    variance = features[:, 0].var(-1)
    return (variance < 0.01).double().mean().item(), (variance > 10).double().mean().item()


def lifting(fan_in: int, *, correlation: float = 0.5, slope: float = 0.0) -> LayerMoments:
    """Moments that take uncorrelated features with mean 0 and variance 1 to this correlation (Eq. 5, 6)."""
    layer = principled(fan_in, correlation=correlation, slope=slope)
    weight_mean = math.sqrt(correlation / covariance_gain(0.0, fan_in, slope))
    bias_mean = -fan_in * weight_mean * math.sqrt(kernel(0.0, slope))
    return layer._replace(weight_mean=weight_mean, bias_mean=bias_mean)


def panels(
    methods: Sequence[Method], widths: Sequence[int], *, bias_noise: float = 0.0, seed: int = 0
) -> dict[str, list[Tensor]]:
    """Pre-activations (inputs, width) of one network a method, all on the same 1024 x 200 Gaussian inputs."""
    source = Generator().manual_seed(seed)
    inputs = torch.randn(1, 1024, 200, generator=source)
    found: dict[str, list[Tensor]] = {}
    for method in methods:
        source.manual_seed(seed + 1)
        layers = random_network(inputs, widths, method, bias_noise=bias_noise, generator=source)
        found[method] = [layer[0] for layer in layers]
    return found


def gaussianity(
    widths: Sequence[int], bias_noises: Sequence[float], *, networks: int = 40, seed: int = 0
) -> Iterator[Row]:
    """Kolmogorov distance of every principled layer of many networks from a Gaussian, for each bias noise."""
    source = Generator().manual_seed(seed)
    inputs = torch.randn(networks, 128, 200, generator=source)
    for noise in bias_noises:
        source.manual_seed(seed + 1)
        layers = random_network(inputs, widths, "principled", bias_noise=noise, generator=source)
        for index, layer in enumerate(layers[1:], start=2):
            distance = distance_to_gaussian(layer.flatten(1))
            error = distance.std().item() / math.sqrt(networks)
            yield {"bias_noise": noise, "layer": index, "distance": distance.mean().item(), "error": error}


def panel_rows(panels: Mapping[str, Sequence[Tensor]]) -> Iterator[Row]:
    """Mean, standard deviation and mean feature correlation of pre-activations, by method and layer."""
    for method, layers in panels.items():
        for index, layer in enumerate(layers, start=1):
            matrix = feature_correlation(layer)
            width = len(matrix)
            correlation = (matrix.sum().item() - width) / (width * (width - 1))
            mean, spread = layer.mean().item(), layer.std().item()
            yield {
                "method": method,
                "layer": index,
                "mean": mean,
                "standard deviation": spread,
                "correlation": correlation,
            }


def tails(width: int, draw: Draw, *, layers: int = 40, seed: int = 0) -> Tensor:
    """Variance of all weights of a layer (layers,), over the variance that was asked for."""
    source = Generator().manual_seed(seed)
    moments = principled(width)
    weight = torch.empty(width, width, dtype=torch.float64)
    return torch.stack(
        [draw(weight, *moments[:2], source).var() / moments.weight_variance for _ in range(layers)]
    )


def choices(width: int, layers: int, *, networks: int = 300, seed: int = 0) -> Iterator[Row]:
    """Moments with 95 % intervals after principled layers on LeCun's, one choice changed at a time."""
    settings: dict[str, dict[str, Any]] = {
        "as published: log-normal weights": {"draw": log_normal_},
        "two-point weights": {},
        "two-point, ρ = 0.1": {"correlation": 0.1},
        "two-point, β = ½": {"bias_noise": 0.5},
        "two-point, first layer lifted to ρ = ½": {"start": "lifted"},
    }
    for name, changed in settings.items():
        arguments: dict[str, Any] = {"draw": two_point_, "networks": networks, "seed": seed} | changed
        last = [row for row in depth(width, layers, **arguments) if row["layer"] == layers]
        yield {"choice": name, **_intervals({row["moment"]: (row["measured"], row["error"]) for row in last})}


def slopes(width: int, slope: float, *, networks: int = 4000, seed: int = 0) -> Iterator[Row]:
    """Moments after one layer from the fixed point, by the formulas that the slope enters."""
    full, none = principled(width, slope=slope), principled(width)
    layers = {
        "in every formula": full,
        "in the weights' variance only": none._replace(weight_variance=full.weight_variance),
        "in none": none,
    }
    for name, layer in layers.items():
        found = one_layer(width, layer, slope=slope, networks=networks, seed=seed)
        yield {"slope enters": name, **_intervals({moment: getattr(found, moment) for moment in MOMENTS})}


def _intervals(estimates: Mapping[Any, Any]) -> Row:
    row: Row = {}
    for name, (value, error) in estimates.items():
        row |= {name: value, f"{name} low": value - 1.96 * error, f"{name} high": value + 1.96 * error}
    return row


def _beside(layer: int, measured: Measured, state: signal.Moments) -> Iterator[Row]:
    for name in MOMENTS:
        found, expected = getattr(measured, name), getattr(state, name).item()
        yield {
            "layer": layer,
            "moment": name,
            "measured": found.value,
            "error": found.error,
            "recursion": expected,
        }
