"""The measurements of the chapter on signal propagation, at small sizes."""

import json

import pytest
import torch
from invex.analysis import signal, signal_explorer, signal_samples, signal_stability, signal_studies
from invex.nn import initialise


def test_eq5_6_recursion_follows_clamped_networks_to_any_depth():
    """With their large mean, clamped networks are nearly linear: no fixed point is involved."""
    width, depth = 64, 5
    inputs = torch.randn(600, 2, width, generator=torch.Generator().manual_seed(0))
    inputs *= width**0.5 / inputs.norm(dim=-1, keepdim=True)
    source = torch.Generator().manual_seed(1)
    states = signal_samples.random_network(inputs, [width] * (depth + 1), "clamped", generator=source)
    layer = signal_explorer.clamped_moments(width)
    expected = signal.trajectory(signal.moments(), [layer] * depth, [width] * depth)
    for state, theory in zip(states, expected, strict=True):
        measured = signal_samples.measure(state)
        assert abs(measured.mean.z(theory.mean.item())) < 4
        assert abs(measured.variance.z(theory.variance.item())) < 4


def test_eq9_12_lifting_takes_uncorrelated_features_to_the_fixed_point():
    after = signal.propagate(signal.moments(), signal_studies.lifting(50), 50)
    assert after.mean.item() == pytest.approx(0, abs=1e-9)
    assert after.variance.item() == pytest.approx(1, rel=1e-9)
    assert after.correlation.item() == pytest.approx(0.5, rel=1e-9)


def test_depth_starts_where_it_says():
    rows = list(signal_studies.depth(30, 2, start="gaussian", networks=400))
    first = {row["moment"]: row for row in rows if row["layer"] == 0}
    assert first["correlation"]["recursion"] == 0.5
    assert abs(first["correlation"]["measured"] - 0.5) < 4 * first["correlation"]["error"]
    assert [row["layer"] for row in rows] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("correlation", [0.3, 0.5])
@pytest.mark.parametrize("slope", [0.0, 0.2])
@pytest.mark.parametrize("width", [20, 100])
def test_eq5_6_at_depth_hold_for_one_layer_and_then_understate_the_variance(width, slope, correlation):
    """The second layer's inputs are no longer Gaussian: the chapter's finding, at each alpha and rho."""
    draw = signal_samples.two_point_
    rows = signal_studies.depth(
        width, 3, start="gaussian", correlation=correlation, slope=slope, networks=2000, draw=draw
    )
    z = {(r["layer"], r["moment"]): (r["measured"] - r["recursion"]) / (r["error"] or 1) for r in rows}
    assert all(abs(z[1, moment]) < 4 for moment in signal_studies.MOMENTS)
    assert all(abs(z[layer, "mean"]) < 4 for layer in (2, 3))
    assert z[2, "variance"] > 4
    assert z[3, "variance"] > 4


def test_b4_measured_growth_follows_the_eigenvalues():
    predicted = signal_stability.predicted_growth(60)
    for row in signal_stability.growth((60,), networks=400):
        assert abs(row["value"] - predicted[row["name"]]) < 4 * row["error"], row["name"]


def test_b4_the_published_growth_of_the_correlation_is_detected_as_wrong():
    (found,) = [row for row in signal_stability.growth((60,), networks=400) if row["name"] == "correlation"]
    assert signal.eigenvalues(60)[1] - found["value"] > 10 * found["error"]


def test_log_normal_weights_of_a_layer_have_less_than_their_variance():
    heavy = signal_studies.tails(300, initialise.log_normal_, layers=15)
    light = signal_studies.tails(300, signal_samples.two_point_, layers=15)
    assert heavy.median() < 0.9
    assert abs(light.median() - 1) < 0.05


def test_c3_random_biases_make_layers_more_gaussian():
    rows = list(signal_studies.gaussianity((80, 80, 80), (0.0, 0.5), networks=20))
    fixed, noisy = ([row for row in rows if row["bias_noise"] == noise] for noise in (0.0, 0.5))
    for before, after in zip(fixed, noisy, strict=True):
        assert (
            before["distance"] - after["distance"] > 4 * (before["error"] ** 2 + after["error"] ** 2) ** 0.5
        )


def test_distance_to_gaussian_tells_a_gaussian_from_an_exponential():
    source = torch.Generator().manual_seed(0)
    normal = torch.randn(1, 10_000, generator=source)
    assert signal_samples.distance_to_gaussian(normal).item() < 1.63 / 100  # 99 % point of Kolmogorov's law
    skewed = torch.empty(1, 10_000).exponential_(generator=source)
    assert signal_samples.distance_to_gaussian(skewed).item() > 0.1


def test_explorer_is_json_with_whole_histograms():
    runs = signal_explorer.explorer((16,), (0.1, 0.9), 3, weights=20_000)
    json.dumps(runs, allow_nan=False)
    for run in (*runs["runs"]["principled"][0], *runs["runs"]["clamped"][0]):
        assert len(run["histograms"]) == len(run["measured"]) == len(run["recursion"]) == 4
        for counts in run["histograms"]:
            assert abs(sum(counts) - 1000) < signal_explorer.BINS / 2


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match=r"unknown method 'clipped': choose one of \('regular', "):
        signal_samples.random_network(torch.randn(2, 1, 4), [4, 4], "clipped")


def test_two_point_weights_fill_a_layer_as_log_normal_ones_do():
    weight = torch.nn.Linear(200, 300).weight
    for draw in (signal_samples.two_point_, initialise.log_normal_):
        drawn = draw(weight, 0.1, 0.02, torch.Generator().manual_seed(0))
        assert drawn is weight
        assert weight.mean().item() == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("mean", [0.0, -0.1])
def test_two_point_weights_are_not_negative(mean):
    with pytest.raises(ValueError, match="must be positive, got mean="):
        signal_samples.two_point_(torch.empty(3), mean, 0.02)
