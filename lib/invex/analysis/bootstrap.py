"""Percentile bootstrap over repetitions (Efron, 1979): what few runs say about a statistic of many."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

Statistic = Callable[..., np.ndarray]


class Estimate(NamedTuple):
    """A statistic and the ends of its confidence interval."""

    value: float
    low: float
    high: float


def interval(
    statistic: Statistic,
    *samples: Sequence[float],
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """Value and percentile interval of `statistic`, each sample resampled on its own.

    `statistic` takes one array (..., n_i) a sample and reduces the last axis of each. With n repetitions the
    interval cannot leave their range: below about six its coverage is well under `level`.

    Raises ValueError for an empty sample.
    """
    if not all(len(sample) for sample in samples):
        raise ValueError("a sample is empty")
    generator = np.random.default_rng(seed)
    arrays = [np.asarray(sample, dtype=float) for sample in samples]
    drawn = [array[generator.integers(len(array), size=(resamples, len(array)))] for array in arrays]
    tail = (1 - level) / 2
    low, high = np.quantile(statistic(*drawn), [tail, 1 - tail])
    return Estimate(float(statistic(*arrays)), float(low), float(high))


def median(sample: np.ndarray) -> np.ndarray:
    """Median over the last axis."""
    return np.median(sample, axis=-1)


def ratio_of_medians(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Median of one sample over that of another."""
    return median(above) / median(below)
