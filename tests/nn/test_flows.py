"""Flows: change of variables (Lemma 5.2), bits per dimension (Lemma 5.10, App. A.2), Glow; against zuko."""

import math
import warnings

import pytest
import torch
import zuko
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.nn import flows
from invex.nn.coupling import Mixing, glow
from invex.nn.flows import Affine, DiagonalGaussian, Flow, Logit, dequantised, evaluate_bits
from invex.nn.logdet import Exact, PowerSeries
from invex.nn.residual import (
    ActNorm,
    InvertibleBlock,
    InvertibleChain,
    MultiScale,
    Squeeze,
    convolutional_branch,
    dense_branch,
)
from torch import nn

seeds = st.integers(0, 999)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def points(n, *shape, seed=0):
    return torch.randn(n, *shape, generator=generator(seed), dtype=torch.float64)


def true_log_det(function, x):
    function(x)  # norms and normalisations are computed once, outside of vmap
    rows = torch.func.vmap(torch.func.jacrev(lambda one: function(one[None])[0].flatten()))(x)
    return rows.reshape(len(x), x[0].numel(), -1).det().abs().log()


def residual(seed=0, d=3):
    torch.manual_seed(seed)
    branches = [dense_branch(d, (16,), c=0.8) for _ in range(2)]
    for branch in branches:
        flows.aligned_(branch)
    parts = [part for branch in branches for part in (ActNorm(d), InvertibleBlock(branch, tolerance=1e-12))]
    return InvertibleChain(parts)


def images_flow(factor_out=True, seed=0):
    torch.manual_seed(seed)
    first = InvertibleChain([InvertibleBlock(convolutional_branch(1, 4, 4, c=0.8)), Squeeze()])
    last = InvertibleChain(
        [ActNorm(2 if factor_out else 4), InvertibleBlock(convolutional_branch(2, 4, 2, c=0.8))]
    )
    chain = InvertibleChain([Logit(0.05), MultiScale([first, last], (1, 4, 4))])
    return Flow(chain, DiagonalGaussian(16, learned=True), PowerSeries(5))


