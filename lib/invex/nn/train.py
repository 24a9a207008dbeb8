"""The trainer of every classifier of the book: many networks at once, nothing leaving the device on the way.

What makes it fast: examples stay on the device as they are stored; each layer is updated as soon as its
gradient is known, while both are in the cache; positivity is restored after the update, not in every forward
pass; products run in bfloat16 where a short measurement finds that faster (masters stay in their own dtype).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.optim.adam import adam

from invex.nn.classifier import Classifier
from invex.nn.precision import faster_precision, flushed_denormals
from invex.nn.stack import Stack, select

ORDER = 2**32  # the order of examples and the initial weights of one seed are different streams


@dataclass(frozen=True)
class Settings:
    """How to train: by default as Hoedt & Klambauer (2023), Sec. 5.1.

    Attributes:
        validation: share of the examples held out, drawn for each seed.
        precision: "float32", "bfloat16" (products alone), or "auto", the faster one on this machine.
    """

    epochs: int = 10
    batch: int = 64
    rate: float = 1e-3
    weight_decay: float = 0.0
    validation: float = 0.1
    precision: str = "auto"


@dataclass(frozen=True)
class Examples:
    """Inputs (n, d) of any dtype and targets (n,) on one device; a network sees inputs * scale + shift."""

    inputs: Tensor
    targets: Tensor
    scale: Tensor
    shift: Tensor

    def __len__(self) -> int:
        return len(self.inputs)

    def batch(self, index: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Inputs (B, n, d) and targets (B, n) of the examples at `index` (B, n)."""
        rows = self.inputs.index_select(0, index.flatten()).to(self.scale.dtype)
        x = torch.addcmul(self.shift, rows, self.scale).to(dtype)
        return x.view(*index.shape, x.shape[1]), self.targets[index]


@dataclass
class Run:
    """One trained network.

    Attributes:
        losses: mean loss of every batch, (steps,); on the CPU once training has ended.
        validation: loss and accuracy on the held-out examples after each epoch, (epochs, 2); likewise.
        failed: the step at which the loss was not finite (the number of steps, where only the last update
            made it so); the network is as it was at the end of the epoch before.
        precision: dtype of the products.
    """

    network: Classifier
    generator: Generator
    fitted: Tensor
    held_out: Tensor
    precision: torch.dtype
    losses: Tensor
    validation: Tensor
    failed: int | None = None


@torch.no_grad()
def train(
    networks: Sequence[Classifier],
    seeds: Sequence[int],
    examples: Examples,
    settings: Settings = Settings(),
    progress: Callable[[str], None] = lambda text: None,
) -> list[Run]:
    """Train classifiers of equal sizes side by side with Adam on the summed cross-entropy of each batch.

    `seeds[i]` decides the held-out examples and the order of the others for `networks[i]`, whatever trains
    beside it. Networks are trained in place and must be on the device of the examples. One whose loss stops
    being finite fails alone. On a CPU they are trained in as many stacks as the cache needs.
    """
    device = examples.inputs.device
    size = _stack_size(networks, device)
    with flushed_denormals():
        precision = _precision(settings, networks[:size], examples)
        runs = [_start(*pair, examples, settings, precision) for pair in zip(networks, seeds, strict=True)]
        for first in range(0, len(runs), size):
            _train_stack(runs[first : first + size], examples, settings, progress)
    return runs


def _stack_size(networks: Sequence[Classifier], device: torch.device) -> int:
    """How many networks to train in one stack, so that the stacks are of about equal size."""
    at_once = networks_at_once(networks[0], device) if device.type == "cpu" else len(networks)
    return math.ceil(len(networks) / math.ceil(len(networks) / at_once))


def _train_stack(
    runs: Sequence[Run], examples: Examples, settings: Settings, progress: Callable[[str], None]
) -> None:
    going = sorted(runs, key=lambda run: run.network.kind)
    stack = Stack([run.network for run in going], going[0].precision)
    optimiser = Adam(stack, settings.rate, settings.weight_decay)
    for epoch in range(settings.epochs):
        losses = _epoch(stack, optimiser, examples, _shuffled(going), settings.batch)
        held_out = evaluate(stack, examples, torch.stack([run.held_out for run in going]))
        for run, curve, point in zip(going, losses.T, held_out, strict=True):
            run.losses = torch.cat([run.losses, curve])
            run.validation = torch.cat([run.validation, point[None]])
        going = _drop_failed(going, stack, optimiser)
        stack.unload()
        progress(f"epoch {epoch + 1}/{settings.epochs}, loss {losses[-1].median().item():.3g}")
        if not going:
            break
    for run in runs:
        run.losses, run.validation = run.losses.cpu(), run.validation.cpu()


def _start(
    network: Classifier, seed: int, examples: Examples, settings: Settings, precision: torch.dtype
) -> Run:
    device = examples.inputs.device
    generator = Generator(device).manual_seed(ORDER + seed)
    order = torch.randperm(len(examples), generator=generator, device=device)
    held_out, fitted = order.tensor_split([round(settings.validation * len(examples))])
    empty = torch.empty(0, device=device)
    return Run(network, generator, fitted, held_out, precision, empty, empty.view(0, 2))


def _shuffled(runs: Sequence[Run]) -> Tensor:
    """The examples to fit in a fresh order for each run, (B, n)."""
    device = runs[0].fitted.device
    orders = [torch.randperm(len(r.fitted), generator=r.generator, device=device) for r in runs]
    return torch.stack([run.fitted[order] for run, order in zip(runs, orders, strict=True)])


