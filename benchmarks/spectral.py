"""What keeping a residual network of 21 blocks contractive costs: its training step against a free network's.

Both steps are the same but for the normalised weights and the power iteration after the update, so that the
ratio is the share of the step that is left; 0.85 is the aim. The estimate of the norm must agree with
Lanczos' method to 2 % once the weights stand still.
"""

from collections.abc import Callable, Iterator

import torch
from invex.nn import lipschitz
from invex.nn.residual_classifier import ResidualClassifier
from torch import nn
from torch.nn import functional

from benchmarks import harness

BENCH, PEER = "spectral", "the same step without normalisation"


def network(c: float | None, device: str) -> ResidualClassifier:
    """7-7-7 blocks on CIFAR10's shape, squeezed before the first stage."""
    torch.manual_seed(0)
    method = "vanilla" if c is None else "contractive"
    made = ResidualClassifier((3, 32, 32), 10, method=method, c=c, padding=0, squeezed=True).to(device)
    made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return made


def stepper(module: nn.Module, batch: int, device: str) -> Callable[[], None]:
    """One update on fresh images, the power iteration included."""
    optimiser = torch.optim.SGD(module.parameters(), 1e-3, momentum=0.9)
    generator = torch.Generator(device).manual_seed(0)
    where = torch.device(device)

    def step() -> None:
        images = torch.randint(
            0, 256, (batch, 32, 32, 3), generator=generator, device=where, dtype=torch.uint8
        )
        targets = torch.randint(0, 10, (batch,), generator=generator, device=where)
        with torch.autocast(where.type, torch.bfloat16):
            logits = module(images)
        optimiser.zero_grad()
        functional.cross_entropy(logits.float(), targets).backward()
        optimiser.step()
        lipschitz.update_(module)

    return step


def disagreement(module: nn.Module) -> float:
    """Largest relative gap between the estimate of a norm, after 200 more iterations, and the exact norm."""
    lipschitz.update_(module, 200)
    gaps = [1 - layer.sigma().item() / layer.refresh_() for _, layer in lipschitz.contractive_layers(module)]
    return max(map(abs, gaps))


def rows(full: bool) -> Iterator[dict[str, object]]:
    """The rows of the bench: at the batch of the experiments, and with --full at smaller ones."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for batch in (128, 32) if full else (128,):
        ours, theirs = network(0.9, device), network(None, device)
        timing = harness.paired(
            stepper(ours, batch, device), stepper(theirs, batch, device), pairs=7 if full else 3
        )
        words = harness.case(blocks=21, batch=batch, c=0.9)
        yield harness.row(BENCH, words, PEER, timing, unit="ms", error=disagreement(ours), tolerance=0.02)
