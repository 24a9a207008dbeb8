"""What ReLU does to the singular values of a matrix: it removes rows (Behrmann, 2019, Lemmas 3.5 and 3.6).

D_I is the identity with zeros at the indices I of the units that are off. All functions take A (m, n) and
`off` (m,), which is True at I, and count as zero what is below `ZERO` of the largest singular value of A.
"""

import torch
from torch import Tensor

ZERO = 1e-10


def units_off(matrix: Tensor, point: Tensor, bias: Tensor | None = None) -> Tensor:
    """The set I of an input (n,), (m,) bool: admissible, as it is that of a point (Def. 3.4)."""
    values = matrix @ point if bias is None else matrix @ point + bias
    return values <= 0


def smallest(matrix: Tensor, off: Tensor) -> float | None:
    """Smallest singular value of D_I A that is not zero; None where all are."""
    values = _values(matrix[~off], matrix)
    return values[-1] if values else None


def lemma_3_5(matrix: Tensor, off: Tensor) -> float | None:
    """The bound of Lemma 3.5 on `smallest`: the (N - |I|)-th of the N singular values of A that are not zero.

    None where at least N rows are removed: the lemma says nothing then.
    """
    values = _values(matrix, matrix)
    place = len(values) - int(off.sum())
    return values[place - 1] if place > 0 else None


def interlaced(matrix: Tensor, off: Tensor) -> float | None:
    """A bound on `smallest` that holds for every I: the r-th singular value of A, r the rank of D_I A.

    Removing rows makes no singular value larger (Cauchy's interlacing), and r >= N - |I|: never above
    `lemma_3_5`. None where D_I A is zero.
    """
    rank = len(_values(matrix[~off], matrix))
    return _values(matrix, matrix)[rank - 1] if rank else None


def lemma_3_6(matrix: Tensor, off: Tensor, row: int) -> float | None:
    """The bound of Lemma 3.6 on `smallest`, from a removed row a_k: the least c of its condition (Eq. 3.5).

    None where the lemma does not speak: a_k is not in N(D_I A)^perp, or is zero. (As printed it lets a_k be
    zero, which meets its conditions for every c > 0; it is wrong then.)

    Raises:
        ValueError: the row was not removed.
    """
    if not off[row]:
        raise ValueError(f"row {row} is not among the removed")
    kept, removed = matrix[~off], matrix[row]
    length = removed.norm()
    if length == 0 or not _within(removed, kept):
        return None
    return float(len(kept) ** 0.5 * (kept @ removed).abs().max() / length)


def _within(vector: Tensor, rows: Tensor) -> bool:
    """Whether a vector is a combination of rows."""
    if not len(rows):
        return False
    _, values, right = torch.linalg.svd(rows, full_matrices=False)
    basis = right[values > ZERO * values[0]]
    rest = vector - basis.mT @ (basis @ vector)
    return bool(rest.norm() <= 1e-8 * vector.norm())


def _values(matrix: Tensor, whole: Tensor) -> list[float]:
    """Singular values that are not zero, descending; zero by the size of the whole matrix."""
    if not len(matrix):
        return []
    scale = torch.linalg.matrix_norm(whole, ord=2)
    found: list[float] = [value for value in torch.linalg.svdvals(matrix).tolist() if value > ZERO * scale]
    return found
