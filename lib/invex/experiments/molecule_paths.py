"""Molecules on a level set of the property: paths between pairs, walks and samples, each with its control.

Everything is left as graphs (codes), with the property that the model gives the point of latent space, and
the one that it gives the graph decoded there.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Generator, Tensor

from invex.analysis.level_sets import LevelSet, Minimum, MinimumNotFound, minimum
from invex.data.molecule_tables import MoleculeSet
from invex.data.molecules import one_hot
from invex.nn.molecules import most_likely
from invex.nn.vae import GenerativeModel

STEPS = 61
"""Points of a path; every fourth of them are the sixteen that are counted."""
METHODS = ("level set", "pulled back", "straight line")
WALKS = ("on the level set", "free")
SAMPLES = ("moved to the level set", "drawn")
TEST, EVERY = "test", "every"
NEAR = 1 / 6
"""How near the level the ends of a path lie, truly and by prediction, in standard deviations (5 kcal/mol)."""
WALKERS, STRIDES, STRIDE = 50, 40, 0.4
DRAWN = 1000


class NoPairs(ValueError):  # noqa: N818 - named after the finding
    """Fewer than two molecules lie near the level; the message says where they lie."""


class Scale(Protocol):
    """From the property's unit to the model's and back."""

    def standard(self, values: Tensor) -> Tensor:
        """In standard deviations from the mean."""

    def natural(self, values: Tensor) -> Tensor:
        """In its unit."""


@dataclass(frozen=True)
class Set:
    """A level set of a model, with what is needed to read it.

    Attributes:
        model: in float64.
        level: in the property's unit.
        scale: of the property.
        surface: the set in latent space.
    """

    model: GenerativeModel
    level: float
    scale: Scale
    surface: LevelSet

    @torch.no_grad()
    def read(self, points: Tensor) -> dict[str, Tensor]:
        """What stands at latent points (..., d): `codes` (..., 45), `value` and `again` (...)."""
        z = points.reshape(-1, points.shape[-1])
        choices = most_likely(self.model, z)
        again = self.model.predict(one_hot(choices).to(z))
        shape = points.shape[:-1]
        return {
            "codes": choices.to(torch.uint8).view(*shape, choices.shape[-1]),
            "value": self.scale.natural(self.model.head(z)).view(shape),
            "again": self.scale.natural(again).view(shape),
        }


def explore(
    model: GenerativeModel, table: MoleculeSet, parts: Any, config: Any
) -> tuple[dict[str, float | int | str], dict[str, Tensor]]:
    """Numbers and graphs of paths, walks and samples on the level set of a trained model.

    Args:
        model: in evaluation mode and float64.
        table: whose test molecules (`parts.test`), or all, the paths join.
        parts: the rows and the scale, `invex.experiments.molecules.Parts`.
        config: with `level`, `ends`, `pairs`, `seed`.

    Raises:
        MinimumNotFound: the head has no minimum, so that a level set has no centre.
        NoPairs: fewer than two molecules lie near the level.
        LevelNotReached: the level lies below the minimum.
    """
    level = peak(table.values[parts.train]) if config.level is None else config.level
    lowest = minimum(model.head, torch.zeros(config.latent, dtype=torch.float64))
    alpha = float(parts.standard(torch.tensor(level, dtype=torch.float64)))
    found = Set(model, level, parts, LevelSet(model.head, alpha, lowest.point))
    generator = Generator().manual_seed(config.seed)
    every = np.flatnonzero(table.known)
    rows, points = ends(found, table, every if config.ends == EVERY else parts.test)
    pairs = pairs_of(len(rows), config.pairs, generator)
    read = {
        "paths": found.read(torch.stack([paths(found.surface, points[p]) for p in pairs], 1)),
        "walks": found.read(walks(found.surface, points[:WALKERS], generator)),
        "samples": found.read(samples(found.surface, config.latent, generator)),
    }
    tensors = {
        f"{name}/{key}": tensor.float() if tensor.is_floating_point() else tensor
        for name, found_ in read.items()
        for key, tensor in found_.items()
    }
    tensors["paths/rows"] = torch.as_tensor(rows[pairs]).to(torch.int32)
    tensors["paths/ends"] = torch.as_tensor(table.codes[rows[pairs]])
    tensors["paths/true"] = torch.as_tensor(table.values[rows[pairs]]).float()
    with torch.no_grad():
        size = model.encode(one_hot(torch.as_tensor(table.codes[parts.test])).double()).norm(dim=1).median()
    return _numbers(found, lowest, read, len(rows)) | {"data_radius": float(size)}, tensors


def _numbers(
    found: Set, lowest: Minimum, read: dict[str, dict[str, Tensor]], candidates: int
) -> dict[str, float | int | str]:
    away = read["paths"]["value"] - found.level
    return {
        "attained": 1,
        "network_attained": int(attained(found.model.head.network, lowest.point)),
        "level": found.level,
        "minimum": float(found.scale.natural(torch.tensor(lowest.value))),
        "minimum_radius": float(lowest.point.norm()),
        "candidates": candidates,
        "pairs": read["paths"]["value"].shape[1],
        "level_error": away[0].abs().max().item(),
        "dip": away[2].abs().amax(-1).mean().item(),
        "dip_largest": away[2].abs().max().item(),
    }


def attained(network: Any, start: Tensor) -> bool:
    """Whether a convex function attains its minimum."""
    try:
        minimum(network, start)
    except MinimumNotFound:
        return False
    return True


def peak(values: np.ndarray) -> float:
    """Where the density of a property peaks: the fullest of windows a third of a standard deviation wide."""
    kept = np.sort(values[np.isfinite(values)])
    width = kept.std() / 3
    counts = np.searchsorted(kept, kept + width, side="right") - np.arange(len(kept))
    first = int(counts.argmax())
    return float(kept[first : first + counts[first]].mean())


def ends(found: Set, table: MoleculeSet, rows: np.ndarray) -> tuple[np.ndarray, Tensor]:
    """Molecules fit to be an end of a path, and their points on the level set, (m,) and (m, d).

    Their true and predicted property lie near the level, and the point of the set on their ray from the
    centre still decodes to them.

    Raises:
        NoPairs: there are fewer than two.
    """
    codes, true = torch.as_tensor(table.codes[rows]), torch.as_tensor(table.values[rows])
    with torch.no_grad():
        z = found.model.encode(one_hot(codes).double())
        predicted = found.scale.natural(found.model.head(z))
    tolerance = NEAR * float(found.scale.natural(torch.ones(())) - found.scale.natural(torch.zeros(())))
    near = ((true - found.level).abs() < tolerance) & ((predicted - found.level).abs() < tolerance)
    moved = found.surface.retract(z[near])
    right = (found.read(moved)["codes"] == codes[near]).all(1)
    kept = rows[near.numpy()][right.numpy()]
    if len(kept) < 2:
        low, high = np.nanquantile(table.values, (0.05, 0.95))
        raise NoPairs(
            f"only {len(kept)} molecules lie within {tolerance:.3g} of the level {found.level:.4g} and "
            f"are decoded there; nine in ten molecules lie between {low:.4g} and {high:.4g}"
        )
    return kept, moved[right]


def pairs_of(n: int, count: int, generator: Generator) -> Tensor:
    """Up to `count` different pairs of n things, at random, (m, 2)."""
    every = torch.combinations(torch.arange(n))
    chosen = every[torch.randperm(len(every), generator=generator)[:count]]
    return torch.where(torch.rand(len(chosen), 1, generator=generator) < 0.5, chosen, chosen.flip(1))


def paths(surface: LevelSet, ends: Tensor) -> Tensor:
    """Three ways from one point of a level set to another, (3, STEPS, d), in the order of `METHODS`.

    By interpolated angles (Sec. 3.3); along the straight line, each point pulled back to the set on its ray
    from the centre; and along the straight line itself.
    """
    share = torch.linspace(0, 1, STEPS, dtype=ends.dtype)[:, None]
    straight = ends[0] + share * (ends[1] - ends[0])
    return torch.stack([surface.interpolate(ends[0], ends[1], STEPS), surface.retract(straight), straight])


def walks(surface: LevelSet, starts: Tensor, generator: Generator) -> Tensor:
    """Random walks from points (m, d), (2, m, STRIDES + 1, d): on the level set, and free, by equal steps."""
    on = surface.walk(starts, STRIDES, STRIDE, generator=generator).transpose(0, 1)
    steps = torch.randn(len(starts), STRIDES, starts.shape[1], generator=generator, dtype=starts.dtype)
    steps = STRIDE * steps / steps.norm(dim=-1, keepdim=True)
    free = torch.cat([starts[:, None], starts[:, None] + steps.cumsum(1)], 1)
    return torch.stack([on, free])


def samples(surface: LevelSet, dimension: int, generator: Generator) -> Tensor:
    """Codes drawn from the prior, (2, DRAWN, d): moved to the level set on their rays, and as drawn."""
    drawn = torch.randn(DRAWN, dimension, generator=generator, dtype=torch.float64)
    return torch.stack([surface.retract(drawn), drawn])
