"""Lemmas 5.4 to 5.6 and Theorem 5.8 of Behrmann (2019) on random networks, and a grid to turn by hand.

Networks in few dimensions, so that every Jacobian is known whole.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn

from invex.nn import logdet, probes
from invex.nn.flows import aligned_
from invex.nn.lipschitz import certificate
from invex.nn.residual import dense_branch


def branch(seed: int, dimension: int, c: float | None, hidden: Sequence[int] = (32, 32)) -> nn.Sequential:
    """A random branch in double precision whose layers have norm c; None: of norm 1.5, the control."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = dense_branch(dimension, hidden, c=c)
        aligned_(made)
        for layer in made:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.bias, std=0.5)
    if c is None:
        with torch.no_grad():
            for layer in made:
                if isinstance(layer, nn.Linear):
                    layer.weight.mul_(1.5)
    return made.double().eval()


@torch.no_grad()
def theorem(made: nn.Module, x: Tensor, lipschitz: float, terms: int = 25) -> dict[str, Any]:
    """Theorem 5.8 and Lemma 5.4 for one branch at points (n, d).

    Returns columns ``terms``, ``error`` (largest |PS(J, n) - log|det(I + J)|| over the points), ``bound``,
    and ``determinant``, the least det(I + J). With a Lipschitz constant of one or more the bound is infinite.
    """
    _, J = logdet.jacobian(made, x)
    whole = torch.linalg.slogdet(J + torch.eye(x.shape[1], dtype=x.dtype))
    error = (logdet.partial_sums(traces(J, terms)) - whole.logabsdet).abs().amax(1)
    count = list(range(1, terms + 1))
    bound = [logdet.truncation_bound(lipschitz, n, x.shape[1]) if lipschitz < 1 else math.inf for n in count]
    least = float((whole.sign * whole.logabsdet.exp()).min())
    return {"terms": count, "error": error.tolist(), "bound": bound, "determinant": [least] * terms}


def traces(J: Tensor, terms: int) -> Tensor:
    """tr J^k for k = 1 ... terms, (terms, n), of matrices (n, d, d)."""
    power, found = J, []
    for _ in range(terms):
        found.append(power.diagonal(dim1=1, dim2=2).sum(1))
        power = power @ J
    return torch.stack(found)


@torch.no_grad()
def score(made: nn.Module, x: Tensor, seed: int, draws: int = 4000) -> float:
    """Lemma 5.6: distance of the mean of `draws` trace estimates from tr J in standard errors, at a point."""
    _, J = logdet.jacobian(made, x[:1])
    v = probes.rademacher(draws, x[:1], Generator().manual_seed(seed))
    found = logdet.powers(made, x[:1], 1, v)[0, :, 0]
    return float((found.mean() - J[0].trace()).abs() / (found.std() / math.sqrt(draws)))


@torch.no_grad()
def study(
    constants: Sequence[float], seeds: Sequence[int], dimensions: Sequence[int] = (2, 8, 32)
) -> dict[str, list[float]]:
    """`theorem` and `score` for random branches, below each other, with columns c, seed and dimension.

    Errors beside rounding are left out: what is below 1e-12 is called zero.
    """
    rows: dict[str, list[float]] = {}
    for c in constants:
        for seed in seeds:
            for d in dimensions:
                made = branch(seed, d, c)
                x = torch.randn(100, d, generator=Generator().manual_seed(seed), dtype=torch.float64)
                found = theorem(made, x, certificate(made, exact=True))
                found["error"] = [error if error > 1e-12 else 0.0 for error in found["error"]]
                size = len(found["terms"])
                fixed = {"c": c, "seed": seed, "dimension": d, "score": score(made, x, seed)}
                for name, values in (found | {name: [value] * size for name, value in fixed.items()}).items():
                    rows.setdefault(name, []).extend(values)
    return rows


@torch.no_grad()
def within_limits(seed: int, c: float, dimension: int, blocks: int = 4) -> bool:
    """Lemma 5.5: whether the log-determinant of a chain of random blocks keeps its limits at 100 points."""
    x = torch.randn(100, dimension, generator=Generator().manual_seed(seed), dtype=torch.float64)
    total, constants = torch.zeros(len(x), dtype=x.dtype), []
    for place in range(blocks):
        made = branch(100 * seed + place, dimension, c)
        value, J = logdet.jacobian(made, x)
        x, total = x + value, total + logdet.log_det_of(J)
        constants.append(certificate(made, exact=True))
    low, high = logdet.log_det_limits(constants, dimension)
    return bool((total >= low).all() and (total <= high).all())


@torch.no_grad()
def grid(constants: Sequence[float], terms: int = 30, dimension: int = 16, seed: int = 0) -> dict[str, Any]:
    """For branches of Lipschitz constant at most L: what n terms, or n iterations of the inverse, leave.

    One random network of three layers, each of norm L^(1/3), at 40 points. ``bias``, ``deviation`` of one
    Rademacher probe, and Theorem 5.8's ``bound``, in bits per dimension; ``inverse``, the largest error of
    the fixed-point iteration; each a list of lists, [L][n].
    """
    generator = Generator().manual_seed(seed)
    x = torch.randn(40, dimension, generator=generator, dtype=torch.float64)
    unit = 1 / (dimension * math.log(2))
    found: dict[str, Any] = {name: [] for name in ("bias", "deviation", "bound", "inverse")}
    for L in constants:
        made = branch(seed, dimension, L ** (1 / 3))
        limit = certificate(made, exact=True)
        value, J = logdet.jacobian(made, x)
        sums = logdet.partial_sums(traces(J, terms)) - logdet.log_det_of(J)
        drawn = logdet.powers(made, x, terms, probes.rademacher(200, x, generator))
        found["bias"].append((sums.abs().mean(1) * unit).tolist())
        found["deviation"].append((logdet.partial_sums(drawn).std(1).mean(1) * unit).tolist())
        bounds = [logdet.truncation_bound(limit, n, dimension) * unit for n in range(1, terms + 1)]
        found["bound"].append(bounds)
        found["inverse"].append(_inverse(made, x, x + value, terms))
    return {"constants": list(constants), "terms": list(range(1, terms + 1)), **found}


def _inverse(made: nn.Module, x: Tensor, y: Tensor, iterations: int) -> list[float]:
    """Largest |x_k - x| after k iterations, for k = 1 ..."""
    guess, errors = y, []
    for _ in range(iterations):
        guess = y - made(guess)
        errors.append(max(float((guess - x).norm(dim=1).max()), 1e-16))
    return errors
