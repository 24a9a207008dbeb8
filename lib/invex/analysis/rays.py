"""A function restricted to rays, and the errors that name the ray or the point at fault."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor, nn

Function = Callable[[Tensor], Tensor]
Box = tuple[Tensor | float, Tensor | float]


class LevelSetError(ValueError):
    """A level set that does not exist as asked for; the message names the point or the ray."""


class LevelNotReached(LevelSetError):  # noqa: N818 - named after the finding
    """The level lies below the minimum or the value at the centre, or above everything in the box."""


class NotConvexAlongRay(LevelSetError):  # noqa: N818 - named after the finding
    """Two tangents on one ray contradict convexity."""


class UnboundedLevelSet(LevelSetError):  # noqa: N818 - named after the finding
    """The level is not reached along a ray within the limit: the sub-level set is unbounded, or too large."""


class NotOnLevel(LevelSetError):  # noqa: N818 - named after the finding
    """A start point that is not on the level set."""


BLOCK = 512
"""Points evaluated at once on a CPU: what a network makes of more no longer comes from memory at hand."""
WIDE = 256
"""Dimensions from which a function is restricted to rays: below, on a CPU, that moves more than it saves."""


class OnRays(Protocol):
    """A function restricted to n rays, which a module offers as `on_rays(centre, directions)`."""

    def __call__(self, r: Tensor, rays: Tensor) -> Tensor:
        """Values (m,) at radii (m,) on the rays with these numbers (m,)."""

    def subset(self, rays: Tensor) -> Self:
        """The rays with these numbers."""

    def float(self) -> Self:
        """The same, rounded to float32."""


def on_rays(f: Function, centre: Tensor, directions: Tensor) -> OnRays | None:
    """f on rays, where it offers that and gains by it; ValueError if the two differ at a point of a ray."""
    offer = getattr(f, "on_rays", None)
    if offer is None or directions.shape[1] < WIDE or not len(directions):
        return None
    restricted: OnRays = offer(centre, directions)
    eps = torch.finfo(directions.dtype).eps
    first = torch.zeros(1, dtype=torch.long, device=directions.device)
    there = value(f, centre.view(-1, centre.shape[-1])[:1] + directions[:1])
    same = torch.allclose(restricted(torch.ones_like(there), first), there, eps**0.5, equal_nan=True)
    if not same:
        raise ValueError(f"{type(f).__name__}.on_rays does not give the values of {type(f).__name__} itself")
    return restricted


def value(f: Function, points: Tensor) -> Tensor:
    """f at points (n, d) as a vector (n,), without a graph."""
    return _in_blocks(lambda part: flat(f(part)), points)


def _in_blocks(f: Callable[..., Tensor], *arguments: Tensor) -> Tensor:
    """f of the rows of its arguments, without a graph."""
    size = BLOCK if arguments[0].device.type == "cpu" else max(1, len(arguments[0]))
    with torch.no_grad():
        return torch.cat([f(*parts) for parts in zip(*(a.split(size) for a in arguments), strict=True)])


def flat(values: Tensor) -> Tensor:
    """(n, 1) or (n,) as (n,); ValueError for anything else, such as the logits of a classifier."""
    if values.dim() == 2 and values.shape[1] == 1:
        return values[:, 0]
    if values.dim() != 1:
        raise ValueError(
            f"f gives values of shape {tuple(values.shape)}; one a point is needed: (n,) or (n, 1)"
        )
    return values


def name_of(point: Tensor) -> str:
    """The first coordinates of a point (d,), for messages."""
    return "(" + ", ".join(f"{x:.4g}" for x in point[:4].tolist()) + (", ...)" if len(point) > 4 else ")")


def exit_radius(centre: Tensor, directions: Tensor, box: Box) -> Tensor:
    """Radius at which each ray leaves the box (lower, upper), (n,)."""
    lower, upper = (torch.as_tensor(side, dtype=centre.dtype, device=centre.device) for side in box)
    wall = torch.where(directions > 0, upper, lower)
    return torch.where(directions == 0, torch.inf, (wall - centre) / directions).amin(-1)


@dataclass(frozen=True)
class Rays:
    """phi(r) = f(centre + r u) - level for n rays.

    Attributes:
        f: (n, d) -> (n,) or (n, 1), convex.
        centre: (d,), or (n, d) for rays that start at different points.
        directions: u, (n, d).
        level: the value sought.
        origin: phi(0), (n,).
        cap: (n,) largest radius to look at.
        number: (n,) the rays' numbers as the caller counts them.
        restricted: f on these rays, used in place of f where there is one.
    """

    f: Function
    centre: Tensor
    directions: Tensor
    level: float
    origin: Tensor
    cap: Tensor
    number: Tensor
    restricted: OnRays | None = None

    def points(self, active: Tensor, r: Tensor) -> Tensor:
        """Points at the given radii on the active rays."""
        centre, directions = self.centre, self.directions
        if len(active) < len(directions):
            centre = centre if centre.dim() == 1 else centre.index_select(0, active)
            directions = directions.index_select(0, active)
        return torch.addcmul(centre, r[:, None], directions)

    def slope(self, active: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        """phi and phi' on the active rays: one forward pass and one backward pass, to the radii alone."""
        with torch.enable_grad():
            r = r.detach().requires_grad_()
            if self.restricted is None:
                values = flat(self.f(self.points(active, r)))
            else:
                values = self.restricted(r, active)
            (slopes,) = torch.autograd.grad(values.sum(), r)
        return values.detach() - self.level, slopes

    def value(self, active: Tensor, r: Tensor) -> Tensor:
        """phi alone."""
        if self.restricted is None:
            return value(self.f, self.points(active, r)) - self.level
        return _in_blocks(self.restricted, r, active) - self.level

    def subset(self, index: Tensor) -> "Rays":
        """The rays at these places (m,)."""
        centre = self.centre if self.centre.dim() == 1 else self.centre[index]
        some = {part: getattr(self, part)[index] for part in ("directions", "origin", "cap", "number")}
        restricted = self.restricted and self.restricted.subset(index)
        return replace(self, centre=centre, restricted=restricted, **some)

    def refuse(self, wrong: Tensor, active: Tensor, error: type[LevelSetError], why: str) -> None:
        """Raise an error that names the first active ray for which something is wrong."""
        if bool(wrong.any()):
            ray = active[wrong][0]
            raise error(f"ray {int(self.number[ray])}, direction {name_of(self.directions[ray])}: {why}")

    def in_single_precision(self) -> "Rays | None":
        """The same rays in float32, if f is a float64 module that can be evaluated so."""
        if self.directions.dtype != torch.float64 or not isinstance(self.f, nn.Module):
            return None
        parts = {part: getattr(self, part).float() for part in ("centre", "directions", "origin", "cap")}
        if self.restricted is not None:
            return replace(self, restricted=self.restricted.float(), **parts)
        rounded = replace(self, f=_rounded(self.f), **parts)
        try:
            single = value(rounded.f, rounded.directions[:1]).dtype == torch.float32
        except RuntimeError:  # it holds float64 tensors that are neither parameters nor buffers
            return None
        return rounded if single else None


def _rounded(module: nn.Module) -> Function:
    """A module with its parameters and buffers rounded to float32."""
    named = [*module.named_parameters(), *module.named_buffers()]
    tensors = {key: tensor.detach() for key, tensor in named}
    tensors |= {key: tensor.float() for key, tensor in tensors.items() if tensor.is_floating_point()}
    return lambda points: torch.func.functional_call(module, tensors, (points,))
