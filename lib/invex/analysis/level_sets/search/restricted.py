"""Functions that offer themselves restricted to rays, and whether they give what they say."""

import torch
from torch import Tensor

from invex.analysis.level_sets import rays
from invex.analysis.level_sets.rays import Function, in_blocks, value

WIDE = 256
"""Dimensions from which a function is restricted to rays: below, on a CPU, that moves more than it saves."""


def on_rays(f: Function, centre: Tensor, directions: Tensor) -> rays.OnRays | None:
    """f on rays, where it offers that and gains by it; ValueError if the two differ at a point of a ray."""
    offer = getattr(f, "on_rays", None)
    if offer is None or directions.shape[1] < WIDE or not len(directions):
        return None
    restricted: rays.OnRays = offer(centre, directions)
    eps = torch.finfo(directions.dtype).eps
    first = torch.zeros(1, dtype=torch.long, device=directions.device)
    there = value(f, centre.view(-1, centre.shape[-1])[:1] + directions[:1])
    same = torch.allclose(restricted(torch.ones_like(there), first), there, eps**0.5, equal_nan=True)
    if not (same or _same_terms(restricted, there, eps**0.5)):
        raise ValueError(f"{type(f).__name__}.on_rays does not give the values of {type(f).__name__} itself")
    return restricted


def _same_terms(restricted: rays.OnRays, there: Tensor, share: float) -> bool:
    """Whether the value at radius one on the first ray is `there` (1,) up to a share of f elsewhere on it.

    Where f is about zero its terms cancel, and two ways to add them differ by the rounding of the terms.
    """
    some = torch.tensor([1.0, 0.0, 0.5, 2.0], dtype=there.dtype, device=there.device)
    here = in_blocks(restricted, some, torch.zeros_like(some, dtype=torch.long))
    return bool((here[0] - there[0]).abs() <= share * here.abs().amax())
