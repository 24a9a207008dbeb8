"""Signal propagation (Hoedt & Klambauer, 2023), test by equation."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from invex.analysis import signal
from invex.analysis.signal import samples as signal_samples
from invex.nn import initialise
from invex.nn.initialise import LayerMoments
from scipy import integrate, optimize, stats

FAN_INS = st.integers(2, 5000)
CORRELATIONS = st.floats(0.05, 0.9)
SLOPES = st.floats(0, 1)
LIMIT = 4.0  # standard errors: about one in 16,000 by chance, and there are some 60 comparisons below


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tensors(*values: float) -> list[torch.Tensor]:
    return [torch.tensor(value, dtype=torch.float64) for value in values]


@given(CORRELATIONS, SLOPES, st.floats(0.1, 10))
def test_eq23_covariance_is_the_arc_cosine_kernel_at_mean_zero(rho, slope, variance):
    mean, var, cov = tensors(0.0, variance, rho * variance)
    expected = variance * (initialise.kernel(rho, slope) - initialise.kernel(0, slope))
    assert signal.activation_covariance(mean, var, cov, slope).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("mean", [-1.5, 0.0, 0.7])
@pytest.mark.parametrize("rho", [0.2, 0.7])
def test_eq21_covariance_with_a_mean_against_integration(mean, rho):
    law = stats.multivariate_normal(mean=[mean, mean], cov=[[1, rho], [rho, 1]])
    product = integrate.dblquad(lambda t, s: s * t * law.pdf((s, t)), 0, 9, 0, 9, epsabs=1e-7)[0]
    first = integrate.quad(lambda s: s * stats.norm.pdf(s, mean), 0, 9)[0]
    measured = signal.activation_covariance(*tensors(mean, 1.0, rho))
    assert measured.item() == pytest.approx(product - first**2, abs=1e-6)


@pytest.mark.parametrize("slope", [0.0, 0.3])
@pytest.mark.parametrize("mean", [-1.0, 0.5])
def test_activation_mean_and_variance_against_integration(mean, slope):
    def moment(power: int) -> float:
        def term(s: float) -> float:
            return max(s, slope * s) ** power * stats.norm.pdf(s, mean, 1.5)

        return integrate.quad(term, -15, 0)[0] + integrate.quad(term, 0, 15)[0]

    arguments = tensors(mean, 1.5**2)
    assert signal.activation_mean(*arguments, slope).item() == pytest.approx(moment(1), abs=1e-7)
    variance = signal.activation_variance(*arguments, slope).item()
    assert variance == pytest.approx(moment(2) - moment(1) ** 2, abs=1e-7)


@given(FAN_INS, CORRELATIONS, SLOPES, st.floats(0, 0.9), st.floats(0.2, 5))
def test_eq42_43_are_a_fixed_point(n, rho, slope, beta, variance):
    layer = initialise.principled(n, correlation=rho, slope=slope, bias_noise=beta, variance=variance)
    after = signal.propagate(signal.moments(0, variance, rho), layer, n, slope)
    assert after.mean.item() == pytest.approx(0, abs=1e-9 * n)
    assert after.variance.item() == pytest.approx(variance, rel=1e-5)
    assert after.correlation.item() == pytest.approx(rho, rel=1e-5)


def test_eq2_3_centred_weights_keep_the_variance_only():
    he = LayerMoments(0.0, 2 / 50, 0.0, 0.0)
    after = signal.propagate(signal.moments(), he, 50)
    assert [value.item() for value in after[:3]] == pytest.approx([0, 1, 0], abs=1e-12)


@pytest.mark.parametrize("slope", [0.0, 0.2])
@pytest.mark.parametrize(("mean", "correlation"), [(0.0, 0.5), (0.0, 0.1), (-0.4, 0.8), (0.6, 0.3)])
@pytest.mark.parametrize("draw", [signal_samples.two_point_, initialise.log_normal_])
def test_eq5_6_moments_of_random_layers(draw, mean, correlation, slope):
    fan_in = 40
    layer = LayerMoments(0.03, 0.02, -0.3, 0.1)
    source = generator(1)
    features = signal_samples.gaussian_features(
        8000, fan_in, mean=mean, correlation=correlation, generator=source
    )
    after = signal_samples.random_layer(features, 8, layer, slope=slope, draw=draw, generator=source)
    expected = signal.propagate(signal.moments(mean, 1, correlation), layer, fan_in, slope)
    for name in ("mean", "variance", "covariance", "correlation"):
        z = getattr(signal_samples.measure(after), name).z(getattr(expected, name).item())
        assert abs(z) < LIMIT, name


@pytest.mark.parametrize("name", ["mean", "variance", "covariance", "correlation"])
def test_standard_errors_are_the_spread_of_repeated_measurements(name):
    features = signal_samples.gaussian_features(40_000, 6, mean=0.5, correlation=0.7, generator=generator())
    found = [getattr(signal_samples.measure(part), name) for part in features.split(200)]
    values, errors = torch.tensor(found).T
    assert values.std() / errors.mean() == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("slope", [0.0, 0.3])
@pytest.mark.parametrize("correlation", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("width", [20, 300])
def test_eq9_12_one_layer_keeps_mean_variance_and_correlation(width, correlation, slope):
    layer = initialise.principled(width, correlation=correlation, slope=slope)
    measured = one_layer(width, layer, correlation, slope)
    assert abs(measured.mean.z(0)) < LIMIT
    assert abs(measured.variance.z(1)) < LIMIT
    assert abs(measured.correlation.z(correlation)) < LIMIT


def test_slope_left_out_of_the_mean_is_detected():
    """The released code lets the slope enter the variance of the weights only."""
    published, right = initialise.principled(200), initialise.principled(200, slope=0.2)
    layer = published._replace(weight_variance=right.weight_variance)
    measured = one_layer(200, layer, 0.5, 0.2)
    assert measured.mean.z(0) < -LIMIT
    assert abs(one_layer(200, right, 0.5, 0.2).mean.z(0)) < LIMIT


def test_wrong_fan_in_is_detected():
    measured = one_layer(300, initialise.principled(200), 0.5, 0.0)
    assert measured.mean.z(0) > LIMIT
    assert measured.variance.z(1) > LIMIT


def test_clamped_he_weights_do_not_keep_the_moments():
    weight = initialise.he_normal_(torch.empty(400, 500), generator=generator()).clamp_(min=0)
    layer = LayerMoments(weight.mean().item(), weight.var().item(), 0.0, 0.0)
    measured = one_layer(500, layer, 0.5, 0.0)
    assert measured.mean.z(0) > 5 * LIMIT
    assert measured.variance.z(1) > 5 * LIMIT


def one_layer(width: int, layer: LayerMoments, correlation: float, slope: float) -> signal_samples.Measured:
    source = generator(2)
    features = signal_samples.gaussian_features(4000, width, correlation=correlation, generator=source)
    draw = signal_samples.two_point_
    return signal_samples.measure(
        signal_samples.random_layer(features, 8, layer, slope=slope, draw=draw, generator=source)
    )


def test_eq5_6_moments_over_the_data_of_one_network():
    """Orthogonal inputs of one norm: the first pre-activations are independent standard normals."""
    source, width = generator(3), 60
    inputs = torch.linalg.qr(torch.randn(1000, width, 12, generator=source))[0].mT * math.sqrt(width)
    layers = signal_samples.random_network(
        inputs, (width, 80), "principled", bias_noise=0.5, draw=signal_samples.two_point_, generator=source
    )
    layer = initialise.principled(width, bias_noise=0.5)
    expected = signal.propagate(signal.moments(), layer, width)
    measured = signal_samples.measure_data(layers[1])
    assert abs(measured.mean.z(expected.mean.item())) < LIMIT
    assert abs(measured.variance.z(expected.data_variance.item())) < LIMIT
    assert abs(measured.correlation.z(expected.data_correlation.item())) < LIMIT
    assert measured.correlation.z(expected.correlation.item()) > LIMIT


@given(st.integers(2, 100_000), CORRELATIONS, SLOPES)
def test_b4_eigenvalues_are_those_of_the_jacobian_of_eq44(n, rho, slope):
    jacobian = signal.jacobian(signal.published_map, (1.0, rho), n, rho, slope)
    found = sorted(torch.linalg.eigvals(jacobian).real.tolist())
    assert found == pytest.approx(sorted(signal.eigenvalues(n, rho, slope)), rel=1e-6)


@given(st.integers(2, 100_000), CORRELATIONS, SLOPES)
def test_b4_dividing_by_the_new_variance_damps_the_correlation(n, rho, slope):
    jacobian = signal.jacobian(signal.correlation_map, (1.0, rho), n, rho, slope)
    found = sorted(torch.linalg.eigvals(jacobian).real.tolist())
    published = signal.eigenvalues(n, rho, slope)[1]
    assert found == pytest.approx(sorted([1.0, (1 - rho) * published]), rel=1e-6)


def test_b4_threshold_by_root_finding_and_in_closed_form():
    root = optimize.brentq(lambda n: signal.eigenvalues(n)[1] - 1, 2, 100)
    assert signal.stability_bound() == pytest.approx(root, rel=1e-10)
    assert root == pytest.approx(1 + 2 * (math.pi - 1) / (2 - math.sqrt(3)), rel=1e-10)
    assert signal.eigenvalues(16)[1] < 1 < signal.eigenvalues(17)[1]


@given(st.integers(17, 10_000_000))
def test_b4_second_eigenvalue_exceeds_one_in_practice(n):
    assert signal.eigenvalues(n)[1] > 1


@given(st.integers(2, 5000), st.floats(0.1, 0.9), st.floats(0, 0.9))
def test_full_map_agrees_with_the_zero_mean_map_where_the_mean_is_zero(n, rho, slope):
    state = torch.tensor([0.0, 1.0, rho], dtype=torch.float64)
    full = signal.full_map(state, n, rho, slope)
    zero = signal.correlation_map(state[1:], n, rho, slope)
    assert full[1:].tolist() == pytest.approx(zero.tolist(), rel=1e-6)


def test_jacobian_of_the_full_map_against_differences():
    at, step = (0.0, 1.0, 0.5), 1e-5
    columns = []
    for index in range(3):
        ends = []
        for sign in (1, -1):
            state = torch.tensor(at, dtype=torch.float64)
            state[index] += sign * step
            ends.append(signal.full_map(state, 200, 0.5))
        columns.append((ends[0] - ends[1]) / (2 * step))
    torch.testing.assert_close(
        signal.jacobian(signal.full_map, at, 200, 0.5), torch.stack(columns, 1), atol=1e-6, rtol=1e-6
    )


def test_the_mean_makes_the_fixed_point_unstable():
    values = torch.linalg.eigvals(signal.jacobian(signal.full_map, (0.0, 1.0, 0.5), 784, 0.5)).abs()
    assert values.max() > 1.5
    assert (values > 1).sum() == 1
