"""Ten seeds of four methods trained as one stack, against one network after another.

The same trainer on both sides. Every curve of the stack is compared with that of its own single run over
200 steps. On a CPU at width 784 one seed is timed, over 20 steps: a network fills the cache there, and the
book's runs are made one at a time.
"""

from collections.abc import Iterator

import torch
from invex.nn.classifier import METHODS, Classifier
from invex.nn.train import Examples, Settings, train
from torch import Tensor

from benchmarks import harness
from benchmarks.icnn_step import BATCH, LIMIT, examples, limit, make

BENCH, PEER = "icnn-seeds", "one network after another"
Case = tuple[str, int]
STEPS_AN_EPOCH = 20


def rows(full: bool) -> Iterator[dict[str, object]]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    yield row(64, range(10), device)
    yield row(784, range(10 if device == "cuda" or full else 1), device)


def row(width: int, seeds: range, device: str) -> dict[str, object]:
    cases = [(method, seed) for seed in seeds for method in METHODS]
    data = examples(width, device, STEPS_AN_EPOCH * BATCH)
    timed = [make(method, width, seed=seed).to(device) for method, seed in cases]
    timing = harness.paired(lambda: curves(timed, cases, data, 1), lambda: alone(timed, cases, data, 1))
    checked = 10 if width == 64 or device == "cuda" else 1
    first, second = ([make(m, width, seed=seed).to(device) for m, seed in cases] for _ in range(2))
    pair = curves(first, cases, data, checked), alone(second, cases, data, checked)
    error = max(float(((a - b).abs() / b.clamp(min=1)).max()) for a, b in zip(*pair, strict=True))
    words = {"width": width, "layers": 5, "networks": len(cases), "compared_steps": checked * STEPS_AN_EPOCH}
    return harness.row(
        BENCH, harness.case(**words), PEER, timing, unit="ms", work=STEPS_AN_EPOCH * len(cases),
        limit=limit(width, 5, BATCH, torch.float32, device), limit_of=LIMIT, error=error, tolerance=1e-4,
    )  # fmt: skip


def alone(networks: list[Classifier], cases: list[Case], data: Examples, epochs: int) -> list[Tensor]:
    """Curves of these networks, trained one after another."""
    one_by_one = zip(networks, cases, strict=True)
    return [curves([network], [case], data, epochs)[0] for network, case in one_by_one]


def curves(networks: list[Classifier], cases: list[Case], data: Examples, epochs: int) -> list[Tensor]:
    """Curves of these networks, trained together."""
    settings = Settings(epochs=epochs, validation=0.0, precision="float32")
    return [run.losses for run in train(networks, [seed for _, seed in cases], data, settings)]
