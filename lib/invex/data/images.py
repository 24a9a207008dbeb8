"""Image sets as arrays in one canonical order, with a digest that is the same for every source.

Canonical order: ascending SHA-256 of (image bytes, label) within a split. The order of the official files is
not used because one recoded source (the CIFAR-10 test images, all of CIFAR-100) does not have it, and because
an order by content makes every subset a subsequence of the whole. It is unrelated to the classes, as the
official orders are; whoever needs randomness permutes with a seeded generator, as with any order.
"""

import csv
import gzip
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from invex.data.archives import DataError, read_idx, tar_members, unpickle_arrays

Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class ImageSet:
    """One split of a data set.

    Attributes:
        images: (n, height, width, channels) uint8.
        labels: (n,) int64; CIFAR-100: the hundred fine labels; patches: the photograph.
        name: data set, as given to `load`.
        digest: 32 hex digits over images and labels, the same for every source and order.
        subset: None for the whole published split, else what the part is ("200 of 500 images a class ...").
    """

    images: np.ndarray
    labels: np.ndarray
    name: str
    split: str
    digest: str
    subset: str | None


@dataclass(frozen=True)
class Published:
    """What is known of a published split: its size, its classes and, where it was seen whole, its digest."""

    size: int
    classes: int
    digest: str | None


PUBLISHED = {
    ("mnist", "train"): Published(60_000, 10, "f5678636adea3e79953f42ae5852a525"),
    ("mnist", "test"): Published(10_000, 10, "308bc487149ab6c4d27591aaeec33f57"),
    ("fashion_mnist", "train"): Published(60_000, 10, "16fde53af6eabd21db4824ea8c3a2538"),
    ("fashion_mnist", "test"): Published(10_000, 10, "a3ddb6a52970297a6978dba3ea09f915"),
    ("cifar10", "train"): Published(50_000, 10, "46fc7c56298e2fcb51abce73cbb47d91"),
    ("cifar10", "test"): Published(10_000, 10, "811e5f90723d65650801f1a5f2d93424"),
    ("cifar100", "train"): Published(50_000, 100, None),
    ("cifar100", "test"): Published(10_000, 100, "c5f4fb4de7555799626638b94d02f159"),
}
STAND_INS = ("digits", "patches")
NAMES = ("mnist", "fashion_mnist", "cifar10", "cifar100", *STAND_INS)


