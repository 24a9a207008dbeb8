"""Toy classification by argmin: sets, convexity of both kinds, and the study of derivatives."""

from dataclasses import replace

import pytest
import torch
from invex.experiments import argmin_toys as toys

TINY = replace(toys.QUICK, epochs=3, widths=(8, 8), steps=4)


@pytest.mark.parametrize("name", toys.SETS)
def test_sets_have_a_hundred_standardised_points_of_two_classes(name):
    x, y = toys.points(name)
    assert x.shape == (100, 2)
    assert sorted(y.unique().tolist()) == [0, 1]
    torch.testing.assert_close(x.mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    assert not x.equal(toys.points(name, 1)[0])
    with pytest.raises(ValueError, match="no toy set 'x'"):
        toys.points("x")


def test_both_are_convex_in_the_label_and_only_the_ficnn_in_the_point_too():
    _, points, nets = toys.plane(TINY, side=5)
    bends = toys.bends(nets, draws=500).set_index(["model", "set"])
    assert (bends.in_y < 1e-9).all()
    assert (bends.jointly["FICNN"] < 1e-9).all()
    assert (bends.jointly["PICNN"] > 1e-9).any()
    assert len(points) == 600
    slices = toys.slices(nets, side=7)
    least = slices.loc[slices.groupby(["model", "x1"]).energy.idxmin()]
    assert len(least) == 14
    assert points.lowest.between(0, 1).all()


def test_the_implicit_derivative_keeps_the_same_memory_and_agrees():
    study = toys.derivative_study((10, 80), n=6, p=3).set_index(["way", "steps"])
    assert study.kilobytes["implicit"].nunique() == 1
    assert study.kilobytes["unrolling", 80] > 6 * study.kilobytes["unrolling", 10]
    assert study.error["implicit", 80] < 1e-5
    assert study.error["unrolling", 80] < study.error["unrolling", 10]
