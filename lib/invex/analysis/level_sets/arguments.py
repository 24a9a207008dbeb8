"""What the front door of level sets is given, checked once: each message names the thing and the way out."""

import math

import torch
from torch import Tensor, nn

from invex.analysis.level_sets.rays import Box, Function, LevelNotReached, LevelSetError, flat, name_of

KNOWN = (torch.float32, torch.float64)
UNSTEADY = (
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.BatchNorm3d,
)
"""Layers that in training mode give another value at the next call, or change with each."""


def positive(**numbers: float | None) -> None:
    """ValueError for a number that is not above zero, which is named; None passes."""
    for name, number in numbers.items():
        if number is not None and not number > 0:
            raise ValueError(f"{name} must be positive, got {number}")


def finite(name: str, number: float) -> None:
    """ValueError for what is not a finite number."""
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {number}")


def count(name: str, number: int, least: int = 1) -> None:
    """TypeError for what is no whole number, ValueError for one below `least`."""
    if isinstance(number, bool) or not hasattr(number, "__index__"):
        raise TypeError(f"{name} must be a whole number, got {number!r}")
    if number < least:
        raise ValueError(f"{name} must be {least} or more, got {number}")


def point(name: str, z: object) -> Tensor:
    """A point (d,) in float32 or float64, d > 0."""
    if not isinstance(z, Tensor):
        raise TypeError(f"the {name} must be a tensor (d,), not {type(z).__name__}: give torch.tensor(...)")
    if z.dtype not in KNOWN:
        raise TypeError(f"a level set needs float32 or float64, not {z.dtype}: convert the {name} and f")
    if z.dim() != 1 or not len(z):
        raise ValueError(f"the {name} must have the shape (d,), d > 0, not {tuple(z.shape)}")
    return z


def alike(name: str, given: object, shape: tuple[int | None, ...], like: Tensor) -> None:
    """That a tensor has the shape, where None is any length, and the dtype and device of `like`."""
    if not isinstance(given, Tensor):
        raise TypeError(f"{name} must be a tensor, not {type(given).__name__}: give torch.tensor(...)")
    fits = given.dim() == len(shape) and all(
        wanted in (None, size) for wanted, size in zip(shape, given.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("n" if size is None else str(size) for size in shape)
        comma = "," if len(shape) == 1 else ""
        raise ValueError(f"{name} must have the shape ({wanted}{comma}), not {tuple(given.shape)}")
    if given.dtype != like.dtype:
        raise TypeError(f"{name} are {given.dtype}, the centre is {like.dtype}: convert one with .to(...)")
    if given.device != like.device:
        raise ValueError(
            f"{name} are on {given.device}, the centre is on {like.device}: move one with .to(...)"
        )


def generator_on(generator: torch.Generator | None, like: Tensor) -> None:
    """That a source of randomness is on the device of `like`."""
    if generator is not None and generator.device.type != like.device.type:
        raise ValueError(
            f"the generator is on {generator.device}, the centre on {like.device}: give "
            f"torch.Generator({like.device.type!r})"
        )


def box_in_order(box: Box | None, like: Tensor) -> None:
    """That a box has two corners, a number or (d,) each, whose lower one is nowhere above the upper.

    A side may be open: minus infinity below, infinity above.
    """
    if box is None:
        return
    if not isinstance(box, tuple | list) or len(box) != 2:
        raise ValueError(f"a box is a pair, its lower and its upper corner, not {box!r}")
    sides = [torch.as_tensor(side, dtype=like.dtype, device=like.device) for side in box]
    for name, side in zip(("lower", "upper"), sides, strict=True):
        if side.shape not in ((), like.shape):
            raise ValueError(
                f"the {name} corner of the box must be a number or {tuple(like.shape)}, not "
                f"{tuple(side.shape)}"
            )
    lower, upper = (side.expand_as(like) for side in sides)
    wrong = ~(lower <= upper) | (lower == torch.inf) | (upper == -torch.inf)
    if bool(wrong.any()):
        at = int(torch.nonzero(wrong)[0])
        raise ValueError(
            f"in coordinate {at} the box goes from {float(lower[at]):g} to {float(upper[at]):g}: give a "
            "number at each side, the lower first"
        )


def steady(f: Function, z: Tensor, name: str) -> float:
    """f at a point z (d,), whose value is one number and the same twice.

    Raises:
        TypeError: f is no function or gives no tensor, or is a module of another dtype than the point.
        ValueError: f is on another device, gives another shape, or not the same value twice.
    """
    if isinstance(f, nn.Module):
        _refuse_module(f, z, name)
    if not callable(f):
        raise TypeError(f"f must be a function of points (n, d), not {type(f).__name__}")
    with torch.no_grad():
        first, again = f(z.detach()[None]), f(z.detach()[None])
    if not isinstance(first, Tensor):
        raise TypeError(f"f gives a {type(first).__name__}, not a tensor: one value a point is needed, (n,)")
    first, again = flat(first), flat(again)
    if first.shape != (1,):
        raise ValueError(f"f gives {len(first)} values for one point: one a point is needed, (n,) or (n, 1)")
    one, two = float(first), float(again)
    size = 1e4 * torch.finfo(z.dtype).eps * max(abs(one), abs(two), 1.0)
    if abs(one - two) > size or math.isnan(one) != math.isnan(two):
        raise ValueError(
            f"f is not the same twice: at the {name}, {name_of(z)}, it gives {one:.6g} and then {two:.6g}. A "
            "module needs .eval(), and a function may draw no random numbers"
        )
    return one


def above(level: object, lowest: float, centre: Tensor) -> float:
    """The level as a number, if it is finite and above f at the centre.

    Raises:
        TypeError: it is no number.
        LevelSetError: it, or f at the centre, is not finite.
        LevelNotReached: it is not above f at the centre.
    """
    if not hasattr(level, "__float__") or (isinstance(level, Tensor) and level.numel() != 1):
        raise TypeError(f"the level must be one number, not {type(level).__name__}: one set has one level")
    number = float(level)
    if not math.isfinite(number):
        raise LevelSetError(f"the level is {number}: it has to be a finite number")
    if not math.isfinite(lowest):
        raise LevelSetError(
            f"f is {lowest} at the centre, {name_of(centre)}: give a centre within its domain"
        )
    if number <= lowest:
        raise LevelNotReached(
            f"the level {number:g} is not above f at the centre, {name_of(centre)}, which is {lowest:g}: "
            "choose a higher level, or the centre that `minimum` finds"
        )
    return number


def _refuse_module(f: nn.Module, z: Tensor, name: str) -> None:
    own = [p for p in f.parameters() if p.is_floating_point()]
    if own and all(p.dtype != z.dtype for p in own):
        raise TypeError(f"the {name} is {z.dtype}, the parameters of f {own[0].dtype}: convert one")
    if own and all(p.device != z.device for p in own):
        raise ValueError(f"the {name} is on {z.device}, the parameters of f on {own[0].device}: move one")
    for path, part in f.named_modules():
        if part.training and isinstance(part, UNSTEADY) and getattr(part, "p", 1.0) > 0:
            where = f"{type(part).__name__}{f' ({path})' if path else ''}"
            raise ValueError(f"f is in training mode and holds a {where}: call its .eval()")
