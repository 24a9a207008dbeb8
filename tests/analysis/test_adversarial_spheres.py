"""Example 6.6 of Behrmann (2019): both attacks are exact, and the accuracy under them follows a Beta law."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.adversarial_spheres import (
    ATTACKS,
    SPHERES,
    Spheres,
    accuracy,
    attack_norms,
    attacked,
    norm_of,
    theory,
    thresholds,
)


def drawn(seed: int = 0, n: int = 200) -> tuple[Spheres, float, dict[str, torch.Tensor]]:
    spheres, generator = Spheres(60, 5), torch.Generator().manual_seed(seed)
    bias = spheres.bias(200, generator)
    return spheres, bias, {name: spheres.sample(name, n, generator) for name in SPHERES}


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 999))
def test_example_6_6_perturbation_stays_on_the_outer_sphere_and_reaches_the_boundary(seed: int) -> None:
    spheres, bias, points = drawn(seed)
    x = attacked(spheres, points["outer"], "outer", "perturbation", bias)
    torch.testing.assert_close(x.norm(dim=1), torch.full((200,), 1.3, dtype=torch.float64))
    torch.testing.assert_close(spheres.used_norm(x), torch.full((200,), bias, dtype=torch.float64))


def test_example_6_6_invariance_keeps_the_decision_and_changes_the_sphere() -> None:
    spheres, bias, points = drawn()
    x = attacked(spheres, points["inner"], "inner", "invariance", bias)
    torch.testing.assert_close(x.norm(dim=1), torch.full((200,), 1.3, dtype=torch.float64))
    assert torch.equal(x[:, :55], points["inner"][:, :55])


def test_example_6_6_each_attack_fails_on_the_other_sphere() -> None:
    spheres, bias, points = drawn()
    assert bias > spheres.inner
    for attack, sphere in (("perturbation", "inner"), ("invariance", "outer")):
        norms = attack_norms(spheres, points[sphere], sphere, attack, bias)
        assert norms[norms > 0].isinf().all()
    # negative control: with b below R1 the inner sphere can be perturbed, too
    assert attack_norms(spheres, points["inner"], "inner", "perturbation", 0.99).isfinite().any()


def test_norm_by_the_used_share_is_that_of_the_attack() -> None:
    spheres, bias, points = drawn()
    for attack in ATTACKS:
        for sphere in SPHERES:
            x = points[sphere]
            right = spheres.decide(x, bias) == (-1 if sphere == "inner" else 1)
            expected = attack_norms(spheres, x, sphere, attack, bias)[right]
            by_share = norm_of(spheres, spheres.used_norm(x), sphere, attack, bias)[right]
            torch.testing.assert_close(by_share, expected)


def test_the_beta_law_is_that_of_sampled_points() -> None:
    spheres, bias, points = drawn(n=4000)
    limits = torch.linspace(0, 1, 41, dtype=torch.float64)
    for attack, sphere in (("perturbation", "outer"), ("invariance", "inner")):
        sampled = accuracy(attack_norms(spheres, points[sphere], sphere, attack, bias), limits)
        exact = theory(spheres, sphere, attack, bias, limits)
        assert float((sampled - exact).abs().max()) < 0.03  # about two over the root of 4,000


def test_accuracy_falls_between_the_thresholds() -> None:
    spheres, bias, points = drawn(n=1000)
    for attack, sphere in (("perturbation", "outer"), ("invariance", "inner")):
        low, high = thresholds(spheres, bias)[attack]
        norms = attack_norms(spheres, points[sphere], sphere, attack, bias)
        assert norms.max() <= high
        assert norms[norms > 0].min() >= low
    assert thresholds(Spheres(), 1.15)["invariance"] == (pytest.approx(0.3), pytest.approx(math.sqrt(0.69)))


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="inner < outer"):
        Spheres(inner=2.0)
    with pytest.raises(ValueError, match="one at least must be used"):
        Spheres(10, 10)
    with pytest.raises(ValueError, match="no attack"):
        attacked(Spheres(), torch.randn(1, 500), "inner", "rotation", 1.1)
    with pytest.raises(ValueError, match="no sphere"):
        Spheres().radius("middle")
    with pytest.raises(ValueError, match="not separable"):
        Spheres(12, 10, 1.0, 1.01).bias(100, torch.Generator().manual_seed(0))
