"""The objective of Nesterov et al. (2022), Eq. 5-7, and its training."""

import math

import pytest
import torch
from invex.data import synthetic
from invex.nn import vae
from invex.nn.bijections import autoregressive_flow
from invex.nn.convex import ConvexNetwork
from invex.nn.posterior import encoder_outputs
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


def test_equation_6_of_a_decoder_that_doubles_is_known():
    """f(h(2 z)) = 2 z_1: half of the term is E[z_1^2] of the codes, half that of a uniform law on [-2, 2]."""
    model, x = identity_model(sigma_z=1e-12), draws(200_000)
    model.decoder = nn.Linear(2, 2, bias=False).double()
    with torch.no_grad():
        model.decoder.weight.copy_(2 * torch.eye(2))
    cycle = model.terms(x, x[:, 0], generator=torch.Generator().manual_seed(0)).cycle
    assert cycle.item() == pytest.approx(x[:, 0].square().mean().item() + 4 / 3, abs=0.015)


def test_equation_7_is_the_weighted_sum():
    one, two, three, four = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert objective(Terms(one, two, three, four), beta=10.0, gamma=100.0) == 433


def test_equation_7_weights_of_the_likelihoods_are_those_of_the_released_image_model():
    one, two, three, four = torch.tensor([1.0, 2.0, 3.0, 4.0])
    weighted = objective(Terms(one, two, three, four), 10.0, 100.0, input_weight=0.5, property_weight=50.0)
    assert weighted == 0.5 + 100 + 430


def test_a_property_that_is_not_known_has_no_part_and_leads_nowhere():
    model, x = identity_model(sigma_z=1e-12), draws(6)
    y = x[:, 0] + 0.3
    y[2:] = math.nan
    terms = model.terms(x, y, generator=torch.Generator())
    known = model.terms(x[:2], y[:2], generator=torch.Generator())
    torch.testing.assert_close(terms.property, known.property)
    terms.property.backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert model.terms(x, torch.full_like(y, math.nan)).property == 0


class Shade:
    """Of a picture only how bright it is counts, and what is encoded again is grey."""

    def loss(self, decoded, x, log_sigma):
        return (decoded.mean((1, 2)) - x.mean((1, 2))).square()

    def observed(self, decoded):
        return decoded.mean((1, 2), keepdim=True).expand_as(decoded)


class Pictures(nn.Module):
    def forward(self, z):
        return z[:, :1, None].expand(-1, 3, 3) * torch.tensor([0.0, 1.0, 2.0])


def test_an_observation_decides_the_likelihood_and_what_is_encoded_again():
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(9, 2))
    head = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
    model = GenerativeModel(encoder, Pictures(), head, observation=Shade(), sigma_z=1e-9)
    x = torch.rand(5, 3, 3)
    terms = model.terms(x, torch.zeros(5), codes=torch.ones(5, 2))
    codes = model.encode(x)
    expected = (codes[:, 0] - x.mean((1, 2))).square().mean()
    torch.testing.assert_close(terms.input, expected)
    grey = codes[:, :1, None].expand(-1, 3, 3)
    own = (head(codes) - model.predict(grey)).square().mean()
    drawn = (head(torch.ones(5, 2)) - model.predict(torch.ones(5, 3, 3))).square().mean()
    torch.testing.assert_close(terms.cycle, own + drawn)


def test_images_have_the_gaussian_likelihood_of_all_their_pixels():
    model = GenerativeModel(nn.Flatten(), nn.Unflatten(1, (3, 3)), ConvexNetwork(9, (4,)), sigma_z=1e-9)
    x = torch.rand(5, 3, 3)
    density = torch.distributions.Normal(torch.tensor(0.0), 0.23).log_prob(torch.tensor(0.0))
    torch.testing.assert_close(model.terms(x, torch.zeros(5)).input, -9 * density)


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_noise_and_codes_that_are_given_leave_nothing_to_chance(covariance):
    torch.manual_seed(0)
    encoder = nn.Linear(2, encoder_outputs(3, covariance))
    model = GenerativeModel(encoder, nn.Linear(3, 2), ConvexNetwork(3, (8,)), covariance=covariance)
    x, noise, codes = torch.rand(4, 2), torch.randn(4, 3), torch.rand(4, 3)
    first, second = (model.terms(x, x[:, 0], noise=noise, codes=codes) for _ in range(2))
    assert first == second
    assert first != model.terms(x, x[:, 0], noise=noise + 1, codes=codes)
    assert first.cycle != model.terms(x, x[:, 0], noise=noise, codes=codes + 1).cycle


