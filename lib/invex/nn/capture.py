"""One training step as a CUDA graph: captured once, replayed with new examples."""

from collections.abc import Callable

import torch
from torch import Generator, Tensor
from torch.optim import Optimizer


class Captured:
    """A step that takes row numbers and returns a tensor, captured at its fourth call.

    The first three run as they are, on a stream of their own, since libraries choose their kernels there;
    they are ordinary updates and count as such.

    Args:
        step: of row numbers (batch,); everything in it stays on the device.
        generator: that it draws from.
    """

    def __init__(self, step: Callable[[Tensor], Tensor], generator: Generator) -> None:
        self.step, self.generator = step, generator
        self.stream = torch.cuda.Stream(generator.device)
        self.calls = 0
        self.graph: torch.cuda.CUDAGraph | None = None
        self.rows = self.result = torch.empty(0)

    def __call__(self, rows: Tensor) -> Tensor:
        """The step's result for these rows; copied, since a replay writes over it."""
        self.calls += 1
        if self.graph is None and self.calls <= 3:
            return self._warm(rows)
        if self.graph is None:
            self._capture(rows)
        assert self.graph is not None
        self.rows.copy_(rows)
        self.graph.replay()
        return self.result.clone()

    def _warm(self, rows: Tensor) -> Tensor:
        current = torch.cuda.current_stream(rows.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            result = self.step(rows)
        current.wait_stream(self.stream)
        return result

    def _capture(self, rows: Tensor) -> None:
        """Capturing runs nothing: the first replay follows at once."""
        self.rows = rows.clone()
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.generator)
        with torch.cuda.graph(self.graph):
            self.result = self.step(self.rows)


def prepared(optimiser: Optimizer, device: torch.device) -> None:
    """Make an optimiser one whose step can be captured: its rates become tensors on the device."""
    for group in optimiser.param_groups:
        if "capturable" in group:
            group["capturable"] = True
        group["lr"] = torch.as_tensor(group["lr"], dtype=torch.float32).to(device)
    for entries in optimiser.state.values():
        if isinstance(entries.get("step"), Tensor):
            entries["step"] = entries["step"].to(device)
