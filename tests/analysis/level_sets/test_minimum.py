"""The minimum of a convex function: known answers at any scale, and refusals where there is none."""

import math

import numpy as np
import pytest
import torch
from invex.analysis.level_sets import descent
from invex.analysis.level_sets.minimum import NEWTON, MinimumNotAttained, MinimumNotFound, minimum
from invex.analysis.level_sets.problem import Problem
from scipy.optimize import linprog
from torch import Tensor, nn
from torch.nn import functional

DOUBLE = torch.float64


def zeros(dimension: int, dtype: torch.dtype = DOUBLE) -> Tensor:
    return torch.zeros(dimension, dtype=dtype)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
@pytest.mark.parametrize("scale", [1e-12, 1e-4, 1.0, 1e6])
def test_the_scale_of_f_changes_nothing(scale: float, dtype: torch.dtype) -> None:
    found = minimum(lambda z: scale * (z - 1).square().sum(1), zeros(2, dtype))
    assert (found.point - 1).abs().max() < 1e-6
    assert found.point.dtype == dtype


def test_a_slope_of_1e_12_at_the_start_is_no_minimum_where_second_derivatives_are_not_looked_at() -> None:
    found = minimum(lambda z: 1e-12 * (z - 1).square().sum(1), zeros(NEWTON[0] + 1))
    assert (found.point - 1).abs().max() < 1e-6


def test_from_the_minimum_itself_nothing_moves() -> None:
    f = lambda z: (z - 0.3).cosh().sum(1)  # noqa: E731
    once = minimum(f, zeros(3))
    again = minimum(f, once.point)
    assert (again.point - once.point).abs().max() < 1e-8
    exact = minimum(lambda z: z.square().sum(1), zeros(2))
    assert (exact.value, exact.gradient_norm, exact.iterations) == (0.0, 0.0, 1)


def test_a_larger_slope_is_accepted_on_request_and_costs_less() -> None:
    f = lambda z: (z.square() * torch.logspace(-3, 0, NEWTON[0] + 1, dtype=DOUBLE)).sum(1)  # noqa: E731
    usual, loose = (minimum(f, zeros(NEWTON[0] + 1) + 1, tolerance=t) for t in (None, 1e-2))
    assert loose.iterations < usual.iterations
    assert usual.gradient_norm < 1e-6 < loose.gradient_norm < 1e-2 * (NEWTON[0] + 1) ** 0.5


def test_newtons_gap_is_exact_on_a_bowl_and_its_steps_end_at_the_sides_of_a_box() -> None:
    matrix = torch.linalg.qr(draw(3, 3)).Q
    matrix = matrix * torch.tensor([1.0, 10.0, 100.0]) @ matrix.T
    f = lambda z: ((z - 3) @ matrix * (z - 3)).sum(1) / 2 - 7  # noqa: E731
    for side in (np.inf, 2.0):
        problem = Problem(f, zeros(3), np.full(3, -np.inf), np.full(3, side))
        start = problem.at(np.zeros(3))
        found = descent._step(problem, start)
        assert found is not None
        assert found[1] == pytest.approx(start.value + 7)
        end, _ = descent.newton(problem, start, 1e-12)
        assert (end.x <= side).all()
        assert problem.slope(end) == pytest.approx(np.zeros(3), abs=1e-9)


@pytest.mark.parametrize("dimension", [2, 20])
def test_condition_1e8_is_solved(dimension: int) -> None:
    axes = torch.linalg.qr(draw(dimension, dimension)).Q
    curvature = 10 ** torch.linspace(-8, 0, dimension, dtype=DOUBLE)
    at = draw(dimension, seed=1)
    found = minimum(lambda z: (((z - at) @ axes).square() * curvature).sum(1) / 2, zeros(dimension))
    assert (found.point - at).norm() < 1e-5


