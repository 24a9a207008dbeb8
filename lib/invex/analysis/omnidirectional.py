"""Matrices with a row in every open halfspace, and polytopes {w: M w <= s} (Behrmann, 2019, Def. 3.1).

A matrix A is omnidirectional exactly if no direction d != 0 has A d <= 0, which a linear program decides, and
exactly if zero lies inside the convex hull of its rows, which serves as an independent check. All in float64.
A row or direction smaller than `RANK` relative to the largest counts as none; a cone narrower than `NARROW`,
as an angle, counts as closed; and an equation holds if it is right to `TIE` relative to its terms.
"""

import numpy as np
import torch
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError
from torch import Tensor

TIE, RANK, NARROW = 1e-9, 1e-9, 1e-7
PRECISE = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


def recession_direction(matrix: Tensor) -> Tensor | None:
    """A unit vector d with A d <= 0, for A (m, n): it points into an open halfspace that is free of rows.

    None if there is none, which is what omnidirectional means. Of several, one that leaves most hyperplanes.
    """
    found = recession(as_rows(matrix))
    return None if found is None else torch.from_numpy(found)


def omnidirectional(matrix: Tensor) -> bool:
    """Whether every open halfspace contains a row of A (m, n) (Def. 3.1, i), by a linear program."""
    return recession(as_rows(matrix)) is None


def omnidirectional_by_hull(matrix: Tensor) -> bool:
    """The same by the convex hull of the rows: whether zero lies in its interior. For n of up to about 8."""
    rows = as_rows(matrix)
    scale = np.linalg.norm(rows, axis=1).max(initial=0.0)
    if scale == 0 or len(rows) <= rows.shape[1]:
        return False
    if rows.shape[1] == 1:
        return bool(rows.min() < 0 < rows.max())
    try:
        hull = ConvexHull(rows / scale)
    except QhullError:  # all rows within one hyperplane
        return False
    return bool((hull.equations[:, -1] < -NARROW).all())


def omnidirectional_for(matrix: Tensor, bias: Tensor) -> Tensor | None:
    """The point p for which A (m, n) and b (m,) are omnidirectional (Def. 3.1, ii): b = -A p. None if none.

    Raises:
        ValueError: the rows and the biases differ in number.
    """
    rows, offsets = as_rows(matrix), as_layer(matrix, bias)[1]
    if recession(rows) is not None:
        return None
    point, *_ = np.linalg.lstsq(rows, -offsets, rcond=None)
    size = np.linalg.norm(rows, axis=1) * (1 + np.linalg.norm(point)) + np.abs(offsets)
    fits = np.abs(rows @ point + offsets) <= TIE * size
    return torch.from_numpy(point) if fits.all() else None


def null_space(matrix: np.ndarray) -> np.ndarray:
    """An orthonormal basis (k, n) of the null space of a matrix (m, n)."""
    if not len(matrix):
        return np.eye(matrix.shape[1])
    _, values, right = np.linalg.svd(matrix)
    return right[int((values > RANK * values[0]).sum()) :]


def recession(rows: np.ndarray) -> np.ndarray | None:
    """A unit vector d with A d <= 0; None if there is none.

    The program maximises sum(s) with A d + s <= 0, 0 <= s <= 1: its optimum is 0, or at least 1, since d can
    be scaled. What it cannot see is a direction within all hyperplanes, there if the rank is too small.
    """
    size = rows.shape[1]
    lengths = np.linalg.norm(rows, axis=1)
    unit = rows[lengths > 0] / lengths[lengths > 0, None]
    flat = null_space(unit)
    if not len(unit):
        return flat[0] if len(flat) else None
    number = len(unit)
    found = linprog(
        np.r_[np.zeros(size), -np.ones(number)],
        A_ub=np.hstack([unit, np.eye(number)]),
        b_ub=np.zeros(number),
        bounds=[(-1 / NARROW, 1 / NARROW)] * size + [(0, 1)] * number,
        options=PRECISE,
    )
    if found.success and -found.fun > 0.5:
        return found.x[:size] / np.linalg.norm(found.x[:size])
    return flat[0] if len(flat) else None


