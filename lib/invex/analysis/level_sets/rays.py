"""A function on rays, what rounding makes of it, and the errors that name the ray or the point at fault."""

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


class OnRays(Protocol):
    """A function restricted to n rays, which a module offers as `on_rays(centre, directions)`."""

    def __call__(self, r: Tensor, rays: Tensor) -> Tensor:
        """Values (m,) at radii (m,) on the rays with these numbers (m,)."""

    def subset(self, rays: Tensor) -> Self:
        """The rays with these numbers."""

    def float(self) -> Self:
        """The same, rounded to float32."""


def value(f: Function, points: Tensor, chunk: int | None = None) -> Tensor:
    """f at points (n, d) as a vector (n,), without a graph; `chunk` bounds how many are evaluated at once.

    Raises:
        TypeError: f is a module of another dtype than the points; both are named.
    """
    try:
        return in_blocks(lambda part: flat(f(part)), points, chunk=chunk)
    except RuntimeError as error:
        own = (
            {p.dtype for p in f.parameters() if p.is_floating_point()} if isinstance(f, nn.Module) else set()
        )
        if not own or own == {points.dtype}:
            raise
        names = ", ".join(sorted(map(str, own)))
        raise TypeError(f"the points are {points.dtype}, the parameters of f {names}: convert one") from error


def in_blocks(f: Callable[..., Tensor], *arguments: Tensor, chunk: int | None = None) -> Tensor:
    """f of the rows of its arguments, without a graph."""
    size = max(1, len(arguments[0])) if chunk is None else chunk
    size = min(size, BLOCK) if arguments[0].device.type == "cpu" else size
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
        return in_blocks(self.restricted, r, active) - self.level

    def subset(self, index: Tensor) -> "Rays":
        """The rays at these places (m,)."""
        centre = self.centre if self.centre.dim() == 1 else self.centre[index]
        some = {part: getattr(self, part)[index] for part in ("directions", "origin", "cap", "number")}
        restricted = self.restricted and self.restricted.subset(index)
        return replace(self, centre=centre, restricted=restricted, **some)

    def coarsest(self, active: Tensor, r: Tensor) -> Tensor:
        """Radii (m,) or, where it is longer, the way from zero to the centre: points round in proportion."""
        centre = self.centre if self.centre.dim() == 1 else self.centre[active]
        return torch.maximum(r, centre.norm(dim=-1) / self.directions[active].norm(dim=1))

    def finest(self, active: Tensor, r: Tensor) -> Tensor:
        """The same of that coordinate which rounding moves least: below, points do not differ."""
        centre = self.centre if self.centre.dim() == 1 else self.centre[active]
        return torch.maximum(r, (centre / self.directions[active]).abs().nan_to_num(torch.inf).amin(1))

    def rounding(self, active: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        """How far phi and phi' stray by rounding, of the points or within f, about radii (m,): (m,) each.

        The largest departures from the tangent at radii so near that no smooth function bends in between.
        It costs seven slopes, so it is for rays on which something is suspected.
        """
        eps = torch.finfo(r.dtype).eps
        ulp = eps * self.coarsest(active, r)
        gap, rise = self.slope(active, r)
        strayed, turned = torch.zeros_like(gap), torch.zeros_like(rise)
        for step in (ulp, 3 * ulp, eps ** (2 / 3) * r):
            for near in (r - step, r + step):
                there, slope = self.slope(active, near)
                strayed = torch.maximum(strayed, _finite(there - gap - rise * (near - r)))
                turned = torch.maximum(turned, _finite(slope - rise))
        return strayed, turned

    def shaken(self, active: Tensor, r: Tensor) -> Tensor:
        """How far phi changes at most when the coordinates of points at radii (m,) are rounded, (m,).

        To first order, eps sum_i |z_i df/dz_i|; zero where f has no finite gradient.
        """
        with torch.enable_grad():
            z = self.points(active, r).requires_grad_()
            (gradient,) = torch.autograd.grad(flat(self.f(z)).sum(), z)
        return torch.finfo(r.dtype).eps * _finite((z.detach() * gradient).abs().sum(1))

    def refuse_bend(self, bent: Tensor, active: Tensor) -> None:
        """Raise `NotConvexAlongRay` for the first active ray on which f bends down."""
        why = "f is not convex along it"
        if isinstance(self.f, nn.Module) and self.f.training:
            why += ", or differs from call to call: it is in training mode, call its .eval()"
        self.refuse(bent, active, NotConvexAlongRay, why)

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
        rounded = replace(self, f=recast(self.f, torch.float32), **parts)
        try:
            single = value(rounded.f, rounded.directions[:1]).dtype == torch.float32
        except (
            Exception
        ):  # it holds float64 tensors that are no parameters, or insists on float64 in its own way
            return None
        return rounded if single else None


def _finite(departure: Tensor) -> Tensor:
    """Absolute values, and zero where f is not finite: an edge of its domain is not rounding."""
    return departure.abs().nan_to_num(0.0, 0.0, 0.0)


def recast(module: nn.Module, dtype: torch.dtype) -> Function:
    """A module with its parameters and buffers in another floating-point type."""
    named = [*module.named_parameters(), *module.named_buffers()]
    tensors = {key: tensor.detach() for key, tensor in named}
    tensors |= {key: tensor.to(dtype) for key, tensor in tensors.items() if tensor.is_floating_point()}
    return lambda points: torch.func.functional_call(module, tensors, (points,))
