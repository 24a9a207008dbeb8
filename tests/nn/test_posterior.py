"""Posteriors: draws and divergences against PyTorch's multivariate normal."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.nn.posterior import COVARIANCES, SCALE_BOUND, encoder_outputs, read_posterior

SIGMA = torch.tensor(0.3, dtype=torch.float64).log()


def example(covariance, n=4, latent=3, seed=0, size=1.0):
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(n, encoder_outputs(latent, covariance), generator=generator, dtype=torch.float64)
    return read_posterior(size * raw, covariance, SIGMA)


def torchs(posterior):
    """The same law, as PyTorch has it."""
    scale = posterior.log_scale.exp().expand_as(posterior.mean)
    factor = torch.diag_embed(scale) + (0 if posterior.lower is None else posterior.lower)
    return torch.distributions.MultivariateNormal(posterior.mean, scale_tril=factor)


@pytest.mark.parametrize("covariance", COVARIANCES)
@given(latent=st.integers(1, 6), seed=st.integers(0, 99))
@settings(max_examples=10, deadline=None)
def test_equation_5_divergence_is_torchs_for_every_covariance(covariance, latent, seed):
    found = example(covariance, latent=latent, seed=seed)
    zero = torch.zeros(latent, dtype=torch.float64)
    prior = torch.distributions.MultivariateNormal(zero, torch.eye(latent, dtype=torch.float64))
    expected = torch.distributions.kl_divergence(torchs(found), prior)
    torch.testing.assert_close(found.divergence(), expected)


@pytest.mark.parametrize("covariance", COVARIANCES)
def test_draws_have_the_covariance_that_the_encoder_says(covariance):
    found = example(covariance, n=1)
    noise = torch.randn(200_000, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    many = type(found)(
        found.mean.expand(len(noise), -1),
        found.log_scale.expand(len(noise), 3),
        None if found.lower is None else found.lower.expand(len(noise), 3, 3),
    ).draw(noise)
    torch.testing.assert_close(many.T.cov(), torchs(found).covariance_matrix[0], rtol=0.02, atol=0.02)
    torch.testing.assert_close(many.mean(0), found.mean[0], rtol=0.02, atol=0.02)


def test_only_the_full_covariance_correlates():
    assert example("isotropic").lower is None
    assert example("diagonal").lower is None
    lower = example("full").lower
    assert torch.equal(lower, lower.tril(-1))
    assert (lower != 0).sum() == 4 * 3


def test_log_scales_of_an_encoder_that_runs_away_are_bounded():
    for covariance in ("diagonal", "full"):
        assert example(covariance, size=1e6).log_scale.abs().max() <= SCALE_BOUND


@pytest.mark.parametrize(("covariance", "width"), [("diagonal", 5), ("full", 6), ("full", 1)])
def test_a_width_that_no_latent_dimension_has_is_refused(covariance, width):
    with pytest.raises(ValueError, match=f"{width} outputs of the encoder are no {covariance} posterior"):
        read_posterior(torch.zeros(2, width), covariance, SIGMA)
