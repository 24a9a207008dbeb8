"""Reading published archives without trusting them: IDX files, tar members and CIFAR's pickles."""

import gzip
import io
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np

ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}


class DataError(ValueError):
    """A data file is missing, damaged or not what it claims to be; the message names it and the way out."""


class _ArrayUnpickler(pickle.Unpickler):
    """Builds plain containers, strings, numbers and NumPy arrays, and refuses every other global."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise DataError(f"refused: the pickle asks for {module}.{name}, which no CIFAR file needs")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def unpickle_arrays(content: bytes) -> Any:
    """Unpickle `content` when it holds nothing but containers, numbers, text and NumPy arrays.

    Raises:
        DataError: the pickle names any other class or function, or is damaged.
    """
    try:
        return _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    except (pickle.UnpicklingError, EOFError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise DataError(f"not a readable pickle: {error}") from error


def tar_members(archive: Path, names: list[str]) -> list[bytes]:
    """Contents of the regular files `names` of a tar.gz, in that order.

    Members are read in memory by their exact name and nothing is ever written, so a hostile path or link in
    the archive has nowhere to lead.

    Raises:
        DataError: the archive is damaged or lacks one of the names.
    """
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                if member.isreg() and member.name in names:
                    found[member.name] = tar.extractfile(member).read()  # type: ignore[union-attr]
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{archive} is damaged ({error}); delete it and run `invex data` again") from error
    if absent := [name for name in names if name not in found]:
        raise DataError(f"{archive} has no regular file {absent[0]}")
    return [found[name] for name in names]


def read_idx(path: Path) -> np.ndarray:
    """Array of bytes in a gzipped IDX file (the format of MNIST): any shape, uint8, writable.

    Raises:
        DataError: the file is truncated, damaged, or of another element type.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (EOFError, OSError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}); delete it and run `invex data` again") from error
    if content[:3] != b"\0\0\x08":
        raise DataError(f"{path} is not an IDX file of bytes")
    shape = np.frombuffer(content, ">u4", count=content[3], offset=4)
    start = 4 + 4 * len(shape)
    if len(content) - start != int(np.prod(shape, dtype=np.int64)):
        raise DataError(f"{path} holds {len(content) - start} bytes, its header says {tuple(shape.tolist())}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
