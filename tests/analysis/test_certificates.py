"""Certificates for Theorems 3.2-3.4 of Nesterov et al. (2022), on functions with known answers."""

import math
from dataclasses import replace

import pytest
import torch
from invex.analysis import certificates as c
from invex.data.synthetic import grid
from invex.nn.bijections import autoregressive_flow
from invex.nn.convex import ConvexNetwork
from torch import nn


def starts(limit=2.0, side=9):
    return grid(side, limit, dtype=torch.float64)


def bowl(x):
    """Strictly convex, minimum 0 at (1, -0.5)."""
    centre = torch.tensor([1.0, -0.5], dtype=x.dtype)
    return ((x - centre) * torch.tensor([1.0, 5.0], dtype=x.dtype)).square().sum(-1)


def two_wells(x):
    """Minima at (-1, 0) and (1, 0), a saddle at the origin."""
    return (x[..., 0] ** 2 - 1) ** 2 + x[..., 1] ** 2


def random_model(seed=0):
    torch.manual_seed(seed)
    flow, head = autoregressive_flow(2, 4, (16, 16)), ConvexNetwork(2, (32, 32), positivity="projection")
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.mul_(1.5)
        for layer in head.inputs:
            layer.weight.mul_(4)
        head.inputs[-1].weight.zero_()  # so that the minimum is near
    return nn.Sequential(flow, head).double()


def test_theorem_3_2_one_stationary_point_of_a_bowl():
    found = c.stationary_points(bowl, starts(), apart=0.2)
    assert found.holds
    torch.testing.assert_close(found.point, torch.tensor([1.0, -0.5], dtype=torch.float64))


def test_theorem_3_2_ends_have_to_be_stationary_and_together():
    end = torch.zeros(1, 2)
    found = c.StationaryPoints(end[0], end, gradient=1e-5, spread=1e-4, elsewhere=1.0, apart=1.0)
    assert found.holds
    assert not replace(found, gradient=1e-3).holds
    assert not replace(found, spread=1e-2).holds


def test_theorem_3_2_gradients_near_the_minimum_are_its_own():
    """Half a step of the grid from the minimum the slope is 1; the smallest beyond 0.6 is 2, a step away."""
    assert c.stationary_points(bowl, starts(), apart=0.2).elsewhere == pytest.approx(1)
    assert c.stationary_points(bowl, starts(), apart=0.6).elsewhere == pytest.approx(2)


def bend(x):
    return torch.stack([x[..., 0], x[..., 1] - 2 * x[..., 0] ** 2], dim=-1)


def test_all_certificates_of_a_convex_function_of_a_bijection_and_none_of_two_wells():
    corner = torch.tensor([4.0, 4.0], dtype=torch.float64)
    found = c.certify(bowl, bend, starts(), [0.5, 2.0], (-corner, corner), apart=0.2, rays=12)
    assert found.verdicts == (True,) * 4
    torch.testing.assert_close(found.stationary.point, torch.tensor([1.0, 1.5], dtype=torch.float64))
    assert found.crossings.counts.shape == (2 * 12,)
    inside = (bend(starts()).abs() <= 4).all(1).sum()
    assert 0 < len(found.curvature.smallest) == inside < len(starts())
    control = c.certify(two_wells, nn.Identity(), starts() + 0.01, [0.5], (-corner, corner), apart=0.2)
    assert control.verdicts == (False,) * 4


def test_theorem_3_2_one_stationary_point_of_a_convex_function_of_a_bijection():
    """In input space some Hessian is indefinite; the stationary point is single all the same."""
    function = random_model()
    assert c.stationary_points(function, starts(), apart=0.2).holds
    assert not c.curvature(function, starts(4.0)).holds
    assert c.curvature(function[1], starts(4.0)).holds


def test_theorem_3_2_negative_control_two_wells_are_told_apart():
    found = c.stationary_points(two_wells, starts() + 0.01, apart=0.2)
    assert not found.holds
    assert found.spread == pytest.approx(2, abs=1e-6)


def test_theorem_3_2_needs_a_head_whose_slope_does_not_vanish():
    """g(y) = y^3 is differentiable and strictly increasing, f(x) = x convex: F = x^3 is not invex."""
    found = c.stationary_points(lambda x: x.sum(-1) ** 3, torch.full((1, 1), 1.0).double(), apart=0.1)
    assert found.point.abs().max() < 1e-3
    assert found.gradient < 1e-6


