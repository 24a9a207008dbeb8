"""Small studies around Proposition 1 of Amos et al. (2017): what training does, what choices change."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from invex.analysis.segments import Segments, ends, midpoints
from invex.nn.convex import POSITIVITIES, ConvexNetwork
from invex.nn.partially_convex import PartiallyConvexNetwork
from invex.nn.points import fit_points

if TYPE_CHECKING:
    import pandas as pd

Checks = dict[tuple[str, str, str], Segments]  # network, stage, kind
START, TRAINED = "at the start", "after training"
CONTEXT = 2


def before_and_after(n: int = 10_000, *, steps: int = 150, seed: int = 0) -> Checks:
    """Proposition 1 on n random segments: both networks, all positivities, and three controls.

    Each network has two hidden layers of 16 units and is trained, in float64, on a wavy function that no
    convex one can follow, so that the data pull constrained weights below zero. The controls must violate:
    a network trained without its projection, one with a single negative weight, and one with tanh.
    """
    found: Checks = {}
    for positivity in POSITIVITIES:
        for name, network in _networks(positivity, seed):
            label = f"{name}, {positivity}"
            found[label, START, "constrained"] = _segments(network, n, seed)
            _train(network, steps, network.project_)
            found[label, TRAINED, "constrained"] = _segments(network, n, seed)
    return found | _controls(n, steps, seed)


def _networks(positivity: str, seed: int) -> Iterator[tuple[str, Any]]:
    torch.manual_seed(seed)
    yield "FICNN", ConvexNetwork(2, (16, 16), positivity=positivity).double()
    yield "PICNN", _Joint(positivity).double()


def _controls(n: int, steps: int, seed: int) -> Checks:
    forgotten, one, tanh = (next(_networks("projection", seed))[1] for _ in range(3))
    _train(forgotten, steps, None)
    with torch.no_grad():
        one.raw[-1][0, 0] = -one.raw[-1].sum()
    tanh.activation = torch.tanh
    return {
        ("projection left out", TRAINED, "control"): _segments(forgotten, n, seed),
        ("a negative weight", START, "control"): _segments(one, n, seed),
        ("tanh", START, "control"): _segments(tanh, n, seed),
    }


class _Joint(nn.Module):
    """A partially convex network of points that hold x and y side by side."""

    def __init__(self, positivity: str) -> None:
        super().__init__()
        self.network = PartiallyConvexNetwork(CONTEXT, 2, (16, 16), positivity=positivity)
        self.project_ = self.network.project_

    def forward(self, points: Tensor) -> Tensor:
        value: Tensor = self.network(points[:, :CONTEXT], points[:, CONTEXT:])
        return value


def _train(network: nn.Module, steps: int, after_step: Callable[[], None] | None) -> None:
    size = 2 + CONTEXT * isinstance(network, _Joint)
    points = 1.5 * torch.randn(256, size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    waves = 2 * torch.cos(2.5 * points[:, -1] + points[:, 0]) + 0.2 * points.square().sum(1)
    fit_points(network, points, waves, steps=steps, rate=0.03, after_step=after_step)


def _segments(network: nn.Module, n: int, seed: int) -> Segments:
    """Segments of y; those of a partially convex network each at an x of its own."""
    a, b = ends(n, 2, scale=1.5, seed=seed + 1)
    if isinstance(network, _Joint):
        with torch.no_grad():
            return midpoints(network.network.at(ends(n, CONTEXT, seed=seed + 2)[0]), a, b)
    return midpoints(network, a, b)


CHOICES: Mapping[str, Mapping[str, Any]] = {
    "projection after each step": {},
    "squared weights": {"positivity": "square"},
    "softplus of the weights": {"positivity": "softplus"},
    "exp of the weights": {"positivity": "exp"},
    "ReLU instead of softplus": {"activation": torch.relu},
    "three hidden layers": {"widths": (24, 24, 24)},
    "no pass-through": {"skips": False},
}


def tilted_cone(n: int = 300, dimension: int = 8, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Points (n, dimension) and values a^T y + 0.3 |y|, (n,): convex, and nearly affine."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randn(n, dimension, generator=generator)
    slope = torch.randn(dimension, generator=generator)
    return y, y @ slope + 0.3 * y.norm(dim=1)


def choices(
    seeds: Sequence[int], *, steps: int = 400, names: Sequence[str] = tuple(CHOICES)
) -> "pd.DataFrame":
    """What is left open, tried on a `tilted_cone`: error of the fit as a share of the values' spread.

    Returns one row a choice and seed: choice, seed, error.
    """
    import pandas as pd

    y, values = tilted_cone()
    rows = []
    for name in names:
        for seed in seeds:
            torch.manual_seed(seed)
            options = {"widths": (24, 24), "positivity": "projection"} | dict(CHOICES[name])
            network = ConvexNetwork(y.shape[1], **options)
            fitted = fit_points(network, y, values, steps=steps, rate=0.03, after_step=network.project_)
            error = math.sqrt(fitted.curve["loss"][-1]) / float(values.std())
            rows.append({"choice": name, "seed": seed, "error": error})
    return pd.DataFrame(rows)
