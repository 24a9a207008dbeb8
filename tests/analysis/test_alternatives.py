"""Paths that do not keep to the level set: where they leave it is known for a sphere and an ellipse."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.alternatives import angles_alone, straight
from invex.analysis.level_sets import LevelSet


def ellipsoid(z):
    return (z.square() * torch.tensor([1.0, 4.0, 9.0], dtype=z.dtype)).sum(-1)


CENTRE = torch.zeros(3, dtype=torch.float64)


def two_points(seed, f=ellipsoid):
    directions = torch.randn(2, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return LevelSet(f, 1.0, CENTRE).points(directions)


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_a_straight_line_stays_within_the_level_set_of_a_convex_function(seed):
    a, b = two_points(seed)
    values = ellipsoid(straight(a, b, 9))
    assert (values <= 1 + 1e-9).all()
    assert values[4] < 1 - 1e-6


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_angles_alone_keep_to_a_sphere_and_not_to_an_ellipsoid(seed):
    a, b = two_points(seed, lambda z: z.square().sum(-1))
    torch.testing.assert_close(angles_alone(CENTRE, a, b, 7).norm(dim=1), torch.ones(7).double())
    a, b = two_points(seed)
    assert (ellipsoid(angles_alone(CENTRE, a, b, 7)) - 1).abs().max() > 1e-6


@given(seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_both_have_the_directions_of_the_interpolation_or_its_ends(seed):
    a, b = two_points(seed)
    on_level = LevelSet(ellipsoid, 1.0, CENTRE).interpolate(a, b, 8)
    alone = angles_alone(CENTRE, a, b, 8)
    cosine = torch.nn.functional.cosine_similarity(on_level, alone)
    torch.testing.assert_close(cosine, torch.ones_like(cosine))
    for path in (alone, straight(a, b, 8)):
        torch.testing.assert_close(path[[0, -1]], torch.stack([a, b]))


def test_the_last_angle_takes_the_shorter_way_round():
    turn = torch.tensor([3.0, -3.0], dtype=torch.float64)
    a, b = torch.stack([turn.cos(), turn.sin()], 1)
    path = angles_alone(torch.zeros(2, dtype=torch.float64), a, b, 3)
    torch.testing.assert_close(path[1], torch.tensor([math.cos(math.pi), 0.0], dtype=torch.float64))
