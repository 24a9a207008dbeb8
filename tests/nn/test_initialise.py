"""Principled initialisation (Hoedt & Klambauer, 2023), test by equation."""

import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from invex.nn import initialise
from scipy import integrate, stats
from torch import nn

FAN_INS = st.integers(1, 100_000)
CORRELATIONS = st.floats(0.01, 0.99)
SLOPES = st.floats(0, 1)
NOISES = st.floats(0, 0.99)
LIMIT = 4.0  # standard errors; one test here in about 16,000 would pass it by chance


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_values_of_the_paper_at_width_784():
    moments = initialise.principled(784)
    assert moments.weight_mean == pytest.approx(0.0023637, abs=5e-8)
    assert moments.weight_variance == pytest.approx(1 / 784, rel=1e-15)
    assert moments.bias_mean == pytest.approx(-0.7393, abs=5e-5)
    assert moments.bias_variance == 0


@given(FAN_INS)
def test_eq13_closed_form_at_one_half(n):
    denominator = 6 * (math.pi - 1) + (n - 1) * (3 * math.sqrt(3) + 2 * math.pi - 6)
    moments = initialise.principled(n)
    assert moments.weight_mean == pytest.approx(math.sqrt(6 * math.pi / (n * denominator)), rel=1e-12)
    assert moments.bias_mean == pytest.approx(-math.sqrt(3 * n / denominator), rel=1e-12)
    assert moments.weight_variance == pytest.approx(1 / n, rel=1e-12)


@given(FAN_INS, CORRELATIONS)
def test_eq12_without_slope(n, rho):
    bend = math.sqrt(1 - rho**2) + rho * math.acos(-rho)
    expected = 2 * math.pi * rho / (n * (math.pi - n + (n - 1) * bend))
    assert initialise.principled(n, correlation=rho).weight_mean ** 2 == pytest.approx(expected, rel=1e-7)


@given(st.integers(2, 5000), CORRELATIONS, SLOPES)
def test_eq35_with_slope(n, rho, alpha):
    bend = math.sqrt(1 - rho**2) + rho * math.acos(-rho)
    off_diagonal = (1 - alpha) ** 2 * bend + 2 * math.pi * alpha * rho
    expected = math.pi * (1 + alpha**2) - n * (1 - alpha) ** 2 + (n - 1) * off_diagonal
    measured = initialise.covariance_gain(rho, n, alpha)
    assert measured == pytest.approx(n * expected / (2 * math.pi), rel=1e-7)


@given(FAN_INS, CORRELATIONS, NOISES, SLOPES, st.floats(0.1, 10))
def test_eq45_46_variance_is_kept_whatever_the_bias_noise(n, rho, beta, alpha, variance):
    moments = initialise.principled(n, correlation=rho, variance=variance, bias_noise=beta, slope=alpha)
    own = n * moments.weight_variance * (1 + alpha**2) / 2 * variance + moments.bias_variance
    assert own + rho * variance == pytest.approx(variance, rel=1e-12)


