"""Points spread over a long or flat level set: shake and bake in a frame in which the set is about round."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from invex.analysis.level_sets.rays import LevelNotReached, LevelSetError
from invex.analysis.level_sets.sampling import (
    Boundary,
    candidates,
    effective_number,
    log_density_correction,
    normals,
    resample,
    walked,
)

ROUND = 1.5
"""Largest ratio of standard deviations, beyond what few points feign, of points that count as spread."""
PATIENCE = 64
"""Stretches of steps after which points that are not spread are given up."""


class NotSpread(LevelSetError):  # noqa: N818 - named after the finding
    """The points of a sample did not spread over the set in the steps allowed."""


def uniform(
    boundary: Boundary,
    points: Callable[[Tensor], Tensor],
    centre: Tensor,
    n: int,
    steps: int | None,
    generator: torch.Generator | None,
    progress: Callable[[str], None] | None = None,
) -> Tensor:
    """n uniform points of the set, (n, d); `LevelSet.sample` says the rest.

    `points` gives those in directions (m, d) from the centre (d,).
    """
    d = len(centre)
    if n < 0:
        raise ValueError(f"{n} points cannot be drawn")
    if n == 0:
        return centre.new_empty(0, d)
    crowd = max(n, 2 * d, 256)
    found, drawn = candidates(points, centre, boundary.box, crowd, generator)
    _refuse_few(boundary, len(found), drawn, d)
    weight = log_density_correction(found - centre, normals(boundary.f, found, boundary.chunk))
    moved = resample(found, weight, crowd, generator)
    if steps != 0 and d > 1:
        telling = effective_number(weight) >= crowd / 2
        tries = max(8 + 2 * d, steps or 0)
        moved = spread(boundary, moved, tries, trusted=telling, generator=generator, progress=progress)
    return moved[:n]


def _refuse_few(boundary: Boundary, found: int, drawn: int, d: int) -> None:
    """Within a box, fewer than 64 points may leave out whole pieces of the set."""
    here = f"reach the level {boundary.level:g} within the box"
    if not found:
        raise LevelNotReached(f"of {drawn} directions drawn from the centre none {here}")
    if boundary.box is not None and found < max(64, d):
        raise NotSpread(
            f"of {drawn} directions drawn from the centre only {found} {here}, too few to show all of it: a "
            "wider box or a centre nearer by is needed"
        )


def spread(
    boundary: Boundary,
    points: Tensor,
    steps: int,
    *,
    trusted: bool,
    generator: torch.Generator | None = None,
    progress: Callable[[str], None] | None = None,
) -> Tensor:
    """Points (n, d) of the set moved by shake and bake until they are uniform on it.

    They move in stretches of `steps` steps or, where not all are taken, of as many more. After each stretch
    the points' covariance says whether they are as wide in all directions of the frame, and makes the next
    frame (as Lovasz and Vempala, 2006, round a body). Points in the middle of a long set widen by a factor of
    three or so in a stretch, so that one at the end of which they are round shows that they have spread.
    Without a frame that is all it takes; with one, two stretches in turn have to end so.

    Args:
        boundary: the set.
        points: (n, d) on it, n at least 2 d.
        steps: of a stretch; 8 + 2 d are what takes a point all round a sphere.
        trusted: whether the points are uniform already as far as their weights can tell: then few steps
            taken, as where a box cuts most chords, are no fault.
        generator: source of randomness, on the points' device.
        progress: called with what is done, in words, about twenty times a stretch and at its end.

    Raises:
        NotSpread: not so after 64 times `steps`, or the set is longer than its numbers tell; the message
            names the elongation and the share of steps taken.
    """
    frame, round_before, tries, spent, enough = None, False, steps, 0, 4 + points.shape[1]
    while spent < PATIENCE * steps:
        # The frame is fixed within a stretch: uniformity is stationary only for a frame that does not follow
        # the points. The last stretch starts from points that were round before, and so have spread.
        told = _within_stretch(progress, spent, PATIENCE * steps)
        points, share = walked(boundary, points, tries, frame, generator, told)
        spent, moved = spent + tries, share * tries
        fitted, ratio = fit(points, frame)
        is_round = ratio <= ROUND
        if is_round and (frame is None or round_before) and (trusted or moved >= enough):
            return points
        frame, round_before = fitted, is_round
        if progress is not None:
            progress(f"after {spent} steps a set {elongation(frame):.3g} times as long one way as another")
        if elongation(frame) > 1 / torch.finfo(points.dtype).eps:
            break
        tries = math.ceil(steps * min(1 / max(share, 1e-3), PATIENCE / 4 if is_round else 3))
    raise NotSpread(_complaint(frame, ratio, spent, share))


def _within_stretch(
    progress: Callable[[str], None] | None, spent: int, most: int
) -> Callable[[int, int], None]:
    """What to call with a step of a stretch and the number of its steps."""

    def told(step: int, steps: int) -> None:
        if progress is not None and step % max(1, steps // 20) == 0:
            progress(f"step {spent + step} of at most {most}")

    return told


def fit(points: Tensor, frame: Tensor | None) -> tuple[Tensor, float]:
    """A frame (d, d) in which points (n, d) lie as on the unit sphere, and how far the one given is from it.

    The latter is the largest ratio of the standard deviations that the points have in the frame given. What
    white noise would show in as few points (Marchenko & Pastur, 1967) does not count and is not corrected.
    """
    n, d = points.shape
    frame = torch.eye(d, dtype=torch.float64, device=points.device) if frame is None else frame
    offsets = torch.linalg.solve(frame, (points - points.mean(0)).double().T).T
    _, size, axes = torch.linalg.svd(offsets * (d / n) ** 0.5, full_matrices=False)
    scale = size.square().mean().sqrt().clamp_min(torch.finfo(size.dtype).tiny)
    noise = (d / n) ** 0.5
    beyond = (size / scale) / (size / scale).clamp(1 - noise, 1 + noise)
    # few points far apart, or many copies of one, prove little: no axis changes by more than tenfold
    beyond = beyond.clamp(0.1, 10)
    return frame @ (axes.T * beyond) * scale, float(beyond.max() / beyond.min())


def elongation(frame: Tensor | None) -> float:
    """The largest extent over the smallest of a set that is round in a frame (d, d)."""
    if frame is None:
        return 1.0
    sizes = torch.linalg.svdvals(frame)
    return float(sizes[0] / sizes[-1])


def _complaint(frame: Tensor | None, ratio: float, spent: int, share: float) -> str:
    """What kept the points from spreading, and what to do."""
    long = f"{elongation(frame):.3g}"
    return (
        f"after {spent} steps the points have not spread over the set, at least {long} times as long one way "
        f"as another (the last of them changed that {ratio:.2g} times, a share of {share:.2g} of them was "
        "taken): allow for more with steps="
    )
