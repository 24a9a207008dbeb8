"""Where a number comes from: code, versions and hardware, described without naming a machine or a person."""

import os
import platform
import resource
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from invex.lab.closure import PACKAGE, CodeDigest
from invex.lab.errors import Refused, one_of

DEVICES = ("auto", "cpu", "cuda")
PACKAGES = ("torch", "numpy", "scipy", "invex")


def provenance(code: CodeDigest, *, device: str, wall_seconds: float, batch: int) -> dict[str, Any]:
    """Everything a record says of how it was made, except its data.

    `wall_seconds` is the run's share of a batch of `batch` runs that were computed together.
    """
    return {
        "commit": commit(code.files),
        "code": {"digest": code.digest, "module": code.module, "functions": code.functions},
        "versions": versions(),
        "device": hardware(device),
        "wall_seconds": round(wall_seconds, 3),
        "batch": batch,
        "peak_memory_bytes": peak_memory(device),
        "when": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def versions(packages: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Python's version and those of the packages, "absent" where one is not installed."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def commit(files: Iterable[Path] = ()) -> str | None:
    """Commit of the repository around the package, "+" where one of `files` differs; None outside git."""
    head = _git("rev-parse", "HEAD")
    if not head:
        return None
    inside = [str(path) for path in files if path.is_relative_to(PACKAGE)]
    return head + ("+" if inside and _git("status", "--porcelain", "--", *inside) else "")


def hardware(device: str) -> str:
    """Model of the processor that a torch device stands for: "NVIDIA H100", "AMD EPYC 7B13, 2 cores"."""
    if device.startswith("cuda"):
        import torch

        return str(torch.cuda.get_device_name(device))
    model = _proc("cpuinfo", "model name") or platform.processor() or platform.machine()
    return f"{' '.join(model.split())}, {cores()} core{'s' if cores() > 1 else ''}"


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resolve(device: str) -> str:
    """Torch's name of a device; "auto" is the GPU where torch sees one.

    Raises:
        Refused: unknown device, or "cuda" where torch sees none.
    """
    if one_of(DEVICES, "device", device) == "cpu":
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise Refused("torch sees no CUDA device here; use --device cpu or auto")
    return "cpu"


def reset_peak(device: str) -> None:
    """Start measuring peak memory anew, where the system allows."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        return
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: str) -> int:
    """Bytes: peak allocation on a GPU, else the peak resident set of this process since `reset_peak`."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    if peak := _proc("self/status", "VmHWM"):
        return int(peak.split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _proc(file: str, key: str) -> str:
    """What a file of Linux's /proc says first of a key; empty where there is no such file or key."""
    path = Path("/proc", file)
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(PACKAGE), *arguments]
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    return ""
