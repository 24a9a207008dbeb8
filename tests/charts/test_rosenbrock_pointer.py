"""What the interactive pointer is given: rays on their true course, frames that hold their curve."""

import json
import math

import numpy as np
import pytest
import torch
from invex.analysis.level_sets.pullback import level_curves, pointer_crossings
from invex.charts import rosenbrock_pointer as pointer

ORIGIN = torch.zeros(2, dtype=torch.float64)
TURNS = torch.linspace(0, 2 * math.pi, 181, dtype=torch.float64)[:-1]


def bent(z):
    """A bijection that bends the plane along a parabola."""
    return torch.stack([z[..., 0], z[..., 1] + 8 * z[..., 0].square()], dim=-1)


def straight(x):
    return torch.stack([x[..., 0], x[..., 1] - 8 * x[..., 0].square()], dim=-1)


def bowl(z):
    return z[..., 0].square() + 25 * z[..., 1].square()


@pytest.fixture(scope="module")
def curves():
    return level_curves(bowl, straight, bent, ORIGIN, [0.04, 0.16, 4.0], angles=120)


def test_the_interactive_opens_on_the_highest_level_that_lies_in_its_frame(curves):
    assert pointer.opening(curves) == 1
    assert pointer.opening(curves, (-0.01, 0.01, -0.01, 0.01)) == 0
    left, right, bottom, top = pointer.frame_around(curves.input[1], 0.4)
    low, high = curves.input[1].amin(0), curves.input[1].amax(0)
    assert left < low[0] < high[0] < right
    assert bottom < low[1] < high[1] < top
    far = torch.cat([curves.input[1], torch.tensor([[-0.9, 7.0], [50.0, 1.0]], dtype=torch.float64)])
    assert pointer.frame_around(far, 0.4) == (left, right, bottom, top)  # what is out of the room is left out


def test_data_are_json_and_give_points_and_rays_back(curves):
    data = json.loads(json.dumps(pointer.pointer_data(curves, bent, ORIGIN, ORIGIN, 0.4), allow_nan=False))
    np.testing.assert_allclose(data["x"], curves.input.numpy(), rtol=5e-5, atol=1e-12)
    assert len(data["rays"]) == len(data["stops"]) <= len(data["angles"])
    for stop, ray in zip(data["stops"], data["rays"], strict=True):
        radii = np.array(ray)[:, 0]
        assert (np.diff(radii) > 0).all()
        for level in range(3):  # a corner at every level, on its curve
            corner = np.abs(radii - data["radius"][level][stop]).argmin()
            assert ray[corner][1:] == pytest.approx(data["x"][level][stop], abs=1e-4)


def test_it_opens_where_a_straight_pointer_crosses_most_often(curves):
    data = pointer.pointer_data(curves, bent, ORIGIN, ORIGIN, 0.4)
    tip = curves.input[data["start"]][data["stops"][data["opens"]]]
    turn = torch.atan2(tip[1], tip[0])[None]
    counted = pointer_crossings(curves.input[data["start"]], ORIGIN, turn)
    assert int(counted) == pointer.most_crossings(curves.input[data["start"]], ORIGIN, TURNS)[0] > 1


def test_rays_stay_near_their_true_course(curves):
    data = pointer.pointer_data(curves, bent, ORIGIN, ORIGIN, 0.4)
    left, right, bottom, top = data["frames"]["x"][data["start"]]
    for stop, ray in zip(data["stops"][::30], data["rays"][::30], strict=True):
        radii, *points = np.array(ray).T
        even = np.linspace(0, radii[-1], 200)
        angle = data["angles"][stop]
        true = bent(torch.tensor(even)[:, None] * torch.tensor([math.cos(angle), math.sin(angle)])).numpy()
        true = true[(true[:, 0] > left) & (true[:, 0] < right) & (true[:, 1] < top)]
        close = np.linspace(0, radii[-1], 4_000)
        drawn = np.stack([np.interp(close, radii, column) for column in points], axis=1)
        apart = (true[:, None] - drawn[None]) / [right - left, top - bottom]
        assert np.hypot(*apart.transpose(2, 0, 1)).min(1).max() < 2e-3


def test_simplified_lines_keep_what_they_must_and_drop_what_they_can():
    x = np.linspace(0, 1, 50)
    line, corner = np.stack([x, 0 * x], 1), np.stack([x, np.abs(x - x[20])], 1)
    must = np.zeros(50, dtype=bool)
    must[[0, 30, 49]] = True
    assert pointer.simplified(line, must, 1e-3).tolist() == [0, 30, 49]
    assert pointer.simplified(corner, must, 1e-3).tolist() == [0, 20, 30, 49]


def test_crossings_of_a_curve_and_of_its_level_agree_where_the_curve_is_fine(curves):
    fine = level_curves(
        bowl, straight, bent, ORIGIN, [0.16], angles=120, window=((-1, 1), (-1, 3)), step=0.01
    )
    by_value = pointer.crossings_of_level(lambda x: bowl(straight(x)), ORIGIN, TURNS, 0.16, reach=4.0)
    assert int(by_value.max()) > 1
    most, where = pointer.most_crossings(fine.input[0], ORIGIN, TURNS)
    assert most == int(by_value.max())
    assert set(where.tolist()) <= set(TURNS.tolist())
    assert (pointer_crossings(fine.input[0], ORIGIN, where) == most).all()
    agree = (pointer_crossings(fine.input[0], ORIGIN, TURNS) == by_value).double().mean()
    assert agree > 0.97  # a ray that touches the curve may be counted either way
