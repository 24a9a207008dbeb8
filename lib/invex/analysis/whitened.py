"""Points spread over a long or flat level set: shake and bake in a frame in which the set is about round."""

import math
from typing import Any

import torch
from torch import Tensor

from invex.analysis.rays import Function, LevelSetError
from invex.analysis.sampling import walked

ROUND = 1.5
"""Largest ratio of standard deviations, beyond what few points feign, of points that count as spread."""
PATIENCE = 64
"""Stretches of steps after which points that are not spread are given up."""


class NotSpread(LevelSetError):  # noqa: N818 - named after the finding
    """The points of a sample did not spread over the set in the steps allowed."""


def spread(
    f: Function,
    points: Tensor,
    level: float,
    steps: int,
    *,
    uniform: bool,
    generator: torch.Generator | None = None,
    **search: Any,
) -> Tensor:
    """Points (n, d) of the set moved by shake and bake until they are uniform on it.

    They move in stretches of about `steps` steps that are taken. After each stretch the points' covariance
    says whether they are as wide in all directions of the frame; if not, it makes the next frame (as Lovasz
    and Vempala, 2006, round a body). Points that start in the middle of a long set widen by a factor of three
    or so in a stretch, so that one at the end of which they are round is the sign that they have spread.

    Args:
        f: convex, with f = level at every point.
        points: (n, d), n at least 2 d.
        level: f at the points.
        steps: steps taken in a stretch, on average over the points.
        uniform: whether the points are so already, as far as those who drew them can tell: then few steps
            taken, as where a box cuts most chords, are no fault.
        generator: source of randomness, on the points' device.
        search: chunk, tolerance and box, as for `radius`.

    Raises:
        NotSpread: after 64 stretches the points are not spread; the message names the elongation.
    """
    frame, round_before, tries, spent, share = None, False, steps, 0, 1.0
    while spent < PATIENCE * steps:
        # The frame stays as it is within a stretch, or uniformity would not be stationary: and the last
        # stretch follows one from which points came round, so that they start it spread already.
        points, share = walked(f, points, level, tries, frame, generator, search)
        spent, moved = spent + tries, share * tries
        fitted, ratio = fit(points, frame)
        is_round = ratio <= ROUND
        if is_round and (frame is None or round_before) and (uniform or moved >= steps / 2):
            return points
        frame, round_before = (frame if is_round else fitted), is_round
        tries = math.ceil(min(steps / max(share, 1e-3), PATIENCE * steps / 4))
    raise NotSpread(_complaint(frame, ratio, spent, share))


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


def _complaint(frame: Tensor | None, ratio: float, spent: int, share: float) -> str:
    """What kept the points from spreading, and what to do."""
    sizes = torch.linalg.svdvals(torch.eye(2) if frame is None else frame)
    long = float(sizes[0] / sizes[-1])
    return (
        f"after {spent} steps, of which a share of {share:.2g} was taken, the points have not spread over "
        f"the set: it is at least {long:.3g} times as long in one direction as in another, and after an "
        f"allowance for this {ratio:.2g} times; steps= makes the stretches longer in which points spread"
    )
