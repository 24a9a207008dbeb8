"""What is measured on a trained Rosenbrock model (Nesterov et al. 2022, Fig. 1-3 and Theorem 3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from invex.analysis.certificates import StationaryPoints, stationary_points
from invex.analysis.level_sets.gradients import values_and_gradients
from invex.analysis.level_sets.minimum import minimum
from invex.analysis.level_sets.rays import Function
from invex.analysis.stationary import descend, hessians
from invex.data import synthetic
from invex.nn.vae import GenerativeModel

MINIMUM = (0.1, 0.1)
SPACING = 0.8 / 39
"""Distance between neighbouring training points."""
LEVELS = tuple(1.45 + 0.75 * step for step in range(8))
"""The levels of Fig. 3."""
APART = 0.05
"""Distance in input space, a few training points, within which a small gradient is the minimum's own."""
ENDED = 1e-4 * APART
"""A descent has ended where its next Newton step is shorter: a tenth of what tells two ends apart."""


def measure(model: GenerativeModel) -> dict[str, float | int | str]:
    """All that a record says of a trained model: `errors` and `shape`.

    Raises:
        MinimumNotFound: f has no minimum.
    """
    return errors(model) | shape(model)


def errors(model: GenerativeModel) -> dict[str, float | int | str]:
    """Property error on the data and around them, stray of the valley's floor, scales learnt."""
    with torch.no_grad():
        residual, around = (model.predict(x) - synthetic.rosenbrock(x) for x in (_points(), _surroundings()))
        scales = model.log_sigma.exp().tolist()
    floor, truth = valley(model)
    return {
        "rmse": residual.square().mean().sqrt().item(),
        "rmse_around": around.square().mean().sqrt().item(),
        "largest_residual": residual.abs().max().item(),
        "valley_away": (floor - truth).abs().max().item(),
        **dict(zip(("sigma_x", "sigma_y", "sigma_z"), scales, strict=True)),
    }


def shape(model: GenerativeModel) -> dict[str, float | int | str]:
    """The minimum of f and its place, how many of the levels of Fig. 3 are closed curves, one point or more.

    Raises:
        MinimumNotFound: f has no minimum.
    """
    with torch.no_grad():
        start = model.encoder(torch.tensor([MINIMUM], dtype=torch.float64))[0]
    lowest = minimum(model.head, start)
    place = model.decoder(lowest.point[None])[0].detach()
    away = (place - torch.tensor(MINIMUM, dtype=torch.float64)).norm()
    found = descents(model.predict, synthetic.grid(9, 0.4, dtype=torch.float64))
    return {
        "minimum": lowest.value,
        "minimum_away": away.item(),
        "levels": sum(level > lowest.value for level in LEVELS),
        "closed": enclosed(model.head, lowest.point, LEVELS),
        "one_point": in_words(one_point(model.predict, found)),
        "spread": found.spread,
        "last_step": newton_steps(model.predict, found.ends).max().item(),
    }


def enclosed(f: Function, centre: Tensor, levels: Sequence[float], *, rays: int = 300) -> int:
    """How many levels above f(centre) each ray crosses, once and for all, within 1e6 of the centre."""
    angles = torch.arange(rays, dtype=centre.dtype) * (2 * torch.pi / rays)
    directions = torch.stack([angles.cos(), angles.sin()], dim=1)
    radii = torch.cat([centre.new_zeros(1), torch.logspace(-6, 6, 121, dtype=centre.dtype)])
    with torch.no_grad():
        values = f((centre + radii[:, None] * directions[:, None]).reshape(-1, 2)).view(rays, -1)
    changes = [(values > level).diff(dim=1).sum(1) for level in levels if level > values[0, 0]]
    return sum(bool((count == 1).all()) for count in changes)


def descents(function: Function, starts: Tensor) -> StationaryPoints:
    """Where descents from all starts (n, 2) end, those that a hundred steps did not bring home with more."""
    found = stationary_points(function, starts, apart=APART)
    late = newton_steps(function, found.ends) > ENDED
    if not late.any():
        return found
    ends = found.ends.clone()
    ends[late] = descend(function, ends[late], steps=400, tolerance=1e-12)
    values, gradient = values_and_gradients(function, ends)
    point = ends[values.argmin()]
    largest, spread = gradient.norm(dim=1).max().item(), (ends - point).norm(dim=1).max().item()
    return replace(found, point=point, ends=ends, gradient=largest, spread=spread)


