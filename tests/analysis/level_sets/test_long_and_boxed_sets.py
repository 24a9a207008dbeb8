"""Uniform samples where directions from the centre tell little: long and flat sets, boxes, few points."""

import math

import pytest
import torch
from convex_functions import ellipsoid, off_level, seeded, square
from invex.analysis.level_sets import LevelNotReached, LevelSet, NotSpread, whitened
from invex.analysis.level_sets.sampling import directions, shake_and_bake
from scipy import special, stats
from torch import Tensor


def ball(dimension: int, box: tuple[Tensor | float, Tensor | float], *, off: float = 0.0) -> LevelSet:
    """The unit sphere about (-off, ..., -off), within a box, seen from the origin."""
    return LevelSet(lambda z: square(z + off), 1.0, torch.zeros(dimension, dtype=torch.float64), box=box)


def expected_squares(axes: Tensor) -> Tensor:
    """E[(z_i / axis_i)^2] over an ellipsoid's surface: the unit sphere weighted by the map's area factor."""
    unit = directions(100_000, axes, seeded(1))
    area = (unit / axes).norm(dim=1, keepdim=True)
    return (area * unit.square()).sum(0) / area.sum()


@pytest.mark.parametrize(
    "axes",
    [
        torch.logspace(0, 2, 10, dtype=torch.float64),
        torch.tensor([1.0, 1.0, 1000.0], dtype=torch.float64),
        torch.tensor([1.0, 1000.0, 1000.0], dtype=torch.float64),
    ],
    ids=["condition 1e4", "needle", "pancake"],
)
def test_long_and_flat_ellipsoids_are_sampled_by_their_area(axes: Tensor) -> None:
    points = ellipsoid(*axes.tolist()).sample(400, generator=seeded())
    share = (points / axes).square()
    miss = (share.mean(0) - expected_squares(axes)).abs() / (share.std(0) / math.sqrt(400))
    assert (miss < 4).all()


@pytest.mark.parametrize("ratio", [30.0, 1e4])
def test_a_long_ellipse_is_uniform_in_arc_length(ratio: float) -> None:
    points = ellipsoid(ratio, 1.0).sample(400, generator=seeded())
    angle = torch.atan2(points[:, 1], points[:, 0] / ratio) % (2 * math.pi)
    arc = special.ellipeinc(angle.numpy(), 1 - ratio**2) / special.ellipeinc(2 * math.pi, 1 - ratio**2)
    assert stats.kstest(arc, "uniform").pvalue > 0.01


FRAME = torch.tensor([[1.0, 0.0, 0.0], [0.5, 3.0, 0.0], [0.0, -1.0, 0.4]], dtype=torch.float64)


def test_a_frame_keeps_points_uniform_that_are() -> None:
    """A sphere's height is uniform in [-1, 1] (Archimedes), whatever the frame in which its points move."""
    start = directions(2000, FRAME[0], seeded(1))
    moved = shake_and_bake(square, start, 1.0, 30, frame=FRAME, generator=seeded())
    assert (moved != start).any(1).all()
    for height in moved.T.numpy():
        assert stats.kstest((height + 1) / 2, "uniform").pvalue > 0.005


def test_without_the_area_the_same_points_would_not_stay_uniform() -> None:
    """Uniform on the frame's surface, mapped back: what moving in a frame would give if all were accepted."""
    inverse = torch.linalg.inv(FRAME)
    there = LevelSet(lambda y: square(y @ FRAME.T), 1.0, torch.zeros(3).double())
    start = directions(2000, FRAME[0], seeded(1)) @ inverse.T
    mapped = shake_and_bake(there.f, start, 1.0, 30, generator=seeded()) @ FRAME.T
    assert min(stats.kstest((height + 1) / 2, "uniform").pvalue for height in mapped.T.numpy()) < 1e-6


def test_a_set_without_end_is_refused_by_its_elongation() -> None:
    """A strip is unbounded in two directions, which no ray drawn hits; float32 tells lengths up to 1e7."""
    level_set = LevelSet(lambda z: square(z[:, 1:]), 1.0, torch.zeros(2))
    with pytest.raises(NotSpread, match=r"at least .*e\+.* times as long .* steps="):
        level_set.sample(100, generator=seeded())


def test_patches_that_few_directions_meet_are_refused() -> None:
    with pytest.raises(
        NotSpread, match=r"of \d+ directions drawn from the centre only 2 reach the level 1 within"
    ):
        ball(3, (-0.578, 0.578)).sample(100, generator=seeded())


def test_patches_that_few_steps_join_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whitened, "PATIENCE", 16)
    with pytest.raises(NotSpread, match=r"share of 0.* was taken"):
        ball(3, (-0.585, 0.585)).sample(100, generator=seeded())


