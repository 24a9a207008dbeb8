"""The objective of Nesterov et al. (2022), Eq. 5-7, and its training."""

import math

import pytest
import torch
from invex.data import synthetic
from invex.nn.bijections import autoregressive_flow
from invex.nn.convex import ConvexNetwork
from invex.nn.vae import GenerativeModel, Schedule, Terms, objective, train
from torch import nn


def small_model(seed=0):
    torch.manual_seed(seed)
    return GenerativeModel.bijective(
        autoregressive_flow(2, 4, (16, 16)), ConvexNetwork(2, (32, 32), positivity="projection")
    )


def identity_model(sigma_z, dimension=2):
    """Everything known by hand: mu_z(x) = x, mu_x(z) = z, f(z) = z_1."""
    head = nn.Linear(dimension, 1, bias=False)
    with torch.no_grad():
        head.weight.copy_(torch.eye(1, dimension))
    return GenerativeModel(
        nn.Identity(),
        nn.Identity(),
        nn.Sequential(head, nn.Flatten(0)),
        sigma_x=0.5,
        sigma_y=0.25,
        sigma_z=sigma_z,
    ).double()


def draws(n, seed=0):
    return torch.randn(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_equation_5_likelihoods_are_torchs_normal_densities():
    model, x = identity_model(sigma_z=1e-12), draws(50)
    y = x.sum(1)
    terms = model.terms(x + 0.1, y, generator=torch.Generator())
    y_density = torch.distributions.Normal(x[:, 0] + 0.1, 0.25).log_prob(y)
    torch.testing.assert_close(terms.property, -y_density.mean(), rtol=1e-6, atol=1e-6)
    at_mean = torch.distributions.Normal(torch.zeros(2).double(), 0.5).log_prob(torch.zeros(2).double()).sum()
    torch.testing.assert_close(terms.input, -at_mean, rtol=1e-6, atol=1e-6)


def test_equation_5_divergence_is_torchs():
    x = draws(50)
    posterior = torch.distributions.Normal(x, 0.3)
    prior = torch.distributions.Normal(torch.zeros_like(x), torch.ones_like(x))
    expected = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
    torch.testing.assert_close(identity_model(sigma_z=0.3).terms(x, x[:, 0]).divergence, expected)


def test_equation_5_noise_enters_the_likelihood_as_its_variance():
    """With mu_x the identity, E|x - mu_x(z)|^2 = 2 sigma_z^2."""
    terms = identity_model(sigma_z=0.5).terms(
        draws(200_000), torch.zeros(200_000), generator=torch.Generator()
    )
    expected = 2 * 0.5 * 0.5**2 / 0.5**2 + 2 * math.log(0.5) + math.log(2 * math.pi)
    assert terms.input.item() == pytest.approx(expected, abs=0.01)


def test_equation_6_vanishes_for_a_bijection_and_not_for_two_networks():
    x = synthetic.grid(10, dtype=torch.float64)
    y = synthetic.rosenbrock(x)
    assert small_model().double().terms(x, y).cycle < 1e-20
    torch.manual_seed(0)
    encoder, decoder = nn.Linear(2, 2), nn.Linear(2, 2)
    assert GenerativeModel(encoder, decoder, ConvexNetwork(2, (8,))).double().terms(x, y).cycle > 1e-6


def test_equation_7_is_the_weighted_sum():
    one, two, three, four = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert objective(Terms(one, two, three, four), beta=10.0, gamma=100.0) == 433


def test_schedule_of_the_source_multiplies_beta_by_099_an_epoch():
    rates, betas = zip(*(Schedule().rate_and_beta(epoch) for epoch in range(1351)), strict=True)
    assert rates == (1e-4,) * 1351
    assert betas == pytest.approx([20 * 0.99**epoch for epoch in range(1351)])


def test_schedule_warms_up_anneals_and_falls():
    schedule = Schedule(
        epochs=100, rate=1e-2, final_rate=1e-4, warm_up=0.1, beta=1.0, final_beta=0.1, anneal=0.5
    )
    rates, betas = zip(*map(schedule.rate_and_beta, (0, 9, 50, 100)), strict=True)
    assert rates == pytest.approx((1e-3, 1e-2 * 0.01**0.09, 1e-3, 1e-4))
    assert betas == pytest.approx((1.0, 0.1**0.18, 0.1, 0.1))


def test_training_is_deterministic_and_learns():
    x = synthetic.grid(12)
    y = synthetic.rosenbrock(x)
    schedule = Schedule(60, batch=36, rate=1e-2, final_rate=1e-3, warm_up=0.1, beta=0.05, clip=10.0)
    runs = []
    for _ in range(2):
        model = small_model()
        curve = train(model, x, y, schedule)
        runs.append((curve, model.predict(x)))
    assert runs[0][0] == runs[1][0]
    assert torch.equal(runs[0][1], runs[1][1])
    assert runs[0][0]["property"][-1] < 0.1 * runs[0][0]["property"][0]
    assert (runs[0][1] - y).square().mean() < 0.1 * y.var()


def test_a_trained_model_still_inverts_exactly():
    x = synthetic.grid(12)
    model = small_model()
    train(model, x, synthetic.rosenbrock(x), Schedule(epochs=10, batch=72, rate=5e-3))
    assert (model.decoder(model.encoder(x)) - x).abs().max() < 1e-5


def test_cycle_term_brings_two_networks_closer_to_a_bijection():
    x = synthetic.grid(12)
    y = synthetic.rosenbrock(x)
    left = {}
    for gamma in (0.0, 10.0):
        torch.manual_seed(0)
        encoder, decoder = (nn.Sequential(nn.Linear(2, 32), nn.ELU(), nn.Linear(32, 2)) for _ in range(2))
        model = GenerativeModel(encoder, decoder, ConvexNetwork(2, (16,), positivity="projection"))
        train(model, x, y, Schedule(epochs=40, batch=72, rate=5e-3, final_rate=1e-4, beta=0.01, gamma=gamma))
        left[gamma] = model.terms(x, y, generator=torch.Generator().manual_seed(1)).cycle.item()
    assert left[10.0] < 0.5 * left[0.0]
