"""Paired timing of two procedures in one process, and the limits of the machine they run on.

A bench is a file `benchmarks/<name>.py` with `rows(full: bool) -> Iterator[dict]`; README.md says what
a row means.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch

KEYS = (
    *("bench", "case", "peer", "ratio", "ratio_min", "ratio_max"),
    *("unit", "ours", "theirs", "limit", "limit_of", "error"),
)


@dataclass(frozen=True)
class Timing:
    """Seconds of each call in order of time; `ours[i]` and `theirs[i]` ran one after the other."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...] = ()

    def ratios(self, scale: float = 1.0) -> list[float]:
        """Their time over ours, pair by pair; `scale` makes up for a peer timed on a part of the work."""
        return [scale * theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=False)]


def synchronise() -> None:
    """Wait for the accelerator, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call, with the accelerator's queue emptied before and after."""
    synchronise()
    start = time.perf_counter()
    call()
    synchronise()
    return time.perf_counter() - start


def paired(
    ours: Callable[[], object],
    theirs: Callable[[], object] | None = None,
    *,
    pairs: int = 5,
    least: float = 0.2,
) -> Timing:
    """Time two procedures in turn, after a warm-up of each: at least `pairs` times and `least` s of ours."""
    calls = [call for call in (ours, theirs) if call is not None]
    for call in calls:
        call()
    times: list[list[float]] = [[] for _ in calls]
    while len(times[0]) < pairs or (sum(times[0]) < least and len(times[0]) < 10 * pairs):
        for call, taken in zip(calls, times, strict=True):
            taken.append(seconds(call))
    return Timing(*(tuple(taken) for taken in times))


def case(**words: object) -> str:
    """The case of a row as `key=value` words, which `fields` reads back: `width=784 dtype=float32`."""
    return " ".join(f"{key}={value}" for key, value in words.items())


def fields(text: str) -> dict[str, str]:
    """The words of `case`."""
    return dict(word.split("=", 1) for word in text.split())


def row(
    bench: str,
    case: str,
    peer: str | None,
    timing: Timing,
    *,
    unit: str,
    work: float = 1.0,
    their_work: float | None = None,
    limit: float | None = None,
    limit_of: str = "",
    error: float,
    tolerance: float,
) -> dict[str, object]:
    """One row of a bench.

    `work` is how much one call of ours does (points, steps), `their_work` one call of theirs (default: the
    same). With a unit that ends in `/s`, `ours`, `theirs` and `limit` are rates; with any other they are
    milliseconds for one unit of work. `error` says how far the two sides disagree; above `tolerance`, or not
    a number, the row is an error and has no ratio.
    """
    their_work = work if their_work is None else their_work
    if not error <= tolerance:
        return failed(bench, case, peer, f"the two sides differ by {error:.3g}, allowed {tolerance:.3g}")
    ratios = timing.ratios(work / their_work)
    spread = (statistics.median(ratios), min(ratios), max(ratios)) if ratios else (None, None, None)
    speeds = (_speed(timing.ours, work, unit), _speed(timing.theirs, their_work, unit))
    values = (bench, case, peer, *spread, unit, *speeds, limit, limit_of, error)
    return dict(zip(KEYS, values, strict=True))


def _speed(times: tuple[float, ...], work: float, unit: str) -> float | None:
    if not times:
        return None
    middle = statistics.median(times)
    return work / middle if unit.endswith("/s") else 1e3 * middle / work


def failed(bench: str, case: str, peer: str | None, why: str) -> dict[str, object]:
    """A row whose check failed or that could not be run: the reason stands in place of the numbers."""
    return dict.fromkeys(KEYS) | {"bench": bench, "case": case, "peer": peer, "error": why}


def gemm_rate(m: int, k: int, n: int, dtype: torch.dtype = torch.float32, device: str = "cpu") -> float:
    """Floating-point operations per second of an (m, k) x (k, n) product: the best of several long runs.

    The better of two layouts of the result, rows or columns in one piece.
    """
    a, b = torch.randn(m, k, device=device).to(dtype), torch.randn(k, n, device=device).to(dtype)
    inner = max(1, round(0.02 / max(seconds(lambda: a @ b), 1e-7)))

    def products(out: torch.Tensor) -> None:
        for _ in range(inner):
            torch.mm(a, b, out=out)

    taken = min(best(partial(products, out)) for out in (a.new_empty(m, n), a.new_empty(n, m).T))
    return 2.0 * m * k * n * inner / taken


def bandwidth(device: str = "cpu", megabytes: int = 256) -> float:
    """Bytes per second that a copy between arrays of this size moves, read and write counted."""
    source = torch.zeros(megabytes << 18, device=device)
    target = torch.empty_like(source)
    return 8.0 * source.numel() / min(_repeat(lambda: target.copy_(source)))


def best(call: Callable[[], object], least: float = 0.2) -> float:
    """Least wall time of repeated calls: what the machine does when nothing disturbs it, for limits."""
    return min(_repeat(call, least))


def _repeat(call: Callable[[], object], least: float = 0.2) -> Iterator[float]:
    call()
    total, runs = 0.0, 0
    while total < least or runs < 3:
        taken = seconds(call)
        total, runs = total + taken, runs + 1
        yield taken
