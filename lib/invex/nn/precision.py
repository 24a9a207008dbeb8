"""What arithmetic costs on this machine: which precision of products is faster, and denormals kept away."""

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

OMP_PAUSE_HARD = 2  # OpenMP 5.0, Sec. 3.2.44


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Denormal results are zero inside, in every thread that torch computes with.

    Moments of dead units decay into denormals, which are slow and, by rounding, never reach zero. The
    setting belongs to a thread, and threads inherit it from the one that starts them. So torch's idle workers
    are ended, and its next parallel operation starts others; where the threads of OpenMP cannot be ended, the
    calling thread alone flushes.
    """
    before = torch.full((1,), 1e-40).mul(1.0).view(torch.int32).item() == 0
    _flush(True)
    try:
        yield
    finally:
        _flush(before)


def _flush(denormals: bool) -> None:
    torch.set_flush_denormal(denormals)
    end_workers = getattr(ctypes.pythonapi, "omp_pause_resource_all", None)
    if end_workers is not None:
        end_workers(OMP_PAUSE_HARD)


def faster_precision(shape: tuple[int, int, int, int], device: torch.device | str) -> torch.dtype:
    """bfloat16 where this machine trains a layer at least a fifth faster with it, else float32.

    Times the three products of a layer, and the copies that bfloat16 costs, for `shape` (networks, batch,
    out, in): the best of seven turns of each.
    """
    networks, batch, out, into = shape
    weight = torch.ones(networks, out, into, device=device)
    x, delta = (torch.ones(networks, batch, size, device=device) for size in (into, out))
    best = dict.fromkeys((torch.float32, torch.bfloat16), float("inf"))
    for turn in range(8):
        for dtype in best:
            taken = _seconds(lambda: _products(weight, x, delta, dtype), x.device)  # noqa: B023
            best[dtype] = min(best[dtype], taken if turn else float("inf"))
    return torch.bfloat16 if best[torch.bfloat16] < 0.8 * best[torch.float32] else torch.float32


def _products(weight: Tensor, x: Tensor, delta: Tensor, dtype: torch.dtype) -> None:
    w, x, delta = weight.to(dtype), x.to(dtype), delta.to(dtype)
    x @ w.mT, delta @ w, (delta.mT @ x).to(weight.dtype)


def _seconds(call: Callable[[], None], device: torch.device) -> float:
    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    wait()
    start = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - start
