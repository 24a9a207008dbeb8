"""The secant method in logarithms: exact on powers, and honest about what it gives up."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from invex.analysis.level_sets.rays import Rays
from invex.analysis.level_sets.search.secant import secant
from torch import Tensor


def rays_of(f: object, level: float, n: int = 5) -> Rays:
    directions = torch.nn.functional.normalize(torch.linspace(1, 2, 3 * n, dtype=torch.float64).view(n, 3))
    origin = f(torch.zeros(n, 3, dtype=torch.float64)) - level
    cap = torch.full_like(origin, 1e6)
    return Rays(f, torch.zeros(3, dtype=torch.float64), directions, level, origin, cap, torch.arange(n))


@given(st.floats(1.2, 6.0), st.floats(0.7, 1.4))
def test_a_power_of_the_radius_takes_one_step(power: float, off: float) -> None:
    rays = rays_of(lambda z: z.norm(dim=1) ** power - 1, 4.0)
    radius = torch.full_like(rays.origin, 5 ** (1 / power))
    begin = off * radius
    found, slope = secant(rays, begin, power * begin ** (power - 1), 0.0, torch.full_like(radius, 1e-9))
    assert bool(found.reached.all())
    assert found.iterations <= 2
    torch.testing.assert_close(found.radius, radius, rtol=1e-12, atol=0)
    torch.testing.assert_close(slope, power * radius ** (power - 1), rtol=1e-6, atol=0)


def test_a_wrong_slope_is_mended_by_the_values() -> None:
    f = lambda z: torch.cosh(z.norm(dim=1))  # noqa: E731
    rays = rays_of(f, 3.0)
    begin = torch.full_like(rays.origin, 1.6)
    found, slope = secant(rays, begin, 0.8 * begin.sinh(), 0.0, torch.full_like(begin, 1e-4))
    radius = torch.full_like(begin, 3.0).acosh()
    assert bool(found.reached.all())
    torch.testing.assert_close(found.radius, radius, rtol=1e-6, atol=0)
    torch.testing.assert_close(slope, radius.sinh(), rtol=1e-2, atol=0)


@pytest.mark.parametrize("bend", [-0.1, 0.3])
def test_a_known_bend_saves_steps(bend: float) -> None:
    def f(z: Tensor) -> Tensor:
        r = z.norm(dim=1).log()
        return (2 * r + bend * r.square() / 2).exp().where(r > -torch.inf, 0)

    rays = rays_of(f, 4.0)
    radius = (2 * ((1 + bend * math.log(4.0) / 2) ** 0.5 - 1) / bend) * torch.ones_like(rays.origin)
    radius, accept = radius.exp(), torch.full_like(radius, 1e-9)
    begin = 1.3 * radius
    rise = (2 + bend * begin.log()) * f(begin[:, None]) / begin
    without, found = (secant(rays, begin, rise, each, accept)[0] for each in (0.0, bend))
    torch.testing.assert_close(found.radius, radius, rtol=1e-12, atol=0)
    assert found.iterations < without.iterations


def concave(z: Tensor) -> Tensor:
    return z.norm(dim=1).sqrt()


def flat(z: Tensor) -> Tensor:
    return 0 * z.norm(dim=1)


@pytest.mark.parametrize("f", [concave, flat])
def test_what_contradicts_convexity_or_does_not_rise_is_given_up(f: object) -> None:
    rays = rays_of(f, 2.0)
    begin = torch.full_like(rays.origin, 3.0)
    found, _ = secant(rays, begin, torch.ones_like(begin), 0.0, torch.full_like(begin, 1e-9))
    assert not bool(found.reached.any())


def test_far_from_the_beginning_is_given_up() -> None:
    rays = rays_of(lambda z: z.square().sum(1), 100.0)
    begin = torch.ones_like(rays.origin)
    found, _ = secant(rays, begin, 2 * begin, 0.0, torch.full_like(begin, 1e-9))
    assert not bool(found.reached.any())
    assert found.iterations == 1
