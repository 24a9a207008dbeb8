"""The safetensors file beside a record: what is no table (images, decoded samples, small weights)."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invex.lab.errors import WAY_OUT, CorruptRecord, RecordNotWritten

SUFFIX = ".safetensors"
LARGEST, ROOM = 3_000_000, 40_000_000  # bytes of one record's tensors, and of all


def check_size(tensors: Mapping[str, Any]) -> None:
    """Refuse tensors that are too large to lie beside a record.

    Raises:
        ValueError: with their size and what it may be.
    """
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if size > LARGEST:
        raise ValueError(
            f"tensors of {size / 1e6:.1f} MB beside a record, at most {LARGEST / 1e6:g} MB: keep fewer, or "
            "in a smaller type (uint8 for images, float16 for weights)"
        )


def check_room(folder: Path, path: Path, size: int) -> None:
    """Refuse a file with which those of all records would be too large.

    Raises:
        RecordNotWritten: with the size and the limit.
    """
    total = size + sum(p.stat().st_size for p in folder.glob(f"*/*{SUFFIX}") if p != path)
    if total > ROOM:
        raise RecordNotWritten(
            f"cannot write {path}: the tensors of all records would take {total / 1e6:.1f} MB, at most "
            f"{ROOM / 1e6:g} MB"
        )


def encode(tensors: Mapping[str, Any]) -> bytes:
    """The file's content; empty without tensors."""
    if not tensors:
        return b""
    from safetensors.torch import save

    return bytes(save({name: t.detach().cpu().contiguous() for name, t in sorted(tensors.items())}))


def decode(blob: bytes) -> dict[str, Any]:
    """The tensors, on the CPU."""
    from safetensors.torch import load

    return dict(load(blob))


def digest(blob: bytes) -> str:
    """SHA-256 of the file."""
    return hashlib.sha256(blob).hexdigest()


def read(path: Path | None, sha256: str) -> bytes:
    """The content of a file that hashes to what its record says.

    Raises:
        CorruptRecord: it is missing, or another.
    """
    if path is None or not path.exists():
        raise CorruptRecord(f"{path}: the record's tensors are missing; {WAY_OUT}")
    blob = path.read_bytes()
    if digest(blob) != sha256:
        raise CorruptRecord(f"{path}: not the tensors that its record was written with; {WAY_OUT}")
    return blob


def strays(folder: Path, experiment: str) -> list[str]:
    """Files of tensors whose record is gone, a sentence each."""
    found = sorted(folder.glob(f"{experiment}/*{SUFFIX}"))
    lost = [path for path in found if not path.with_suffix(".json").exists()]
    return [f"{path}: tensors without their record; delete them" for path in lost]
