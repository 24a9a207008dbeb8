"""What arithmetic costs on this machine: which precision of products is faster, and denormals kept away."""

import ctypes
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

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


def faster_precision(
    float32: Callable[[], object], bfloat16: Callable[[], object], device: torch.device | str
) -> torch.dtype:
    """bfloat16 where the same work takes at least a fifth less time with it, else float32.

    The best of seven turns of each, after a warm-up.
    """
    wide, narrow = float("inf"), float("inf")
    for call in (float32, bfloat16):
        call()
    for _ in range(7):
        wide = min(wide, _seconds(float32, torch.device(device)))
        narrow = min(narrow, _seconds(bfloat16, torch.device(device)))
    return torch.bfloat16 if narrow < 0.8 * wide else torch.float32


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    wait = torch.cuda.synchronize if device.type == "cuda" else (lambda: None)
    wait()
    start = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - start
