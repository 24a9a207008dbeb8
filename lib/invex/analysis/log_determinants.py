"""How good an estimate of a flow's log-determinant is: its bias by whole Jacobians, its deviation, its cost.

For Fig. 5.3 of Behrmann (2019), and for what its Sec. 5.6 leaves open: unbiased estimates and less variance.
Everything is in bits per dimension, summed over all residual blocks, as it enters the likelihood.
"""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from invex.nn import probes
from invex.nn.flows import Flow, dequantised, forward_and_log_det
from invex.nn.logdet import (
    PowerSeries,
    RandomTruncation,
    log_det_of,
    partial_sums,
    powers,
    truncation_bound,
)
from invex.nn.probes import Probe
from invex.nn.residual import InvertibleBlock
from invex.nn.tangents import linearise

DENSE = 1024
"""Up to this dimension the whole Jacobian is computed."""
PROBES: dict[str, tuple[int, Probe]] = {
    "Rademacher": (4, probes.rademacher),
    "Gaussian": (4, probes.gaussian),
    "orthogonal": (4, probes.orthogonal),
    "coloured": (4, probes.coloured),
    "Rademacher, 16": (16, probes.rademacher),
    "coloured, 16": (16, probes.coloured),
}
ESTIMATORS = {
    "5 terms": PowerSeries(5),
    "10 terms": PowerSeries(10),
    "2 + geometric": RandomTruncation(2, law="geometric", parameter=0.5),
    "2 + Poisson": RandomTruncation(2, law="poisson", parameter=2.0),
    "5 + geometric": RandomTruncation(5, law="geometric", parameter=0.5),
}

Inputs = list[tuple[InvertibleBlock, Tensor]]
Products = list[Tensor]
"""v^T J^k v of each block, (terms, draws, n) (`invex.nn.logdet.powers`)."""


