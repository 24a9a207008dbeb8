"""Mutual information by both estimators, where it is known (Behrmann, 2019, Lemmas 6.13 and 6.15)."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis import information
from sklearn.feature_selection import mutual_info_classif
from torch import Tensor


def known(n: int, distance: float = 2.0, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two classes, Gaussians in the first of three coordinates."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    x = torch.randn(n, 3, generator=generator)
    x[:, 0] += distance * labels
    return x, labels


def true_information(distance: float = 2.0) -> float:
    """By quadrature over the one coordinate that tells the class."""
    x = torch.linspace(-9, 9 + distance, 20_001, dtype=torch.float64)
    normal = torch.distributions.Normal(0.0, 1.0)
    both = torch.stack([normal.log_prob(x), normal.log_prob(x - distance)]).exp()
    mixed = both.mean(0)
    each = torch.where(both > 0, both * (both / mixed).log(), both.new_zeros(())).mean(0)
    return float(torch.trapezoid(each, x))


def test_lemma_6_15_the_bound_lies_below_and_close() -> None:
    found = information.variational(known(3000), known(4000, seed=1), epochs=6)
    assert found.low <= true_information() + 0.01
    assert found.value == pytest.approx(true_information(), abs=0.04)


def test_lemma_6_15_a_wrong_classifier_gives_a_loose_bound() -> None:
    x, labels = known(2000)
    wrong = torch.nn.Linear(3, 2)
    with torch.no_grad():
        wrong.weight.copy_(torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]]))
    assert information.bound(wrong, x, labels).value < 0 < true_information()


def test_neighbours_find_the_known_information_and_agree_with_scikit_learn() -> None:
    x, labels = known(2000)
    found = information.nearest_neighbours(x, labels)
    assert found.value == pytest.approx(true_information(), abs=0.06)
    one = information.nearest_neighbours(x[:, :1], labels, neighbours=3).value
    theirs = mutual_info_classif(x[:, :1].numpy(), labels.numpy(), n_neighbors=3, random_state=0)[0]
    assert one == pytest.approx(theirs, abs=0.02)


def test_both_find_nothing_where_there_is_nothing() -> None:
    x, labels = known(2000, distance=0.0)
    assert information.nearest_neighbours(x, labels).value == pytest.approx(0, abs=0.05)
    found = information.variational((x, labels), known(2000, distance=0.0, seed=1), epochs=3)
    assert found.value == pytest.approx(0, abs=0.02)


def test_lemma_6_13_a_rotation_changes_nothing() -> None:
    x, labels = known(1000)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(2))).Q
    before, after = (information.nearest_neighbours(one, labels).value for one in (x, x @ turn))
    assert after == pytest.approx(before, abs=1e-3)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 999))
def test_exact_information_of_tables_lies_between_zero_and_the_entropy(a: int, b: int, seed: int) -> None:
    joint = torch.rand(a, b, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    joint /= joint.sum()
    share = joint.sum(1)
    assert -1e-12 <= information.exact(joint) <= float(-(share * share.log()).sum()) + 1e-12


def test_theorem_6_18_as_printed_fails_for_a_feature_that_stops_telling() -> None:
    tells, no_longer = torch.eye(4, dtype=torch.float64) / 4, torch.full((4, 4), 1 / 16, dtype=torch.float64)
    assert information.exact(tells) == pytest.approx(math.log(4))
    assert information.exact(no_longer) == pytest.approx(0)


def test_principal_coordinates_keep_the_largest_variance() -> None:
    x = torch.randn(500, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([5.0, 3, 0.1, 0.1])
    kept = information.principal(x, 2)
    assert kept.shape == (500, 2)
    assert float(kept.var(0).sum()) > 0.99 * float(x.var(0).sum())


def test_bad_input_is_named() -> None:
    with pytest.raises(ValueError, match="class 1 has 2 points"):
        information.nearest_neighbours(torch.randn(10, 2), torch.tensor([0] * 8 + [1] * 2))
    with pytest.raises(ValueError, match="sum to 1"):
        information.exact(torch.ones(2, 2))
