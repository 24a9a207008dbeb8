"""Rounding is not mistaken for a bend, and a bend is not excused as rounding."""

from collections.abc import Callable

import pytest
import torch
from convex_functions import LogSumExp, seeded, square
from invex.analysis.level_sets import LevelNotReached, NotConvexAlongRay, radius
from invex.analysis.level_sets.radius import PRECISION
from invex.analysis.level_sets.rays import Function, Rays
from invex.analysis.level_sets.sampling import directions
from torch import Tensor, nn


def stiff(middle: float, dtype: torch.dtype) -> tuple[Function, Tensor]:
    """A quadratic with condition 1e4 and its minimum, far from the origin."""
    axes = torch.linalg.qr(torch.randn(3, 3, generator=seeded(), dtype=torch.float64)).Q
    matrix = (axes * torch.tensor([1.0, 100.0, 1e4]) @ axes.T).to(dtype)
    centre = torch.full((3,), middle, dtype=dtype)
    return lambda z: (((z - centre) @ matrix) * (z - centre)).sum(1), centre


@pytest.mark.parametrize("n", [20, 200])
@pytest.mark.parametrize("middle", [10.0, 100.0, 1000.0])
def test_a_minimum_far_from_the_origin_is_solved_as_far_as_the_points_can_be_told_apart(
    middle: float, n: int
) -> None:
    f, centre = stiff(middle, torch.float32)
    u = directions(n, centre, seeded())
    found = radius(f, centre, u, 1.0)
    assert found.reached.all()
    points = (centre + found.radius[:, None] * u).requires_grad_()
    (gradient,) = torch.autograd.grad(f(points).sum(), points)
    apart = torch.finfo(torch.float32).eps * (gradient * points).abs().sum(1)
    assert (found.residual.abs() <= 8e-6 + 8 * apart).all()


@pytest.mark.parametrize("n", [20, 200])
@pytest.mark.parametrize(
    "bend", [lambda y: 2 * torch.tanh(y), lambda y: 2 * y / (1 + y), lambda y: y.clamp_min(0) ** 0.4]
)
def test_a_bend_far_from_the_origin_is_refused_all_the_same(bend: Callable[[Tensor], Tensor], n: int) -> None:
    f, centre = stiff(100.0, torch.float32)
    with pytest.raises(NotConvexAlongRay):
        radius(lambda z: bend(f(z)), centre, directions(n, centre, seeded()), 1.5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_chords_from_a_start_on_level_zero_are_those_of_the_circle(dtype: torch.dtype) -> None:
    """From x on the unit circle the chord along u has length -2 x.u, whatever constant f is shifted by."""
    angle = torch.linspace(0, 6, 300, dtype=dtype)
    x = torch.stack([angle.cos(), angle.sin()], 1)
    u = directions(300, x[0], seeded())
    u = u * -(x * u).sum(1, keepdim=True).sign()
    exact = -2 * (x * u).sum(1)
    for shift in (0.0, 1e-7, 1.0):
        for tolerance in (None, 1e2 * torch.finfo(dtype).eps):
            found = radius(lambda z, s=shift: square(z) - 1 + s, x, u, shift, tolerance=tolerance)
            assert found.reached.all()
            allowed = 2e3 * torch.finfo(dtype).eps + 2 * PRECISION[dtype] * shift
            assert ((found.radius - exact).abs() * exact <= allowed).all()


def test_a_start_on_level_zero_excuses_no_bend() -> None:
    x = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).double()
    with pytest.raises(NotConvexAlongRay, match="ray 0"):
        radius(lambda z: torch.sin(3 * (square(z) - 1)), x, -x, 0.0, start=torch.tensor([0.3, 0.3]).double())
    with pytest.raises(LevelNotReached, match=r"ray 1, .* above the level 0"):
        radius(lambda z: square(z) - 1, 1.001 * x * torch.tensor([[0.5], [1.0]]).double(), -x, 0.0)


def test_the_rounding_of_rays_is_that_of_f_and_of_its_points() -> None:
    """About 1e6, points are 1e-10 apart and f moves by its slope times that; about zero by eps alone."""
    f = LogSumExp(3, seeded()).requires_grad_(False)
    sizes = []
    for middle in (0.0, 1e6):
        centre = torch.full((3,), middle, dtype=torch.float64)
        u, start = directions(50, centre, seeded()), torch.full((50,), -1.0).double()
        shifted = lambda z, m=centre: f(z - m)  # noqa: E731
        rays = Rays(shifted, centre, u, 1.0, start, -1e6 * start, torch.arange(50))
        strayed, _ = rays.rounding(torch.arange(50), -start)
        sizes.append(float(strayed.max()))
    assert 0 < sizes[0] < 1e-14
    assert 1e-12 < sizes[1] < 1e-8


def test_a_bend_of_a_module_in_training_mode_mentions_eval() -> None:
    class Root(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return z.norm(dim=1).sqrt()

    f, centre = Root(), torch.zeros(2).double()
    with pytest.raises(NotConvexAlongRay, match=r"training mode, call its \.eval\(\)"):
        radius(f, centre, torch.eye(2).double(), 2.0)
    with pytest.raises(NotConvexAlongRay, match=r"f is not convex along it$"):
        radius(f.eval(), centre, torch.eye(2).double(), 2.0)
