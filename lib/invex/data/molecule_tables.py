"""Tables of molecules with one property: the C7O2 part of QM9, the book's own enumeration, a reader's CSV.

Rows are in canonical order, ascending SHA-256 of the canonical SMILES: unrelated to content, so that any
stretch of them is a fair sample, and the same for every source.
"""

import csv
import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from invex.data.archives import DataError
from invex.data.images import default_folder
from invex.data.molecules import FORMULA, canonical, checked, refuse

KCAL = 627.5094740631
"""kcal/mol in one Hartree."""
HARTREE = ("homo", "lumo", "gap")
UNITS = {
    **dict.fromkeys(HARTREE, "kcal/mol"),
    "dipole": "D",
    "polarisability": "bohr³",
    "heat capacity": "cal/mol K",
}
ALIASES = {"dipole": "mu", "polarisability": "alpha", "heat capacity": "cv"}
QM9, EMBEDDED = "qm9", "enumerated"
FILE, PREPARED = "qm9_c7o2.csv.gz", "c7o2.npz"


@dataclass(frozen=True)
class MoleculeSet:
    """Molecules and one property of them.

    Attributes:
        smiles: canonical, without stereochemistry, all distinct.
        codes: (n, 45) uint8, their graphs (`invex.data.molecules.encode`).
        values: (n,) float64, the property in `unit`; NaN where it is not known.
        name: the set, as given to `load`.
        quantity: which property.
        digest: 32 hex digits over SMILES and values, the same for every source and order.
    """

    smiles: tuple[str, ...]
    codes: np.ndarray
    values: np.ndarray
    name: str
    quantity: str
    unit: str
    digest: str

    @property
    def known(self) -> np.ndarray:
        """(n,) whether the property is known."""
        return np.isfinite(self.values)


def load(
    name: str = QM9, property: str = "gap", folder: Path | str | None = None, formula: str | None = FORMULA
) -> MoleculeSet:
    """Molecules with a property, in canonical order.

    Args:
        name: "qm9" (its C7O2 part, of `folder/qm9`), "enumerated" (comes with the library: gap by
            GFN2-xTB) or the path of a table of your own, `read_table`.
        property: a column; energies of QM9 in kcal/mol.
        folder: where the sets lie; None: the usual place.
        formula: heavy atoms that each row of an own table must have.

    Raises:
        DataError: no such file or property, or rows that cannot be encoded, by number and reason.
    """
    if name == EMBEDDED:
        return _embedded(property)
    if name == QM9:
        home = Path(folder) if folder else default_folder()
        return _qm9(home / QM9 if (home / QM9).is_dir() else home, property)
    return read_table(Path(name), property, formula=formula)


def read_table(path: Path, property: str, *, formula: str | None = FORMULA) -> MoleculeSet:
    """A reader's own table: a CSV (or .csv.gz) with a column "smiles" and one with the property's name.

    An empty field means that the property is not known. Rows count from 1, below the header.

    Raises:
        DataError: no such file or column; or rows, by number and reason: no SMILES, another stoichiometry, an
            element outside the encoding, no number, a molecule that was there before.
    """
    rows = _rows(path)
    column = _column(rows, property, str(path), f"give {path.name} a column {property!r}")
    try:
        codes = checked([row["smiles"] for row in rows], formula)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    values, wrong = _numbers(column)
    smiles = [canonical(row["smiles"]) for row in rows]
    first: dict[str, int] = {}
    for i, text in enumerate(smiles, start=1):
        if first.setdefault(text, i) != i:
            wrong.append(f"row {i}: {text} is the molecule of row {first[text]} again")
    try:
        refuse(wrong)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    if not len(rows) or not np.isfinite(values).any():
        raise DataError(f"{path}: no row has a value of {property!r}")
    return _in_order(smiles, codes, values, path.stem, property, UNITS.get(property, ""))


def prepare(folder: Path) -> Path:
    """Encode the C7O2 part of QM9 once, so that later loads need neither RDKit nor time: `c7o2.npz`."""
    rows = _rows(folder / FILE)
    codes = checked([row["smiles"] for row in rows])
    names = np.array([canonical(row["smiles"]) for row in rows])
    columns = [name for name in rows[0] if _is_numeric(rows, name)]
    numbers = {name: _numbers([row[name] for row in rows])[0] for name in columns}
    target = folder / PREPARED
    temporary = target.with_name(f".{PREPARED}")
    arrays: dict[str, Any] = {"smiles": names, "codes": codes, **numbers}
    np.savez_compressed(temporary, **arrays)
    temporary.replace(target)
    return target


