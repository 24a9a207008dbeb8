"""Norms of convolutions against the dense SVD of the unrolled operator."""

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from invex.nn import operator_norm
from invex.nn.operator_norm import Convolution

sides = st.integers(4, 8)
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))


def kernel(seed, out, inputs, high, wide):
    return torch.randn(out, inputs, high, wide, generator=torch.Generator().manual_seed(seed)).double()


def svd(weight, operator):
    """The independent implementation: NumPy's SVD of the matrix of the operator, column by column."""
    shape = (weight.shape[1], *operator.size)
    units = torch.eye(shape[0] * shape[1] * shape[2], dtype=torch.float64).view(-1, *shape)
    columns = torch.nn.functional.conv2d(units, weight, stride=operator.stride, padding=operator.padding)
    return torch.linalg.svdvals(columns.flatten(1))[0].item()


@settings(max_examples=60)
@given(st.integers(0, 9999), sides, sides, pairs, pairs, st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_the_certificate_is_never_below_the_norm_and_lanczos_equals_it(seed, h, w, k, stride, padding):
    operator = Convolution((h, w), stride, padding)
    assume(all(n + 2 * p >= kk for n, p, kk in zip((h, w), padding, k, strict=True)))
    weight = kernel(seed, 3, 2, *k)
    true = svd(weight, operator)
    assert operator_norm.fourier_bound(weight, operator) >= true * (1 - 1e-12)
    assert operator_norm.upper_bound(weight, operator) >= true
    assert operator_norm.exact(weight, operator) == pytest.approx(true, rel=1e-9)
    assert operator_norm.dense(weight, operator) == pytest.approx(true, rel=1e-12)


def test_the_certificate_is_tight_with_same_padding():
    operator = Convolution((16, 16), padding=(1, 1))
    weight = kernel(0, 6, 4, 3, 3)
    assert operator_norm.fourier_bound(weight, operator) < 1.1 * svd(weight, operator)


def test_a_torus_of_the_images_own_size_would_be_no_certificate():
    """The negative control: alternating signs resonate with a zero border, but not around an odd torus."""
    weight = torch.tensor([[1.0, -1.0, 1.0]], dtype=torch.float64).view(1, 1, 1, 3)
    operator = Convolution((1, 5), padding=(0, 1))
    own_torus = torch.fft.fft(weight.flatten(), n=5).abs().max().item()
    assert own_torus < svd(weight, operator) <= operator_norm.fourier_bound(weight, operator)


def test_the_norm_of_the_reshaped_kernel_is_another_number():
    weight = torch.ones(1, 1, 3, 3, dtype=torch.float64)
    operator = Convolution((16, 16), padding=(1, 1))
    reshaped = torch.linalg.matrix_norm(weight.flatten(1), 2).item()
    assert reshaped == pytest.approx(3.0)
    assert operator_norm.exact(weight, operator) > 8.7


@settings(max_examples=25)
@given(st.integers(0, 999), sides, sides, pairs, pairs)
def test_the_adjoint_is_one(seed, h, w, k, stride):
    operator, weight = Convolution((h, w), stride, (1, 1)), kernel(seed, 3, 2, *k)
    x = kernel(seed + 1, 2, 2, h, w)
    ax = operator.apply(weight, x)
    y = torch.randn_like(ax)
    assert ax.shape[2:] == operator.output_size((weight.shape[2], weight.shape[3]))
    torch.testing.assert_close((ax * y).sum(), (x * operator.adjoint(weight, y)).sum())


def test_a_matrix_and_a_pointwise_kernel_have_the_same_norm():
    matrix = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    pointwise = matrix.view(5, 3, 1, 1)
    true = torch.linalg.svdvals(matrix.double())[0].item()
    assert operator_norm.exact(matrix) == pytest.approx(true, rel=1e-12)
    assert operator_norm.exact(pointwise, Convolution((4, 4))) == pytest.approx(true, rel=1e-12)
    assert true <= operator_norm.upper_bound(pointwise, Convolution((4, 4))) < true * (1 + 1e-6)


@pytest.mark.parametrize("norm", [operator_norm.exact, operator_norm.upper_bound])
def test_weights_that_are_not_finite_are_named(norm):
    with pytest.raises(ValueError, match="not finite"):
        norm(torch.full((2, 2), float("nan")))


def test_a_kernel_of_zeros_has_norm_zero():
    assert operator_norm.exact(torch.zeros(2, 2, 3, 3), Convolution((6, 6), padding=(1, 1))) == 0
