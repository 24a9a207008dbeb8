"""Reconstruction by iterations, Lemma 4.5 block by block, and the Jacobian of a branch."""

import pytest
import torch
from invex.analysis import inversion
from invex.nn.residual import ActNorm, InvertibleBlock, InvertibleChain, Squeeze, convolutional_branch
from torch import nn


def network(c=0.8, gain=10.0):
    torch.manual_seed(0)
    parts = [Squeeze(), ActNorm(8), InvertibleBlock(convolutional_branch(8, 6, 4, c=c))]
    parts += [ActNorm(8), InvertibleBlock(convolutional_branch(8, 6, 4, c=c))]
    chain = InvertibleChain(parts).double()
    with torch.no_grad():
        for block in chain.blocks:
            for layer in block.branch:
                if hasattr(layer, "weight"):
                    layer.weight.mul_(gain)
        chain(images())
    return chain.eval().requires_grad_(False)


def images(n=6):
    return torch.randn(n, 2, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_more_iterations_bring_the_image_back():
    chain, x = network(), images()
    found = inversion.errors_by_iterations(chain, x, torch.ones(1, dtype=torch.float64), steps=(1, 3, 10, 60))
    assert found["iterations"] == [1, 3, 10, 60]
    assert found["mean"] == sorted(found["mean"], reverse=True)
    assert found["largest"][-1] < 1e-10 < found["largest"][0]


def test_a_vanilla_network_is_answered_with_finite_numbers():
    found = inversion.errors_by_iterations(network(c=None), images(), torch.ones(1), steps=(1, 50))
    assert all(0 < value <= 1e30 for value in found["mean"] + found["largest"])
    assert found["mean"][-1] > 1


def test_lemma_4_5_holds_in_every_block_and_not_with_a_smaller_constant():
    for block, x in inversion.inputs_of_blocks(network(), images()):
        found = inversion.block_errors(block, x)
        assert found.lipschitz < 1
        assert 0 < found.largest_ratio <= 1
        shrunk = inversion.BlockErrors(0.1, found.error, found.bound * 0.1 ** torch.arange(31)[:, None])
        assert shrunk.largest_ratio > 1
    vanilla = network(c=None).blocks[0]
    assert not inversion.block_errors(vanilla, torch.zeros(2, 8, 4, 4, dtype=torch.float64)).bound.numel()


def test_the_local_norm_and_radius_are_those_of_the_jacobian():
    torch.manual_seed(0)
    branch = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4)).double().requires_grad_(False)
    x = torch.randn(5, 4, dtype=torch.float64)
    norm, radius = inversion.local_norm(branch, x, iterations=200)
    jacobian = torch.func.vmap(torch.func.jacrev(branch))(x)
    torch.testing.assert_close(norm, torch.linalg.matrix_norm(jacobian, 2), rtol=1e-3, atol=0)
    assert (radius / torch.linalg.eigvals(jacobian).abs().amax(1)).log().abs().max() < 0.1


def test_blocks_see_what_stands_before_them():
    chain, x = network(), images()
    seen = inversion.inputs_of_blocks(chain, x)
    assert [block for block, _ in seen] == chain.blocks
    torch.testing.assert_close(seen[1][0](seen[1][1]), chain(x))
    assert inversion.reconstruct(chain, chain(x), 80) == pytest.approx(x.numpy(), abs=1e-10)