@pytest.mark.parametrize("slope", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("rho", [0.1, 0.5, 0.9])
def test_eq23_kernel_against_integration(rho, slope):
    law = stats.multivariate_normal(cov=[[1, rho], [rho, 1]])

    def leaky(s):
        return s if s > 0 else slope * s

    quadrants = [((0, 9), (0, 9)), ((0, 9), (-9, 0)), ((-9, 0), (0, 9)), ((-9, 0), (-9, 0))]
    expected = sum(
        integrate.dblquad(lambda t, s: leaky(s) * leaky(t) * law.pdf((s, t)), *a, *b, epsabs=1e-6)[0]
        for a, b in quadrants
        if slope or (a[1] > 0 and b[1] > 0)
    )
    assert initialise.kernel(rho, slope) == pytest.approx(expected, abs=1e-5)


@given(st.floats(1e-4, 10), st.floats(1e-6, 10))
def test_sec33_log_normal_parameters_give_the_moments_back(mean, variance):
    mu, sigma = initialise.log_normal_parameters(mean, variance)
    law = stats.lognorm(s=sigma, scale=math.exp(mu))
    assert law.mean() == pytest.approx(mean, rel=1e-9)
    assert law.var() == pytest.approx(variance, rel=1e-6)


def test_sec33_log_normal_parameters_are_those_of_the_paper():
    mean, variance = 0.0023637, 1 / 784
    second = mean**2 + variance
    mu, sigma = initialise.log_normal_parameters(mean, variance)
    assert mu == pytest.approx(math.log(mean**2) - math.log(second) / 2, rel=1e-12)
    assert sigma**2 == pytest.approx(math.log(second) - math.log(mean**2), rel=1e-12)


def test_sec33_log_normal_draws_follow_their_law():
    weight = initialise.log_normal_(torch.empty(200, 100, dtype=torch.float64), 0.5, 0.25, generator())
    mu, sigma = initialise.log_normal_parameters(0.5, 0.25)
    assert stats.kstest(weight.ravel().numpy(), stats.lognorm(s=sigma, scale=math.exp(mu)).cdf).pvalue > 1e-4
    assert abs(weight.mean() - 0.5) < LIMIT * 0.5 / math.sqrt(weight.numel())


def test_c5_exponential_draws_are_the_logarithms_of_principled_ones():
    weight, log_weight = torch.empty(2, 30, 40).double(), torch.empty(2, 30, 40).double()
    bias, log_bias = torch.empty(2, 30), torch.empty(2, 30)
    initialise.principled_(weight, bias, bias_noise=0.5, slope=0.1, generator=generator())
    initialise.principled_exponential_(log_weight, log_bias, bias_noise=0.5, slope=0.1, generator=generator())
    torch.testing.assert_close(log_weight.exp(), weight)
    torch.testing.assert_close(log_bias, bias)


def test_c5_exponentiating_a_second_time_is_not_the_principled_law():
    """The released code draws log-normal weights and then takes exp of them: their mean is far too large."""
    weight, bias = torch.empty(200, 784), torch.empty(200)
    moments = initialise.principled_(weight, bias, generator=generator())
    error = weight.exp().std() / math.sqrt(weight.numel())
    assert (weight.exp().mean() - moments.weight_mean) / error > 10 * LIMIT


@pytest.mark.parametrize("fill", [initialise.lecun_normal_, initialise.he_normal_])
def test_normal_draws_have_their_variance(fill):
    weight = fill(torch.empty(3, 100, 50, dtype=torch.float64), generator=generator())
    expected = (1 if fill is initialise.lecun_normal_ else 2) / 50
    error = expected * math.sqrt(2 / weight.numel())
    assert abs(weight.var() - expected) < LIMIT * error


def test_b1_he_gain_of_a_leaky_relu():
    weight = initialise.he_normal_(torch.empty(200, 50).double(), slope=0.5, generator=generator())
    expected = 2 / (1.25 * 50)
    assert abs(weight.var() - expected) < LIMIT * expected * math.sqrt(2 / weight.numel())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_fills_in_place_and_keeps_type(dtype):
    weight, bias = torch.empty(2, 5, 7, dtype=dtype), nn.Parameter(torch.empty(2, 5, dtype=dtype))
    initialise.principled_(weight, bias, generator=generator())
    assert weight.dtype == bias.dtype == dtype
    assert (weight >= 0).all()
    assert bias.requires_grad
    assert bias.grad_fn is None


def test_the_generator_decides_every_draw():
    first, second = torch.empty(4, 6), torch.empty(4, 6)
    for weight in (first, second):
        torch.rand(3)  # the global generator plays no part
        initialise.principled_(weight, torch.empty(4), bias_noise=0.5, generator=generator(3))
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("layer", "fan_in"),
    [(nn.Linear(7, 3), 7), (nn.Conv1d(4, 3, 5), 20), (nn.Conv2d(4, 6, (3, 5), groups=2), 30)],
)
def test_fan_in_of_layers(layer, fan_in):
    moments = initialise.principled_layer_(layer, correlation=0.3, slope=0.1, generator=generator())
    assert moments == initialise.principled(fan_in, correlation=0.3, slope=0.1)


def test_layer_without_bias_is_refused():
    with pytest.raises(ValueError, match="no bias"):
        initialise.principled_layer_(nn.Linear(3, 2, bias=False))


@pytest.mark.parametrize("layer", [nn.ConvTranspose2d(4, 6, 3), nn.Bilinear(3, 4, 2)])
def test_a_layer_whose_fan_in_is_not_that_of_its_first_weights_is_refused(layer):
    with pytest.raises(TypeError, match="neither linear nor a convolution"):
        initialise.principled_layer_(layer)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("correlation", value) for value in (-0.1, 0.0, 1.0, math.nan)],
        *[("bias_noise", value) for value in (-0.1, 1.0, math.nan)],
        *[("slope", value) for value in (-0.1, 1.1, math.nan)],
        *[("variance", value) for value in (0.0, math.nan)],
        *[("fan_in", value) for value in (0, -3)],
    ],
)
def test_values_without_a_solution_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"{name} must .* got {value}"):
        initialise.principled(**{"fan_in": 10, name: value})


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 1.0), (-1.0, 1.0), (1.0, -1.0)])
def test_log_normal_refuses_impossible_moments(mean, variance):
    with pytest.raises(ValueError, match="got"):
        initialise.log_normal_parameters(mean, variance)


def test_import_brings_nothing_but_torch():
    code = (
        "import sys, torch; before = set(sys.modules); from invex.nn import initialise; "
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['invex']"


def test_the_snippet_of_the_chapter_makes_a_convex_network():
    chapter = Path(__file__).parents[2] / "book/initialisation/signal-propagation.md"
    snippet = re.search(r":tags: \[use-it\]\n(.*?)```", chapter.read_text(encoding="utf-8"), re.DOTALL)
    assert snippet
    names: dict[str, Any] = {}
    exec(snippet[1], names)
    ends = torch.randn(2, 50, 20, generator=generator())
    middle = names["net"](ends.mean(0))
    assert (middle <= names["net"](ends).mean(0) + 1e-6).all()
    assert middle.std() > 0


@pytest.mark.parametrize(
    "wrap", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.orthogonal]
)
def test_a_layer_whose_weight_is_computed_is_refused(wrap):
    layer = wrap(nn.Linear(5, 5))
    with pytest.raises(ValueError, match=r"(?s)the weight of .* is computed from other tensors"):
        initialise.principled_layer_(layer)
