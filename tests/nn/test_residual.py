"""Theorem 4.1 and App. A of Behrmann (2019): blocks, chains, squeezes, padding, ActNorm, several scales."""

import pytest
import torch
from invex.nn import lipschitz
from invex.nn.inverse import InversionError
from invex.nn.residual import (
    ActNorm,
    InjectivePadding,
    InvertibleBlock,
    InvertibleChain,
    MultiScale,
    Squeeze,
    convolutional_branch,
    dense_branch,
)
from torch import nn


def images(n=5, channels=3, size=8, seed=0, dtype=torch.float64):
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def network(c=0.8):
    torch.manual_seed(0)
    parts = [
        InjectivePadding(1),
        Squeeze(),
        ActNorm(16),
        InvertibleBlock(convolutional_branch(16, 8, 4, c=c)),
    ]
    parts += [ActNorm(16), InvertibleBlock(convolutional_branch(16, 8, 4, c=c))]
    return InvertibleChain(parts).double()


def test_theorem_4_1_a_chain_of_contractive_blocks_is_inverted():
    chain, x = network(), images()
    with torch.no_grad():
        for block in chain.blocks:
            block.tolerance = 1e-12
            block.branch[1].weight.mul_(30)  # as large as training may make it
        chain(x)
        chain.eval()
        assert (chain.inverse(chain(x)) - x).abs().max() < 1e-9
    assert all(block.lipschitz() < 1 for block in chain.blocks)


def test_a_vanilla_network_is_refused_by_name_and_answered_by_invert():
    chain, x = network(c=None), images()
    with torch.no_grad():
        for block in chain.blocks:
            for parameter in block.branch.parameters():
                parameter.mul_(8)
        y = chain(x)
        with pytest.raises(InversionError, match="block 5 of the chain was not inverted"):
            chain.inverse(y)
        found = chain.blocks[-1].invert(y)
    assert not found.converged
    assert found.x.shape == y.shape


def test_actnorm_starts_on_its_first_batch_and_remembers_that_it_did():
    layer, x = ActNorm(3).double(), 5 + 3 * images()
    y = layer(x)
    assert y.mean((0, 2, 3)).abs().max() < 1e-12
    assert (y.std((0, 2, 3), correction=0) - 1).abs().max() < 1e-12
    loaded = ActNorm(3).double()
    loaded.load_state_dict(layer.state_dict())
    torch.testing.assert_close(loaded(2 * x), layer(2 * x))
    torch.testing.assert_close(layer.inverse(y), x)


def test_actnorm_does_not_blow_up_a_constant_channel():
    x = torch.cat([images(channels=1), torch.full((5, 1, 8, 8), 2.0)], dim=1)
    y = ActNorm(2, floor=0.1)(x.float())
    assert y.isfinite().all()
    assert y[:, 1].abs().max() < 1e-5


def test_log_determinants_are_autograds():
    layer, x = ActNorm(3).double(), images(size=2)
    layer(7 * images())
    _, log_det = layer.forward_and_log_det(x)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda one: layer(one.view(1, 3, 2, 2)).flatten()))(
        x.flatten(1)
    )
    torch.testing.assert_close(log_det, jacobian.det().abs().log())
    vectors = ActNorm(4).double()
    x = torch.randn(6, 4, dtype=torch.float64)
    torch.testing.assert_close(vectors.inverse(vectors(x)), x)
    assert vectors.forward_and_log_det(x)[1].shape == (6,)
    assert Squeeze().forward_and_log_det(images())[1].abs().max() == 0


def test_squeeze_and_padding_lose_nothing_and_keep_the_layout():
    x = images(channels=4).contiguous(memory_format=torch.channels_last)
    for layer, shape in ((Squeeze(), (5, 16, 4, 4)), (InjectivePadding(2), (5, 6, 8, 8))):
        y = layer(x)
        assert y.shape == shape
        assert y.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(layer.inverse(y), x)
    assert torch.equal(InjectivePadding(2)(x)[:, 4:], torch.zeros(5, 2, 8, 8, dtype=torch.float64))
    assert InjectivePadding(3)(torch.ones(2, 4)).shape == (2, 7)


def test_several_scales_are_one_vector_and_back():
    def scale(channels, size):
        block = InvertibleBlock(convolutional_branch(channels, 4, size), tolerance=1e-12)
        return InvertibleChain([Squeeze(), ActNorm(channels), block])

    torch.manual_seed(0)
    flow = MultiScale([scale(8, 4), scale(16, 2)], (2, 8, 8)).double()
    x = images(channels=2)
    with torch.no_grad():
        z = flow(x)
        flow.eval()
        z = flow(x)
        assert z.shape == (5, 128)
        assert (flow.inverse(z) - x).abs().max() < 1e-9
    assert len(flow.blocks) == 2


def test_eq_4_5_the_branch_is_three_convolutions_behind_three_activations():
    kinds = [type(part) for part in convolutional_branch(4, 8, 6, c=0.9)]
    assert kinds == [nn.ELU, lipschitz.ContractiveConv2d] * 3
    kernels = [
        part.kernel_size for part in convolutional_branch(4, 8, 6, c=None) if isinstance(part, nn.Conv2d)
    ]
    assert kernels == [(3, 3), (1, 1), (3, 3)]
    assert len(convolutional_branch(4, 8, 6, first=False)) == 5
    assert len(dense_branch(2, (8, 8))) == 5


def test_batch_normalisation_keeps_no_c():
    with pytest.raises(ValueError, match="no c can be kept"):
        convolutional_branch(4, 8, 6, c=0.9, batch_norm=True)
    assert any(isinstance(p, nn.BatchNorm2d) for p in convolutional_branch(4, 8, 6, c=None, batch_norm=True))


def test_training_keeps_every_operator_at_c():
    torch.manual_seed(0)
    chain = network(c=0.5).float()
    optimiser = torch.optim.Adam(chain.parameters(), 1e-2)
    x = images(dtype=torch.float32)
    for _ in range(40):
        loss = (chain(x) - 9).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        lipschitz.update_(chain)
    estimates = [
        layer.c * layer.refresh_() / max(layer.c, layer.sigma().item())
        for _, layer in lipschitz.contractive_layers(chain)
    ]
    assert max(estimates) < 0.75  # one iteration a step is near, and no more
    assert max(lipschitz.layer_norms(chain.eval()).values()) <= 0.5
