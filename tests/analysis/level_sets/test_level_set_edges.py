"""Points, grids and walks at the edges: far, short, empty, outside the box, off the level."""

import math

import pytest
import torch
from convex_functions import seeded, square
from invex.analysis.level_sets import (
    LevelNotReached,
    LevelSet,
    LevelSetError,
    NotOnLevel,
    UnboundedLevelSet,
    minimum,
)
from torch import Tensor

EYE = torch.eye(2, dtype=torch.float64)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("level", [0.0, -1e-12, 1e-6])
def test_a_level_of_about_zero_is_sampled_as_any_other(level: float, dtype: torch.dtype) -> None:
    for f in (lambda z: square(z) - 1, lambda z: z.abs().sum(1) - 1, lambda z: z.exp().sum(1) - z.sum(1) - 3):
        level_set = LevelSet(f, level, torch.zeros(2, dtype=dtype))
        points = level_set.sample(100, steps=8, generator=seeded())
        assert (f(points) - level).abs().max() <= 2 * level_set.accepted()


def test_a_set_beyond_the_limit_names_it_and_a_larger_limit_reaches_it() -> None:
    f, centre = lambda z: square(z / 1e7), torch.zeros(2).double()
    with pytest.raises(UnboundedLevelSet, match=r"within 1e\+06, where f = 0.01; give a larger limit"):
        LevelSet(f, 1.0, centre).points(EYE)
    torch.testing.assert_close(LevelSet(f, 1.0, centre, limit=1e8).points(EYE), 1e7 * EYE)


def test_the_length_of_directions_plays_no_part() -> None:
    level_set = LevelSet(lambda z: square(z) / 1e4, 1.0, torch.zeros(2).double())
    for length in (1e-9, 1.0, 1e9):
        torch.testing.assert_close(level_set.points(length * EYE), 100 * EYE)
        torch.testing.assert_close(level_set.retract(length * EYE), 100 * EYE)
        torch.testing.assert_close(
            level_set.radii(length * EYE).radius, 100 / torch.full((2,), length).double()
        )
    with pytest.raises(LevelSetError, match="its length is 0"):
        level_set.retract(level_set.centre[None])


def test_a_level_above_the_domain_is_refused_with_the_reason() -> None:
    with pytest.raises(LevelNotReached, match=r"ray 0, .* as f jumps, or is not a number, before it"):
        LevelSet(lambda z: -(1 - square(z)).sqrt(), 0.5, torch.zeros(2).double()).points(EYE)


@pytest.mark.parametrize("offset", [0.0, 100.0, 1000.0])
def test_points_far_off_the_level_are_refused_in_float32_whatever_the_offset(offset: float) -> None:
    level_set = LevelSet(lambda z: square(z) + offset, offset + 1, torch.zeros(2))
    on, off = torch.tensor([0.0, 1.0]), torch.tensor([0.9, 0.0])
    assert level_set.interpolate(on, level_set.points(EYE[:1].float())[0], 3).shape == (3, 2)
    for call in (level_set.interpolate, level_set.geodesic):
        with pytest.raises(NotOnLevel, match=r"point 1, .*`retract` moves points to the set"):
            call(on, off, 3)
    with pytest.raises(NotOnLevel, match="point 0"):
        level_set.walk(torch.zeros(2), 3, 0.1)


def test_what_is_found_on_a_level_barely_above_the_minimum_is_on_it() -> None:
    level_set = LevelSet(lambda z: square(z) + 1e3, 1e3 + 2e-6, torch.zeros(2).double())
    assert level_set.check(level_set.points(EYE)).shape == (2, 2)


def test_nothing_gives_nothing() -> None:
    level_set = LevelSet(square, 1.0, torch.zeros(3).double())
    none = torch.zeros(0, 3).double()
    assert level_set.points(none).shape == (0, 3)
    assert level_set.grid(0, 4).shape == (0, 4, 3)
    assert level_set.grid(4, 0).shape == (4, 0, 3)
    assert level_set.walk(none, 5, 0.1).shape == (6, 0, 3)
    with pytest.raises(ValueError, match="in one dimension the set is two points"):
        LevelSet(square, 1.0, torch.zeros(1).double()).grid()


