"""Small organic molecules as graphs in one-hot form (Nesterov et al. 2022, Sec. 5.3), and tables of them.

A graph has nine places for heavy atoms, each C, N, O, F or none, and thirty-six places for the bonds between
them, each none, single, double or triple: 9 x 5 + 36 x 4 = 189 numbers, of which 45 are one. Hydrogens are
implied by valence, stereochemistry is left out. `codes` are the 45 choices, `one_hot` the 189 numbers.

RDKit is asked only where SMILES are read or written; install it with the extra "chemistry".
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from invex.data.archives import DataError

ELEMENTS = ("C", "N", "O", "F")
VALENCE = (4, 3, 2, 1)
PLACES = 9
PAIRS = tuple(combinations(range(PLACES), 2))
NONE = len(ELEMENTS)
GROUPS = (len(ELEMENTS) + 1,) * PLACES + (4,) * len(PAIRS)
"""How many choices each of the 45 places has: 5 nine times, 4 thirty-six times."""
WIDTH = sum(GROUPS)
FORMULA = "C7O2"
SHOWN = 5
"""How many refused rows a message names."""


class NotEncodable(DataError):  # noqa: N818 - named after the finding
    """A molecule that the encoding cannot hold; the message gives the reason."""


def rdkit() -> ModuleType:
    """RDKit's `Chem`, imported where it is first asked for.

    Raises:
        DataError: RDKit is not installed.
    """
    try:
        from rdkit import Chem
    except ImportError as error:
        raise DataError("SMILES need RDKit: pip install 'invex[chemistry]' (or rdkit)") from error
    return Chem


def one_hot(codes: Tensor) -> Tensor:
    """The graphs of codes (..., 45) as (..., 189) zeros and ones."""
    start = torch.tensor(GROUPS, device=codes.device).cumsum(0) - torch.tensor(GROUPS, device=codes.device)
    graph = torch.zeros(*codes.shape[:-1], WIDTH, device=codes.device)
    return graph.scatter_(-1, codes.long() + start, 1.0)


def reordered(codes: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """The same graphs (n, 45) with their atoms in other orders, (n, count, 45).

    Each order is depth first, from a random atom and by random neighbours, as the canonical one is.
    """
    many = np.repeat(codes, count, axis=0)
    atoms, bonds = many[:, :PLACES], np.zeros((len(many), PLACES, PLACES), np.uint8)
    a, b = np.array(PAIRS).T
    bonds[:, a, b] = bonds[:, b, a] = many[:, PLACES:]
    order = _random_orders(bonds > 0, atoms != NONE, np.random.default_rng(seed))
    moved = bonds[np.arange(len(many))[:, None, None], order[:, :, None], order[:, None, :]]
    new = np.concatenate([np.take_along_axis(atoms, order, 1), moved[:, a, b]], axis=1)
    return new.reshape(len(codes), count, codes.shape[1])


def _random_orders(joined: np.ndarray, filled: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Places of n graphs in depth-first order, (n, 9), empty ones last: step by step for all graphs at once.

    The next atom is a random new neighbour of the latest atom that has one.
    """
    rows = np.arange(len(joined))
    when = np.full(filled.shape, -1)
    order = np.empty(filled.shape, np.int64)
    for step in range(filled.shape[1]):
        new: np.ndarray = filled & (when < 0)
        ways: np.ndarray = joined & new[:, None, :]
        latest = np.where(ways.any(2), when, -1)
        options = ways[rows, np.argmax(latest, axis=1)]
        options = np.where((latest.max(1) >= 0)[:, None], options, new)
        options = np.where(np.any(options, axis=1)[:, None], options, when < 0)
        order[:, step] = np.where(options, draw.random(options.shape), -1.0).argmax(1)
        when[rows, order[:, step]] = step
    return order


def heavy_formula(molecule: Any) -> str:
    """Heavy atoms of an RDKit molecule in Hill order without hydrogens, as "C7O2"."""
    symbols = [atom.GetSymbol() for atom in molecule.GetAtoms()]
    return "".join(f"{s}{n if (n := symbols.count(s)) > 1 else ''}" for s in sorted(set(symbols)))


