"""What is measured on a Rosenbrock model, on models whose answers are known."""

import pytest
import torch
from invex.analysis.level_sets import MinimumNotFound
from invex.data import synthetic
from invex.experiments import rosenbrock_measures as measures
from invex.nn.vae import GenerativeModel
from torch import nn

ORIGIN = torch.zeros(2, dtype=torch.float64)
STARTS = synthetic.grid(5, 0.4, dtype=torch.float64)


class Bend(nn.Module):
    """The pair whose norm, to the power of one half, is the Rosenbrock function."""

    def forward(self, x):
        return torch.stack([1 - 10 * x[..., 0], 10 * (10 * x[..., 0]) ** 2 - 100 * x[..., 1]], dim=-1)


class Unbend(nn.Module):
    def forward(self, z):
        x1 = (1 - z[..., 0]) / 10
        return torch.stack([x1, (10 * (10 * x1) ** 2 - z[..., 1]) / 100], dim=-1)


class Root(nn.Module):
    def forward(self, z):
        return (z.square().sum(-1) + 1e-12) ** 0.25


def test_a_perfect_model_has_no_error_its_minimum_in_place_and_its_valley_on_the_parabola():
    perfect = GenerativeModel(Bend(), Unbend(), Root())
    x = synthetic.grid(5, dtype=torch.float64)
    torch.testing.assert_close(perfect.predict(x), synthetic.rosenbrock(x), rtol=1e-6, atol=1e-3)
    floor, truth = measures.valley(perfect)
    torch.testing.assert_close(truth.square() * 10, torch.linspace(0.42, 1, 30).double().expand(2, 30))
    assert (floor - truth).abs().max() < 2e-3  # at x2 = 1 the exact floor lies this near to the parabola
    assert (floor[0] < 0).all()
    assert (floor[1] > 0).all()


class Off(Root):
    """One half more within the training square, one more around it."""

    def forward(self, z):
        inside = Unbend()(z).abs().amax(-1) < 0.4 + 1e-9
        return super().forward(z) + torch.where(inside, 0.5, 1.0)


class Displaced(Unbend):
    def forward(self, z):
        return super().forward(z) + 0.03


def test_measures_of_a_model_with_known_errors():
    model = GenerativeModel(Bend(), Displaced(), Off())
    found, (floor, truth) = measures.measure(model), measures.valley(model)
    assert found["rmse"] == pytest.approx(0.5, abs=1e-6)
    assert found["largest_residual"] == pytest.approx(0.5, abs=1e-3)
    assert found["rmse_around"] == pytest.approx(1, abs=1e-6)
    assert len(measures._surroundings()) == 61**2 - 41 * 31
    assert found["minimum"] == pytest.approx(0.501, abs=1e-6)
    assert found["minimum_away"] == pytest.approx(0.03 * 2**0.5)
    assert found["valley_away"] == (floor - truth).abs().max().item()


def test_a_model_without_a_valley_is_found_out():
    flat = GenerativeModel(nn.Identity(), nn.Identity(), Root())
    floor, truth = measures.valley(flat)
    assert floor.abs().max() < 1e-3
    assert (floor - truth).abs().max() > 0.3


def bowl(x):
    return (x - 0.1).square().sum(-1)


def test_descents_on_a_bowl_end_in_one_point():
    found = measures.descents(bowl, STARTS)
    assert measures.one_point(bowl, found) is True
    assert found.spread < 1e-9


def test_two_minima_are_two_stationary_points():
    def double(x):
        return (x[:, 0].square() - 0.04).square() + x[:, 1].square()

    assert measures.one_point(double, measures.descents(double, STARTS)) is False


def test_descents_that_stop_by_their_own_tolerance_decide_nothing():
    def flat(x):
        return 1e-14 * bowl(x)

    def valley(x):
        return 1e8 * (x[:, 1] - x[:, 0]).square() ** 4

    for function in (flat, valley):
        found = measures.descents(bowl, STARTS)
        stopped = type(found)(found.point, STARTS, 0.0, 1.0, 1.0, measures.APART)
        assert measures.one_point(function, stopped) is (False if function is bowl else None)


def test_a_verdict_in_words():
    assert [measures.in_words(holds) for holds in (True, False, None)] == ["yes", "no", "not decided"]


def test_levels_are_counted_that_every_ray_crosses_once():
    assert measures.enclosed(bowl, ORIGIN + 0.1, [-1.0, 0.5, 2.0]) == 2

    def trough(z):
        return z[:, 0].square()

    def ripples(z):
        return z.square().sum(-1) + 2 * torch.cos(3 * z.norm(dim=-1)) - 2

    assert measures.enclosed(trough, ORIGIN, [0.5, 2.0]) == 0
    assert measures.enclosed(ripples, ORIGIN, [-0.5, 30.0]) == 1


class Slope(nn.Module):
    def forward(self, z):
        return z[..., 0]


def test_a_head_without_a_minimum_is_refused_after_the_errors_were_measured():
    model = GenerativeModel(Bend(), Unbend(), Slope())
    assert measures.errors(model)["rmse"] > 0
    with pytest.raises(MinimumNotFound, match="still falls"):
        measures.shape(model)
