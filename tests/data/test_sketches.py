"""Points by hand rule."""

import torch
from invex.data import sketches


def test_two_valleys_have_a_hill_between_them():
    x, y = sketches.two_valleys(41)
    assert x.shape == (41, 1)
    assert y.shape == (41,)
    middle = y[(x[:, 0].abs() < 0.3)].max()
    assert y[x[:, 0] < -0.5].min() < middle - 0.5 > y[x[:, 0] > 0.5].min() - 0.5
    assert torch.equal(sketches.two_valleys(41)[1], y)
    assert not torch.equal(sketches.two_valleys(41, seed=1)[1], y)


def test_crescent_has_points_above_zero_within_the_hull_of_those_below():
    points, sign = sketches.crescent()
    assert points.shape == (33, 2)
    assert set(sign.tolist()) == {-1.0, 1.0}
    radius = points.norm(dim=1)
    assert (radius[-4:] < 0.6).all()
    assert (sign[-4:] == 1).all()
    assert ((radius > 0.8) & (radius < 1.4))[sign < 0].all()
