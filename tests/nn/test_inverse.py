"""Algorithm 1, Lemmas 4.5 and 4.6 of Behrmann (2019), and the accelerated solver."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.nn.inverse import METHODS, InversionError, solve
from invex.nn.residual import InvertibleBlock, dense_branch


def contraction(seed, dimension=5, c=0.9):
    torch.manual_seed(seed)
    block = InvertibleBlock(dense_branch(dimension, (16, 16), c=c), name="the block").double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.mul_(3)
    return block.eval().requires_grad_(False)


def points(seed, n=20, dimension=5):
    return 2 * torch.randn(n, dimension, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=15)
@given(st.integers(0, 999), st.sampled_from(METHODS))
def test_the_inverse_is_one_and_its_error_bound_holds(seed, method):
    block, x = contraction(seed), points(seed)
    found = solve(block.branch, block(x), tolerance=1e-12, method=method, lipschitz=block.lipschitz())
    assert found.converged
    size = 1 + block(x).norm(dim=1)
    assert ((found.x - x).norm(dim=1) / size).max() <= found.error_bound + 1e-15


@settings(max_examples=15)
@given(st.integers(0, 999), st.integers(1, 12))
def test_lemma_4_5_bounds_the_error_after_k_iterations(seed, k):
    block, x = contraction(seed), points(seed, n=1)
    y, lipschitz = block(x), block.lipschitz()
    found = solve(block.branch, y, tolerance=0.0, most=k, method="fixed-point", lipschitz=lipschitz)
    error = ((found.x - x).norm(dim=1) / (1 + y.norm(dim=1))).item()
    assert error <= found.bound[k - 1]


def test_lemma_4_5_fails_where_the_constant_is_understated():
    """The negative control."""
    block, x = contraction(0), points(0, n=1)
    y = block(x)
    found = solve(block.branch, y, tolerance=0.0, most=8, method="fixed-point", lipschitz=0.05)
    assert ((found.x - x).norm() / (1 + y.norm())).item() > found.bound[7]


def test_lemma_4_6_bounds_forward_and_inverse():
    block, a, b = contraction(1), points(2), points(3)
    lipschitz = block.lipschitz()
    stretched = (block(a) - block(b)).norm(dim=1) / (a - b).norm(dim=1)
    back = (block.inverse(a) - block.inverse(b)).norm(dim=1) / (a - b).norm(dim=1)
    assert stretched.max() <= 1 + lipschitz
    assert back.max() <= 1 / (1 - lipschitz) + 1e-5


def test_anderson_is_exact_for_a_linear_branch_once_it_has_seen_every_direction():
    matrix = torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matrix *= 0.95 / torch.linalg.matrix_norm(matrix, 2)
    y = points(0, dimension=3)
    plain, fast = (
        solve(lambda x: x @ matrix, y, tolerance=1e-10, method=m) for m in ("fixed-point", "anderson")
    )
    truth = torch.linalg.solve(torch.eye(3, dtype=torch.float64) + matrix, y, left=False)
    torch.testing.assert_close(fast.x, truth, rtol=0, atol=1e-8)
    assert fast.iterations <= 8 < plain.iterations


def test_examples_do_not_depend_on_each_other():
    block, y = contraction(2), points(4)
    together = solve(block.branch, y, tolerance=0.0, most=4).x
    alone = torch.cat([solve(block.branch, row[None], tolerance=0.0, most=4).x for row in y])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-9)


def test_images_are_inverted_in_their_shape():
    y = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    found = solve(lambda x: 0.5 * torch.sin(x), y)
    torch.testing.assert_close(found.x + 0.5 * torch.sin(found.x), y, rtol=0, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_contraction_is_answered_and_named(method):
    y = points(0, n=4).abs() + 1
    found = solve(lambda x: torch.relu(x) + 0.5, y - 9, method=method)
    assert found.converged  # expanding is not enough to fail
    found = solve(lambda x: -x + x.square(), -y, method=method, most=50)  # -y = x^2 has no solution
    assert not found.converged
    assert found.residuals[-1] > 1e-3
    with pytest.raises(InversionError, match=r"block 3 of stage 2 was not inverted.*residual is"):
        found.require("block 3 of stage 2")


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="no method 'newton'"):
        solve(torch.sin, torch.zeros(1, 2), method="newton")
    with pytest.raises(ValueError, match="not finite"):
        solve(torch.sin, torch.full((1, 2), float("nan")))