def _epoch(stack: Stack, optimiser: "Adam", examples: Examples, order: Tensor, batch: int) -> Tensor:
    """One pass over the examples in the order (B, n); mean loss of every batch, (steps, B)."""
    losses = [step(stack, optimiser, *examples.batch(i, stack.precision)) for i in order.split(batch, dim=1)]
    return torch.stack(losses)


def step(stack: Stack, optimiser: "Adam", x: Tensor, targets: Tensor) -> Tensor:
    """Update every network of the stack on its own batch; mean losses (B,) before the update."""
    hidden = stack.forward(x)
    loss, delta = cross_entropy(hidden[-1], targets)
    for layer, gradients in stack.gradients(hidden, delta):
        optimiser.update(layer, gradients)
        stack.settle(layer)
    return loss / targets.shape[1]


def cross_entropy(logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy summed over each batch, (B,), and its derivative by the logits (B, n, classes)."""
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    log_p, at = wide.log_softmax(-1), targets[..., None]
    loss = -log_p.gather(-1, at).sum((1, 2))
    delta = log_p.exp().scatter_add_(-1, at, log_p.new_full((), -1).expand(at.shape))
    return loss, delta.to(logits.dtype)


@torch.no_grad()
def evaluate(stack: Stack, examples: Examples, index: Tensor, chunk: int = 1000) -> Tensor:
    """Mean cross-entropy and accuracy of each network on the examples at `index` (B, n), as (B, 2)."""
    total = stack.groups[0][0].new_zeros(len(index), 2)
    for part in index.split(chunk, dim=1):
        x, targets = examples.batch(part, stack.precision)
        logits = stack.forward(x)[-1]
        total[:, 0] += cross_entropy(logits, targets)[0]
        total[:, 1] += (logits.argmax(-1) == targets).sum(1)
    return total / index.shape[1]


def _drop_failed(runs: list[Run], stack: Stack, optimiser: "Adam") -> list[Run]:
    """Leave out the runs whose loss was not finite, noting the step; looked at once an epoch.

    After the last update of an epoch the loss on the held-out examples, where there are any, stands for the
    next batch.
    """
    curves = [torch.cat([r.losses, r.validation[-1:, 0]]) if len(r.held_out) else r.losses for r in runs]
    finite = torch.stack(curves).isfinite()
    for run, steps in zip(runs, finite.cumprod(1).sum(1).tolist(), strict=True):
        run.failed = steps if steps < finite.shape[1] else None
    places = [i for i, run in enumerate(runs) if run.failed is None]
    if len(places) < len(runs):
        stack.keep(places)
        optimiser.keep(places)
    return [runs[i] for i in places]


class Adam:
    """Adam (Kingma & Ba, 2015) on the groups of a stack, one fused call each; L2 penalty in the gradient."""

    def __init__(self, stack: Stack, rate: float = 1e-3, weight_decay: float = 0.0) -> None:
        self.stack, self.rate, self.weight_decay = stack, rate, weight_decay
        self.means, self.squares = ([[*map(torch.zeros_like, g)] for g in stack.groups] for _ in range(2))
        self._divide([0.0] * len(stack.groups))

    def _divide(self, counts: Sequence[float]) -> None:
        """What the fused kernel is given for each layer: parameters, moments, and steps taken, in parts."""
        groups = zip(self.stack.groups, self.means, self.squares, strict=True)
        self.parts = [[_parts(tensors) for tensors in group] for group in groups]
        self.steps = [
            [torch.full((), count, device=part.device) for part in parameters]
            for (parameters, *_), count in zip(self.parts, counts, strict=True)
        ]

    def update(self, layer: int, gradients: list[Tensor]) -> None:
        """Change the parameters of one layer."""
        parameters, *moments = self.parts[layer]
        adam(
            *(parameters, _parts(gradients), *moments, [], self.steps[layer]),
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.rate,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
        )

    def keep(self, places: Sequence[int]) -> None:
        """Go on with the networks at these places alone; `Stack.keep` was called before."""
        for state in (self.means, self.squares):
            state[:] = [select(group, places) for group in state]
        self._divide([float(steps[0]) for steps in self.steps])


def _parts(tensors: Sequence[Tensor]) -> list[Tensor]:
    """On a CPU network by network: how the fused kernel rounds depends on where a tensor ends."""
    if tensors[0].device.type != "cpu" or len(tensors[0]) == 1:
        return [tensor for tensor in tensors if len(tensor)]
    return [part for tensor in tensors for part in tensor.unbind()]


def networks_at_once(network: Classifier, device: torch.device | str) -> int:
    """How many networks like this one to put into a stack on this device.

    On a CPU as many as stay in the cache with their gradients and moments (a wide one alone); on a GPU as
    many as fill three quarters of the free memory.
    """
    state = 20 * sum(p.numel() for p in network.parameters())
    room = 0.75 * torch.cuda.mem_get_info(device)[0] if torch.device(device).type == "cuda" else 16e6
    return max(1, int(room / state))


def _precision(settings: Settings, networks: Sequence[Classifier], examples: Examples) -> torch.dtype:
    """What to compute products in: as the settings say, or what trains a quarter of the networks faster."""
    master = networks[0].layers[0].weight.dtype
    if settings.precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[settings.precision]
    if master != torch.float32:
        return master
    some, device = networks[: math.ceil(len(networks) / 4)], examples.inputs.device
    first = torch.arange(len(some) * settings.batch, device=device) % len(examples)
    index = first.view(len(some), settings.batch)

    def steps(precision: torch.dtype) -> Callable[[], None]:
        stack = Stack(some, precision)
        optimiser = Adam(stack)

        def three() -> None:
            for _ in range(3):
                step(stack, optimiser, *examples.batch(index, precision))

        return three

    return faster_precision(steps(torch.float32), steps(torch.bfloat16), device)
