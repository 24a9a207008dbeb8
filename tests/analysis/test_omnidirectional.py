"""Omnidirectionality (Behrmann, 2019, Def. 3.1): linear program, convex hull, and Wendel's theorem."""

from math import comb

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.omnidirectional import (
    omnidirectional,
    omnidirectional_by_hull,
    omnidirectional_for,
    recession_direction,
)
from torch import Generator, Tensor


def gaussian(seed: int, rows: int, size: int) -> Tensor:
    return torch.randn(rows, size, generator=Generator().manual_seed(seed), dtype=torch.float64)


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 5), st.booleans())
@settings(max_examples=150, deadline=None)
def test_linear_program_agrees_with_convex_hull(seed: int, rows: int, size: int, whole: bool) -> None:
    matrix = gaussian(seed, rows, size)
    matrix = matrix.round() if whole else matrix
    assert omnidirectional(matrix) == omnidirectional_by_hull(matrix)


@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_direction_shows_the_free_halfspace(seed: int, rows: int, size: int) -> None:
    matrix = gaussian(seed, rows, size).round()
    found = recession_direction(matrix)
    assert (found is None) == omnidirectional(matrix)
    if found is not None:
        assert found.norm().item() == pytest.approx(1)
        assert (matrix @ found).max().item() <= 1e-9


def test_wendels_theorem() -> None:
    """P(m Gaussian rows in R^n lie in no halfspace) = 1 - 2^(1-m) sum_{k<n} C(m-1, k)."""
    rows, size, draws = 7, 3, 400
    expected = 1 - 2 ** (1 - rows) * sum(comb(rows - 1, k) for k in range(size))
    share = sum(omnidirectional(gaussian(seed, rows, size)) for seed in range(draws)) / draws
    assert share == pytest.approx(expected, abs=4 * (expected * (1 - expected) / draws) ** 0.5)


@given(st.integers(0, 10**6), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_spanning_set_and_its_negative_is_omnidirectional(seed: int, size: int) -> None:
    basis = gaussian(seed, size, size)
    assert omnidirectional(torch.cat([basis, -basis]))
    assert not omnidirectional(torch.cat([basis, -basis])[:-1])


def test_omnidirectional_for_a_point() -> None:
    matrix, point = torch.tensor([[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]]), torch.tensor([0.5, -2.0])
    found = omnidirectional_for(matrix, -matrix @ point)
    assert found is not None
    torch.testing.assert_close(found, point.double())
    assert omnidirectional_for(matrix, -matrix @ point + torch.tensor([0.1, 0.0, 0.0])) is None
    assert omnidirectional_for(matrix[:2], -matrix[:2] @ point) is None


def test_matrices_without_rows_or_only_zeros() -> None:
    assert not omnidirectional(torch.zeros(0, 2))
    assert not omnidirectional(torch.zeros(3, 2))
    assert not omnidirectional_by_hull(torch.zeros(3, 2))
    with pytest.raises(ValueError, match=r"matrix \(m, n\)"):
        omnidirectional(torch.zeros(3))