@pytest.mark.parametrize("half", [0.5, 0.01])
def test_a_slab_of_a_sphere_is_uniform_in_height(half: float) -> None:
    wide = torch.tensor([half, 2.0, 2.0], dtype=torch.float64)
    points = ball(3, (-wide, wide)).sample(400, generator=seeded())
    assert len(points.unique(dim=0)) == 400
    assert stats.kstest((points[:, 0] / half + 1) / 2, "uniform").pvalue > 0.01
    angle = torch.atan2(points[:, 1], points[:, 2]) / (2 * math.pi) + 0.5
    assert stats.kstest(angle, "uniform").pvalue > 0.01


def test_a_box_that_leaves_eight_patches_fills_them_all_alike() -> None:
    points = ball(3, (-0.6, 0.6)).sample(400, generator=seeded())
    assert len(points.unique(dim=0)) == 400
    patch = ((points > 0) * torch.tensor([1, 2, 4])).sum(1)
    assert stats.chisquare(torch.bincount(patch, minlength=8).numpy()).pvalue > 0.01
    every = directions(200_000, points[0], seeded(1))
    inside = every[(every.abs() <= 0.6).all(1)]
    assert stats.ks_2samp(points[:, 0].abs(), inside[:, 0].abs()).pvalue > 0.01


@pytest.mark.parametrize("corner", [0.0, 0.001])
def test_a_centre_in_or_by_a_corner_sees_what_lies_within(corner: float) -> None:
    points = ball(5, (-corner, 2.0), off=0.1).sample(300, generator=seeded())
    every = directions(200_000, points[0], seeded(1)) - 0.1
    inside = every[(every >= -corner).all(1)]
    for axis in (0, 4):
        assert stats.ks_2samp(points[:, axis], inside[:, axis]).pvalue > 0.01


def test_a_centre_in_the_corner_of_twelve_dimensions_reaches_the_level() -> None:
    level_set = ball(12, (0.0, 2.0), off=0.1)
    points = level_set.sample(50, steps=0, generator=seeded())
    assert (points >= 0).all()
    assert off_level(level_set, points) < 2e-9


def test_a_box_that_no_direction_drawn_reaches_says_how_many_were_drawn() -> None:
    with pytest.raises(
        LevelNotReached,
        match=r"of \d+ directions drawn from the centre none reach the level 9 within the box",
    ):
        LevelSet(square, 9.0, torch.zeros(2).double(), box=(-1.0, 1.0)).sample(10, generator=seeded())


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_points_are_few_points(n: int) -> None:
    level_set = ellipsoid(3.0, 1.0)
    points = level_set.sample(n, generator=seeded())
    assert points.shape == (n, 2)
    assert not n or off_level(level_set, points) < 2e-9


def test_single_points_of_many_seeds_are_uniform() -> None:
    level_set = ellipsoid(1.0, 1.0)
    points = torch.cat([level_set.sample(1, steps=0, generator=seeded(seed)) for seed in range(100)])
    assert stats.kstest(torch.atan2(*points.T) / (2 * math.pi) + 0.5, "uniform").pvalue > 0.01


def test_in_one_dimension_the_two_points_come_alike_often() -> None:
    level_set = ellipsoid(2.0, centre=(0.5,))
    points = level_set.sample(400, generator=seeded())
    torch.testing.assert_close(points.abs(), torch.full_like(points, 2.0))
    assert stats.binomtest(int((points > 0).sum()), 400).pvalue > 0.01
    boxed = LevelSet(level_set.f, 1.0, level_set.centre, box=(-1.0, 3.0))
    assert (boxed.sample(20, generator=seeded()) > 0).all()
    with pytest.raises(LevelNotReached, match="none reach the level 1 within the box"):
        LevelSet(level_set.f, 1.0, level_set.centre, box=(-1.0, 1.0)).sample(20)


def test_steps_start_from_points_that_rounding_keeps_off_the_level() -> None:
    """In float32, 300 from the origin, f is known to 1e-4 and the points lie no nearer."""
    centre = torch.full((3,), 300.0)
    points = LevelSet(lambda z: square(z - 300), 1.0, centre).sample(500, generator=seeded())
    assert stats.kstest(((points[:, 0] - 300 + 1) / 2).clamp(0, 1), "uniform").pvalue > 0.01


def test_sampling_tells_of_its_progress_and_draws_the_same() -> None:
    level_set = LevelSet(lambda z: (z / torch.tensor([20.0, 1.0, 1.0])).square().sum(1), 1.0, torch.zeros(3))
    told: list[str] = []
    drawn = level_set.sample(20, generator=seeded(), progress=told.append)
    assert torch.equal(drawn, level_set.sample(20, generator=seeded()))
    steps = [int(text.split()[1]) for text in told if text.startswith("step ")]
    assert steps == sorted(set(steps))
    assert len(steps) > 10
    assert f"of at most {64 * (8 + 2 * 3)}" in told[0]
    assert any(text.endswith("times as long one way as another") for text in told)
