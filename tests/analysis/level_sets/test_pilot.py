"""What a few rays tell of the others, before anything is known."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from invex.analysis.level_sets.rays import Function, Rays
from invex.analysis.level_sets.search.pilot import COUNT, NEAR, guess
from torch import Tensor


def rays_of(f: Function, level: float, dimension: int = 2, n: int = 4 * COUNT, cap: float = 1e6) -> Rays:
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(n, dimension, dtype=torch.float64, generator=generator)
    origin = f(torch.zeros(1, dimension, dtype=torch.float64)).expand(n) - level
    caps = torch.full_like(origin, cap)
    return Rays(f, torch.zeros(dimension).double(), directions, level, origin, caps, torch.arange(n))


@given(st.floats(1.0, 5.0), st.floats(-6.0, 8.0), st.sampled_from((2, NEAR + 1)))
def test_powers_of_the_radius_are_guessed_exactly_at_any_scale(
    power: float, scale: float, dimension: int
) -> None:
    radius = math.exp(scale)
    rays = rays_of(lambda z: (z.norm(dim=1) / radius) ** power, 1.0, dimension)
    found = guess(rays, torch.full_like(rays.origin, 1e-6))
    length = rays.directions.norm(dim=1)
    torch.testing.assert_close(found.radius, radius / length, rtol=1e-8, atol=0)
    torch.testing.assert_close(found.slope, power * length / radius, rtol=1e-5, atol=0)
    assert abs(found.bend) < 1e-6
    assert found.radius_error < 1e-8


def test_the_errors_that_it_states_hold_and_tell_smooth_from_rough() -> None:
    def ellipse(z: Tensor) -> Tensor:
        return z[:, 0].square() + 2 * z[:, 1].square()

    def box(z: Tensor) -> Tensor:
        return z.abs().amax(1).square()

    for f, small in ((ellipse, True), (box, False)):
        rays = rays_of(f, 1.0, n=400)
        found = guess(rays, torch.full_like(rays.origin, 1e-6))
        off = (found.radius / f(rays.directions).rsqrt()).log().abs()
        assert (found.radius_error < 1e-2) == small
        assert off.median() <= found.radius_error


@pytest.mark.parametrize(("level", "cap"), [(1.0, 0.1), (1e30, 1e6), (1e-12, 1e6)])
def test_where_the_ladder_does_not_meet_the_level_nothing_is_guessed(level: float, cap: float) -> None:
    rays = rays_of(lambda z: z.square().sum(1), level, cap=cap)
    assert guess(rays, torch.full_like(rays.origin, 1e-6 * level)).radius_error == torch.inf
