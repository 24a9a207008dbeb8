"""Hyperspherical coordinates of any dimension, both ways (App. A.2 of Nesterov et al. 2022)."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def to_angles(points: Tensor) -> tuple[Tensor, Tensor]:
    """Radius and angles of points, App. A.2 of Nesterov et al. 2022.

    The first n - 2 angles lie in [0, pi], the last in [-pi, pi]. The paper's arccos of a quotient loses half
    the digits near an axis; the arctan2 of the same two legs keeps them all, and needs no clamp. The last
    angle is the paper's 2 arccot, in every quadrant. Angles that a point leaves undetermined (it lies on an
    axis, or at the origin) are 0 or pi and carry no gradient. A point that is NaN has the radius NaN.

    Args:
        points: (..., n), n >= 2.

    Returns:
        radius (...,) and angles (..., n - 1) in radians.

    Raises:
        ValueError: a point has fewer than two coordinates.
    """
    if points.shape[-1] < 2:
        raise ValueError(f"hyperspherical coordinates need two dimensions or more, not {tuple(points.shape)}")
    scale = points.detach().abs().amax(-1, keepdim=True)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    scaled = points / scale
    tails = _root(scaled.square().flip(-1).cumsum(-1).flip(-1))
    polar = _arctan2(tails[..., 1:-1], scaled[..., :-2])
    azimuth = _arctan2(scaled[..., -1:], scaled[..., -2:-1])
    return (tails[..., :1] * scale)[..., 0], torch.cat([polar, azimuth], -1)


def from_angles(radius: Tensor, angles: Tensor) -> Tensor:
    """Cartesian coordinates: x_k = r cos(phi_k) prod_{j<k} sin(phi_j), and all sines in x_n.

    Args:
        radius: (...,), broadcast against the angles.
        angles: (..., n - 1) in radians, n >= 2.

    Returns:
        points (..., n).

    Raises:
        ValueError: no angle is given.
    """
    if angles.shape[-1] < 1:
        raise ValueError(f"hyperspherical coordinates need one angle or more, not {tuple(angles.shape)}")
    one = torch.ones_like(angles[..., :1])
    sines = torch.cat([one, angles.sin().cumprod(-1)], -1)
    return radius[..., None] * sines * torch.cat([angles.cos(), one], -1)


def grid_directions(counts: Sequence[int], like: Tensor) -> Tensor:
    """Unit vectors (*counts, n) at a grid of angles, one count for each of the n - 1, as a point `like` (n,).

    The last angle goes once round from 0 in equal steps; the others go from 0 to pi, both included.

    Raises:
        ValueError: in one dimension, where there is no angle, and for another number of counts.
    """
    if len(like) == 1:
        raise ValueError("in one dimension the set is two points: `points` of the directions 1 and -1")
    if len(counts) != len(like) - 1:
        raise ValueError(f"a grid in {len(like)} dimensions needs one count an angle, not {counts}")
    options: dict[str, Any] = {"dtype": like.dtype, "device": like.device}
    polar = [torch.linspace(0, math.pi, count, **options) for count in counts[:-1]]
    azimuth = 2 * math.pi / max(1, counts[-1]) * torch.arange(counts[-1], **options)
    angles = torch.stack(torch.meshgrid(*polar, azimuth, indexing="ij"), -1)
    return from_angles(torch.ones_like(angles[..., 0]), angles)


def _root(squares: Tensor) -> Tensor:
    """Square root with gradient zero at zero, where the root has none."""
    zero = squares == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, squares).sqrt())


def _arctan2(opposite: Tensor, adjacent: Tensor) -> Tensor:
    """The angle of a right triangle's legs, without gradient where both vanish."""
    known = (opposite != 0) | (adjacent != 0)
    return torch.where(known, torch.arctan2(opposite, torch.where(known, adjacent, 1.0)), 0.0)
