"""The published archive of QM9 (Ramakrishnan et al. 2014): its C7O2 molecules, with every property.

Each molecule is a text in an extended XYZ form: the number of atoms; "gdb", its number and fifteen
properties; one line an atom (element, position in Angstrom, charge); frequencies; SMILES before and after
relaxation; InChI before and after.
"""

import csv
import gzip
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from invex.data.archives import DataError
from invex.data.molecule_tables import FILE, prepare

ARCHIVE = "dsgdb9nsd.xyz.tar.bz2"
URL = "https://ndownloader.figshare.com/files/3195389"
MD5 = "ad1ebd51ee7f5b3a6e32e974e5d54012"
GEOMETRY = "qm9_c7o2_geometry.npz"
PROPERTIES = (
    "a", "b", "c", "mu", "alpha", "homo", "lumo", "gap", "r2", "zpve", "u0", "u", "h", "g", "cv",
)  # fmt: skip
"""In the archive's order: rotational constants (GHz), dipole (D), polarisability (bohr^3), energies
(Hartree), spatial extent (bohr^2), zero-point energy to free energy (Hartree), heat capacity (cal/mol K)."""
NUMBERS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}


@dataclass(frozen=True)
class Entry:
    """One molecule of the archive.

    Attributes:
        number: its GDB number.
        smiles: after relaxation.
        values: the fifteen `PROPERTIES`.
        elements, positions: of all atoms, (n,) and (n, 3) in Angstrom.
    """

    number: int
    smiles: str
    values: tuple[float, ...]
    elements: tuple[str, ...]
    positions: np.ndarray


def parse(text: str) -> Entry:
    """One molecule's text.

    Raises:
        DataError: it is not of the archive's form.
    """
    lines = text.strip().splitlines()
    try:
        count, (tag, number, *values) = int(lines[0]), lines[1].split()
        atoms = [line.split() for line in lines[2 : 2 + count]]
        if tag != "gdb" or len(values) != len(PROPERTIES) or len(lines) != count + 5:
            raise ValueError("not the lines expected")
        positions = np.array([[_number(part) for part in atom[1:4]] for atom in atoms])
        smiles = lines[count + 3].split("\t")[1].strip()
        return Entry(
            int(number), smiles, tuple(map(_number, values)), tuple(atom[0] for atom in atoms), positions
        )
    except (ValueError, IndexError) as error:
        raise DataError(f"not a molecule of QM9 ({error}): {text[:40]!r}") from error


def entries(path: Path, heavy: dict[str, int] | None = None) -> Iterator[Entry]:
    """Molecules of the archive with these heavy atoms, by default seven carbons and two oxygens.

    Members are read in memory by name; nothing is unpacked.

    Raises:
        DataError: there is no archive, or it is damaged.
    """
    wanted = {"C": 7, "O": 2} if heavy is None else heavy
    try:
        with tarfile.open(path, "r|bz2") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.name.endswith(".xyz") else None
                if content is not None:
                    entry = parse(content.read().decode("ascii"))
                    if {s: entry.elements.count(s) for s in set(entry.elements) - {"H"}} == wanted:
                        yield entry
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except (tarfile.TarError, OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is damaged ({error}); delete it and fetch it again") from error


def write(found: list[Entry], folder: Path) -> None:
    """The table, the structures and the encoded graphs of these molecules, in `folder`.

    Raises:
        DataError: there are none, or one cannot be encoded.
    """
    if not found:
        raise DataError("no molecules to write")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("gdb_id", "smiles", *PROPERTIES))
    writer.writerows((entry.number, entry.smiles, *map(repr, entry.values)) for entry in found)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    np.savez_compressed(
        folder / GEOMETRY,
        gdb_id=np.array([entry.number for entry in found]),
        n_atoms=np.array([len(entry.elements) for entry in found]),
        Z=np.concatenate([[NUMBERS[element] for element in entry.elements] for entry in found]),
        xyz=np.concatenate([entry.positions for entry in found]).astype(np.float32),
    )
    prepare(folder)


def _number(text: str) -> float:
    """A number of the archive, which writes some exponents as ``*^``."""
    return float(text.replace("*^", "e"))
