"""Divergences of Fig. 5.1, lemmas on random networks, checks of Table 5.2, the study of the estimator."""

import math

import pytest
import torch
from invex.analysis import contractions, divergences, invertible_layers, log_determinants
from invex.experiments import iresnet_density
from invex.lab.records import Outcome
from invex.nn.flows import dequantised
from invex.nn.lipschitz import certificate


def test_forward_fit_has_the_least_forward_divergence_and_the_samples_moments():
    mixture = divergences.two_modes()
    best = divergences.forward_fit(mixture)
    turned = divergences._fit(mixture, best.mean + 0.1, best.factor)
    wider = divergences._fit(mixture, best.mean, 1.1 * best.factor)
    assert best.forward < min(turned.forward, wider.forward)
    noise = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    which = torch.arange(200_000) % 2
    x = mixture.means[which] + torch.einsum("nij,nj->ni", mixture.factors[which], noise)
    torch.testing.assert_close(x.mean(0), best.mean, atol=0.02, rtol=0)
    torch.testing.assert_close(x.T.cov(), best.factor @ best.factor.T, atol=0.03, rtol=0)
    sampled = (mixture.log_prob(x) - best.log_prob(x)).mean()
    assert float(sampled) == pytest.approx(best.forward, abs=0.01)


def test_reverse_fit_stays_with_the_mode_it_starts_at_and_each_fit_is_best_by_its_own_measure():
    mixture = divergences.two_modes()
    forward = divergences.forward_fit(mixture)
    for mode in mixture.means:
        reverse = divergences.reverse_fit(mixture, mode)
        assert (reverse.mean - mode).norm() < 0.1
        assert reverse.reverse == pytest.approx(math.log(2), abs=0.01)  # half of the mass is missed
        assert forward.forward < reverse.forward
        assert reverse.reverse < forward.reverse


def test_one_mode_is_fitted_exactly_by_both():
    mixture = divergences.two_modes(distance=0.0)
    for fit in (divergences.forward_fit(mixture), divergences.reverse_fit(mixture, torch.ones(2))):
        assert abs(fit.forward) < 1e-6
        assert abs(fit.reverse) < 1e-6


def test_lemmas_hold_on_random_contractions_and_fail_on_the_control():
    found = contractions.study([0.5, 0.97], [0], (2, 8))
    errors, bounds = torch.tensor(found["error"]), torch.tensor(found["bound"])
    assert bool((errors <= bounds + 1e-12).all())
    assert min(found["determinant"]) > 0
    assert max(found["score"]) < 4
    assert contractions.within_limits(0, 0.9, 4)
    free, x = contractions.branch(0, 8, None), torch.randn(100, 8, dtype=torch.float64)
    assert certificate(free, exact=True) > 1
    wild = contractions.theorem(free, x, 2.0)
    assert wild["determinant"][0] < 0
    assert wild["error"][-1] > wild["error"][0]


def test_grid_for_the_reader_falls_with_terms_and_grows_with_the_constant():
    grid = contractions.grid([0.3, 0.9], terms=8, dimension=6)
    for name in ("bias", "bound", "inverse"):
        low, high = grid[name]
        assert low[-1] < low[0]
        assert high[-1] > low[-1]
    assert all(
        b <= c
        for row, limit in zip(grid["bias"], grid["bound"], strict=True)
        for b, c in zip(row, limit, strict=True)
    )


def test_table_5_2_is_decided_by_measurements():
    facts = {name: invertible_layers.examine(*layer) for name, layer in invertible_layers.layers().items()}
    ticks = {name: each.ticks for name, each in facts.items()}
    assert [name for name, each in ticks.items() if each["free-form Jacobian"]] == ["i-ResNet"]
    assert [name for name, each in ticks.items() if not each["changes volume"]] == ["NICE"]
    assert [name for name, each in ticks.items() if not each["exact likelihood"]] == ["i-ResNet"]
    assert facts["i-ResNet"].evaluations > 5
    assert facts["i-ResNet"].unbiased[0] > 4 > facts["i-ResNet"].unbiased[1]


@pytest.fixture(scope="module")
def digits() -> Outcome:
    config = iresnet_density.configs("quick")[0]
    runs = iresnet_density.run([config], device="cpu", folder=None, progress=lambda text: None)
    return next(iter(runs))[1]


def test_quick_density_of_digits_learns_and_keeps_the_protocol(digits):
    curve = digits.tables["curve"]
    assert curve["bits"][-1] < curve["bits"][0]
    assert digits.metrics["bits"] < 5.5
    assert digits.metrics["bias"] <= 1e-4
    assert digits.metrics["lipschitz"] < 1
    assert digits.tensors["samples"].shape == digits.tensors["originals"].shape


def test_bias_is_below_the_bound_and_the_deviation_does_not_depend_on_the_terms(digits):
    series = digits.tables["series"]
    assert all(a <= b + 1e-6 for a, b in zip(series["largest_bias"], series["bound"], strict=True))
    assert float(series["deviation"][19]) == pytest.approx(float(series["deviation"][4]), rel=0.1)
    assert abs(float(series["bias"][9])) < abs(float(series["bias"][0]))


def test_whole_jacobians_agree_with_a_long_series():
    flow = iresnet_density.build(iresnet_density.configs("quick")[0]).eval()
    images = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    flow.start_(dequantised(images))
    inputs = log_determinants.block_inputs(flow, dequantised(images))
    assert len(inputs) == len(flow.blocks)
    exact, series = log_determinants.exact_log_dets(inputs, 40)
    torch.testing.assert_close(series[-1], exact, rtol=1e-5, atol=1e-6)
