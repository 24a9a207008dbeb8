"""Molecules in space, and their HOMO-LUMO gaps by tight binding (RDKit and tblite, the extra "chemistry")."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from invex.data.archives import DataError
from invex.data.molecule_tables import KCAL
from invex.data.molecules import rdkit

METHODS = ("GFN1-xTB", "GFN2-xTB")
BOHR = 0.529177210903
"""Angstrom in one bohr."""


class NoGeometry(DataError):  # noqa: N818 - named after the finding
    """No structure or no converged energy was found for a molecule."""


@dataclass(frozen=True)
class Structure:
    """A molecule in space: atomic numbers (n,), hydrogens among them, and positions (n, 3) in Angstrom."""

    numbers: np.ndarray
    positions: np.ndarray


@lru_cache(maxsize=4096)
def embedded(smiles: str, seed: int = 1, tries: int = 8) -> Structure:
    """A structure by distance geometry (ETKDG), relaxed in the MMFF94 force field: the lowest of several.

    SMILES without stereochemistry leave it to chance how rings are fused. A single try may give an isomer
    that nobody could make; the one of least energy is the one to expect.

    Raises:
        NoGeometry: distance geometry finds none; such a molecule is too strained.
    """
    from rdkit import rdBase
    from rdkit.Chem import rdDistGeom, rdForceFieldHelpers

    chem = rdkit()
    molecule = chem.AddHs(chem.MolFromSmiles(smiles))
    with rdBase.BlockLogs():
        found = list(rdDistGeom.EmbedMultipleConfs(molecule, tries, randomSeed=seed))
        relaxed_ = rdForceFieldHelpers.MMFFOptimizeMoleculeConfs(molecule, maxIters=500) if found else []
    energies = [energy for _, energy in relaxed_]
    if not energies:
        raise NoGeometry(f"no structure in space was found for {smiles}")
    conformer = molecule.GetConformer(found[int(np.argmin(energies))])
    numbers = np.array([atom.GetAtomicNum() for atom in molecule.GetAtoms()])
    return Structure(numbers, np.array(conformer.GetPositions()))


def gap(structure: Structure, method: str = "GFN2-xTB") -> float:
    """HOMO-LUMO gap in kcal/mol of a closed-shell molecule by one of `METHODS`.

    Raises:
        NoGeometry: the calculation does not converge.
        DataError: tblite is not installed, or there is no such method.
    """
    found = _energy(_calculator(structure, method))
    energies, filled = found.get("orbital-energies"), found.get("orbital-occupations") > 1
    return float((energies[~filled].min() - energies[filled].max()) * KCAL)


def relaxed(structure: Structure, method: str = "GFN2-xTB", steps: int = 80) -> Structure:
    """The structure moved downhill in the energy of the method itself, by L-BFGS.

    It stops where no force exceeds 1e-3 Hartree/bohr, or after `steps`.

    Raises:
        NoGeometry, DataError: as `gap`.
    """
    calculator = _calculator(structure, method)
    shape = structure.positions.shape

    def energy(flat: np.ndarray) -> tuple[float, np.ndarray]:
        calculator.update(positions=flat.reshape(shape))
        found = _energy(calculator)
        return float(found.get("energy")), found.get("gradient").ravel()

    start = structure.positions.ravel() / BOHR
    options = {"maxiter": steps, "gtol": 1e-3, "ftol": 1e-8}
    best = minimize(energy, start, jac=True, method="L-BFGS-B", options=options)
    return Structure(structure.numbers, best.x.reshape(shape) * BOHR)


def _calculator(structure: Structure, method: str) -> Any:
    if method not in METHODS:
        raise DataError(f"no method {method!r}; there are {', '.join(METHODS)}")
    try:
        from tblite.interface import Calculator
    except ImportError as error:
        raise DataError("gaps need tblite: pip install 'invex[chemistry]' (or tblite)") from error
    calculator = Calculator(method, structure.numbers, structure.positions / BOHR)
    calculator.set("verbosity", 0)
    return calculator


def _energy(calculator: Any) -> Any:
    try:
        return calculator.singlepoint()
    except RuntimeError as error:
        raise NoGeometry(f"tight binding does not converge ({error})") from error


def published(path: Path) -> list[Structure]:
    """The B3LYP structures of QM9's C7O2 part, in the order of its table (`qm9_c7o2_geometry.npz`).

    Raises:
        DataError: there is no such file, or it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            counts, numbers, positions = (held[name] for name in ("n_atoms", "Z", "xyz"))
    except FileNotFoundError:
        raise DataError(f"there is no file {path}; `python data_scripts/qm9.py` makes it") from None
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} is damaged ({error})") from error
    ends = np.cumsum(counts)
    return [
        Structure(numbers[end - count : end], positions[end - count : end].astype(float))
        for count, end in zip(counts, ends, strict=True)
    ]
