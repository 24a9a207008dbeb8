"""Paths between two points of a level set that do not keep to it: what the level set is held against."""

import math

import torch
from torch import Tensor

from invex.analysis.level_sets.spherical import from_angles, to_angles


def straight(a: Tensor, b: Tensor, n: int) -> Tensor:
    """n points on the straight line from a to b, (d,) each: (n, d).

    Between two points of a level set of a convex f it lies inside: f never exceeds the level there.
    """
    share = torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)[:, None]
    return a + share * (b - a)


def angles_alone(centre: Tensor, a: Tensor, b: Tensor, n: int) -> Tensor:
    """n points from a to b with angles and radius about `centre` (d,) in equal steps: (n, d).

    The directions are those of `LevelSet.interpolate`, which looks for the radius in each; here it is taken
    in a straight line from that of a to that of b.
    """
    (near, first), (far, last) = to_angles(a - centre), to_angles(b - centre)
    way = last - first
    way[-1] = torch.remainder(way[-1] + math.pi, 2 * math.pi) - math.pi
    share = torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)[:, None]
    return centre + from_angles((near + share * (far - near))[:, 0], first + share * way)
