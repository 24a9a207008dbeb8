"""A training step captured as a CUDA graph and replayed, against the same step launched kernel by kernel.

Small networks on a GPU are bound by launches. Both sides are `invex.nn.fit.fit` on the same batches; their
curves over 200 steps are compared. On a CPU there is nothing to capture, and no row.
"""

from collections.abc import Callable, Iterator

import torch
from invex.data import synthetic
from invex.experiments import rosenbrock
from invex.nn.fit import Moment, fit
from invex.nn.vae import objective, project
from torch import Tensor, nn

from benchmarks import harness
from benchmarks.icnn_step import make

BENCH, PEER = "captured-step", "the same step, launched kernel by kernel"
STEPS = 200
Step = tuple[nn.Module, Callable[..., Tensor], tuple[Tensor, ...], int]


def rows(full: bool) -> Iterator[dict[str, object]]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return
    yield row("Rosenbrock", lambda: rosenbrock_step(device))
    yield row("classifier-784", lambda: classifier_step(device))


def row(name: str, start: Callable[[], Step]) -> dict[str, object]:
    timing = harness.paired(lambda: curve(start(), True), lambda: curve(start(), False))
    pair = [curve(start(), capture) for capture in (True, False)]
    error = max(abs(a - b) / max(abs(b), 1.0) for a, b in zip(*pair, strict=True))
    words = harness.case(model=name, steps=STEPS)
    return harness.row(BENCH, words, PEER, timing, unit="ms", work=STEPS, error=error, tolerance=1e-5)


def curve(step: Step, capture: bool) -> list[float]:
    """Mean loss of every ten steps."""
    module, loss, data, batch = step
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-4, fused=True)
    epochs = STEPS * batch // len(data[0])
    done = fit(
        module, loss, data, optimiser, epochs=epochs, batch=batch, capture=capture,
        after_step=lambda: project(module),
    )  # fmt: skip
    return done.curve["loss"]


def rosenbrock_step(device: str) -> Step:
    """The generative model of Nesterov et al. (2022) on 1,600 points, batch 160: ten steps an epoch."""
    model = rosenbrock.build(rosenbrock.CHAPTER).to(device)
    x = synthetic.grid().to(device)

    def loss(batch: tuple[Tensor, ...], moment: Moment) -> Tensor:
        return objective(model.terms(*batch, cycle=False, generator=moment.generator), 0.05, 0.0)

    return model, loss, (x, synthetic.rosenbrock(x)), 160


def classifier_step(device: str) -> Step:
    """A network of five layers of 784 units, batch 64: ten steps an epoch."""
    network = make("non-convex", 784).to(device)
    generator = torch.Generator(device).manual_seed(0)
    x = torch.randn(640, 784, generator=generator, device=device)
    y = torch.randint(10, (640,), generator=generator, device=device)

    def loss(batch: tuple[Tensor, ...], moment: Moment) -> Tensor:
        return nn.functional.cross_entropy(network(batch[0]), batch[1])

    return network, loss, (x, y), 64
