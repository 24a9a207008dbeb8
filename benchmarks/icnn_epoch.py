"""An epoch on MNIST-sized data, against a DataLoader with two workers and a transform a sample.

Both sides take the same examples in the same order; the DataLoader keeps its workers between epochs. Timed on
6,400 of the 59,968 examples unless --full; then from three starts of both sides, since the median ratio of
one start differs from that of another by up to a twentieth. Checked on 6,400, with skip connections, since
the timed network hardly learns in that time: for the row in float32 the largest difference of the losses,
both sides in float64, as rounding alone parts them otherwise; with bfloat16 the difference of the means over
the last 50 steps, as a share of the loss.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import astuple
from itertools import chain

import torch
from invex.nn import train
from invex.nn.precision import flushed_denormals
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks import harness
from benchmarks.icnn_step import BATCH, CLASSES, LIMIT, examples, faster, limit, make, master, pair

BENCH, WIDTH, CHECKED = "icnn-epoch", 784, 6_400
PEER = "the published recipe with a DataLoader of two workers"


class PerSample(Dataset[tuple[Tensor, Tensor]]):
    """Examples scaled one by one, as image transforms do."""

    def __init__(self, data: train.Examples) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        data = self.data
        return data.inputs[i].to(data.scale.dtype) * data.scale + data.shift, data.targets[i]


def rows(full: bool) -> Iterator[dict[str, object]]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    data = examples(WIDTH, "cpu", 59_968 if full else CHECKED)
    for dtype in dict.fromkeys((torch.float32, faster(WIDTH, device))):
        yield row(data, dtype, device)


@flushed_denormals()
@torch.no_grad()
def row(data: train.Examples, dtype: torch.dtype, device: str) -> dict[str, object]:
    starts, pairs = (3, 4) if len(data) > CHECKED else (1, 5)
    parts = [harness.paired(*sides(data, dtype, device)[1:], pairs=pairs) for _ in range(starts)]
    timing = harness.Timing(*(tuple(chain(*times)) for times in zip(*map(astuple, parts), strict=True)))
    words = {"examples": len(data), "width": WIDTH, "products": str(dtype).removeprefix("torch.")}
    least = len(data) / BATCH * limit(WIDTH, 5, BATCH, dtype, device)
    error, tolerance = difference(data, dtype, device), 1e-4 if dtype == torch.float32 else 0.05
    return harness.row(
        BENCH, harness.case(**words), PEER, timing, unit="ms", limit=least, limit_of=LIMIT, error=error,
        tolerance=tolerance,
    )  # fmt: skip


def difference(data: train.Examples, dtype: torch.dtype, device: str) -> float:
    """Between the curves of the two sides, as the file's head says; NaN where they have learnt nothing."""
    products = torch.float64 if dtype == torch.float32 else dtype
    scale, shift = (t.to(master(products)) for t in (data.scale, data.shift))
    some = train.Examples(data.inputs[:CHECKED], data.targets[:CHECKED], scale, shift)
    curves, *calls = sides(some, products, device, "ICNN + skip")
    for call in calls:
        call()
    (ours,), (theirs,) = curves
    ends = [curve[-50:].mean() for curve in (ours, theirs)]
    if max(ends) > 0.9 * math.log(CLASSES):
        return math.nan
    if dtype == torch.float32:
        return float(((ours - theirs).abs() / theirs.clamp(min=1)).max())
    return float((ends[0] - ends[1]).abs() / ends[1])


def sides(
    data: train.Examples, dtype: torch.dtype, device: str, method: str = "ICNN"
) -> tuple[tuple[list[Tensor], list[Tensor]], Callable[[], None], Callable[[], None]]:
    """The curves of each side's epochs so far, and an epoch of each."""
    order = torch.randperm(len(data), generator=Generator().manual_seed(0))
    loader = DataLoader(
        PerSample(data), BATCH, sampler=order.tolist(), num_workers=2, persistent_workers=True,
        pin_memory=device == "cuda",
    )  # fmt: skip
    trained, published = pair(make(method, WIDTH).to(device, master(dtype)), dtype)
    curves: tuple[list[Tensor], list[Tensor]] = ([], [])
    resident = train.Examples(*(t.to(device) for t in vars(data).values()))
    index = order.to(device)

    def ours() -> None:
        batches = index.view(-1, 1, BATCH)
        losses = [trained(*resident.batch(i, dtype)) for i in batches]
        curves[0].append(torch.cat(losses))

    def theirs() -> None:
        losses = [published(x.to(device, master(dtype)), y.to(device)) for x, y in loader]
        curves[1].append(torch.stack(losses))

    return curves, ours, theirs
