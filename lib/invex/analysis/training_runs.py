"""What a chapter asks of a training curve."""

from collections.abc import Sequence

import numpy as np


def departure(steps: Sequence[int], losses: Sequence[float], level: float, points: int = 3) -> int | None:
    """First step from which `points` points of a curve in a row lie below `level`; None if there is none."""
    at, below = np.asarray(steps), np.asarray(losses, dtype=float) < level
    for i in range(len(below) - points + 1):
        if below[i : i + points].all():
            return int(at[i])
    return None