def corners(matrix: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """Corners (v, k) of the bounded polytope {w: M w <= slack} around w = 0, also where it is flat."""
    if not matrix.shape[1]:
        return np.zeros((1, 0))
    tight = _tight(matrix, slack)
    basis = null_space(matrix[tight])
    rows, limits = matrix[~tight] @ basis.T, slack[~tight]
    some = np.linalg.norm(rows, axis=1) > RANK * np.linalg.norm(matrix[~tight], axis=1)
    rows, limits = rows[some], limits[some]
    if not len(basis):
        return np.zeros((1, matrix.shape[1]))
    if len(basis) == 1:
        ends = limits / rows[:, 0]
        found = np.array([[ends[rows[:, 0] < 0].max()], [ends[rows[:, 0] > 0].min()]])
    else:
        found = _distinct(_intersections(rows, limits))
    return found @ basis


def _intersections(rows: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Corners of a polytope with an interior, from its centre: that of the largest ball inside."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    size = rows.shape[1]
    ball = linprog(
        np.r_[np.zeros(size), -1.0],
        A_ub=np.hstack([rows / lengths, np.ones_like(lengths)]),
        b_ub=limits / lengths[:, 0],
        bounds=[(None, None)] * size + [(0, None)],
        options=PRECISE,
    )
    halfspaces = np.column_stack([rows, -limits]) / lengths
    found: np.ndarray = HalfspaceIntersection(halfspaces, ball.x[:size]).intersections
    if rows.shape[1] == 2:
        across, up = (found - found.mean(0)).T
        found = found[np.argsort(np.arctan2(up, across))]
    return found


def _distinct(corners: np.ndarray) -> np.ndarray:
    """Corners without repetitions, which more than k hyperplanes through a corner give, in their order."""
    scale = max(np.abs(corners).max(), 1e-300)
    kept: list[np.ndarray] = []
    for corner in corners:
        if all(np.abs(corner - other).max() > 1e-9 * scale for other in kept):
            kept.append(corner)
    return np.array(kept)


def _tight(matrix: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """Which inequalities are equations on all of {w: M w <= slack}, (m,) bool.

    Scaled by t >= 1, each of the others can be kept away from equality by 1 at the same time.
    """
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    number, size = matrix.shape
    room = slack / lengths[:, 0]
    scale = room[room > 0].min(initial=np.inf) if (room > 0).any() else 1.0
    found = linprog(
        np.r_[np.zeros(size), -np.ones(number), 0],
        A_ub=np.hstack([matrix / lengths, np.eye(number), -(room / scale)[:, None]]),
        b_ub=np.zeros(number),
        bounds=[(None, None)] * size + [(0, 1)] * number + [(1, 1 / NARROW)],
        options=PRECISE,
    )
    tight: np.ndarray = found.x[size : size + number] < 0.5
    return tight


def as_layer(weight: Tensor, bias: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Rows (m, n) and biases (m,) of a layer in float64; ValueError where they do not fit or are infinite."""
    rows, offsets = as_rows(weight), bias.detach().cpu().double().numpy()
    if offsets.shape != (len(rows),):
        raise ValueError(f"{len(rows)} rows need as many biases, got shape {offsets.shape}")
    if not np.isfinite(offsets).all():
        raise ValueError("biases that are not finite")
    return rows, offsets


def as_rows(matrix: Tensor) -> np.ndarray:
    """A matrix (m, n) in float64; ValueError for another shape or numbers that are not finite."""
    if matrix.dim() != 2 or not matrix.shape[1]:
        raise ValueError(f"a matrix (m, n) is needed, got shape {tuple(matrix.shape)}")
    rows: np.ndarray = matrix.detach().cpu().double().numpy()
    if not np.isfinite(rows).all():
        raise ValueError("a matrix with numbers that are not finite")
    return rows
