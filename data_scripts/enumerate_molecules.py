"""The book's own table of C7O2 molecules: enumerated with RDKit, labelled with GFN2-xTB gaps by tblite.

    python data_scripts/enumerate_molecules.py [COUNT] > lib/invex/data/tables/enumerated.csv

Molecules grow from methane: an atom is attached, set into a bond, or a ring is closed. What a
chemist would not expect to be stable is left out (`UNSTABLE`), as in the database that QM9 is from, and of
each size a random part is kept. The table holds SMILES, gap and graph, so that reading it needs no RDKit.
"""

import csv
import random
import sys
from collections.abc import Iterator

from invex.data import geometry
from invex.data.molecules import FORMULA, NotEncodable, canonical, encode, heavy_formula
from rdkit import Chem, rdBase

ATOMS, OXYGENS, BEAM = 9, 2, 1500
UNSTABLE = [
    Chem.MolFromSmarts(pattern)
    for pattern in ("OO", "*=C=*", "[OX2H]C=C", "[OX2H]C[OX2]", "[C,O;r]#*", "[r3]=[r3]", "[r4]=[r4]",
                    "[OX2H]C#*", "*=[r3]", "C#CO", "[x4]")
]  # fmt: skip


def grown(molecule: Chem.Mol) -> Iterator[Chem.RWMol]:
    """Molecules with one atom more, or one ring more."""
    for symbol in "CO":
        for atom in molecule.GetAtoms():
            for order in (Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE):
                new = Chem.RWMol(molecule)
                new.AddBond(atom.GetIdx(), new.AddAtom(Chem.Atom(symbol)), order)
                yield new
        for bond in molecule.GetBonds():
            ends = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
            new = Chem.RWMol(molecule)
            new.RemoveBond(*ends)
            middle = new.AddAtom(Chem.Atom(symbol))
            for end in ends:
                new.AddBond(end, middle, Chem.BondType.SINGLE)
            yield new
    distances = Chem.GetDistanceMatrix(molecule)
    for a in range(molecule.GetNumAtoms()):
        for b in range(a):
            if 2 <= distances[a, b] <= 5:
                new = Chem.RWMol(molecule)
                new.AddBond(a, b, Chem.BondType.SINGLE)
                yield new


def allowed(smiles: str) -> bool:
    """At most two oxygens and two rings, and nothing of `UNSTABLE`."""
    molecule = Chem.MolFromSmiles(smiles)
    oxygens = sum(atom.GetSymbol() == "O" for atom in molecule.GetAtoms())
    if oxygens > OXYGENS or molecule.GetRingInfo().NumRings() > 2:
        return False
    return not any(molecule.HasSubstructMatch(pattern) for pattern in UNSTABLE)


def sizes(seed: int = 0) -> dict[int, set[str]]:
    """Canonical SMILES by number of heavy atoms."""
    draw = random.Random(seed)
    found: dict[int, set[str]] = {n: set() for n in range(1, ATOMS + 1)}
    found[1] = {"C"}
    for n in range(1, ATOMS + 1):
        for smiles in draw.sample(sorted(found[n]), min(BEAM, len(found[n]))):
            molecule = Chem.MolFromSmiles(smiles)
            Chem.Kekulize(molecule, clearAromaticFlags=True)
            for new in grown(molecule):
                if new.GetNumAtoms() > ATOMS or Chem.SanitizeMol(new, catchErrors=True):
                    continue
                text = Chem.MolToSmiles(new)
                if text not in found[new.GetNumAtoms()] and allowed(text):
                    found[new.GetNumAtoms()].add(text)
    return found


def rows(count: int, seed: int = 0) -> Iterator[tuple[str, str, str]]:
    """SMILES, gap in kcal/mol and graph of a random part of the molecules."""
    there = [
        text for text in sorted(sizes(seed)[ATOMS]) if heavy_formula(Chem.MolFromSmiles(text)) == FORMULA
    ]
    random.Random(seed).shuffle(there)
    made = 0
    for text in there:
        try:
            label = geometry.gap(geometry.embedded(canonical(text)))
            graph = "".join(map(str, encode(text)))
        except (geometry.NoGeometry, NotEncodable):
            continue
        yield canonical(text), f"{label:.2f}", graph
        made += 1
        if made == count:
            return


if __name__ == "__main__":
    with rdBase.BlockLogs():
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(("smiles", "gap", "graph"))
        writer.writerows(rows(int((sys.argv[1:] or ["2700"])[0])))
