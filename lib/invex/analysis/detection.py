"""A statistic as a detector: its receiver operating characteristic, a threshold, and what that is worth."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Roc:
    """Shares of alarms as the threshold falls, from none to all.

    Attributes:
        threshold: (k,) an alarm is a score of at least this; the first is infinite.
        false_alarms: (k,) share of the negatives with an alarm.
        detections: (k,) share of the positives with one.
    """

    threshold: np.ndarray
    false_alarms: np.ndarray
    detections: np.ndarray

    @property
    def area(self) -> float:
        """Area under the curve: how often a positive scores above a negative, ties counted half."""
        return float(np.trapezoid(self.detections, self.false_alarms))


def roc(scores: np.ndarray, positive: np.ndarray) -> Roc:
    """The curve of scores (n,) against what is true (n,).

    Raises:
        ValueError: there are no positives, or no negatives.
    """
    scores, positive = np.asarray(scores, dtype=float), np.asarray(positive, dtype=bool)
    if positive.all() or not positive.any():
        raise ValueError("a detector is judged on positives and negatives, and one of them is missing")
    threshold = np.concatenate([[np.inf], np.unique(scores)[::-1]])
    above = scores[:, None] >= threshold
    return Roc(threshold, above[~positive].mean(0), above[positive].mean(0))


def calibrated(scores: np.ndarray, positive: np.ndarray) -> float:
    """The threshold with the largest difference of detections and false alarms (Youden's)."""
    found = roc(scores, positive)
    best = int(np.argmax(found.detections - found.false_alarms))
    below = np.asarray(scores, dtype=float)
    below = below[below < found.threshold[best]]
    if not len(below) or not np.isfinite(found.threshold[best]):
        return float(found.threshold[best])
    return float((found.threshold[best] + below.max()) / 2)


def excess(rmse_constrained: np.ndarray, rmse_free: np.ndarray) -> np.ndarray:
    """The error that a constraint alone adds, (RMSE_constrained^2 - RMSE_free^2)^(1/2), and at least 0.

    Noise, which is in both errors on points that were not fitted, cancels in the mean.
    """
    return np.sqrt(np.maximum(np.square(rmse_constrained) - np.square(rmse_free), 0.0))