def test_a_sharp_soft_maximum_on_a_high_plateau() -> None:
    """Also where f computes in float32 alone; the answer by Newton's method of SciPy in float64."""
    rows, offsets = 1e3 * draw(12, 4), 1e3 * draw(12, seed=1)
    rows = torch.cat([rows, -rows])
    offsets = torch.cat([offsets, -offsets - 500])

    def f(z: Tensor, dtype: torch.dtype) -> Tensor:
        return torch.logsumexp(z @ rows.T.to(dtype) + offsets.to(dtype), 1) + 1e4

    wide = minimum(lambda z: f(z, DOUBLE), zeros(4))
    assert wide.gap < 1e-9
    narrow = minimum(lambda z: f(z, torch.float32), zeros(4, torch.float32))
    assert abs(narrow.value - wide.value) < 0.05
    assert narrow.gap < 0.05


def test_a_float32_module_is_solved_in_float64() -> None:
    class Bowl(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.at = nn.Parameter(torch.tensor([0.25, -0.5]))

        def forward(self, z: Tensor) -> Tensor:
            return (z - self.at).square().sum(1) + 1e4

    found = minimum(Bowl(), zeros(2, torch.float32))
    assert torch.equal(found.point, torch.tensor([0.25, -0.5]))


def test_a_start_that_requires_grad_is_only_a_start() -> None:
    found = minimum(lambda z: (z - 2).square().sum(1), nn.Parameter(zeros(2)))
    assert (found.point - 2).abs().max() < 1e-8
    assert not found.point.requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_steps_out_of_the_domain_are_taken_back(dtype: torch.dtype) -> None:
    """2 z / (1 - z^2) = 3."""
    found = minimum(lambda z: (-torch.log(1 - z) - torch.log(1 + z) - 3 * z).sum(1), zeros(1, dtype))
    assert found.point.item() == pytest.approx((math.sqrt(10) - 1) / 3, abs=1e-7)
    with pytest.raises(MinimumNotFound, match=r"not finite at the start, \(2\)"):
        minimum(lambda z: -torch.log(1 - z).sum(1), zeros(1, dtype) + 2)


@pytest.mark.parametrize(
    "f",
    [
        lambda z: torch.exp(-z).sum(1),
        lambda z: 1 + torch.exp(-z).sum(1),
        lambda z: z.sum(1),
        lambda z: -torch.log(z + 1).sum(1),
        lambda z: (1 + z.square()).sum(1).sqrt() - z.sum(1),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE])
def test_an_infimum_that_is_not_attained_is_refused(f, dtype: torch.dtype) -> None:
    with pytest.raises(MinimumNotAttained, match=r"still falls at \("):
        minimum(f, zeros(1, dtype))


def test_logistic_loss_has_a_minimum_unless_the_data_are_separable() -> None:
    data = draw(40, 3)
    for labels, separable in ((data[:, 0].sign(), True), (draw(40, seed=1).sign(), False)):
        loss = lambda w, y=labels: functional.softplus(-y * (w @ data.T)).sum(1)  # noqa: E731
        if separable:
            with pytest.raises(MinimumNotAttained):
                minimum(loss, zeros(3))
        else:
            assert minimum(loss, zeros(3)).gradient_norm < 1e-7


def test_a_minimum_that_a_whole_line_attains_is_one() -> None:
    found = minimum(lambda z: (z @ torch.tensor([0.3, 0.7]).double() - 1).square(), zeros(2))
    assert found.value < 1e-15
    assert minimum(lambda z: functional.relu(-z - 1).square().sum(1), zeros(1) - 5).value < 1e-15


def test_infinite_sides_of_a_box() -> None:
    with pytest.raises(MinimumNotAttained, match="still falls"):
        minimum(lambda z: z.sum(1), zeros(2), box=(-math.inf, 1.0))
    found = minimum(lambda z: (z - 3).square().sum(1), zeros(2), box=(-math.inf, 1.0))
    assert found.point.tolist() == [1.0, 1.0]
    assert found.gradient_norm == 0
    assert minimum(lambda z: z.sum(1), zeros(2), box=(-2.0, math.inf)).value == -4


def test_a_box_cuts_a_badly_conditioned_bowl() -> None:
    """Against the conditions for a minimum: the gradient vanishes inside and points outwards at a side."""
    matrix = torch.linalg.qr(draw(6, 6)).Q
    matrix = matrix * 10 ** torch.linspace(-6, 0, 6, dtype=DOUBLE) @ matrix.T
    f = lambda z: ((z - 3) @ matrix * (z - 3)).sum(1) / 2 - 0.01 * z[:, 0]  # noqa: E731
    found = minimum(f, zeros(6), box=(-1.0, 2.9))
    gradient = (found.point - 3) @ matrix
    gradient[0] -= 0.01
    low, high = found.point == -1, found.point == 2.9
    assert (low | high).any()
    assert gradient[low].ge(0).all()
    assert gradient[high].le(0).all()
    assert gradient[~(low | high)].abs().max() < 1e-10


@pytest.mark.parametrize(("pieces", "dimension"), [(10, 2), (60, 5)])
def test_a_maximum_of_planes_has_the_value_of_the_linear_programme(pieces: int, dimension: int) -> None:
    rows, offsets = draw(pieces, dimension), draw(pieces, seed=1)
    rows = rows - rows.mean(0)  # so that zero is among their convex combinations
    found = minimum(lambda z: (z @ rows.T + offsets).amax(1), zeros(dimension))
    plane = np.column_stack([rows, -np.ones(pieces)])
    cost = np.append(np.zeros(dimension), 1.0)
    exact = linprog(cost, plane, -offsets.numpy(), bounds=[(None, None)] * (dimension + 1)).fun
    assert abs(found.value - exact) <= found.gap + 1e-9
    assert found.gap < 1e-5


@pytest.mark.parametrize("start", [0.0, 0.7])
def test_kinks_alone_that_have_no_second_derivative_at_all(start: float) -> None:
    for f in (lambda z: (z - 1).abs().sum(1), lambda z: (z - 1).norm(dim=1), lambda z: (z - 1).abs().amax(1)):
        assert (minimum(f, zeros(3) + start).point - 1).abs().max() < 1e-8


def test_a_kink_among_curves() -> None:
    """|z1| + |z2| + (z1 - 2)^2 / 2 + (z2 - 1/2)^2 / 2 has its minimum at (1, 0)."""
    at = torch.tensor([2.0, 0.5]).double()
    found = minimum(lambda z: z.abs().sum(1) + (z - at).square().sum(1) / 2, zeros(2) + 0.7)
    assert found.value == pytest.approx(1.5 + 0.125, abs=1e-5)
    assert found.value - 1.625 <= found.gap + 1e-12


def test_what_cannot_be_vouched_for_is_refused_with_the_way_out() -> None:
    """Kinks among curves in five dimensions, whose minimum is in closed form (soft thresholding)."""
    at = 2 * draw(5)
    f = lambda z: z.abs().sum(1) + (z - at).square().sum(1) / 2  # noqa: E731
    with pytest.raises(MinimumNotFound, match=r"f may lie up to .* lower.* tolerance="):
        minimum(f, zeros(5) + 0.7)
    accepted = minimum(f, zeros(5) + 0.7, tolerance=0.01)
    exact = torch.where(at.abs() > 1, at.abs() - 0.5, at.square() / 2).sum()
    assert 0 <= accepted.value - exact <= accepted.gap


def test_a_point_that_nothing_vouches_for_is_refused_within_a_box_too() -> None:
    at = 2 * draw(60, seed=1)
    f = lambda z: z.abs().sum(1) + (z - at).square().sum(1) / 2  # noqa: E731
    lowest = at.sign() * (at.abs() - 1).clamp(min=0)
    corner = torch.full_like(at, 10.0)
    corner[lowest.argmax()] = lowest.max() / 2  # a side against which f pushes
    with pytest.raises(MinimumNotFound, match=r"f may lie up to .* lower"):
        minimum(f, zeros(60) + 0.3, box=(-10.0, corner))
