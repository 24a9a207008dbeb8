"""Texts with many labels as arrays: BibTeX (Katakis et al., 2008), and a generated stand-in.

Rows are in canonical order, ascending SHA-256 of (words, labels), so that a digest and a seeded split do not
depend on the file they came from. The published split of BibTeX (4,880 and 2,515) is not among the files we
know, so that experiments draw their own of these sizes.
"""

import hashlib
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from invex.data.archives import DataError
from invex.data.images import default_folder

NAMES = ("bibtex", "topics")
SHAPE = (7395, 1836, 159)
DIGEST = "ca464f917942920e95c43b93f1070225"


@dataclass(frozen=True)
class LabelledTexts:
    """A data set.

    Attributes:
        words: which words each text has, (n, d) uint8 of 0 and 1.
        labels: which labels, (n, l) uint8 of 0 and 1.
        label_names: (l,).
        name: as given to `load`.
        digest: 32 hex digits over words and labels, the same for every source and order.
    """

    words: np.ndarray
    labels: np.ndarray
    label_names: Sequence[str]
    name: str
    digest: str

    def split(self, seed: int, shares: Sequence[int]) -> list[np.ndarray]:
        """Row numbers in random parts of the given sizes; what is left over belongs to none."""
        order = np.random.default_rng(seed).permutation(len(self.words))
        return np.split(order, np.cumsum(shares))[: len(shares)]


def load(name: str = "bibtex", folder: Path | str | None = None) -> LabelledTexts:
    """Load BibTeX (7,395 texts, 1,836 words, 159 labels) or the stand-in "topics", which needs no file.

    `folder` holds a sub-folder `bibtex` (or is it) with `bibtex.npz` or the published `bibtex.arff`; None:
    `default_folder()`.

    Raises:
        DataError: unknown name; no file, a damaged one, or one that is not the published set.
    """
    if name not in NAMES:
        raise DataError(f"no set of texts {name!r}; there are {', '.join(NAMES)}")
    if name == "topics":
        return _canonical(*_topics(), name)
    home = Path(folder) if folder else default_folder()
    home = home / name if (home / name).is_dir() else home
    found = _canonical(*_read(home), name)
    if found.digest != DIGEST:
        shape = (*found.words.shape, found.labels.shape[1])
        raise DataError(f"the files in {home} are not the published BibTeX: {shape}, digest {found.digest}")
    return found


def write(texts: LabelledTexts, path: Path) -> None:
    """Write a set in the compressed form that `load` reads: row by row, the numbers of words and labels."""
    parts: dict[str, Any] = {}
    for letter, array in (("X", texts.words), ("Y", texts.labels)):
        rows, columns = np.nonzero(array)
        starts = np.searchsorted(rows, np.arange(len(array) + 1)).astype(np.int32)
        parts |= {f"{letter}_indices": columns.astype(np.int16), f"{letter}_indptr": starts}
    shape = np.array([*texts.words.shape, texts.labels.shape[1]])
    np.savez_compressed(path, **parts, shape=shape, label_names=np.array(texts.label_names))


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    readers = {"bibtex.npz": _read_npz, "bibtex.arff": read_arff}
    for file, reader in readers.items():
        if (path := folder / file).exists():
            try:
                return reader(path)
            except DataError:
                raise
            except (OSError, EOFError, KeyError, ValueError, IndexError, zipfile.BadZipFile) as error:
                raise DataError(
                    f"{path} is damaged ({type(error).__name__}: {error}); get it anew"
                ) from error
    raise DataError(
        f"no bibtex.npz or bibtex.arff in {folder}; data_scripts/bibtex.py says where the published file is"
    )


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    with np.load(path, allow_pickle=False) as file:
        n, words, labels = file["shape"].tolist()
        x = _dense(file["X_indices"], file["X_indptr"], n, words)
        y = _dense(file["Y_indices"], file["Y_indptr"], n, labels)
        return x, y, file["label_names"].tolist()


def _dense(columns: np.ndarray, starts: np.ndarray, rows: int, width: int) -> np.ndarray:
    if len(starts) != rows + 1 or starts[-1] != len(columns):
        raise ValueError(f"{len(columns)} entries, {len(starts)} row starts for {rows} rows")
    array = np.zeros((rows, width), np.uint8)
    array[np.repeat(np.arange(rows), np.diff(starts)), columns] = 1
    return array


def read_arff(path: Path, labels: int = SHAPE[2]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Words, labels and label names of a sparse ARFF file of MULAN, whose last attributes are the labels.

    Raises:
        DataError: no data section, or a row that is not ``{column value, ...}``.
    """
    head, found, body = path.read_text("utf-8", errors="strict").partition("@data")
    names = re.findall(r"^@attribute\s+(\S+)", head, re.MULTILINE | re.IGNORECASE)
    if not found or len(names) <= labels:
        raise DataError(f"{path} is no sparse ARFF file with {labels} labels: {len(names)} attributes")
    rows = [line.strip() for line in body.splitlines() if line.strip()]
    table = np.zeros((len(rows), len(names)), np.uint8)
    for number, row in enumerate(rows):
        if not (row.startswith("{") and row.endswith("}")):
            raise DataError(f"{path}: row {number + 1} is not in braces, as a sparse row is")
        entries = [entry.split() for entry in row[1:-1].split(",") if entry.strip()]
        table[number, [int(column) for column, value in entries if value != "0"]] = 1
    return table[:, :-labels], table[:, -labels:], names[-labels:]


def _canonical(words: np.ndarray, labels: np.ndarray, names: Sequence[str], name: str) -> LabelledTexts:
    packed = np.packbits(np.concatenate([words, labels], 1), axis=1)
    keys = [hashlib.sha256(row.tobytes()).digest() for row in packed]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    shape = "x".join(map(str, (*words.shape, labels.shape[1]))).encode()
    digest = hashlib.sha256(shape + b"".join(keys[i] for i in order)).hexdigest()[:32]
    return LabelledTexts(words[order], labels[order], list(names), name, digest)


def _topics(texts: int = 600, words: int = 120, labels: int = 20) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Texts that mix topics: labels come in correlated groups, and each label makes its words likelier."""
    draw = np.random.default_rng(0)
    theme = draw.integers(0, 5, texts)
    chance = np.where(np.arange(labels)[None] % 5 == theme[:, None], 0.4, 0.02)
    y = draw.random((texts, labels)) < chance
    weight = (draw.random((labels, words)) < 0.08) * 2.5
    x = draw.random((texts, words)) < 1 / (1 + np.exp(3.5 - y @ weight))
    return x.astype(np.uint8), y.astype(np.uint8), [f"topic {number}" for number in range(labels)]
