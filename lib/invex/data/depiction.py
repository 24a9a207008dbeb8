"""A molecule as lines and letters on paper, and as balls in space: what drawings of either kind need."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from invex.data.geometry import NoGeometry, Structure, embedded
from invex.data.molecules import rdkit

GAP, SHORT = 0.13, 0.16
"""Distance between the lines of a double bond, and what is cut off at a letter, in bond lengths."""
SYMBOLS = {1: "H", 6: "C", 7: "N", 8: "O", 9: "F"}
RADII = {1: 0.31, 6: 0.76, 7: 0.71, 8: 0.66, 9: 0.57}
"""Covalent radii in Angstrom."""


@dataclass(frozen=True)
class Depiction:
    """A structural formula, in bond lengths around the origin.

    Attributes:
        lines: (n, 2, 2), strokes from point to point.
        letters: text and place of each atom that is not carbon.
    """

    lines: np.ndarray
    letters: tuple[tuple[str, float, float], ...]


@lru_cache(maxsize=4096)
def depicted(smiles: str) -> Depiction:
    """The structural formula of a molecule."""
    from rdkit.Chem import rdDepictor

    chem = rdkit()
    molecule = chem.MolFromSmiles(smiles)
    rdDepictor.Compute2DCoords(molecule)
    chem.Kekulize(molecule, clearAromaticFlags=True)
    places = np.array(molecule.GetConformer().GetPositions())[:, :2]
    bonds = [
        (b.GetBeginAtomIdx(), b.GetEndAtomIdx(), int(b.GetBondTypeAsDouble())) for b in molecule.GetBonds()
    ]
    lengths = [float(np.linalg.norm(places[a] - places[b])) for a, b, _ in bonds]
    places = (places - (places.max(0) + places.min(0)) / 2) / float(np.mean(lengths or [1.0]))
    places = _landscape(places)
    letters: list[tuple[str, float, float]] = [
        (_letter(atom), float(places[atom.GetIdx()][0]), float(places[atom.GetIdx()][1]))
        for atom in molecule.GetAtoms()
        if atom.GetSymbol() != "C" or molecule.GetNumAtoms() == 1
    ]
    lettered = {atom.GetIdx() for atom in molecule.GetAtoms() if atom.GetSymbol() != "C"}
    lines = [line for a, b, order in bonds for line in _strokes(places, a, b, order, lettered)]
    return Depiction(np.array(lines).reshape(-1, 2, 2), tuple(letters))


def _landscape(places: np.ndarray) -> np.ndarray:
    """Turned so that the formula is as wide as it can be."""
    if len(places) < 2:
        return places
    _, axes = np.linalg.eigh(np.cov(places.T))
    turned = places @ axes[:, ::-1]
    return turned - (turned.max(0) + turned.min(0)) / 2


def _letter(atom: Any) -> str:
    hydrogens = atom.GetTotalNumHs()
    return str(atom.GetSymbol()) + ("", "H")[min(hydrogens, 1)] + (str(hydrogens) if hydrogens > 1 else "")


def _strokes(places: np.ndarray, a: int, b: int, order: int, lettered: set[int]) -> list[np.ndarray]:
    """The one to three lines of a bond, shortened where a letter stands."""
    start, end = places[a], places[b]
    along = end - start
    across = np.array([-along[1], along[0]]) * GAP
    start = start + along * (SHORT if a in lettered else 0)
    end = end - along * (SHORT if b in lettered else 0)
    shifts = {1: (0.0,), 2: (-0.5, 0.5), 3: (-1.0, 0.0, 1.0)}[order]
    return [np.array([start + shift * across, end + shift * across]) for shift in shifts]


def joined(structure: Structure) -> list[tuple[int, int]]:
    """Pairs of atoms of a structure that are bonded: nearer than 1.25 times their covalent radii."""
    radii = np.array([RADII[int(number)] for number in structure.numbers])
    apart = np.linalg.norm(structure.positions[:, None] - structure.positions[None], axis=-1)
    near = apart < 1.25 * (radii[:, None] + radii[None])
    return [(int(a), int(b)) for a, b in np.argwhere(np.triu(near, 1))]


def facing(structure: Structure) -> np.ndarray:
    """Positions (n, 3) turned to show the molecule at its widest: x widest, then y, then depth z."""
    centred = structure.positions - structure.positions.mean(0)
    heavy = centred[structure.numbers > 1]
    _, axes = np.linalg.eigh(np.cov(heavy.T))
    return centred @ axes[:, ::-1]


def xyz(structure: Structure) -> str:
    """The structure as text in the XYZ format, turned by `facing`."""
    rows = zip(structure.numbers, facing(structure), strict=True)
    atoms = "\n".join(f"{SYMBOLS[int(n)]} {x:.3f} {y:.3f} {z:.3f}" for n, (x, y, z) in rows)
    return f"{len(structure.numbers)}\n\n{atoms}\n"


def in_space(smiles: Iterable[str]) -> dict[str, Structure]:
    """Structures by SMILES, of those molecules for which one is found."""
    found = {}
    for text in smiles:
        with suppress(NoGeometry):
            found[text] = embedded(text)
    return found
