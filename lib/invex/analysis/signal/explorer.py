"""Precomputed signal propagation for the chapter's interactive: histograms and moments for many settings."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from invex.analysis import signal
from invex.analysis.signal.samples import Method, measure, measure_data, random_network
from invex.nn.initialise import LayerMoments, principled

LOW, HIGH, BINS = -math.asinh(10), math.asinh(1e4), 140
DEAD = 1e-6  # a variance below which correlations are those of rounding errors


def explorer(
    widths: Sequence[int],
    correlations: Sequence[float],
    layers: int,
    *,
    weights: int = 2_000_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Runs of `layers` constrained layers after LeCun's, for every width and correlation, ready for JSON.

    Histograms are in per mille, over `BINS` bins equal in asinh(pre-activation) from `LOW` to `HIGH`. As many
    networks are drawn as have about `weights` weights a layer; all settings of a width share their random
    numbers. Moments are the mean, the variance, and the correlations over networks and over data.
    """
    principled_runs = [
        [_run(width, "principled", rho, layers, weights, seed) for rho in correlations] for width in widths
    ]
    clamped = [[_run(width, "clamped", 0.5, layers, weights, seed)] for width in widths]
    runs = {"principled": principled_runs, "clamped": clamped}
    return {
        "low": LOW,
        "high": HIGH,
        "widths": list(widths),
        "correlations": list(correlations),
        "runs": runs,
    }


def clamped_moments(fan_in: int) -> LayerMoments:
    """Moments of He's weights with the negative ones set to zero."""
    return LayerMoments(1 / math.sqrt(math.pi * fan_in), (1 - 1 / math.pi) / fan_in, 0.0, 0.0)


def _run(width: int, method: Method, rho: float, layers: int, weights: int, seed: int) -> dict[str, Any]:
    source = Generator().manual_seed(seed)
    networks = max(8, min(400, weights // width**2))
    inputs = torch.randn(networks, 4, width, generator=source)
    inputs *= math.sqrt(width) / inputs.norm(dim=-1, keepdim=True)
    states = random_network(inputs, [width] * (layers + 1), method, correlation=rho, generator=source)
    layer = clamped_moments(width) if method == "clamped" else principled(width, correlation=rho)
    expected = signal.trajectory(signal.moments(), [layer] * layers, [width] * layers)
    return {
        "histograms": [_histogram(state) for state in states],
        "measured": [_measured(state) for state in states],
        "recursion": [_expected(state) for state in expected],
    }


def _measured(state: Tensor) -> list[float | None]:
    found = measure(state)
    over_data = measure_data(state).correlation.value
    return [_round(v) for v in (found.mean.value, found.variance.value, found.correlation.value, over_data)]


def _expected(state: signal.Moments) -> list[float | None]:
    moments = [_round(state.mean.item()), _round(state.variance.item())]
    if state.variance < DEAD:
        return [*moments, None, None]
    return [*moments, _round(state.correlation.item()), _round(state.data_correlation.item())]


def _histogram(state: Tensor) -> list[int]:
    counts = torch.histc(state.asinh().clamp(LOW, HIGH), BINS, LOW, HIGH)
    return (1000 * counts / counts.sum()).round().int().tolist()


def _round(value: float) -> float | None:
    return float(f"{value:.3g}") if math.isfinite(value) else None
