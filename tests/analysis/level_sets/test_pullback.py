"""Level curves carried back through a bijection (Nesterov et al. 2022, Sec. 3.3)."""

import math

import pytest
import torch
from invex.analysis.level_sets.pullback import level_curves, pointer_crossings
from invex.nn.bijections import autoregressive_flow

ORIGIN = torch.zeros(2, dtype=torch.float64)


def circle(z):
    return z.square().sum(-1)


def bend(x):
    """x2 - 10 x1^2 beside x1: volume-preserving, turns discs into bananas."""
    return torch.stack([x[..., 0], x[..., 1] - 10 * x[..., 0] ** 2], dim=-1)


def unbend(z):
    return torch.stack([z[..., 0], z[..., 1] + 10 * z[..., 0] ** 2], dim=-1)


def test_curves_of_a_known_pair():
    curves = level_curves(circle, bend, unbend, ORIGIN, [0.25, 1.0], angles=40)
    torch.testing.assert_close(
        curves.latent.norm(dim=-1), torch.tensor([[0.5], [1.0]]).double().expand(2, 40)
    )
    torch.testing.assert_close(bend(curves.input), curves.latent)
    assert curves.error < 1e-9
    assert curves.round_trip < 1e-12


def test_angles_are_added_where_the_inverse_stretches_and_nowhere_else():
    window = ((-0.6, 0.6), (-0.2, 1.0))
    coarse = level_curves(circle, bend, unbend, ORIGIN, [1.0], angles=40)
    fine = level_curves(circle, bend, unbend, ORIGIN, [1.0], angles=40, window=window, step=0.1)
    assert set(coarse.angles.tolist()) <= set(fine.angles.tolist())
    gaps = (fine.input - fine.input.roll(-1, dims=1)).norm(dim=-1)
    low, high = torch.tensor(window, dtype=torch.float64).T
    seen = ((fine.input >= low) & (fine.input <= high)).all(-1)
    seen |= seen.roll(-1, dims=1)  # the gap from each point to the next, if one of the two is within
    assert gaps[seen].max() <= 0.1
    assert gaps[~seen].max() > 1
    assert (fine.angles.diff() > 0).all()


def test_one_wrong_point_is_found_out_by_the_round_trip_and_rounding_by_the_error():
    def wrong(z):
        return unbend(z) + 0.01 * (z == z[..., :1].max())

    assert level_curves(circle, bend, wrong, ORIGIN, [1.0], angles=40).round_trip > 0.005
    single = level_curves(circle, bend, unbend, ORIGIN.float(), [0.3, 0.7], angles=40)
    assert 1e-9 < single.error < 1e-5


def test_through_an_autoregressive_flow():
    torch.manual_seed(0)
    flow = autoregressive_flow(2, 4, (16, 16)).double()
    curves = level_curves(circle, flow, flow.inverse, ORIGIN, [1.0, 4.0], angles=30)
    assert curves.error < 1e-6
    assert curves.round_trip < 1e-10


def test_a_pointer_crosses_a_circle_once_and_a_banana_more_often():
    angles = torch.linspace(0, 2 * math.pi, 181, dtype=torch.float64)[:-1] + 0.01
    curves = level_curves(circle, bend, unbend, ORIGIN, [1.0], angles=2000)
    assert (pointer_crossings(curves.latent[0], ORIGIN, angles) == 1).all()
    banana = pointer_crossings(curves.input[0], ORIGIN, angles)
    assert banana.max() == 3
    assert (banana % 2 == 1).all()


def test_crossings_from_outside_come_in_pairs():
    angles = torch.linspace(0, 2 * math.pi, 90, dtype=torch.float64)
    curves = level_curves(circle, bend, unbend, ORIGIN, [1.0], angles=200)
    counts = pointer_crossings(curves.latent[0], torch.tensor([3.0, 0.0], dtype=torch.float64), angles)
    assert set(counts.tolist()) == {0, 2}


def test_a_level_below_the_minimum_is_refused():
    with pytest.raises(ValueError, match="level"):
        level_curves(circle, bend, unbend, ORIGIN, [-1.0], angles=8)


@pytest.mark.parametrize("f", [lambda z: z.square().sum(1), lambda z: z.square().sum(1, keepdim=True)])
def test_f_takes_points_as_everywhere(f):
    curves = level_curves(f, bend, unbend, ORIGIN, [0.1, 0.7], angles=12)
    assert curves.error < 1e-9
    assert curves.levels.tolist() == [0.1, 0.7]
    assert curves.levels.dtype == torch.float64