def default_folder() -> Path:
    """Where data lie when no folder is named: $INVEX_DATA, else `invex` in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("INVEX_DATA") or Path(cache) / "invex")


def load(name: str, split: str = "train", folder: Path | str | None = None) -> ImageSet:
    """Load one split ("train" or "test") in canonical order.

    `folder` holds a sub-folder `name` (or is it) with prepared arrays, the official archives, or the recoded
    mosaics with their index; None: `default_folder()`. The stand-ins "digits" and "patches" come with
    scikit-learn and need no folder. Whatever the source, the digest is computed from the arrays at each call.

    Raises:
        DataError: unknown name or split, no files, damaged files, or images that are not the published ones.
    """
    if name not in NAMES or split not in ("train", "test"):
        raise DataError(f"no image set {name!r}, split {split!r}; there are {', '.join(NAMES)}: train, test")
    if name in STAND_INS:
        images, labels, keys = _stand_in(name, split)
    else:
        images, labels, keys = _read(name, split, _home(name, Path(folder) if folder else default_folder()))
    digest = _digest(images, keys)
    return ImageSet(images, labels, name, split, digest, _subset(name, split, labels, digest))


def canonical(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[bytes]]:
    """The same examples in canonical order, and their sort keys; what is in order is not copied."""
    flat = np.ascontiguousarray(images).reshape(len(images), -1)
    tags = labels.astype("<u2")
    keys = [
        hashlib.sha256(row.tobytes() + tag.tobytes()).digest() for row, tag in zip(flat, tags, strict=True)
    ]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    labels = labels.astype(np.int64)
    if order == list(range(len(keys))):
        return images, labels, keys
    return images[order], labels[order], [keys[i] for i in order]


def _digest(images: np.ndarray, keys: list[bytes]) -> str:
    shape = "x".join(map(str, images.shape)).encode()
    return hashlib.sha256(shape + b"".join(keys)).hexdigest()[:32]


def _subset(name: str, split: str, labels: np.ndarray, digest: str) -> str | None:
    known = PUBLISHED.get((name, split))
    if known is None or (len(labels) == known.size and known.digest in (None, digest)):
        return None
    if len(labels) >= known.size:
        raise DataError(
            f"{name} {split}: {len(labels)} images with digest {digest} are not the published ones"
        )
    counts = np.bincount(labels, minlength=known.classes)
    whole = f"{len(labels):,} of {known.size:,} {split} images"
    if counts.min() != counts.max():
        return whole
    return f"{counts[0]} of {known.size // known.classes} {split} images a class ({whole})"


def _home(name: str, folder: Path) -> Path:
    return folder / name if (folder / name).is_dir() else folder


def _read(name: str, split: str, folder: Path) -> tuple[np.ndarray, np.ndarray, list[bytes]]:
    for reader in (_prepared, _idx, _archive, _mosaics):
        try:
            if (found := reader(name, split, folder)) is not None:
                return canonical(*found)
        except DataError:
            raise
        except (OSError, EOFError, LookupError, ValueError) as error:
            damage = f"{type(error).__name__}: {error}"
            raise DataError(f"files of {name} ({split}) in {folder} are damaged ({damage})") from error
    raise DataError(f"no files of {name} ({split}) in {folder}; run `invex data {name}` to fetch them")


def _prepared(name: str, split: str, folder: Path) -> Arrays | None:
    images, labels = (folder / f"{split}-{part}.npy" for part in ("images", "labels"))
    if not (images.exists() and labels.exists()):
        return None
    # copy-on-write keeps the file safe and the array writable, which torch.from_numpy asks for
    return np.load(images, mmap_mode="c"), np.load(labels)


def _idx(name: str, split: str, folder: Path) -> Arrays | None:
    stem = {"train": "train", "test": "t10k"}[split]
    images, labels = (folder / f"{stem}-{part}-ubyte.gz" for part in ("images-idx3", "labels-idx1"))
    if not (images.exists() and labels.exists()):
        return None
    return read_idx(images)[..., None], read_idx(labels)


def _archive(name: str, split: str, folder: Path) -> Arrays | None:
    archive = folder / {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}.get(
        name, "-"
    )
    if not archive.exists():
        return None
    if name == "cifar100":
        members, key = [f"cifar-100-python/{split}"], b"fine_labels"
    else:
        parts = [f"data_batch_{i}" for i in range(1, 6)] if split == "train" else ["test_batch"]
        members, key = [f"cifar-10-batches-py/{part}" for part in parts], b"labels"
    batches = [unpickle_arrays(content) for content in tar_members(archive, members)]
    images = (
        np.concatenate([batch[b"data"] for batch in batches]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    )
    return np.ascontiguousarray(images), np.concatenate([batch[key] for batch in batches])


def _mosaics(name: str, split: str, folder: Path) -> Arrays | None:
    index = folder / "index.csv.gz"
    if not index.exists():
        return None
    with gzip.open(index, "rt", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == split]
    files = list(dict.fromkeys(row["file"] for row in rows))
    with ThreadPoolExecutor() as pool:
        tiles = dict(zip(files, pool.map(_tiles, (folder / Path(file).name for file in files)), strict=True))
    images = np.concatenate([tiles[file] for file in files])
    start = {file: sum(len(tiles[f]) for f in files[:i]) for i, file in enumerate(files)}
    order = [start[row["file"]] + int(row["position"]) for row in rows]
    key = "fine_label" if name == "cifar100" else "label"
    return images[order], np.array([int(row[key]) for row in rows])


def _tiles(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        picture = np.asarray(Image.open(path).convert("RGB"))
    except OSError as error:
        raise DataError(f"{path} is missing or damaged ({error})") from error
    return _cut(picture, picture.shape[0] // 32, picture.shape[1] // 32)


def _cut(picture: np.ndarray, high: int, wide: int) -> np.ndarray:
    """The `high` x `wide` tiles of 32 x 32 pixels of a picture, row by row."""
    return picture.reshape(high, 32, wide, 32, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 32, 32, 3)


def _stand_in(name: str, split: str) -> tuple[np.ndarray, np.ndarray, list[bytes]]:
    """The canonical order is unrelated to content, so its first four fifths are a fair training set."""
    makers: dict[str, Callable[[], Arrays]] = {"digits": _digits, "patches": _patches}
    images, labels, keys = canonical(*makers[name]())
    cut = len(keys) * 4 // 5
    part = slice(None, cut) if split == "train" else slice(cut, None)
    return images[part], labels[part], keys[part]


def _digits() -> Arrays:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None], digits.target


def _patches() -> Arrays:
    from sklearn.datasets import load_sample_images

    photographs = [photograph[:416] for photograph in load_sample_images().images]
    patches = [_cut(photograph, 13, 20) for photograph in photographs]
    return np.concatenate(patches), np.repeat(np.arange(len(patches)), 13 * 20)