def newton_steps(function: Function, points: Tensor) -> Tensor:
    """Length (n,) of the next Newton step, about how far the stationary point is; infinite if not known."""
    _, gradient = values_and_gradients(function, points)
    eigenvalues, vectors = torch.linalg.eigh(hessians(function, points))
    along = torch.einsum("nij,ni->nj", vectors, gradient)
    return (along / eigenvalues).norm(dim=1).nan_to_num(torch.inf, torch.inf)


def one_point(function: Function, found: StationaryPoints) -> bool | None:
    """Theorem 3.2 on these descents: True for one stationary point, False for two; None is "not decided".

    An end is a stationary point where the next Newton step is shorter than `ENDED`. Two of them apart
    contradict the theorem; a descent that ended elsewhere, by its own tolerance, says nothing.
    """
    at = newton_steps(function, found.ends) < ENDED
    ends = found.ends[at]
    if len(ends) and bool(((ends - ends[0]).norm(dim=1) > 1e-3 * APART).any()):
        return False
    return True if bool(at.all()) else None


def in_words(holds: bool | None) -> str:
    """yes, no or not decided."""
    return "not decided" if holds is None else "yes" if holds else "no"


def _points() -> Tensor:
    return synthetic.grid(dtype=torch.float64)


def _surroundings() -> Tensor:
    """A grid on the window of the paper's Fig. 3, [-0.6, 0.6] x [-0.2, 1], without the training square."""
    axes = [torch.linspace(low, high, 61, dtype=torch.float64) for low, high in ((-0.6, 0.6), (-0.2, 1.0))]
    window = torch.cartesian_prod(*axes)
    return window[(window.abs() > 0.4).any(1)]


def valley(model: GenerativeModel, heights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Where the valley's floor runs above the training square: the model's x1 and the true +-(x2 / 10)^(1/2).

    Both are (2, n): left and right branch at each height x2, by default 30 of them from the square's upper
    side to x2 = 1. The floor is the x1 of least F in a row, |x1| <= 0.4, to 1e-4.
    """
    if heights is None:
        heights = torch.linspace(0.4, 1.0, 31, dtype=torch.float64)[1:]
    truth = torch.stack([-(heights / 10).sqrt(), (heights / 10).sqrt()])
    rows = []
    for sign in (-1.0, 1.0):
        x1 = sign * torch.linspace(0.0, 0.4, 201, dtype=torch.float64).expand(len(heights), -1)
        for width in (2e-3, 1e-4):
            best = _lowest(model, x1, heights)
            x1 = best[:, None] + width * torch.linspace(-1, 1, 41, dtype=torch.float64)
        rows.append(best)
    return torch.stack(rows), truth


def _lowest(model: GenerativeModel, x1: Tensor, x2: Tensor) -> Tensor:
    """The x1 of least F in each row, (n,), among candidates (n, m)."""
    points = torch.stack([x1, x2[:, None].expand_as(x1)], dim=-1)
    with torch.no_grad():
        values = model.predict(points)
    return x1.gather(1, values.argmin(1, keepdim=True))[:, 0]


@dataclass(frozen=True)
class Piece:
    """A second piece of a sub-level set within a window.

    Attributes:
        level: the lowest of those looked at for which there is one.
        place: (2,) where F is least in it.
        value: F there.
    """

    level: float
    place: Tensor
    value: float


def second_piece(function: Function, levels: Sequence[float], *, side: int = 241) -> Piece | None:
    """What looks like a second valley on the window of Fig. 3: a piece of {F <= level} apart from the first.

    The first is that of the least F within the training square; pieces of fewer than ten points of the
    side^2 grid are left out. None where every level has one piece.
    """
    axes = [torch.linspace(*ends, side, dtype=torch.float64) for ends in ((-0.6, 0.6), (-0.2, 1.0))]
    points = torch.cartesian_prod(*axes)
    with torch.no_grad():
        values = function(points).view(side, side).numpy()
    home = np.where((points.abs() <= 0.4).all(1).view(side, side).numpy(), values, np.inf).argmin()
    for level in sorted(levels):
        pieces, count = ndimage.label(values <= level)
        own = pieces.flat[home]
        sizes = [(int((pieces == i).sum()), i) for i in range(1, count + 1) if i != own]
        if own and sizes and max(sizes)[0] >= 10:
            at = int(np.where(pieces == max(sizes)[1], values, np.inf).argmin())
            return Piece(float(level), points[at], float(values.flat[at]))
    return None
