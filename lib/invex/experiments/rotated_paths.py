"""What is measured of a model of turned images: its errors, and paths on the level set of an angle.

The test images are shared out: the first part trains a regressor that reads angles, and the rest, which
neither the model nor the regressor has seen, gives all errors and the ends of all paths.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from invex.analysis.alternatives import angles_alone, straight
from invex.analysis.level_sets import LevelNotReached, LevelSet, level_before, minimum
from invex.data import rotated
from invex.data.rotated import Upright
from invex.nn.vae import GenerativeModel

METHODS = ("level set", "straight line", "angles alone")
STEPS = 16
SHOWN = 6
"""Pairs whose pictures are kept: one of the paper's kind, and five by chance."""
HEADLINE = (2, 1, 36)
"""Labels of pullover and trousers, and degrees counter-clockwise."""
EXTREME = 40
"""Largest angle of a pair, in degrees: at 45 the data end."""
OTHERS = 5 / 7
"""Share of the test images that trains the regressor."""
TEST_ANGLES, PAIR_SEED = 1, 3
"""Of what all runs share: how the test images are turned, and which pairs are joined."""
EXAMPLES = 2000
"""Test images of which the angles are kept, one by one."""
DEGREES = 180 / math.pi


@dataclass(frozen=True)
class Pair:
    """Two test images, by row, and the angle in degrees that both are turned by."""

    first: int
    second: int
    angle: int


@dataclass(frozen=True)
class Found:
    """Metrics, tables and tensors of all paths."""

    metrics: dict[str, float | int | str]
    tables: dict[str, dict[str, list[float | int | str]]]
    tensors: dict[str, Tensor]


def split(test: Upright) -> tuple[Tensor, Tensor]:
    """Rows of the test images for the regressor, and the rest; their order has nothing to do with content."""
    rows = torch.arange(len(test.images), device=test.images.device)
    return rows[: round(OTHERS * len(rows))], rows[round(OTHERS * len(rows)) :]


def pairs(test: Upright, kept: Tensor, n: int) -> list[Pair]:
    """n pairs of different classes among the rows `kept`: `HEADLINE`, and the rest by chance."""
    generator = torch.Generator().manual_seed(PAIR_SEED)
    labels, rows = test.labels[kept].cpu(), kept.cpu()

    def any_of(mask: Tensor) -> int:
        among = rows[mask]
        return int(among[int(torch.randint(len(among), (), generator=generator))])

    chosen = [Pair(any_of(labels == HEADLINE[0]), any_of(labels == HEADLINE[1]), HEADLINE[2])]
    while len(chosen) < n:
        first = any_of(labels >= 0)
        second = any_of(labels != test.labels[first].cpu())
        angle = int(torch.randint(-EXTREME, EXTREME + 1, (), generator=generator))
        chosen.append(Pair(first, second, angle))
    return chosen


@torch.no_grad()
def accuracy(
    model: GenerativeModel, reader: nn.Module, test: Upright, kept: Tensor
) -> tuple[dict[str, float | int | str], dict[str, Tensor]]:
    """Errors of model and regressor on the turned test images at `kept`, in degrees, and some angles.

    The cycle error is that of Sec. 4.1: the angle predicted of an image and of its reconstruction. The
    regressor's error is taken on the images themselves and on their reconstructions, whose softness it has
    to bear.
    """
    angles = rotated.angles(len(test.images), TEST_ANGLES, device=kept.device)[kept]
    columns, error = [], 0.0
    for rows, angle in zip(kept.split(256), angles.split(256), strict=True):
        pictures = test.turned(angle, rows).float() / 255
        codes = model.encode(pictures)
        again = model.decoder(codes)
        error += float((again - pictures).square().mean((1, 2)).sum())
        seen = [model.head(codes), model.predict(again), reader(pictures), reader(again)]
        columns.append(torch.stack([angle, *seen, codes.norm(dim=1)], 1))
    true, predicted, cycled, read, read_again, norms = DEGREES * torch.cat(columns).T
    metrics: dict[str, float | int | str] = {
        "angle_mae": _mae(predicted - true),
        "angle_rmse": float((predicted - true).square().mean().sqrt()),
        "cycle_mae": _mae(predicted - cycled),
        "reader_mae": _mae(read - true),
        "reader_mae_reconstructed": _mae(read_again - true),
        "reader_bias_reconstructed": float((read_again - true).mean()),
        "pixel_rmse": (error / len(kept)) ** 0.5,
        "code_norm": float(norms.mean()) / DEGREES,
        "test_images": len(kept),
    }
    kept_columns = torch.stack([true, predicted, cycled, read, read_again], 1)[:EXAMPLES]
    return metrics, {"angles": kept_columns.half().cpu(), "labels": test.labels[kept][:EXAMPLES].byte().cpu()}