def _qm9(home: Path, property: str) -> MoleculeSet:
    column = ALIASES.get(property, property)
    if (home / PREPARED).exists():
        smiles, codes, columns = _prepared(home / PREPARED)
    elif (home / FILE).exists():
        rows = _rows(home / FILE)
        smiles, codes = [canonical(row["smiles"]) for row in rows], checked([row["smiles"] for row in rows])
        columns = {n: _numbers([row[n] for row in rows])[0] for n in rows[0] if _is_numeric(rows, n)}
    else:
        raise DataError(f"no QM9 in {home}: neither {FILE} nor {PREPARED}; {_way_out(home)}")
    if column not in columns:
        there = ", ".join(name for name in columns if name != "gdb_id")
        raise DataError(f"no property {property!r} in {home}, which has {there}; {_way_out(home, property)}")
    values = columns[column] * (KCAL if column in HARTREE else 1.0)
    return _in_order(smiles, codes, values, QM9, property, UNITS.get(property, ""))


def _way_out(home: Path, property: str = "gap") -> str:
    return (
        f"`python data_scripts/qm9.py {home.parent}` fetches the published set with all its properties, "
        f"or name a table of your own with columns smiles and {property}"
    )


def _embedded(property: str) -> MoleculeSet:
    if property != "gap":
        raise DataError(f"the enumerated molecules have the property gap alone, not {property!r}")
    source = resources.files("invex.data") / "tables" / "enumerated.csv.gz"
    rows = _parsed(gzip.decompress(source.read_bytes()).decode())
    codes = np.array([list(row["graph"]) for row in rows]).astype(np.uint8)
    values = np.array([float(row["gap"]) for row in rows])
    return _in_order([row["smiles"] for row in rows], codes, values, EMBEDDED, property, "kcal/mol")


def _prepared(path: Path) -> tuple[list[str], np.ndarray, dict[str, np.ndarray]]:
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        return arrays.pop("smiles").tolist(), arrays.pop("codes"), arrays
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"{path} is damaged ({error}); delete it, and it is made again") from error


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        content = path.read_bytes()
        text = gzip.decompress(content).decode() if path.suffix == ".gz" else content.decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error})") from error
    rows = _parsed(text)
    if not rows or "smiles" not in rows[0]:
        raise DataError(f"{path} needs a header with a column smiles, and rows below it")
    return rows


def _parsed(text: str) -> list[dict[str, str]]:
    return [{k: v or "" for k, v in row.items() if k} for row in csv.DictReader(StringIO(text))]


def _column(rows: Sequence[Mapping[str, str]], name: str, where: str, way_out: str) -> list[str]:
    if name not in rows[0]:
        raise DataError(f"{where} has the columns {', '.join(rows[0])}, no {name!r}; {way_out}")
    return [row[name] for row in rows]


def _numbers(column: Iterable[str]) -> tuple[np.ndarray, list[str]]:
    """The numbers of a column, NaN for an empty field, and what is wrong with it."""
    values, wrong = [], []
    for i, text in enumerate(column, start=1):
        try:
            values.append(float(text) if text.strip() else float("nan"))
            if text.strip() and not np.isfinite(values[-1]):
                raise ValueError
        except ValueError:
            values[i - 1 :] = [float("nan")]
            wrong.append(f"row {i}: {text!r} is no finite number")
    return np.array(values), wrong


def _is_numeric(rows: Sequence[Mapping[str, str]], name: str) -> bool:
    return name != "smiles" and not _numbers([row[name] for row in rows])[1]


def _in_order(
    smiles: Sequence[str], codes: np.ndarray, values: np.ndarray, name: str, property: str, unit: str
) -> MoleculeSet:
    """The set in canonical order, of repeated molecules the first, with its digest."""
    keys = [hashlib.sha256(text.encode()).hexdigest() for text in smiles]
    order = sorted({key: i for i, key in reversed(list(enumerate(keys)))}.items())
    index = np.array([i for _, i in order])
    kept, numbers = tuple(smiles[i] for i in index), values[index]
    lines = "\n".join(f"{text},{value:.6g}" for text, value in zip(kept, numbers, strict=True))
    digest = hashlib.sha256(lines.encode()).hexdigest()[:32]
    return MoleculeSet(kept, codes[index], numbers, name, property, unit, digest)