def test_theorem_3_3_sub_level_sets():
    corner = torch.tensor([2.0, 2.0], dtype=torch.float64)
    assert c.sub_level_sets(bowl, [0.1, 0.9], -corner, corner).holds
    wells = c.sub_level_sets(two_wells, [0.5, 2.0], -corner, corner)
    assert wells.components == (2, 1)
    assert not wells.holds
    cylinder = c.sub_level_sets(lambda x: x[..., 0] ** 2, [1.0], -corner, corner)
    assert cylinder.components == (1,)
    assert cylinder.inside == (False,)
    assert not cylinder.holds


def test_one_crossing_a_ray():
    angle = torch.linspace(0, 2 * math.pi, 91, dtype=torch.float64)[:-1]
    directions = torch.stack([angle.cos(), angle.sin()], 1)
    centre = torch.tensor([1.0, -0.5], dtype=torch.float64)
    assert c.crossings(bowl, centre, directions, 1.0, reach=3.0).holds
    assert not c.crossings(bowl, centre, directions, 1.0, reach=0.5).holds
    right_well = torch.tensor([1.0, 0.0], dtype=torch.float64)
    several = c.crossings(two_wells, right_well, directions, 0.5, reach=3.0)
    assert several.counts.max() == 3
    assert not several.holds


def test_a_level_below_the_minimum_is_not_crossed():
    directions = torch.eye(2, dtype=torch.float64)
    below = c.crossings(lambda x: x.square().sum(-1) + 1, torch.zeros(2).double(), directions, 0.5, reach=2.0)
    assert below.counts.tolist() == [0, 0]
    assert not below.holds


def test_theorem_3_4_curvature():
    assert c.curvature(bowl, starts()).smallest.unique().tolist() == [2.0]
    assert not c.curvature(two_wells, starts()).holds
    rounding, one = torch.tensor([[1e-15], [1.0]], dtype=torch.float64)
    assert not c.Curvature(rounding, one).holds


def test_theorem_3_4_negative_controls():
    torch.manual_seed(0)
    free = nn.Sequential(nn.Linear(2, 32), nn.Softplus(), nn.Linear(32, 1), nn.Flatten(0)).double()
    assert not c.curvature(free, starts()).holds
    rank_one = ConvexNetwork(2, (8, 8)).double()
    with torch.no_grad():
        for layer in rank_one.inputs:
            layer.weight[:] = layer.weight[:, :1]
    assert not c.curvature(rank_one, starts()).holds


def test_without_evidence_nothing_holds():
    corner, none = torch.full((2,), 2.0).double(), torch.empty(0, 2).double()
    assert not c.curvature(bowl, none).holds
    assert not c.crossings(bowl, torch.zeros(2).double(), none, 1.0, reach=3.0).holds
    assert not c.sub_level_sets(bowl, [], -corner, corner).holds
    elsewhere = c.certify(bowl, nn.Identity(), starts(), [0.5], (corner + 50, corner + 60), apart=0.2)
    assert elsewhere.verdicts == (True, False, True, False)


def test_starts_that_all_lie_by_the_minimum_are_refused():
    with pytest.raises(ValueError, match=r"no start is further than 9 from \(1, -0\.5\)"):
        c.stationary_points(bowl, starts(), apart=9.0)


@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_theorem_3_2_at_any_scale(scale):
    rows = torch.tensor([[1.0, 0.3], [-1.0, 0.2], [0.1, 1.0], [0.3, -1.0]]).double()
    assert c.stationary_points(lambda x: scale * (x @ rows.T).logsumexp(-1), starts(), apart=0.2).holds


def test_theorem_3_2_in_a_long_bowl():
    curvature = torch.tensor([1.0, 1e8]).double()
    assert c.stationary_points(lambda x: (curvature * x.square()).sum(-1), starts() + 0.1, apart=0.2).holds


def test_theorem_3_3_on_a_line():
    one = torch.ones(1).double()
    found = c.sub_level_sets(lambda x: (x.square() - 1).square().sum(-1), [0.5, 2.0], -2 * one, 2 * one)
    assert found.components == (2, 1)


def test_in_inference_mode_certificates_are_as_outside():
    corner, flow = torch.full((2,), 2.0).double(), nn.Identity()
    with torch.inference_mode():
        found = c.certify(bowl, flow, starts() + 0.0, [0.5], (-corner, corner), apart=0.2)
    assert found.verdicts == (True, True, True, True)