@torch.no_grad()
def study(
    flow: Flow,
    images: Tensor,
    seed: int,
    progress: Callable[[str], None] = lambda text: None,
    *,
    count: int = 4,
    draws: int = 100,
    terms: int = 25,
) -> dict[str, dict[str, Any]]:
    """Tables ``series`` (by number of terms), ``probes`` and ``estimators`` on the first images.

    Args:
        flow: in evaluation mode.
        images: (n, ...) uint8.
        count, draws, terms: images, probes an image, and terms of the series.
    """
    generator = torch.Generator(images.device).manual_seed(seed)
    x = dequantised(images[:count], generator).contiguous(memory_format=torch.channels_last)
    inputs, bounds = block_inputs(flow, x), flow.lipschitz()
    unit = 1 / (x[0].numel() * math.log(2))
    progress("the whole Jacobians")
    exact = exact_log_dets(inputs, terms) if x[0].numel() <= DENSE else None
    progress("probes")
    products = [
        powers(block.branch, at, terms, probes.rademacher(draws, at, generator)) for block, at in inputs
    ]
    products = [each.double().cpu() for each in products]
    found = {"series": _series(products, exact, inputs, bounds, unit)}
    found["probes"] = _probes(inputs, draws // 4, generator, unit)
    found["estimators"] = _estimators(products, torch.Generator().manual_seed(seed), unit)
    return found


@torch.no_grad()
def block_inputs(flow: Flow, x: Tensor) -> Inputs:
    """Each residual block and what it sees of these examples."""
    found: Inputs = []
    handles = [
        block.register_forward_pre_hook(lambda block, args: found.append((block, args[0].detach())))
        for block in flow.blocks
    ]
    try:
        flow.chain(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


def exact_log_dets(inputs: Inputs, terms: int) -> tuple[Tensor, Tensor]:
    """The log-determinant (n,) and the truncated series (terms, n) by whole Jacobians, summed over blocks."""
    log_det, series = torch.zeros(()), torch.zeros(())
    for block, x in inputs:
        for_each = [_dense(block, one[None]) for one in x]
        log_det = log_det + torch.stack([log_det_of(J[None])[0] for J in for_each]).cpu()
        series = series + torch.stack([partial_sums(_traces(J, terms)) for J in for_each], 1).cpu()
    return log_det, series


def _dense(block: InvertibleBlock, x: Tensor) -> Tensor:
    """The Jacobian (d, d) of the branch at one example, in double precision."""
    d = x.numel()
    basis = torch.eye(d, dtype=x.dtype, device=x.device).view(d, *x.shape)
    linear = linearise(block.branch, x)
    return torch.cat([linear.pullback(part).flatten(1) for part in basis.split(256)]).double()


def _traces(J: Tensor, terms: int) -> Tensor:
    power, found = J, []
    for _ in range(terms):
        found.append(power.trace())
        power = power @ J
    return torch.stack(found)


def _series(
    products: Products,
    exact: tuple[Tensor, Tensor] | None,
    inputs: Inputs,
    bounds: list[float],
    unit: float,
) -> dict[str, Any]:
    """By number of terms: bias (by exact traces, else by the last sum), deviation of one probe, bound."""
    sums = sum((partial_sums(each) for each in products), torch.zeros(()))
    terms = len(sums)
    bias = exact[1] - exact[0] if exact else (sums - sums[-1]).mean(1)
    bound = [
        sum(truncation_bound(L, n, x[0].numel()) for L, (_, x) in zip(bounds, inputs, strict=True))
        for n in range(1, terms + 1)
    ]
    return {
        "terms": list(range(1, terms + 1)),
        "bias": bias.mean(1) * unit,
        "largest_bias": bias.abs().amax(1) * unit,
        "deviation": sums.std(1).mean(1) * unit,
        "bound": [value * unit for value in bound],
        "exact": [exact is not None] * terms,
    }


def _probes(inputs: Inputs, draws: int, generator: torch.Generator, unit: float) -> dict[str, Any]:
    """Number, deviation and time of an estimate of ten terms by probes of each kind."""
    rows: dict[str, list[Any]] = {"probe": [], "number": [], "deviation": [], "milliseconds": []}
    for name, (m, draw) in PROBES.items():
        started = time.perf_counter()
        found = _repeated(inputs, PowerSeries(10, m, probe=draw), draws, generator)
        taken = 1e3 * (time.perf_counter() - started) / found.numel()
        values = (name, m, float(found.std(0).mean()) * unit, taken)
        for key, value in zip(rows, values, strict=True):
            rows[key].append(value)
    return rows


def _estimators(
    products: Products, generator: torch.Generator, unit: float, repeats: int = 10
) -> dict[str, Any]:
    """Bias with its standard error, deviation and mean number of terms of each estimator.

    Against the longest sum of the same probes, so that only the truncation shows in the bias. The number of
    terms is drawn again for each block and probe, `repeats` times.
    """
    whole = sum((partial_sums(each)[-1] for each in products), torch.zeros(()))
    rows: dict[str, list[Any]] = {
        name: [] for name in ("estimator", "bias", "bias_error", "deviation", "terms")
    }
    for name, estimator in ESTIMATORS.items():
        drawn = [_drawn(products, estimator, generator) for _ in range(repeats)]
        found, terms = torch.stack([values for values, _ in drawn]), sum(cost for _, cost in drawn) / repeats
        away = (found - whole).mean((0, 2))  # one for each probe
        error = float(away.std()) / math.sqrt(len(away))
        deviation = float(found.flatten(0, 1).std(0).mean())
        values = (name, float(away.mean()) * unit, error * unit, deviation * unit, terms)
        for key, value in zip(rows, values, strict=True):
            rows[key].append(value)
    return rows


def _drawn(products: Products, estimator: PowerSeries, generator: torch.Generator) -> tuple[Tensor, float]:
    """An estimate for each probe and example, (draws, n), of the sum over blocks, and its mean terms."""
    total, count = torch.zeros(()), 0
    for each in products:
        factors = torch.zeros(each.shape[:2], dtype=each.dtype)
        for probe in range(each.shape[1]):
            some = torch.tensor(estimator.factors(generator), dtype=each.dtype)[: len(each)]
            factors[: len(some), probe], count = some, count + len(some)
        total = total + partial_sums(each * factors[:, :, None])[-1]
    return total, count / (len(products) * products[0].shape[1])


def _repeated(inputs: Inputs, estimator: PowerSeries, draws: int, generator: torch.Generator) -> Tensor:
    """Draws of an estimate of the whole log-determinant, (draws, n)."""

    def one() -> Iterator[Tensor]:
        for block, x in inputs:
            yield forward_and_log_det(block, x, estimator, generator)[1].double().cpu()

    return torch.stack([sum(one(), torch.zeros(())) for _ in range(draws)])