@pytest.mark.parametrize("make", [residual, lambda seed: glow(3, 4, (16,))])
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_lemma_5_2_log_probability_is_the_change_of_variables(make, seed):
    chain = make(seed=seed)
    flow, x = Flow(chain, DiagonalGaussian(3)), points(20, 3, seed=seed)
    flow.start_(2 * points(200, 3, seed=seed).float())
    flow = flow.double().eval()
    normal = torch.distributions.MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
    expected = normal.log_prob(flow.latent(x)[0]) + true_log_det(flow.chain, x)
    torch.testing.assert_close(flow.log_prob(x), expected, rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(flow.preimage(flow.latent(x)[0]), x, rtol=1e-6, atol=1e-7)


def test_density_on_the_plane_integrates_to_one():
    flow = Flow(residual(d=2), DiagonalGaussian(2))
    flow.start_(points(200, 2).float())
    axis = torch.linspace(-12, 12, 241, dtype=torch.float64)
    with torch.no_grad():
        mass = flow.double().eval().log_prob(torch.cartesian_prod(axis, axis)).exp().sum() * 0.01
    assert float(mass) == pytest.approx(1, abs=1e-3)


def test_several_scales_have_autograds_log_determinant_and_an_inverse():
    flow = images_flow().double()
    flow.start_(torch.rand(50, 1, 4, 4, generator=generator()).double())
    flow.eval()
    x = torch.rand(5, 1, 4, 4, generator=generator(1)).double()
    z, log_det = flow.latent(x, estimators=Exact())
    torch.testing.assert_close(log_det, true_log_det(flow.chain, x), rtol=1e-7, atol=1e-8)
    torch.testing.assert_close(flow.preimage(z), x, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("part", [Logit(1e-3), Logit(0.05), Affine(0.5), Affine(0.1, 4.0)])
def test_what_images_go_through_first(part):
    x = torch.rand(5, 2, 3, 3, generator=generator()).double()
    y, log_det = part.forward_and_log_det(x)
    torch.testing.assert_close(log_det, true_log_det(part, x))
    torch.testing.assert_close(part.inverse(y), x)


@settings(max_examples=8, deadline=None)
@given(seeds, st.integers(1, 6))
def test_mixing_has_the_log_determinant_of_its_matrix(seed, features):
    torch.manual_seed(seed)
    mixing = Mixing(features).double()
    with torch.no_grad():
        for parameter in mixing.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    x = points(4, features, 2, 2, seed=seed)
    y, log_det = mixing.forward_and_log_det(x)
    torch.testing.assert_close(log_det, 4 * mixing.weight().det().abs().log().expand(4))
    torch.testing.assert_close(mixing.inverse(y), x)
    weight = mixing.weight()[:, :, None, None]
    torch.testing.assert_close(y, nn.functional.conv2d(x, weight))


def test_glow_starts_as_a_rotation_and_its_coupling_keeps_half():
    chain = glow(4, 1, (8,)).double()
    x = points(6, 4)
    assert torch.equal(chain[2](x)[:, :2], x[:, :2])
    torch.testing.assert_close(chain[1](x).norm(dim=1), x.norm(dim=1))


def test_learned_prior_starts_where_the_data_are():
    prior = DiagonalGaussian(2, learned=True)
    z = torch.tensor([1.0, -2.0]) + torch.tensor([0.1, 3.0]) * torch.randn(5000, 2, generator=generator())
    prior.start_(z)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = zuko.distributions.DiagNormal(prior.mean, prior.log_scale.exp())
    torch.testing.assert_close(prior.log_prob(z), theirs.log_prob(z))
    assert prior.log_prob(z).mean() > DiagonalGaussian(2).log_prob(z).mean()
    drawn = prior.sample(5000, generator())
    torch.testing.assert_close(drawn.std(0), z.std(0), rtol=0.1, atol=0.01)


# --- bits per dimension -----------------------------------------------------------------------------


def noise_images(n=300, d=12, seed=0):
    return torch.randint(0, 256, (n, d), generator=generator(seed), dtype=torch.uint8)


def test_uniform_density_has_eight_bits_and_half_the_range_seven():
    assert evaluate_bits(lambda x, g: x.new_zeros(len(x)), noise_images()).value == pytest.approx(8)
    half = noise_images() // 2
    found = evaluate_bits(lambda x, g: math.log(2) * 12 * torch.where((x < 0.5).all(1), 1.0, -math.inf), half)
    assert found.value == pytest.approx(7)
    assert found.probe_error == 0
    assert found.bias is None
    assert found.passes == 2


def test_lemma_5_10_a_density_bounds_the_discrete_code_length_from_above():
    """A discretised normal: -log2 of the mass of each value is less than the bits of its density."""
    normal = torch.distributions.Normal(0.5, 0.01)
    images = (256 * normal.sample((4000, 1))).floor().to(torch.uint8)
    density = evaluate_bits(lambda x, g: normal.log_prob(x).sum(1), images, most=8).value
    low = images.double() / 256
    mass = (normal.cdf(low + 1 / 256) - normal.cdf(low)).log2().neg().mean()
    assert float(mass) < density < float(mass) + 0.1


def test_protocol_agrees_with_the_exact_log_determinant_and_says_how_well():
    flow = images_flow()
    images = torch.randint(0, 256, (60, 1, 4, 4), generator=generator(), dtype=torch.uint8)
    flow.start_(dequantised(images, generator()))
    found = evaluate_bits(flow, images, most=4)
    exact = evaluate_bits(lambda x, g: flow.eval().log_prob(x, g, Exact()), images, most=4)
    assert found.bias <= 1e-4
    assert len(found.terms) == 2
    assert abs(found.value - exact.value) < 4 * found.probe_error + found.bias + 1e-4
    assert exact.probe_error < 1e-6
    assert flow.training is False


def test_probe_error_is_that_of_the_estimator_and_falls_with_passes():
    def noisy(x, g):
        return torch.randn(len(x), generator=g) * 12 * math.log(2) * 0.1  # .1 bits per dimension an image

    two, many = (evaluate_bits(noisy, noise_images(), most=most) for most in (2, 18))
    assert two.probe_error == pytest.approx(0.1 / math.sqrt(2 * 300), rel=0.2)
    assert many.probe_error == pytest.approx(two.probe_error / 3, rel=1e-6)
    assert abs(many.value - 8) < 4 * many.probe_error


def test_protocol_is_deterministic_and_does_not_depend_on_the_size_of_batches_but_by_noise():
    flow = images_flow()
    images = torch.randint(0, 256, (30, 1, 4, 4), generator=generator(), dtype=torch.uint8)
    flow.start_(dequantised(images, generator()))
    once, again = (evaluate_bits(flow, images, most=2, seed=3) for _ in range(2))
    assert once == again
    assert evaluate_bits(flow, images, most=2, batch=7).value == pytest.approx(once.value, abs=0.05)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (torch.rand(5, 4), "uint8"),
        (torch.randint(0, 256, (5, 4)), "uint8"),
        (torch.zeros(0, 4, dtype=torch.uint8), "no images"),
    ],
)
def test_images_that_are_not_8_bit_are_refused(images, said):
    with pytest.raises(ValueError, match=said):
        evaluate_bits(lambda x, g: x.sum(1), images)


def test_a_likelihood_that_is_not_finite_is_named_with_its_image():
    def broken(x, g):
        return torch.where(torch.arange(len(x)) == 3, math.nan, 0.0)

    with pytest.raises(ValueError, match="image 3 is nan"):
        evaluate_bits(broken, noise_images(5))


def test_dequantised_values_stay_below_one():
    x = dequantised(torch.full((100_000,), 255, dtype=torch.uint8), generator())
    assert float(x.max()) < 1
    assert float(x.min()) >= 255 / 256


def test_aligned_branches_do_not_start_dead():
    torch.manual_seed(0)
    usual, aligned = (dense_branch(2, c=0.97) for _ in range(2))
    flows.aligned_(aligned)
    x = points(200, 2).float()

    def strength(branch):
        J = torch.func.vmap(torch.func.jacrev(lambda one: branch.eval()(one[None])[0]))(x)
        return torch.linalg.matrix_norm(J, 2).mean()

    for branch in (usual, aligned):
        branch.eval()(x)
    assert strength(aligned) > 0.3 > 10 * strength(usual)
