"""The pointer of the Rosenbrock chapter: what its interactive is given, and what a straight one crosses."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from invex.analysis.level_sets import LevelSet
from invex.analysis.level_sets.pullback import Curves, pointer_crossings

Frame = tuple[float, float, float, float]
ROOM: Frame = (-1.0, 1.0, -0.5, 3.0)
"""The part of input space that a frame may show: low and high of x1, then of x2."""


def level_in_view(
    f: Callable[[Tensor], Tensor],
    inverse: Callable[[Tensor], Tensor],
    centre: Tensor,
    lowest: float,
    level: float,
    room: Frame = ROOM,
) -> float:
    """The highest of some levels up to `level` whose whole curve lies in the room; the lowest if none does.

    They lie above `lowest`, the value of f at `centre` (2,), each by three quarters of the one before.
    """
    for power in range(16):
        near = lowest + (level - lowest) * 0.75**power
        with torch.no_grad():
            tips = inverse(LevelSet(f, near, centre).grid(600))
        if bool(_within(tips, room).all()):
            break
    return near


def opening(curves: Curves, room: Frame = ROOM) -> int:
    """The highest level whose whole curve lies in the room; the lowest if none does."""
    inside = [bool(_within(points, room).all()) for points in curves.input]
    return max((i for i, whole in enumerate(inside) if whole), default=0)


def frame_around(points: Tensor, side: float, room: Frame = ROOM, margin: float = 0.06) -> Frame:
    """The frame of the training square and of those of the points (n, 2) that lie in the room."""
    square = points.new_tensor([[-side, -side], [side, side]])
    shown = torch.cat([points[_within(points, room)], square])
    ends: list[float] = []
    for low, high in zip(shown.amin(0).tolist(), shown.amax(0).tolist(), strict=True):
        ends += [low - margin * (high - low), high + margin * (high - low)]
    return ends[0], ends[1], ends[2], ends[3]


def most_crossings(curve: Tensor, centre: Tensor, turns: Tensor) -> tuple[int, Tensor]:
    """How often a straight ray from `centre` (2,) crosses a closed curve (n, 2) at most, and where."""
    counts = pointer_crossings(curve, centre, turns)
    return int(counts.max()), turns[counts == counts.max()]


def crossings_of_level(
    function: Callable[[Tensor], Tensor], centre: Tensor, turns: Tensor, level: float, reach: float
) -> Tensor:
    """The same, (m,), without a curve: changes of sign of function - level on 4,000 steps of each ray."""
    steps = torch.linspace(0, reach, 4001, dtype=centre.dtype)[:, None]
    counts = []
    for turn in turns:
        points = centre + steps * torch.stack([turn.cos(), turn.sin()])
        with torch.no_grad():
            counts.append((function(points) > level).diff().sum())
    return torch.stack(counts)


def pointer_data(
    curves: Curves, inverse: Callable[[Tensor], Tensor], centre: Tensor, place: Tensor, side: float
) -> dict[str, Any]:
    """What `rosenbrock.js` needs: curves in both spaces at common angles, and rays carried back by h^-1.

    The pointer stops at some of the angles, about every degree and a half and where its tip would jump. A ray
    is the polyline of [radius, x1, x2] from the minimum to the outermost level, with as many corners as
    keep it within a thousandth of the frame of its true course, and a corner at every level.
    """
    start = opening(curves)
    frames = [frame_around(points, side) for points in curves.input]
    frame = frames[start]
    radius = (curves.latent - centre).norm(dim=-1)
    stops = _stops(curves.angles, curves.input[start], frame)
    return {
        "levels": [round(level, 4) for level in curves.levels.tolist()],
        "start": start,
        "stops": stops,
        "opens": _opens(curves.input[start], stops, place),
        "angles": _digits(curves.angles),
        "radius": _digits(radius),
        "x": _digits(curves.input),
        "rays": [_ray(radius[:, i], curves.angles[i], inverse, centre, frame) for i in stops],
        "minimum": {"x": _digits(place), "z": _digits(centre)},
        "frames": {"x": _digits(frames), "z": _digits([_square_around(points) for points in curves.latent])},
        "square": side,
    }


def _square_around(points: Tensor) -> Frame:
    """A square frame of points (n, 2) of latent space, in which the two units are equal."""
    low, high = points.amin(0), points.amax(0)
    (left, bottom), half = ((low + high) / 2).tolist(), 0.58 * float((high - low).max())
    return left - half, left + half, bottom - half, bottom + half


def _stops(angles: Tensor, tips: Tensor, frame: Frame) -> list[int]:
    """Indices of angles at which the pointer turned, or its tip moved, by enough to be seen."""
    size = torch.tensor([frame[1] - frame[0], frame[3] - frame[2]]).to(tips)
    found = [0]
    for i in range(1, len(angles)):
        moved = ((tips[i] - tips[found[-1]]) / size).norm()
        if angles[i] - angles[found[-1]] > 0.026 or moved > 0.02:
            found.append(i)
    return found


def _opens(curve: Tensor, stops: list[int], place: Tensor) -> int:
    """The stop through whose tip a straight ray in input space crosses the curve most often."""
    arms = curve[stops] - place
    return int(pointer_crossings(curve, place, torch.atan2(arms[:, 1], arms[:, 0])).argmax())


def _ray(
    radii: Tensor, angle: Tensor, inverse: Callable[[Tensor], Tensor], centre: Tensor, frame: Frame
) -> list[Any]:
    """One ray: its corners, each [radius, x1, x2]."""
    even = torch.linspace(0, 1, 400, dtype=radii.dtype).square() * radii.max()
    along = torch.cat([even, radii]).unique()  # in order
    direction = torch.stack([angle.cos(), angle.sin()])
    with torch.no_grad():
        points = inverse(centre + along[:, None] * direction)
    low, size = torch.tensor([frame[::2], [frame[1] - frame[0], frame[3] - frame[2]]]).to(points)
    scaled = ((points - low) / size).clamp(-0.5, 1.5).numpy()  # out of view no corner is needed
    must = np.isin(along.numpy(), radii.numpy())
    must[[0, -1]] = True
    kept = simplified(scaled, must, 1e-3)
    return _digits(torch.cat([along[:, None], points], 1)[kept])


def simplified(points: np.ndarray, must: np.ndarray, tolerance: float) -> np.ndarray:
    """Indices of corners that keep a polyline (n, 2) within a tolerance, and those that `must` stay.

    Ramer (1972), Douglas & Peucker (1973).
    """
    keep = must.copy()
    stack = list(zip(np.flatnonzero(must)[:-1], np.flatnonzero(must)[1:], strict=True))
    while stack:
        first, last = stack.pop()
        if last - first < 2:
            continue
        chord, inner = points[last] - points[first], points[first + 1 : last] - points[first]
        share = np.clip(inner @ chord / max(float(chord @ chord), 1e-300), 0, 1)
        away = np.linalg.norm(inner - share[:, None] * chord, axis=1)
        if away.max() > tolerance:
            corner = first + 1 + int(away.argmax())
            keep[corner] = True
            stack += [(first, corner), (corner, last)]
    return np.flatnonzero(keep)


def _within(points: Tensor, room: Frame) -> Tensor:
    low, high = torch.tensor([room[::2], room[1::2]]).to(points)
    return ((points >= low) & (points <= high)).all(-1)


def _digits(values: Any) -> list[Any]:
    """Nested lists of numbers to five significant digits."""
    return [_digits(v) if np.ndim(v) else float(f"{v:.5g}") for v in np.asarray(values)]
