"""Faces as arrays: Olivetti (AT&T Laboratories Cambridge; Samaria & Harter, 1994), and a stand-in.

Images are in canonical order, ascending SHA-256 of (pixels, person), so that a digest and a seeded split do
not depend on the file they came from.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from invex.data.archives import DataError
from invex.data.images import default_folder

NAMES = ("olivetti", "enlarged-digits")
DIGEST = "84cb8cb21da36743d8982eb599d4c8af"


@dataclass(frozen=True)
class Faces:
    """A data set.

    Attributes:
        images: (n, height, width) uint8.
        person: (n,) int64; of the stand-in, the digit.
        name: as given to `load`.
        digest: 32 hex digits over images and persons, the same for every source and order.
    """

    images: np.ndarray
    person: np.ndarray
    name: str
    digest: str


def load(name: str = "olivetti", folder: Path | str | None = None) -> Faces:
    """Load the 400 Olivetti faces, 64 x 64, ten of each of 40 people, or the stand-in "enlarged-digits".

    `folder` holds a sub-folder `olivetti` (or is it) with `olivetti_faces.npz` or the published
    `olivettifaces.mat`; None: `default_folder()`. The stand-in, digits of 32 x 32, comes with scikit-learn.

    Raises:
        DataError: unknown name; no file, a damaged one, or one that does not hold the published faces.
    """
    if name not in NAMES:
        raise DataError(f"no set of faces {name!r}; there are {', '.join(NAMES)}")
    if name == "enlarged-digits":
        return _canonical(*_digits(), name)
    home = Path(folder) if folder else default_folder()
    home = home / name if (home / name).is_dir() else home
    found = _canonical(*_read(home), name)
    if found.digest != DIGEST:
        shape = found.images.shape
        raise DataError(
            f"the file in {home} does not hold the Olivetti faces: {shape}, digest {found.digest}"
        )
    return found


def split(faces: Faces, seed: int, test: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers for training and test, at random: 350 and 50, as in the source."""
    order = np.random.default_rng(seed).permutation(len(faces.images))
    return order[test:], order[:test]


def write(faces: Faces, path: Path) -> None:
    """Write a set in the form that `load` reads."""
    np.savez_compressed(path, faces=faces.images, person=faces.person)


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    readers = {"olivetti_faces.npz": _read_npz, "olivettifaces.mat": _read_mat}
    for file, reader in readers.items():
        if (path := folder / file).exists():
            try:
                return reader(path)
            except (OSError, EOFError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
                raise DataError(
                    f"{path} is damaged ({type(error).__name__}: {error}); get it anew"
                ) from error
    raise DataError(
        f"no olivetti_faces.npz or olivettifaces.mat in {folder}; data_scripts/olivetti.py says where it is"
    )


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return file["faces"], file["person"].astype(np.int64)


def _read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The published matrix: a face a column, its pixels column by column."""
    from scipy.io import loadmat

    columns = loadmat(path)["faces"]
    images = columns.T.reshape(-1, 64, 64).transpose(0, 2, 1)
    return np.ascontiguousarray(images, np.uint8), np.arange(len(images), dtype=np.int64) // 10


def _canonical(images: np.ndarray, person: np.ndarray, name: str) -> Faces:
    if len(images) != len(person) or images.dtype != np.uint8 or images.ndim != 3:
        raise DataError(f"{name}: images {images.shape} {images.dtype}, persons {person.shape}")
    tags = person.astype("<u2")
    keys = [hashlib.sha256(i.tobytes() + t.tobytes()).digest() for i, t in zip(images, tags, strict=True)]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    shape = "x".join(map(str, images.shape)).encode()
    digest = hashlib.sha256(shape + b"".join(keys[i] for i in order)).hexdigest()[:32]
    return Faces(images[order], person[order], name, digest)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images[:400] * (255 / 16)).astype(np.uint8)
    return images.repeat(4, axis=1).repeat(4, axis=2), digits.target[:400].astype(np.int64)
