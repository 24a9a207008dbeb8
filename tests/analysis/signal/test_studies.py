"""The measurements of the chapter on signal propagation, at small sizes."""

import json

import pytest
import torch
from invex.analysis import signal
from invex.analysis.signal import explorer as signal_explorer
from invex.analysis.signal import samples as signal_samples
from invex.analysis.signal import stability as signal_stability
from invex.analysis.signal import studies as signal_studies
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


def test_a_network_below_a_variance_of_001_has_died_and_one_above_10_exploded(monkeypatch):
    scale = torch.tensor([0.005, 0.05, 5.0, 20.0, 20.0]).sqrt().view(5, 1, 1)
    normal = scale * torch.linspace(-1, 1, 100) * 3**0.5  # of variance one about
    monkeypatch.setattr(signal_studies, "random_layer", lambda features, *_, **__: normal)
    assert signal_studies.fates(100, 2, networks=5) == pytest.approx((0.2, 0.4))


def test_intervals_are_those_of_95_percent_and_the_slope_belongs_in_every_formula():
    rows = {row["slope enters"]: row for row in signal_studies.slopes(100, 0.3, networks=1000)}
    layer = initialise.principled(100, slope=0.3)
    mean = signal_studies.one_layer(100, layer, slope=0.3, networks=1000).mean
    right, half = rows["in every formula"], rows["in the weights' variance only"]
    assert right["mean"] == mean.value
    assert (right["mean high"] - right["mean low"]) / mean.error == pytest.approx(2 * 1.96)
    assert right["mean low"] < 0 < right["mean high"]
    assert half["mean high"] < 0


def test_eq9_12_lifted_networks_start_with_the_correlation_of_the_fixed_point():
    rows = {row["choice"]: row for row in signal_studies.choices(30, 1, networks=400)}
    assert len(rows) == 5
    lifted, usual = rows["two-point, first layer lifted to ρ = ½"], rows["two-point weights"]
    assert lifted["correlation low"] < 0.5 < lifted["correlation high"]
    assert usual["correlation high"] < 0.4
    assert rows["two-point, ρ = 0.1"]["correlation high"] < usual["correlation low"]


def test_panels_of_all_methods_share_inputs_and_first_layer():
    panels = signal_studies.panels(("regular", "clamped"), (20, 20))
    assert torch.equal(panels["regular"][0], panels["clamped"][0])
    assert not torch.equal(panels["regular"][1], panels["clamped"][1])
    assert not torch.equal(
        signal_studies.panels(("regular",), (20,), seed=1)["regular"][0], panels["regular"][0]
    )


def test_rows_of_a_panel_are_its_mean_spread_and_correlation():
    source = torch.Generator().manual_seed(0)
    features = signal_samples.gaussian_features(
        20_000, 4, mean=3.0, variance=4.0, correlation=0.3, generator=source
    )
    (row,) = signal_studies.panel_rows({"any": [features[:, 0]]})
    assert (row["method"], row["layer"]) == ("any", 1)
    found = row["mean"], row["standard deviation"], row["correlation"]
    assert found == pytest.approx((3, 2, 0.3), abs=0.05)


def test_b4_response_is_the_derived_one_over_the_new_variance_and_eq44_over_the_old():
    for row in signal_stability.response(100, (0.2, 0.8), networks=1000):
        assert abs(row["over_new"] - row["derived"]) < 4 * row["over_new_error"]
        assert abs(row["over_old"] - row["published"]) < 4 * row["over_old_error"]
        assert abs(row["over_new"] - row["published"]) > 4 * row["over_new_error"]


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
    same = signal_samples.distance_to_gaussian(3 * normal + 5)  # of its own moments
    torch.testing.assert_close(same, signal_samples.distance_to_gaussian(normal), rtol=0, atol=1e-5)
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


def test_explorer_counts_what_is_off_its_scale_at_the_end_and_gives_no_correlation_of_the_dead():
    counts = signal_explorer._histogram(torch.tensor([-1e9, 0.0, 1e9, 1e9]))
    assert (counts[0], counts[-1], sum(counts)) == (250, 500, 1000)
    alive, dead = (signal_explorer._expected(signal.moments(0, v, 0.5)) for v in (1.0, 1e-9))
    assert alive == [0, 1, 0.5, 0.5]
    assert dead == [0, 1e-9, None, None]
