"""Removing rows (Behrmann, 2019, Lemmas 3.5 and 3.6), as properties of random matrices."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.row_removal import interlaced, lemma_3_5, lemma_3_6, smallest, units_off
from torch import Generator, Tensor

CASES = (st.integers(0, 10**6), st.integers(1, 14), st.integers(1, 8), st.booleans())


def drawn(seed: int, rows: int, size: int, biased: bool) -> tuple[Tensor, Tensor]:
    generator = Generator().manual_seed(seed)
    matrix = torch.randn(rows, size, generator=generator, dtype=torch.float64)
    bias = torch.randn(rows, generator=generator, dtype=torch.float64) if biased else None
    return matrix, units_off(matrix, torch.randn(size, generator=generator, dtype=torch.float64), bias)


@given(*CASES)
@settings(max_examples=150, deadline=None)
def test_lemma_3_5(seed: int, rows: int, size: int, biased: bool) -> None:
    matrix, off = drawn(seed, rows, size, biased)
    value, bound, tighter = smallest(matrix, off), lemma_3_5(matrix, off), interlaced(matrix, off)
    assert (value is None) == (tighter is None)
    if value is not None and tighter is not None:
        assert value <= tighter * (1 + 1e-12)
    if bound is not None and value is not None and tighter is not None:
        assert value <= tighter <= bound * (1 + 1e-12)
    masked = torch.where(off[:, None], 0.0, matrix)
    assert torch.linalg.matrix_norm(masked, 2) <= torch.linalg.matrix_norm(matrix, 2) * (1 + 1e-12)


@given(*CASES)
@settings(max_examples=150, deadline=None)
def test_lemma_3_6(seed: int, rows: int, size: int, biased: bool) -> None:
    matrix, off = drawn(seed, rows, size, biased)
    value = smallest(matrix, off)
    for row in off.nonzero()[:, 0].tolist():
        bound = lemma_3_6(matrix, off, row)
        if bound is not None:
            assert value is not None
            assert value <= bound * (1 + 1e-9)


def test_lemma_3_6_is_tight_where_the_removed_row_is_a_singular_vector() -> None:
    matrix = torch.tensor([[1.0, 0.1], [1.0, -0.1], [0.0, 1.0]], dtype=torch.float64)
    off = torch.tensor([False, False, True])
    assert smallest(matrix, off) == pytest.approx(lemma_3_6(matrix, off, 2))
    assert lemma_3_6(matrix, off, 2) == pytest.approx(0.1 * 2**0.5)


def test_lemma_3_6_as_printed_fails_for_a_row_of_zeros() -> None:
    """Zero lies in every subspace and is orthogonal to every row: Eq. 3.5 holds for all c > 0."""
    matrix = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    off = units_off(matrix, torch.ones(2, dtype=torch.float64))
    assert off.tolist() == [True, False, False]
    assert smallest(matrix, off) == pytest.approx(1)
    assert lemma_3_6(matrix, off, 0) is None


def test_lemma_3_6_needs_the_removed_row_to_be_a_combination_of_the_others() -> None:
    matrix = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    off = torch.tensor([False, True])
    assert lemma_3_6(matrix, off, 1) is None  # its c would be 0, and the singular value is 1
    with pytest.raises(ValueError, match="row 0 is not among the removed"):
        lemma_3_6(matrix, off, 0)


def test_lemma_3_5_says_nothing_where_as_many_rows_are_removed_as_there_are_singular_values() -> None:
    matrix = torch.randn(8, 2, generator=Generator().manual_seed(0), dtype=torch.float64)
    off = torch.arange(8) < 4
    assert lemma_3_5(matrix, off) is None
    assert smallest(matrix, off) <= interlaced(matrix, off)
