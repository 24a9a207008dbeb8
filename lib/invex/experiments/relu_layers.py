"""Random ReLU layers, many at a time: Chapter 3 of Behrmann (2019), counted in seconds; rows for a frame."""

from collections.abc import Iterator, Sequence

import torch
from torch import Generator, Tensor

from invex.analysis.omnidirectional import omnidirectional, omnidirectional_by_hull
from invex.analysis.preimages import KINDS, conditions, kinds, preimage
from invex.analysis.row_removal import interlaced, lemma_3_5, lemma_3_6, smallest, units_off

Row = dict[str, float | int | str | bool | None]


def layer(units: int, inputs: int, generator: Generator, *, biased: bool = True) -> tuple[Tensor, Tensor]:
    """A, (units, inputs), of Gaussians of variance 1 / inputs, and b, of variance 1 or zero."""
    weight = torch.randn(units, inputs, generator=generator, dtype=torch.float64) / inputs**0.5
    bias = torch.randn(units, generator=generator, dtype=torch.float64)
    return weight, bias if biased else torch.zeros_like(bias)


def kinds_by_dimension(
    inputs: Sequence[int] = (2, 3, 4, 6, 8), ratio: int = 2, layers: int = 40, points: int = 25, seed: int = 0
) -> Iterator[Row]:
    """Kind of pre-image and condition number at random points of layers with `ratio` units an input."""
    generator = Generator().manual_seed(seed)
    for size in inputs:
        for number in range(layers):
            weight, bias = layer(ratio * size, size, generator)
            x = torch.randn(points, size, generator=generator, dtype=torch.float64)
            kind, condition = kinds(weight, bias, x), conditions(weight, bias, x)
            for one, value in zip(kind.tolist(), condition.tolist(), strict=True):
                yield {"inputs": size, "layer": number, "kind": KINDS[one], "condition": value}


def agreement(draws: int = 300, seed: int = 0) -> Iterator[Row]:
    """Omnidirectionality of random matrices by linear program and convex hull; `whole` numbers make ties."""
    generator = Generator().manual_seed(seed)
    for draw in range(draws):
        size = int(torch.randint(1, 6, (1,), generator=generator))
        units = int(torch.randint(1, 4 * size + 1, (1,), generator=generator))
        matrix, _ = layer(units, size, generator)
        matrix = (2 * matrix).round() if draw % 2 else matrix
        by_program, by_hull = omnidirectional(matrix), omnidirectional_by_hull(matrix)
        yield {"inputs": size, "units": units, "whole": draw % 2, "program": by_program, "hull": by_hull}


def removals(draws: int = 300, ratio: int = 2, seed: int = 0) -> Iterator[Row]:
    """Smallest singular value after the removal of rows, and the bounds on it, where they speak (else None).

    Layers of 2 to 8 inputs and `ratio` units an input, half of them without biases, at random points; a row a
    draw. `lemma_3_6` is the least bound that any removed row gives; `largest` says that the largest singular
    value did not grow.
    """
    generator = Generator().manual_seed(seed)
    for draw in range(draws):
        size = int(torch.randint(2, 9, (1,), generator=generator))
        weight, bias = layer(ratio * size, size, generator, biased=bool(draw % 2))
        off = units_off(weight, torch.randn(size, generator=generator, dtype=torch.float64), bias)
        bounds = [lemma_3_6(weight, off, row) for row in off.nonzero()[:, 0].tolist()]
        yield {
            "inputs": size, "biased": bool(draw % 2), "removed": int(off.sum()),
            "smallest": smallest(weight, off), "lemma_3_5": lemma_3_5(weight, off),
            "interlaced": interlaced(weight, off),
            "lemma_3_6": min((bound for bound in bounds if bound is not None), default=None),
            "largest": _norm(weight[~off]) <= _norm(weight) * (1 + 1e-12),
        }  # fmt: skip


def _norm(matrix: Tensor) -> float:
    return float(torch.linalg.matrix_norm(matrix, 2)) if len(matrix) else 0.0


def offsets_as_printed(draws: int = 200, inputs: int = 6, units: int = 8, seed: int = 0) -> Iterator[Row]:
    """The offset of Theorem 3.3's inequalities as printed, b_off + A_on P x, and with A_off: true at x?

    P projects onto the orthogonal complement of N(A_on). As printed the sum is `defined` only where as many
    units are on as off.
    """
    generator = Generator().manual_seed(seed)
    for _ in range(draws):
        weight, bias = layer(units, inputs, generator)
        x = torch.randn(inputs, generator=generator, dtype=torch.float64)
        on = weight @ x + bias > 0
        basis = preimage(weight, bias, x).basis
        within = basis.mT @ (basis @ x)
        reduced = weight[~on] @ within + bias[~on]
        defined = bool(on.sum() == (~on).sum())
        yield {
            "defined": defined,
            "printed": defined and bool((reduced + weight[on] @ (x - within) <= 1e-9).all()),
            "mended": bool((reduced + weight[~on] @ (x - within) <= 1e-9).all()),
        }