def test_a_walk_that_has_left_the_box_goes_nowhere_at_no_cost() -> None:
    seen = []

    def watched(z: Tensor) -> Tensor:
        seen.append(len(z))
        return square(z)

    level_set = LevelSet(watched, 1.0, torch.zeros(2).double(), box=(-0.9, 2.0))
    start = torch.tensor([-math.sqrt(0.75), 0.5]).double()
    trail = level_set.walk(start, 20, 0.3, direction=torch.tensor([-0.5, -1.0]).double())
    assert trail[0].isfinite().all()
    assert trail[1:].isnan().all()
    assert sum(seen) < 250


def test_walks_and_checks_keep_their_chunk() -> None:
    largest = []

    def watched(z: Tensor) -> Tensor:
        largest.append(len(z))
        return square(z)

    level_set = LevelSet(watched, 1.0, torch.zeros(2).double(), chunk=16)
    start = torch.nn.functional.normalize(torch.randn(100, 2, generator=seeded()).double())
    assert level_set.walk(start, 2, 0.1, generator=seeded()).shape == (3, 100, 2)
    assert max(largest) <= 16


def test_float16_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"float32 or float64, not torch\.bfloat16"):
        LevelSet(square, 1.0, torch.zeros(2, dtype=torch.bfloat16)).points(EYE.bfloat16())


def test_in_inference_mode_all_is_as_outside() -> None:
    def all_of_it() -> list[torch.Tensor]:
        level_set = LevelSet(square, 1.0, torch.zeros(3, dtype=torch.float64))
        first, last = level_set.points(torch.eye(3, dtype=torch.float64)[:2])
        sample = level_set.sample(20, generator=seeded())
        walk = level_set.walk(first, 3, 0.1, direction=last)
        return [sample, walk, level_set.geodesic(first, last, 5), minimum(square, first).point]

    expected = all_of_it()
    with torch.inference_mode():
        found = all_of_it()
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.clone(), theirs)


def test_no_derivatives_lead_back_from_points() -> None:
    """They would leave out how the radius changes: an encoder's output may be the centre all the same."""
    centre, eye = torch.zeros(3).double().requires_grad_(), torch.eye(3).double().requires_grad_()
    level_set = LevelSet(square, 1.0, centre)
    first, last, _ = level_set.points(eye)
    found = [first, level_set.sample(5, generator=seeded()), level_set.retract(2 * eye)]
    found += [level_set.interpolate(*eye[:2], 4), level_set.geodesic(*eye[:2], 4)]
    found += [level_set.walk(eye, 2, 0.1, direction=eye.roll(1, 0)), level_set.grid(3, 4)]
    assert not any(points.requires_grad for points in found)
    torch.testing.assert_close(last, eye[1].detach())


@pytest.mark.parametrize("name", ["tolerance", "chunk", "limit"])
def test_a_number_that_must_be_positive_is_named(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be positive, got 0"):
        LevelSet(lambda z: z.square().sum(1), 1.0, torch.zeros(2), **{name: 0})


@pytest.mark.parametrize("box", [(0.5, 2.0), (torch.tensor([-1.0, 0.1]), torch.ones(2))])
def test_a_centre_outside_the_box_is_refused(box: tuple[float, float]) -> None:
    """From there rays come into the box, and their points outside it would count as within."""
    with pytest.raises(LevelSetError, match=r"the centre, \(0, 0\), lies outside the box"):
        LevelSet(square, 1.0, torch.zeros(2).double(), box=box)


def test_a_centre_on_a_wall_is_inside() -> None:
    """0.9 as float32 is less than as float64."""
    centre = torch.full((2,), 0.9).double()
    level_set = LevelSet(lambda z: square(z - 0.9), 1.0, centre, box=(-1.0, 0.9))
    assert (level_set.sample(20, generator=seeded()) <= 0.9).all()


def test_a_negative_number_of_points_is_refused() -> None:
    with pytest.raises(ValueError, match="n must be 0 or more, got -1"):
        LevelSet(square, 1.0, torch.zeros(2).double()).sample(-1)
