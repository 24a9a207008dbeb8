"""A training step of an input-convex classifier, against the recipe as published.

Five constrained layers. Both sides draw a fresh batch of 64 from the same examples in the same order and
start from the same weights. At width 784 the losses of the timed network are compared in float32 over 200
steps, along the curves over 50 (10 at batch 16). At width 3,072, and for a network with skip connections,
which learns for longer, rounding alone parts the two sides beyond 1e-4: there they are compared in float64,
over 200 steps as well (5 and 50 without --full). Principled weights are left out: from them training is
chaotic, and torch's own two Adams differ by a tenth after 200 steps. With bfloat16, where steps are faster
with it on this machine (else there is no such row), the mean loss of the last 40 of 120 steps of networks
with skip connections is compared over three seeds, in units of their spread.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count

import torch
from invex.data import images
from invex.nn import train
from invex.nn.classifier import Classifier, classifier
from invex.nn.precision import faster_precision, flushed_denormals
from invex.nn.stack import Stack
from torch import Generator, Tensor

from benchmarks import harness
from benchmarks.published import Published

BENCH, PEER, BATCH, CLASSES = "icnn-step", "the published recipe", 64, 10
LIMIT = "products at the GEMM rate, then Adam's state at the memory bandwidth"
Step = Callable[[], Tensor]
OnBatch = Callable[[Tensor, Tensor], Tensor]


def rows(full: bool) -> Iterator[dict[str, object]]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for dtype in dict.fromkeys((torch.float32, faster(784, device))):
        bfloat16 = dtype == torch.bfloat16
        check = shift(784, dtype, device) if bfloat16 else agreement(784, 200 if full else 50, device)
        tolerance = 1 if bfloat16 else 1e-4
        yield row(784, 5, dtype, device, pairs=31 if full else 11, error=check, tolerance=tolerance)
    check = divergence(3072, 200 if full else 5, device, dtype=torch.float64)
    yield row(3072, 5, torch.float32, device, error=check, tolerance=1e-4)
    if full:
        yield from curves(device)


def agreement(width: int, steps: int, device: str) -> float:
    """`divergence` in float32 over 200 steps, and with skip connections in float64 over `steps`."""
    skip = divergence(width, steps, device, method="ICNN + skip", dtype=torch.float64)
    return max(divergence(width, 200, device), skip)


@flushed_denormals()
@torch.no_grad()
def faster(width: int, device: str) -> torch.dtype:
    """bfloat16 where ten steps are at least a fifth faster with it, else float32."""
    types = (torch.float32, torch.bfloat16)
    steps = [sides(make("ICNN", width).to(device), examples(width, device, 2048), d)[0] for d in types]
    return faster_precision(*(lambda s=s: [s() for _ in range(10)] for s in steps), device)


def curves(device: str) -> Iterator[dict[str, object]]:
    """The cost of a step against width, depth and batch; checked at the sizes above."""
    for width in (128, 256, 512, 1024, 2048):
        yield row(width, 5, torch.float32, device, error=divergence(width, 50, device), tolerance=1e-4)
    for hidden in (1, 3, 7, 11):
        error = divergence(784, 50, device, hidden=hidden)
        yield row(784, hidden, torch.float32, device, error=error, tolerance=1e-4)
    for batch in (16, 256, 1024):
        error = divergence(784, 50 if batch >= BATCH else 10, device, batch=batch)
        yield row(784, 5, torch.float32, device, batch=batch, error=error, tolerance=1e-4)


@flushed_denormals()
@torch.no_grad()
def row(
    width: int,
    hidden: int,
    dtype: torch.dtype,
    device: str,
    *,
    batch: int = BATCH,
    pairs: int = 5,
    **check: float,
) -> dict[str, object]:
    network = make("ICNN", width, hidden).to(device, master(dtype))
    ours, theirs = sides(network, examples(width, device), dtype, batch)
    steps = max(1, round(20 * (784 / width) ** 2 * BATCH / batch))
    timing = harness.paired(
        lambda: [ours() for _ in range(steps)], lambda: [theirs() for _ in range(steps)], pairs=pairs
    )
    words = {"width": width, "layers": hidden, "batch": batch, "products": str(dtype).removeprefix("torch.")}
    return harness.row(
        BENCH,
        harness.case(**words),
        PEER,
        timing,
        unit="ms",
        work=steps,
        limit=limit(width, hidden, batch, dtype, device),
        limit_of=LIMIT,
        **check,
    )


def master(dtype: torch.dtype) -> torch.dtype:
    """Type of the parameters where products are of some type."""
    return torch.promote_types(dtype, torch.float32)


def limit(width: int, hidden: int, batch: int, dtype: torch.dtype, device: str) -> float:
    """Milliseconds that a step takes at the least: its products, and seven numbers a parameter for Adam.

    Adam reads parameter, gradient and two moments and writes all but the gradient.
    """
    shapes = ((batch, width, width), (width, batch, width))
    rate = max(harness.gemm_rate(*shape, dtype, device) for shape in shapes)
    parameters = width * (width * hidden + CLASSES)
    speed = harness.bandwidth(device, megabytes=max(1, min(256, 6 * parameters >> 20)))
    moved = 7 * master(dtype).itemsize * parameters
    return 1e3 * (operations(width, hidden, batch) / rate + moved / speed)


def operations(width: int, hidden: int, batch: int) -> float:
    """Floating-point operations of the products of a step: three a layer, two in the first."""
    return 2.0 * batch * width * (width * (2 + 3 * (hidden - 1)) + 3 * CLASSES)


def make(method: str, width: int, hidden: int = 5, seed: int = 0) -> Classifier:
    sizes = [width] * (hidden + 1) + [CLASSES]
    return classifier(sizes, method, generator=Generator().manual_seed(seed))


def examples(width: int, device: str, size: int = 16_384) -> train.Examples:
    """Scikit-learn's digits spread over `width` pixels, with noise: as much to learn as MNIST, embedded."""
    digits, generator = images.load("digits"), Generator().manual_seed(0)
    chosen = torch.randint(0, len(digits.labels), (size,), generator=generator)
    pixels = torch.as_tensor(digits.images).flatten(1)[:, torch.arange(width) * 64 // width][chosen]
    noise = torch.randint(-60, 60, pixels.shape, generator=generator, dtype=torch.int16)
    inputs, targets = (pixels + noise).clamp(0, 255).to(torch.uint8), torch.as_tensor(digits.labels)[chosen]
    scale, shift = torch.full((width,), 1 / 96), torch.full((width,), -0.8)
    return train.Examples(*(t.to(device) for t in (inputs, targets, scale, shift)))


def pair(network: Classifier, dtype: torch.dtype) -> tuple[OnBatch, OnBatch]:
    """A training step of each side on inputs and targets, ours with a leading dimension of one network."""
    stack = Stack([network], dtype)
    return partial(train.step, stack, train.Adam(stack)), Published(network).step


def sides(
    network: Classifier, data: train.Examples, dtype: torch.dtype, batch: int = BATCH, seed: int = 0
) -> tuple[Step, Step]:
    """A step of each side on the next batch of the same order; theirs from examples scaled beforehand."""
    device = data.inputs.device
    order = torch.randperm(len(data), generator=Generator().manual_seed(seed)).to(device)
    batches = order[: len(order) // batch * batch].view(-1, 1, batch)
    scaled = torch.addcmul(data.shift, data.inputs.float(), data.scale).to(master(dtype))
    trained, published = pair(network, dtype)
    turn, their_turn = count(), count()

    def ours() -> Tensor:
        index = batches[next(turn) % len(batches)]
        return trained(*data.batch(index, dtype))[0]

    def theirs() -> Tensor:
        index = batches[next(their_turn) % len(batches), 0]
        return published(scaled[index], data.targets[index])

    return ours, theirs


@flushed_denormals()
@torch.no_grad()
def divergence(
    width: int,
    steps: int,
    device: str,
    *,
    hidden: int = 5,
    batch: int = BATCH,
    method: str = "ICNN",
    dtype: torch.dtype = torch.float32,
) -> float:
    """Largest difference of the two losses over `steps` steps, relative where they exceed 1."""
    worst = 0.0
    network = make(method, width, hidden).to(device, dtype)
    data = examples(width, device, min(16_384, steps * batch))
    pair = sides(network, data, dtype, batch)
    for _ in range(steps):
        ours, theirs = (side().item() for side in pair)
        worst = max(worst, abs(ours - theirs) / max(1, theirs))
    return worst


@flushed_denormals()
@torch.no_grad()
def shift(width: int, dtype: torch.dtype, device: str, seeds: int = 3, steps: int = 120) -> float:
    """Difference of the mean final losses of the two sides, in units of the spread of their seeds."""
    ends, data = torch.empty(2, seeds), examples(width, device)
    for seed in range(seeds):
        network = make("ICNN + skip", width, seed=seed).to(device)
        for i, side in enumerate(sides(network, data, dtype, seed=seed)):
            ends[i, seed] = torch.stack([side() for _ in range(steps)])[-40:].mean()
    return float((ends[0].mean() - ends[1].mean()).abs() / (ends[1].max() - ends[1].min()))
