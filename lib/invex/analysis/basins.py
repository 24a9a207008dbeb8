"""Minima of a function on a grid, and how deep each is: persistence in dimension zero.

Edelsbrunner, Letscher & Zomorodian (2002), "Topological persistence and simplification". As the level rises,
each minimum begins a piece of the sub-level set; where two pieces meet, the one that began higher ends, and
the height between is its depth. A function has connected sub-level sets exactly if one piece never ends and
there is no other.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Basin:
    """A minimum.

    Attributes:
        place: its index on the grid.
        height: the value there.
        depth: how far the level rises until its piece meets one that began lower; infinite for the lowest.
    """

    place: tuple[int, ...]
    height: float
    depth: float


def basins(values: np.ndarray, least: float = 0.0) -> list[Basin]:
    """The minima of values on a grid of any dimension that are deeper than `least`, deepest first.

    Grid points are neighbours if they differ by one step along one axis.
    """
    flat = np.asarray(values, dtype=float).ravel()
    parent = np.full(len(flat), -1)  # -1: above the level still
    found: list[Basin] = []
    steps = _neighbours(values.shape)
    for point in np.argsort(flat, kind="stable"):
        parent[point] = point
        roots = {_root(parent, near) for near in steps[point] if near >= 0 and parent[near] >= 0}
        if not roots:
            continue
        oldest = min(roots, key=lambda root: (flat[root], root))
        for root in roots | {int(point)}:
            parent[root] = oldest
        for root in roots - {oldest}:
            found.append(_basin(values.shape, flat, root, flat[point] - flat[root]))
    lowest = int(np.argsort(flat, kind="stable")[0])
    found.append(_basin(values.shape, flat, lowest, np.inf))
    kept = [basin for basin in found if basin.depth > least]
    return sorted(kept, key=lambda basin: -basin.depth)


def _basin(shape: tuple[int, ...], flat: np.ndarray, root: int, depth: float) -> Basin:
    place = tuple(int(i) for i in np.unravel_index(root, shape))
    return Basin(place, float(flat[root]), float(depth))


def _root(parent: np.ndarray, point: int) -> int:
    """The first point of the piece that a point belongs to; the way there is shortened."""
    root = int(point)
    while parent[root] != root:
        root = int(parent[root])
    while parent[point] != root:
        parent[point], point = root, parent[point]
    return root


def _neighbours(shape: tuple[int, ...]) -> np.ndarray:
    """The numbers of each point's neighbours, (points, 2 dimensions); -1 beyond the grid's edge."""
    numbers = np.pad(np.arange(np.prod(shape)).reshape(shape), 1, constant_values=-1)
    core = tuple(slice(1, -1) for _ in shape)
    moved = [np.roll(numbers, shift, axis)[core].ravel() for axis in range(len(shape)) for shift in (1, -1)]
    return np.stack(moved, axis=1)
