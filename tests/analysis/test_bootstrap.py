"""Bootstrap intervals: coverage where the truth is known, and exactness where nothing varies."""

import numpy as np
import pytest
from invex.analysis.bootstrap import interval, median, ratio_of_medians


def test_interval_of_a_constant_is_a_point() -> None:
    assert interval(median, [2.0] * 5) == (2.0, 2.0, 2.0)


def test_interval_of_the_mean_agrees_with_the_normal_one() -> None:
    sample = np.random.default_rng(0).normal(3, 2, 400)
    value, low, high = interval(lambda x: x.mean(-1), sample)
    half = 1.96 * sample.std() / 20
    assert value == sample.mean()
    assert (low, high) == pytest.approx((value - half, value + half), abs=0.1 * half)
    half *= 0.6745 / 1.96
    assert interval(lambda x: x.mean(-1), sample, level=0.5)[1:] == pytest.approx(
        (value - half, value + half), abs=0.1 * half
    )


def test_the_seed_decides_the_resamples() -> None:
    sample = np.random.default_rng(0).normal(size=50)
    once, again, other = (interval(median, sample, resamples=100, seed=seed) for seed in (1, 1, 2))
    assert once == again
    assert once[1:] != other[1:]


def test_interval_of_a_median_covers_the_truth() -> None:
    generator = np.random.default_rng(1)
    hits = 0
    for _ in range(200):
        _, low, high = interval(median, generator.exponential(size=30), resamples=500)
        hits += low <= np.log(2) <= high
    assert 0.90 <= hits / 200 <= 0.99


def test_ratio_resamples_each_sample_on_its_own() -> None:
    value, low, high = interval(ratio_of_medians, [2.0, 4.0, 6.0], [1.0, 1.0])
    assert (value, low, high) == (4.0, 2.0, 6.0)


def test_an_empty_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        interval(median, [])
