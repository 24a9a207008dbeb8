"""How a small deviation from the fixed point grows in one layer, measured and expected (App. B.4)."""

import math
from collections.abc import Iterator, Sequence
from itertools import product

import torch
from torch import Generator, Tensor

from invex.analysis import signal
from invex.analysis.signal.samples import gaussian_features, measure, random_layer, two_point_
from invex.analysis.signal.studies import MOMENTS, Row, one_layer
from invex.nn.initialise import principled


def measured_jacobian(
    width: int,
    *,
    correlation: float = 0.5,
    step: float = 0.05,
    networks: int = 1000,
    batches: int = 10,
    seed: int = 0,
) -> Tensor:
    """Jacobians (batches, 3, 3) of (mean, variance, correlation) after one principled layer, by differences.

    The two ends of a difference share all random numbers, so that the noise of one cancels that of the other.
    """
    layer = principled(width, correlation=correlation)
    at = {"mean": 0.0, "variance": 1.0, "correlation": correlation}
    found = torch.empty(batches, 3, 3)
    for batch, (column, name) in product(range(batches), enumerate(at)):
        ends = []
        for sign in (1, -1):
            source = Generator().manual_seed(seed * batches + batch)
            state = at | {name: at[name] + sign * step}
            features = gaussian_features(networks, width, generator=source, **state)  # type: ignore[arg-type]
            measured = measure(random_layer(features, 8, layer, draw=two_point_, generator=source))
            ends.append(torch.tensor([getattr(measured, moment).value for moment in MOMENTS]))
        found[batch, :, column] = (ends[0] - ends[1]) / (2 * step)
    return found


def growth(widths: Sequence[int], **settings: int) -> Iterator[Row]:
    """What one layer makes of a small deviation, measured at each width, as three numbers with their errors.

    "over the old variance": the second eigenvalue of App. B.4; "correlation": with the new variance below the
    line; "mean and variance": the leading eigenvalue of the whole Jacobian.
    """
    for width in widths:
        found = measured_jacobian(width, **settings)
        values = {
            "over the old variance": found[:, 2, 2] + 0.5 * found[:, 1, 2],
            "correlation": found[:, 2, 2],
            "mean and variance": torch.linalg.eigvals(found).abs().max(-1).values,
        }
        for name, value in values.items():
            error = value.std().item() / math.sqrt(len(value))
            yield {"width": width, "name": name, "value": value.mean().item(), "error": error}


def predicted_growth(width: int) -> Row:
    """The three numbers of `growth` as the theory has them."""
    whole = signal.jacobian(signal.full_map, (0.0, 1.0, 0.5), width, 0.5)
    _, published = signal.eigenvalues(width)
    return {
        "width": width,
        "over the old variance": published,
        "correlation": published / 2,
        "mean and variance": torch.linalg.eigvals(whole).abs().max().item(),
    }


def response(
    width: int, correlations: Sequence[float], *, networks: int = 4000, seed: int = 0
) -> Iterator[Row]:
    """Covariance after one principled layer (fixed point 1/2) over the variance before and after it."""
    layer = principled(width)
    for index, rho in enumerate(correlations):
        found = one_layer(width, layer, correlation=rho, networks=networks, seed=1000 * seed + index)
        state = torch.tensor([1.0, rho], dtype=torch.float64)
        yield {
            "rho": rho,
            "published": signal.published_map(state, width, 0.5)[1].item(),
            "derived": signal.correlation_map(state, width, 0.5)[1].item(),
            "over_old": found.covariance.value,
            "over_old_error": found.covariance.error,
            "over_new": found.correlation.value,
            "over_new_error": found.correlation.error,
        }
