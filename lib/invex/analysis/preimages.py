"""What a ReLU layer forgets: the inputs that share an output, and whether they are a point, bounded or not.

The pre-image of y = ReLU(A x + b) is {x: A_on x + b_on = y_on, A_off x + b_off <= 0} (Behrmann, 2019, Eq.
3.1-3.2). With an orthonormal basis O of the null space of A_on, and measured from an input x that has this
output, it is {x + O^T w: A_off O^T w <= -(A_off x + b_off)}: a polytope in k = dim N(A_on) coordinates w,
whose kind Theorem 3.3 decides. `kinds` gives the kind at many inputs, `preimage` the polytope at one.

A pre-activation that is zero to `invex.analysis.omnidirectional.TIE`, relative to its terms, is taken as zero
and its unit as off.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linprog
from torch import Tensor

from invex.analysis.omnidirectional import PRECISE, RANK, TIE, as_layer, corners, null_space, recession

KINDS = ("singleton", "compact", "unbounded")
SINGLETON, COMPACT, UNBOUNDED = range(3)


def kinds(weight: Tensor, bias: Tensor, points: Tensor, *, workers: int = 1) -> Tensor:
    """Kind of the pre-image that each point lies in, as numbers in `KINDS` (Theorem 3.3).

    Decided once for every pattern of units that are on, off, or at zero.

    Args:
        weight: A, (m, n).
        bias: b, (m,).
        points: inputs x, (p, n).
        workers: patterns decided at once, in threads.

    Returns:
        (p,) int64.

    Raises:
        ValueError: shapes that do not fit, or numbers that are not finite.
    """
    rows, offsets = as_layer(weight, bias)
    patterns, place = np.unique(_signs(rows, offsets, _points(points, rows)), axis=0, return_inverse=True)
    with ThreadPoolExecutor(max(1, workers)) as pool:
        found = list(pool.map(lambda signs: _kind(rows, signs), patterns))
    return torch.tensor(found)[torch.from_numpy(place.reshape(-1))]


def conditions(weight: Tensor, bias: Tensor, points: Tensor) -> Tensor:
    """Condition number of the linearisation of ReLU(A x + b) at each point, (p,).

    The largest singular value over the smallest that is not zero; 0 where no unit is on. Arguments and errors
    as of `kinds`.
    """
    rows, offsets = as_layer(weight, bias)
    patterns, place = np.unique(_signs(rows, offsets, _points(points, rows)), axis=0, return_inverse=True)
    found = [_condition(rows[signs > 0]) for signs in patterns]
    return torch.tensor(found, dtype=torch.float64)[torch.from_numpy(place.reshape(-1))]


def _condition(rows: np.ndarray) -> float:
    values = np.linalg.svd(rows, compute_uv=False)
    some = values[values > RANK * values.max(initial=0.0)]
    return float(some[0] / some[-1]) if len(some) else 0.0


@dataclass(frozen=True)
class PreImage:
    """The polytope {x + O^T w: M w <= slack} of the inputs with the output of x.

    Attributes:
        kind: one of `KINDS`.
        point: x, (n,).
        basis: O, (k, n), orthonormal: directions that no unit which is on can see.
        matrix: M = A_off O^T, (m_off, k); the recession cone is {O^T w: M w <= 0}.
        slack: of x in each inequality, (m_off,), not negative.
        direction: a unit vector (n,) along which the pre-image goes on for ever; None if it is bounded.
    """

    kind: str
    point: Tensor
    basis: Tensor
    matrix: Tensor
    slack: Tensor
    direction: Tensor | None = None

    @property
    def free(self) -> int:
        """k, the dimension of the null space."""
        return len(self.basis)

    def vertices(self, within: float | None = None) -> Tensor:
        """Its corners (v, n); in two dimensions in order around it.

        Args:
            within: cut off where a coordinate is farther from that of x; needed where the kind is unbounded.

        Raises:
            ValueError: it is unbounded, and `within` was not given.
        """
        if self.kind == "unbounded" and within is None:
            raise ValueError("the pre-image is unbounded: give `within`, where to cut it off")
        matrix, slack = self.matrix.numpy(), self.slack.numpy()
        if within is not None:
            sides = self.basis.mT.numpy()
            sides = sides[np.linalg.norm(sides, axis=1) > RANK]
            matrix = np.concatenate([matrix, sides, -sides])
            slack = np.concatenate([slack, np.full(2 * len(sides), float(within))])
        found = torch.from_numpy(corners(matrix, slack))
        return self.point + found @ self.basis


def preimage(weight: Tensor, bias: Tensor, point: Tensor) -> PreImage:
    """The pre-image that a point (n,) lies in, under ReLU(A x + b); arguments and errors as of `kinds`."""
    rows, offsets = as_layer(weight, bias)
    x = _points(point[None], rows)[0]
    signs = _signs(rows, offsets, x[None])[0]
    basis, matrix, kept = _reduced(rows, signs)
    slack = np.where(signs[kept] == 0, 0.0, -(rows @ x + offsets)[kept])
    away = recession(matrix) if len(basis) else None
    kind = KINDS[_kind(rows, signs)]
    direction = None if away is None or kind != "unbounded" else torch.from_numpy(away @ basis)
    free, inequalities, room = (torch.from_numpy(part) for part in (basis, matrix, slack))
    return PreImage(kind, torch.from_numpy(x), free, inequalities, room, direction)


def input_with_output(weight: Tensor, bias: Tensor, output: Tensor) -> Tensor:
    """An input (n,) with ReLU(A x + b) = y, for a given y (m,), away from the kinks where one can be.

    Raises:
        ValueError: there is none, or y is negative somewhere.
    """
    rows, offsets = as_layer(weight, bias)
    y = output.detach().cpu().double().numpy()
    if y.shape != offsets.shape or not (y >= 0).all():
        raise ValueError(f"an output has {len(offsets)} numbers, none negative; got shape {y.shape}")
    on, size = y > 0, rows.shape[1]
    norms = np.linalg.norm(rows[~on], axis=1, keepdims=True)
    found = linprog(
        np.r_[np.zeros(size), -1.0],
        A_ub=np.hstack([rows[~on], norms]),
        b_ub=-offsets[~on],
        A_eq=np.hstack([rows[on], np.zeros((on.sum(), 1))]),
        b_eq=(y - offsets)[on],
        bounds=[(None, None)] * size + [(0, 1)],
        options=PRECISE,
    )
    if not found.success:
        raise ValueError("no input has this output")
    return torch.from_numpy(found.x[:size])


def _kind(rows: np.ndarray, signs: np.ndarray) -> int:
    """Theorem 3.3 for units that are on (1), off (-1) or at zero (0)."""
    basis, matrix, kept = _reduced(rows, signs)
    if not len(basis) or recession(matrix[signs[kept] == 0]) is None:
        return SINGLETON
    return COMPACT if recession(matrix) is None else UNBOUNDED


def _reduced(rows: np.ndarray, signs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """O (k, n), A_off O^T without rows of zeros, and the numbers of the rows that are left."""
    on = rows[signs > 0]
    lengths = np.linalg.norm(on, axis=1)
    basis = null_space(on[lengths > 0] / lengths[lengths > 0, None])
    off = np.flatnonzero(signs <= 0)
    matrix = rows[off] @ basis.T
    some = np.linalg.norm(matrix, axis=1) > RANK * np.linalg.norm(rows[off], axis=1)
    return basis, matrix[some], off[some]


def _signs(rows: np.ndarray, offsets: np.ndarray, points: np.ndarray) -> np.ndarray:
    """1, 0 or -1 for every unit at every point, (p, m)."""
    values = points @ rows.T + offsets
    size = np.abs(points) @ np.abs(rows).T + np.abs(offsets)
    return np.where(np.abs(values) <= TIE * size, 0, np.sign(values)).astype(np.int8)


def _points(points: Tensor, rows: np.ndarray) -> np.ndarray:
    x: np.ndarray = points.detach().cpu().double().numpy()
    if x.ndim != 2 or x.shape[1] != rows.shape[1]:
        raise ValueError(f"points of shape {tuple(points.shape)} for a layer with {rows.shape[1]} inputs")
    if not np.isfinite(x).all():
        raise ValueError("points that are not finite")
    return x
