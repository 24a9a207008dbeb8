"""Paths on the boundary of a convex set: great circles of directions, and geodesics by a relaxed string."""

from collections.abc import Callable

import torch
from torch import Tensor

from invex.analysis.rays import Function
from invex.analysis.sampling import normals

Retraction = Callable[[Tensor], Tensor]
GAIN = {torch.float64: 1e-12, torch.float32: 1e-6}
"""Part of the energy that the next step must promise for the string to go on."""


def great_circle(a: Tensor, b: Tensor, n: int) -> Tensor:
    """n unit vectors (n, d) from the direction of a to that of b, both (d,), at equal angles.

    Opposite directions have no shorter way: the path then leans towards the axis least aligned with them.
    """
    a, b = a / a.norm(), b / b.norm()
    across = b - (a @ b) * a
    if float(across.norm()) < 1e2 * torch.finfo(a.dtype).eps:
        axis = torch.zeros_like(a)
        axis[a.abs().argmin()] = 1.0
        across = axis - (a @ axis) * a
    across = across / across.norm()
    angle = torch.linspace(0, 1, n, dtype=a.dtype, device=a.device)[:, None] * torch.atan2(across @ b, a @ b)
    return angle.cos() * a + angle.sin() * across


def tangential(vectors: Tensor, normal: Tensor) -> Tensor:
    """Vectors (n, d) without their part along unit normals (n, d)."""
    return vectors - (vectors * normal).sum(-1, keepdim=True) * normal


def relax(
    path: Tensor,
    f: Function,
    retract: Retraction,
    *,
    embed: Callable[[Tensor], Tensor] | None = None,
    iterations: int = 1000,
) -> Tensor:
    """Shortens a path on a surface to a geodesic between its ends: a string of points at equal distances.

    Minimises the energy (n - 1) sum |x_{i+1} - x_i|^2, whose minimum is a shortest path at constant speed.
    A step goes along the tangential gradient, smoothed by the inverse of the string's own stiffness, so
    that the number of steps does not grow with that of the points; it is pulled back on the surface, and
    halved until the energy falls.

    Args:
        path: (n, d) points of the surface {f = const}, n >= 3.
        f: gives the normals.
        retract: points near the surface -> points on it.
        embed: (n, d) -> (n, e), differentiable: the length is measured there, for example after h^-1.
        iterations: largest number of steps.

    Returns:
        (n, d), the ends unchanged.
    """
    factor = torch.linalg.cholesky(_stiffness(path))
    ends, size = (path[:1], path[-1:]), 1.0
    energy, gradient = _energy(path, embed)
    for _ in range(iterations):
        normal = normals(f, path[1:-1])
        slope = tangential(gradient, normal)
        step = -tangential(torch.cholesky_solve(slope, factor), normal)
        gain = -float((step * slope).sum())
        if gain <= GAIN[path.dtype] * energy:
            break
        trial = torch.cat([ends[0], retract(path[1:-1] + size * step), ends[1]])
        trial_energy, trial_gradient = _energy(trial, embed)
        if trial_energy < energy - 0.1 * size * gain:
            path, energy, gradient = trial, trial_energy, trial_gradient
            size = min(2.0, 1.5 * size)
        elif size < 1e-6:
            break
        else:
            size /= 2
    return path


def _stiffness(path: Tensor) -> Tensor:
    """Second derivative of the energy by the inner points, where the surface is flat: (n - 2, n - 2)."""
    inner = torch.eye(len(path) - 2, dtype=path.dtype, device=path.device)
    beside = torch.diag(inner.diagonal()[1:], 1)
    return 2 * (len(path) - 1) * (2 * inner - beside - beside.T)


def _energy(path: Tensor, embed: Callable[[Tensor], Tensor] | None) -> tuple[float, Tensor]:
    """Energy of a path and its gradient by the inner points."""
    with torch.enable_grad():
        z = path.detach().requires_grad_()
        placed = z if embed is None else embed(z)
        energy = (len(path) - 1) * placed.diff(dim=0).square().sum()
        (gradient,) = torch.autograd.grad(energy, z)
    return float(energy.detach()), gradient[1:-1]
