"""Uniform samples of level sets, by their surface measure."""

import math

import numpy as np
import pytest
import torch
from convex_functions import Quadratic, ellipsoid, seeded
from invex.analysis.level_sets import LevelSet
from invex.analysis.level_sets.sampling import (
    directions,
    log_density_correction,
    normals,
    shake_and_bake,
    within,
)
from scipy import special, stats
from torch import Tensor


def arc_share(a: float, b: float, points: Tensor) -> np.ndarray:
    """Share of the ellipse's arc from (a, 0) anticlockwise to each point, by elliptic integrals (SciPy)."""
    angle = np.arctan2(points[:, 1].numpy() / b, points[:, 0].numpy() / a) % (2 * np.pi)
    quarter = lambda t: special.ellipeinc(t, 1 - (a / b) ** 2)  # noqa: E731
    return quarter(angle) / quarter(2 * np.pi)


@pytest.mark.parametrize("steps", [0, None])
def test_samples_of_an_ellipse_are_uniform_in_arc_length(steps: int | None) -> None:
    level_set = ellipsoid(3.0, 1.0, centre=(0.5, -0.2))
    points = level_set.sample(800, steps=steps, generator=seeded())
    assert stats.kstest(arc_share(3, 1, points), "uniform").pvalue > 0.01


def test_uncorrected_angles_fail_the_same_test() -> None:
    level_set = ellipsoid(3.0, 1.0, centre=(0.5, -0.2))
    points = level_set.points(directions(800, level_set.centre, seeded()))
    assert stats.kstest(arc_share(3, 1, points), "uniform").pvalue < 1e-6


def test_resampling_without_the_cosine_fails_the_same_test() -> None:
    level_set = ellipsoid(3.0, 1.0)
    points = level_set.points(directions(100_000, level_set.centre, seeded()))
    radius = points.norm(dim=1)
    kept = points[torch.multinomial(radius / radius.sum(), 20_000, generator=seeded())]
    assert stats.kstest(arc_share(3, 1, kept), "uniform").pvalue < 1e-6


def test_density_correction_integrates_to_the_exact_area() -> None:
    """Mean weight over uniform directions times the sphere's area is the area of a prolate spheroid."""
    level_set = ellipsoid(1.0, 1.0, 2.0, centre=(0.1, 0.0, -0.3))
    points = level_set.points(directions(40_000, level_set.centre, seeded()))
    weight = log_density_correction(points - level_set.centre, normals(level_set.f, points)).exp()
    eccentricity = math.sqrt(1 - 1 / 4)
    area = 2 * math.pi * (1 + 2 / eccentricity * math.asin(eccentricity))
    error = 4 * math.pi * weight.std().item() / math.sqrt(len(weight))
    assert abs(4 * math.pi * weight.mean().item() - area) < 4 * error


@pytest.mark.parametrize("dimension", [2, 3, 20])
def test_shake_and_bake_keeps_a_sphere_uniform_and_spreads_a_point(dimension: int) -> None:
    level_set = ellipsoid(*(1.0,) * dimension)
    start = torch.zeros(400, dimension, dtype=torch.float64)
    start[:, 0] = 1.0
    moved = shake_and_bake(level_set.f, start, 1.0, 6 * dimension, generator=seeded())
    marginal = stats.beta((dimension - 1) / 2, (dimension - 1) / 2, loc=-1, scale=2)
    for axis in (0, 1):
        assert stats.kstest(moved[:, axis].numpy(), marginal.cdf).pvalue > 0.005


def test_directions_from_a_corner_are_mirrored_into_the_box() -> None:
    centre = torch.tensor([0.0, 1.0, 0.5], dtype=torch.float64)
    drawn = directions(100, centre, seeded())
    inwards = within(drawn, centre, (0.0, 1.0))
    expected = torch.stack([drawn[:, 0].abs(), -drawn[:, 1].abs(), drawn[:, 2]], 1)
    assert torch.equal(inwards, expected)


def test_samples_in_a_box_stay_there() -> None:
    level_set = LevelSet(
        lambda z: z.square().sum(1), 1.0, torch.zeros(2).double(), box=(-2.0, torch.tensor([0.5, 2]))
    )
    points = level_set.sample(300, generator=seeded())
    assert (points[:, 0] <= 0.5).all()
    share = arc_share(1, 1, points)
    assert stats.kstest((share - 1 / 6) / (2 / 3), "uniform").pvalue > 0.01


def test_the_same_generator_gives_the_same_sample_and_another_another() -> None:
    level_set = ellipsoid(3.0, 1.0)
    once, again = (level_set.sample(30, generator=seeded(5)) for _ in range(2))
    assert torch.equal(once, again)
    drawn = [level_set.sample(30, steps=0, generator=seeded(seed)) for seed in (5, 6)]
    assert not torch.equal(*drawn)


def test_quadratic_sampling_has_the_moments_of_its_symmetry() -> None:
    f = Quadratic(10, seeded(), condition=1.0).requires_grad_(False)
    level_set = LevelSet(f, f.offset.item() + 0.5, f.minimum + 0.2)
    offsets = level_set.sample(2_000, generator=seeded(1)) - f.minimum
    assert offsets.mean(0).abs().max() < 4 * math.sqrt(1 / 10 / 2_000)
    covariance = offsets.T @ offsets / 2_000
    assert (covariance - torch.eye(10).double() / 10).abs().max() < 0.015


def test_samples_of_a_long_set_in_many_dimensions_are_uniform_and_short_chains_are_not() -> None:
    """E[(z_0 / axis)^2] over the surface, by weighting uniform directions in the unit ball's frame."""
    axis, dimension = 6.0, 20
    level_set = ellipsoid(axis, *(1.0,) * (dimension - 1))
    unit = directions(200_000, level_set.centre, seeded(1))
    area = (unit[:, 0].square() / axis**2 + unit[:, 1:].square().sum(1)).sqrt()  # of the map to the ellipsoid
    expected = (area * unit[:, 0].square()).sum() / area.sum()
    spread = level_set.sample(1000, generator=seeded())
    start = level_set.sample(1000, steps=0, generator=seeded())
    moved = shake_and_bake(level_set.f, start, 1.0, 8, generator=seeded())
    long, short = ((points[:, 0] / axis).square() for points in (spread, moved))
    assert abs(long.mean() - expected) < 4 * long.std() / 1000**0.5
    assert expected - short.mean() > 4 * short.std() / 1000**0.5
