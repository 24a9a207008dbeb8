"""Receiver operating characteristics against scikit-learn's, and a threshold that is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.analysis.detection import calibrated, excess, roc
from sklearn.metrics import roc_auc_score


@given(seed=st.integers(0, 10_000), n=st.integers(4, 60), ties=st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_area_is_scikit_learns(seed, n, ties):
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 5, n).astype(float) if ties else generator.standard_normal(n)
    positive = generator.random(n) < 0.5
    positive[:2] = [True, False]
    assert roc(scores, positive).area == pytest.approx(roc_auc_score(positive, scores))


def test_the_curve_starts_without_alarms_and_ends_with_all():
    found = roc(np.array([0.1, 0.9, 0.4]), np.array([False, True, False]))
    assert (found.false_alarms[0], found.detections[0]) == (0, 0)
    assert (found.false_alarms[-1], found.detections[-1]) == (1, 1)
    assert found.area == 1


def test_the_threshold_lies_between_the_classes_where_they_are_apart():
    scores, positive = np.array([0.0, 1.0, 3.0, 4.0]), np.array([False, False, True, True])
    assert calibrated(scores, positive) == 2
    assert calibrated(scores, ~positive) == np.inf  # the wrong way round it is best never to raise an alarm


def test_a_detector_without_negatives_is_refused():
    with pytest.raises(ValueError, match="one of them is missing"):
        roc(np.array([1.0, 2.0]), np.array([True, True]))


def test_the_excess_is_what_the_constraint_adds_and_noise_cancels():
    assert excess(np.array([0.5, 0.1]), np.array([0.3, 0.2])) == pytest.approx([0.4, 0])
    noise = np.array([0.0, 0.1, 0.3])
    assert excess(np.hypot(0.2, noise), noise) == pytest.approx([0.2] * 3)
