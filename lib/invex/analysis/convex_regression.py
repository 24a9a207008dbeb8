"""The best that any convex function can do on points of a line: least squares without a network.

The yardstick for a network that is convex by construction: what it misses beyond this is its own fault.
"""

import numpy as np
from scipy import optimize


def convex_regression(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Values (n,) at x of the convex function that is nearest to y in the mean square.

    Such a function may be taken as a line plus a kink at each inner point, a + b x + sum_j c_j (x - x_j)_+
    with c >= 0: a bounded linear least-squares problem, solved to machine precision.

    Args:
        x: (n,) places, in any order, no two the same.
        y: (n,) values.

    Raises:
        ValueError: places that coincide, or shapes that differ.
    """
    if x.shape != y.shape or x.ndim != 1 or len(np.unique(x)) < len(x):
        raise ValueError(f"places and values (n,), no two places the same, are needed: {x.shape}, {y.shape}")
    kinks = np.maximum(x[:, None] - np.sort(x)[1:-1], 0)
    design = np.column_stack([np.ones_like(x), x, kinks])
    lowest = np.r_[-np.inf, -np.inf, np.zeros(kinks.shape[1])]
    found = optimize.lsq_linear(design, y, bounds=(lowest, np.inf), method="bvls", tol=1e-14)
    values: np.ndarray = design @ found.x
    return values
