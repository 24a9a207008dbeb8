"""Persistence of minima: known landscapes, any dimension, against SciPy's labelled sub-level sets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.basins import basins
from scipy import ndimage


def test_two_wells_and_the_pass_between_them():
    found = basins(np.array([3.0, 0.0, 2.0, 1.0, 5.0]))
    assert [(b.place, b.height, b.depth) for b in found] == [((1,), 0.0, np.inf), ((3,), 1.0, 1.0)]
    assert len(basins(np.array([3.0, 0.0, 2.0, 1.0, 5.0]), least=1.0)) == 1


def test_one_well_has_one_basin_in_any_dimension():
    axis = np.linspace(-1, 1, 9)
    for dimension in (1, 2, 3):
        values = sum(part**2 for part in np.meshgrid(*[axis] * dimension, indexing="ij"))
        (only,) = basins(values)
        assert only.place == (4,) * dimension
        assert only.depth == np.inf


def test_a_plain_that_is_level_is_one_basin():
    assert len(basins(np.zeros((4, 5)))) == 1


def test_a_valley_that_bends_is_one_basin_and_a_wall_across_it_makes_two():
    values = np.ones((5, 5))
    values[0, :] = values[:, 0] = values[4, :] = 0
    assert len(basins(values)) == 1
    values[2, 0] = 0.5
    assert [b.depth for b in basins(values)] == [np.inf, 0.5]


@given(seed=st.integers(0, 10_000), side=st.integers(2, 9))
@settings(max_examples=40, deadline=None)
def test_at_every_level_the_pieces_are_those_that_scipy_counts(seed, side):
    values = np.random.default_rng(seed).permutation(side * side).reshape(side, side).astype(float)
    found = basins(values)
    for level in (0.2, 0.5, 0.8):
        alpha = np.floor(level * values.max())
        alive = sum(b.height <= alpha < b.height + b.depth for b in found)
        assert alive == ndimage.label(values <= alpha)[1]


@pytest.mark.parametrize("shift", [0.0, 7.0])
def test_depth_is_a_difference(shift):
    values = np.array([[0.0, 3.0, 1.0], [4.0, 5.0, 4.0]]) + shift
    assert [b.depth for b in basins(values)] == [np.inf, 2.0]