def encode(smiles: str, formula: str | None = FORMULA) -> np.ndarray:
    """The codes (45,) of a molecule, in canonical order of its atoms, as uint8.

    The order is depth first from InChI's first atom, neighbours by InChI's rank: of five orders tried it
    leaves the graphs of C7O2 the least entropy. Aromatic bonds are alternately single and double, after the
    atoms are in order.

    Raises:
        NotEncodable: no SMILES, another stoichiometry than `formula`, an element outside C, N, O and F, more
            than nine heavy atoms, a charge, a radical or several fragments.
    """
    chem = rdkit()
    molecule = _parsed(smiles)
    _check(molecule, formula)
    molecule = chem.RenumberAtoms(molecule, _order(molecule))
    chem.Kekulize(molecule, clearAromaticFlags=True)
    codes = np.full(len(GROUPS), NONE, np.uint8)
    codes[PLACES:] = 0
    for atom in molecule.GetAtoms():
        codes[atom.GetIdx()] = ELEMENTS.index(atom.GetSymbol())
    places = {pair: PLACES + i for i, pair in enumerate(PAIRS)}
    for bond in molecule.GetBonds():
        ends = sorted((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
        codes[places[ends[0], ends[1]]] = int(bond.GetBondTypeAsDouble())
    return codes


def decode(codes: Sequence[int] | np.ndarray | Tensor) -> str:
    """The canonical SMILES of a graph (45,), without stereochemistry.

    Raises:
        NotEncodable: the graph is no molecule: a bond to an empty place, more bonds than an atom's valence,
            or several fragments.
    """
    chem = rdkit()
    atoms, bonds = list(map(int, codes[:PLACES])), list(map(int, codes[PLACES:]))
    _check_graph(atoms, bonds)
    built = chem.RWMol()
    place = {i: built.AddAtom(chem.Atom(ELEMENTS[kind])) for i, kind in enumerate(atoms) if kind != NONE}
    kinds = (None, chem.BondType.SINGLE, chem.BondType.DOUBLE, chem.BondType.TRIPLE)
    for (a, b), order in zip(PAIRS, bonds, strict=True):
        if order:
            built.AddBond(place[a], place[b], kinds[order])
    chem.SanitizeMol(built)
    return str(chem.MolToSmiles(built))


def decode_all(codes: Iterable[Any]) -> list[str]:
    """SMILES of many graphs; "" where one is no molecule. Each distinct graph is looked at once."""
    seen: dict[bytes, str] = {}
    return [_remembered(np.asarray(graph, np.uint8), seen) for graph in codes]


def _remembered(graph: np.ndarray, seen: dict[bytes, str]) -> str:
    key = graph.tobytes()
    if key not in seen:
        try:
            seen[key] = decode(graph)
        except NotEncodable:
            seen[key] = ""
    return seen[key]


def canonical(smiles: str) -> str:
    """Canonical SMILES without stereochemistry; what names a molecule throughout.

    Raises:
        NotEncodable: no SMILES.
    """
    return str(rdkit().MolToSmiles(_parsed(smiles)))


def checked(rows: Sequence[str], formula: str | None = FORMULA, first: int = 1) -> np.ndarray:
    """The codes (n, 45) of a column of SMILES.

    Args:
        rows: SMILES.
        formula: the heavy atoms that each must have; None for any that fit.
        first: number of the first row, for messages.

    Raises:
        DataError: rows that cannot be encoded, by number and reason.
    """
    codes, wrong = np.zeros((len(rows), len(GROUPS)), np.uint8), []
    for i, text in enumerate(rows):
        try:
            codes[i] = encode(text, formula)
        except NotEncodable as error:
            wrong.append(f"row {first + i}: {error}")
    refuse(wrong)
    return codes


def refuse(wrong: Sequence[str]) -> None:
    """Raise DataError where there are wrong rows: the first few in full, the others counted."""
    if wrong:
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise DataError("; ".join(wrong[:SHOWN]) + more)


def _parsed(smiles: str) -> Any:
    """An RDKit molecule without stereochemistry, its atoms in the order of its canonical SMILES."""
    from rdkit import rdBase

    chem = rdkit()
    with rdBase.BlockLogs():
        molecule = chem.MolFromSmiles(smiles) if smiles.strip() else None
    if molecule is None:
        raise NotEncodable(f"{smiles!r} is no SMILES that RDKit can read")
    chem.RemoveStereochemistry(molecule)
    return chem.MolFromSmiles(chem.MolToSmiles(molecule))


def _check(molecule: Any, formula: str | None) -> None:
    chem, name = rdkit(), repr(rdkit().MolToSmiles(molecule))
    symbols = [atom.GetSymbol() for atom in molecule.GetAtoms()]
    if strange := sorted(set(symbols) - set(ELEMENTS)):
        raise NotEncodable(f"{name} has {', '.join(strange)}; the encoding knows {', '.join(ELEMENTS)}")
    if formula is not None and (own := heavy_formula(molecule)) != formula:
        raise NotEncodable(f"{name} has the heavy atoms {own}, not {formula}")
    if len(symbols) > PLACES:
        raise NotEncodable(f"{name} has {len(symbols)} heavy atoms; there are {PLACES} places")
    if any(atom.GetFormalCharge() or atom.GetNumRadicalElectrons() for atom in molecule.GetAtoms()):
        raise NotEncodable(f"{name} has a charge or a radical, which the encoding has no place for")
    if len(chem.GetMolFrags(molecule)) > 1:
        raise NotEncodable(f"{name} falls into {len(chem.GetMolFrags(molecule))} fragments")


def _check_graph(atoms: Sequence[int], bonds: Sequence[int]) -> None:
    """Raise NotEncodable where the graph is no molecule: empty, a bond to nothing, valence, fragments."""
    used = [0] * PLACES
    neighbours: dict[int, list[int]] = {i: [] for i, kind in enumerate(atoms) if kind != NONE}
    for (a, b), order in zip(PAIRS, bonds, strict=True):
        if not order:
            continue
        if a not in neighbours or b not in neighbours:
            raise NotEncodable("a bond leads to an empty place")
        used[a], used[b] = used[a] + order, used[b] + order
        neighbours[a].append(b)
        neighbours[b].append(a)
    if not neighbours:
        raise NotEncodable("there are no atoms")
    for i in neighbours:
        if used[i] > VALENCE[atoms[i]]:
            raise NotEncodable(
                f"{ELEMENTS[atoms[i]]} has {used[i]} bonds, its valence is {VALENCE[atoms[i]]}"
            )
    if len(set(_walk(neighbours, next(iter(neighbours))))) < len(neighbours):
        raise NotEncodable("the graph falls into several fragments")


def _order(molecule: Any) -> list[int]:
    """The canonical order: depth first from InChI's first atom, neighbours by InChI's rank."""
    from rdkit import rdBase

    with rdBase.BlockLogs():
        _, auxiliary = rdkit().MolToInchiAndAuxInfo(molecule)
    numbering = next((part[2:] for part in auxiliary.split("/") if part.startswith("N:")), "")
    ranked = [int(number) - 1 for number in numbering.split(",")] if numbering else []
    rank = {atom: place for place, atom in enumerate(ranked)}
    neighbours = {
        atom.GetIdx(): sorted((n.GetIdx() for n in atom.GetNeighbors()), key=lambda i: rank.get(i, i))
        for atom in molecule.GetAtoms()
    }
    return list(_walk(neighbours, ranked[0] if ranked else 0))


def _walk(neighbours: dict[int, list[int]], first: int) -> Iterator[int]:
    """Nodes reached from the first, depth first."""
    seen, waiting = set(), [first]
    while waiting:
        if (node := waiting.pop()) not in seen:
            seen.add(node)
            yield node
            waiting += reversed([n for n in neighbours[node] if n not in seen])
