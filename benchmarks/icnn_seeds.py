"""Ten seeds of four methods given to the trainer together, against one network after another.

The same trainer and the same networks on both sides. Every curve of the stack is compared with that of its
own single run over 200 steps. On a CPU the trainer makes stacks that the cache holds: at width 784 of one
network each, so there the two sides are alike; one seed is timed then (all ten with --full) and compared.
On a GPU products of stacks round otherwise than those of one network, and training from principled weights
amplifies that, at width 784 by up to 1e12 in 200 steps: the curves are compared in float64 there, and the
single networks start every epoch of 20 steps where those of the stack are.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from invex.nn.classifier import METHODS, Classifier
from invex.nn.train import Examples, Settings, train
from torch import Tensor

from benchmarks import harness
from benchmarks.icnn_step import BATCH, LIMIT, examples, limit, make

BENCH, PEER = "icnn-seeds", "one network after another"
Case = tuple[str, int]
STEPS_AN_EPOCH, EPOCHS = 20, 10


def rows(full: bool) -> Iterator[dict[str, object]]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    yield row(64, range(10), device)
    yield row(784, range(10 if device == "cuda" or full else 1), device)


def row(width: int, seeds: range, device: str) -> dict[str, object]:
    cases = [(method, seed) for seed in seeds for method in METHODS]
    data = examples(width, device, STEPS_AN_EPOCH * BATCH)
    timed = networks(cases, width, device)
    timing = harness.paired(lambda: curves(timed, cases, data, 1), lambda: alone(timed, cases, data, 1))
    compared = cases if width == 64 or device == "cuda" else cases[: len(METHODS)]
    dtype = torch.float64 if device == "cuda" else torch.float32
    exact = replace(data, scale=data.scale.to(dtype), shift=data.shift.to(dtype))
    error = difference(compared, width, exact, anew=device == "cuda")
    words = {"width": width, "layers": 5, "networks": len(cases), "compared": len(compared)}
    return harness.row(
        BENCH, harness.case(**words), PEER, timing, unit="ms", work=STEPS_AN_EPOCH * len(cases),
        limit=limit(width, 5, BATCH, torch.float32, device), limit_of=LIMIT, error=error, tolerance=1e-4,
    )  # fmt: skip


def difference(cases: list[Case], width: int, data: Examples, anew: bool) -> float:
    """Largest difference between the curves of a stack and of its networks alone over 200 steps.

    `anew`: every epoch is a training of its own, and the single networks start it from the stack's weights.
    """
    together, single = (
        [net.to(data.scale.dtype) for net in networks(cases, width, str(data.scale.device))] for _ in range(2)
    )
    errors = []
    for _ in range(EPOCHS if anew else 1):
        for theirs, ours in zip(single, together, strict=True):
            theirs.load_state_dict(ours.state_dict())
        pairs = [
            side(nets, cases, data, 1 if anew else EPOCHS)
            for side, nets in ((alone, single), (curves, together))
        ]
        errors += [((a - b).abs() / a.clamp(min=1)).max() for a, b in zip(*pairs, strict=True)]
    return float(torch.stack(errors).max())


def networks(cases: list[Case], width: int, device: str) -> list[Classifier]:
    return [make(method, width, seed=seed).to(device) for method, seed in cases]


def alone(nets: list[Classifier], cases: list[Case], data: Examples, epochs: int) -> list[Tensor]:
    """Curves of these networks, trained one after another."""
    return [curves([net], [case], data, epochs)[0] for net, case in zip(nets, cases, strict=True)]


def curves(nets: list[Classifier], cases: list[Case], data: Examples, epochs: int) -> list[Tensor]:
    """Curves of these networks, trained together."""
    products = "float32" if data.scale.dtype == torch.float32 else "auto"  # as the parameters
    settings = Settings(epochs=epochs, validation=0.0, precision=products)
    return [run.losses for run in train(nets, [seed for _, seed in cases], data, settings)]