def _mae(residual: Tensor) -> float:
    return float(residual.abs().mean())


def paths(
    model: GenerativeModel,
    reader: nn.Module,
    test: Upright,
    chosen: Sequence[Pair],
    progress: Callable[[str], None] = lambda text: None,
) -> Found:
    """A path by each of `METHODS` for each pair, with the angle predicted and read at each of its `STEPS`.

    Raises:
        MinimumNotFound: the convex part of the head has none, or it is not found.
    """
    convex, monotone = (_double(part) for part in model.head.children())
    lowest = minimum(convex, torch.zeros(_latent(model, test), dtype=torch.float64))
    columns: dict[str, list[float | int | str]] = {}
    pictures, ends, low = [], [], 0
    for number, pair in enumerate(chosen):
        progress(f"path {number + 1}/{len(chosen)}")
        own, codes = _ends(model, test, pair)
        try:
            tracks = _tracks(convex, monotone, lowest.point, codes.double().cpu(), pair.angle / DEGREES)
        except LevelNotReached:
            low += 1
            continue
        for method, track in tracks.items():
            shown, rows = _followed(model, reader, monotone, convex, track)
            _add(columns, rows | _named(number, pair, method, test))
            pictures += [shown] * (number < SHOWN)
        ends += [own] * (number < SHOWN)
    metrics: dict[str, float | int | str] = {
        "minimum_angle": DEGREES * float(monotone(torch.tensor(lowest.value, dtype=torch.float64))),
        "minimum_norm": float(lowest.point.norm()),
        "pairs": len(chosen) - low,
        "pairs_below_minimum": low,
    }
    tensors = {"paths": torch.stack(pictures).unflatten(0, (-1, len(METHODS))), "ends": torch.stack(ends)}
    return Found(metrics, {"paths": columns}, tensors if pictures else {})


def _double(module: nn.Module) -> nn.Module:
    """A copy in float64 on the CPU."""
    return deepcopy(module).double().cpu()


@torch.no_grad()
def _latent(model: GenerativeModel, test: Upright) -> int:
    angle = torch.zeros(1, device=test.images.device)
    return model.encode(test.turned(angle, test.labels.new_zeros(1)).float() / 255).shape[1]


@torch.no_grad()
def _ends(model: GenerativeModel, test: Upright, pair: Pair) -> tuple[Tensor, Tensor]:
    """The two turned images and their reconstructions, (2, 2, side, side) uint8, and their codes (2, k)."""
    rows = torch.tensor([pair.first, pair.second], device=test.images.device)
    turned = test.turned(torch.full((2,), pair.angle / DEGREES, device=rows.device), rows)
    codes = model.encode(turned.float() / 255)
    return torch.stack([turned, _bytes(model.decoder(codes))]).cpu(), codes


def _tracks(
    convex: nn.Module, monotone: nn.Module, centre: Tensor, codes: Tensor, angle: float
) -> Mapping[str, Tensor]:
    """By method, `STEPS` codes from one end to the other, (STEPS, k); both ends are on the level set."""
    level_set = LevelSet(convex, level_before(monotone, angle), centre)
    a, b = level_set.retract(codes)
    found = level_set.interpolate(a, b, STEPS), straight(a, b, STEPS), angles_alone(centre, a, b, STEPS)
    return dict(zip(METHODS, found, strict=True))


@torch.no_grad()
def _followed(
    model: GenerativeModel, reader: nn.Module, monotone: nn.Module, convex: nn.Module, track: Tensor
) -> tuple[Tensor, dict[str, list[float | int | str]]]:
    """The pictures along a path, (STEPS, side, side) uint8, and what is seen at each step, in degrees."""
    decoded = model.decoder(track.to(next(model.parameters())))
    seen = {
        "predicted": monotone(convex(track)),
        "cycled": model.predict(decoded),
        "read": reader(decoded),
    }
    rows: dict[str, list[float | int | str]] = {n: (DEGREES * v.cpu()).tolist() for n, v in seen.items()}
    return _bytes(decoded).cpu(), {"step": list(range(len(track))), **rows}


def _named(number: int, pair: Pair, method: str, test: Upright) -> dict[str, list[float | int | str]]:
    """What is the same at every step of a path."""
    first, second = (test.names[int(test.labels[row])] for row in (pair.first, pair.second))
    same: dict[str, float | int | str] = {
        "pair": number,
        "method": method,
        "angle": pair.angle,
        "first": first,
        "second": second,
    }
    return {name: [value] * STEPS for name, value in same.items()}


def _add(columns: dict[str, list[float | int | str]], rows: Mapping[str, list[float | int | str]]) -> None:
    for name, values in rows.items():
        columns.setdefault(name, []).extend(values)


def _bytes(pictures: Tensor) -> Tensor:
    return (255 * pictures).round().clamp(0, 255).to(torch.uint8)