def test_an_unknown_covariance_is_refused():
    with pytest.raises(ValueError, match="no covariance 'round'; there are isotropic, diagonal, full"):
        GenerativeModel(nn.Identity(), nn.Identity(), nn.Identity(), covariance="round")


def test_training_that_ran_away_says_so_in_its_curve():
    x = synthetic.grid(12)
    schedule = Schedule(epochs=3, batch=72, rate=1e-2)
    curve = train(small_model(), x, torch.full((144,), 1e38) * synthetic.rosenbrock(x), schedule)
    assert all(len(values) == 3 for values in curve.values())
    assert not math.isfinite(curve["property"][0])
    assert math.isnan(curve["property"][-1])


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


def trained(seed=0, sign=1, **settings):
    """A model after three epochs of two batches, and its curve."""
    x, model = synthetic.grid(12), small_model()
    schedule = Schedule(
        **{"epochs": 3, "batch": 72, "rate": 1e-2, "final_rate": 1e-2, "seed": seed} | settings
    )
    return model, train(model, x, sign * synthetic.rosenbrock(x), schedule)


def moved(model):
    """How far any parameter of the networks has moved from where it starts."""
    pairs = zip(model.encoder.parameters(), small_model().encoder.parameters(), strict=True)
    return max((after - before).abs().max().item() for after, before in pairs)


def test_the_seed_decides_batches_and_noise():
    assert trained(seed=1)[1] == trained(seed=1)[1]
    assert trained(seed=1)[1] != trained(seed=2)[1]


def test_the_curve_is_the_mean_of_the_terms_over_the_batches():
    model, curve = trained(rate=1e-30, final_rate=1e-30, gamma=1.0)
    x = synthetic.grid(12)
    terms = model.terms(x, synthetic.rosenbrock(x))
    assert curve["divergence"] == pytest.approx([terms.divergence.item()] * 3, rel=1e-5)
    assert curve["property"] == pytest.approx([terms.property.item()] * 3, rel=0.1)


def test_every_batch_is_weighted_by_the_beta_of_its_epoch(monkeypatch):
    seen = []
    monkeypatch.setattr(vae, "objective", lambda terms, *weights: seen.append(weights) or sum(terms))
    trained(beta=1.0, final_beta=0.01, gamma=0.5)
    assert [beta for beta, _ in seen] == pytest.approx([0.01 ** (epoch / 3) for epoch in (0, 0, 1, 1, 2, 2)])
    assert {gamma for _, gamma in seen} == {0.5}


@pytest.mark.parametrize(("scale_rate", "still"), [(0.0, True), (0.2, False)])
def test_scales_learn_at_their_own_rate(scale_rate, still):
    model, start = trained(scale_rate=scale_rate)[0], small_model()
    steps = (model.log_sigma - start.log_sigma).abs()
    assert steps.max() <= 6 * scale_rate * 1e-2 * 1.01
    assert (steps.max() == 0) == still
    assert moved(model) > 1e-2


def test_a_gradient_clipped_far_below_adams_epsilon_moves_nothing():
    assert moved(trained(clip=1e-14)[0]) < 1e-6
    assert moved(trained()[0]) > 1e-2


def test_weights_are_projected_after_each_step_and_negative_without(monkeypatch):
    """A concave target pulls them down."""
    assert all((weight >= 0).all() for weight in trained(sign=-1)[0].head.weights())
    monkeypatch.setattr(vae, "project", lambda model: None)
    assert any((weight < 0).any() for weight in trained(sign=-1)[0].head.weights())


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
