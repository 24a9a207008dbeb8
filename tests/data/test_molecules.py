"""Molecular graphs in 189 numbers (Nesterov et al. 2022, Sec. 5.3): what goes in comes out, or is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from invex.data import molecule_tables, molecules
from invex.data.archives import DataError
from invex.data.molecules import GROUPS, NONE, PAIRS, PLACES, NotEncodable

Chem = pytest.importorskip("rdkit.Chem")

AROMATIC = "Cc1ccc(C=O)o1"
KINDS = (None, Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE)


@pytest.fixture(scope="module")
def table():
    return molecule_tables.load("enumerated")


def test_a_graph_is_189_numbers_of_which_45_are_one(table):
    graphs = molecules.one_hot(torch.as_tensor(table.codes[:50]))
    assert graphs.shape == (50, 189)
    assert sum(GROUPS) == 189
    assert set(graphs.unique().tolist()) == {0.0, 1.0}
    assert (graphs.sum(1) == 45).all()


def test_the_embedded_codes_are_those_of_the_embedded_smiles(table):
    rows = slice(0, 60)
    np.testing.assert_array_equal(molecules.checked(table.smiles[rows]), table.codes[rows])
    assert molecules.decode_all(table.codes[rows]) == list(table.smiles[rows])


def test_the_order_does_not_depend_on_how_the_smiles_was_written(table):
    draw = np.random.default_rng(0)
    for text in table.smiles[:20]:
        molecule = Chem.MolFromSmiles(text)
        order = draw.permutation(molecule.GetNumAtoms()).tolist()
        other = Chem.MolToSmiles(Chem.RenumberAtoms(molecule, order), canonical=False)
        np.testing.assert_array_equal(molecules.encode(other), molecules.encode(text))


def test_aromatic_rings_and_stereochemistry():
    formula = None
    assert molecules.decode(molecules.encode(AROMATIC, formula)) == AROMATIC
    left, right = (molecules.encode(text, formula) for text in ("C[C@H](O)C=O", "C[C@@H](O)C=O"))
    np.testing.assert_array_equal(left, right)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2699), st.integers(0, 10**6))
def test_other_orders_are_the_same_molecule(row, seed):
    table = molecule_tables.load("enumerated")
    others = molecules.reordered(table.codes[row : row + 1], 4, seed)[0]
    assert set(molecules.decode_all(others)) == {table.smiles[row]}


def test_other_orders_are_depth_first_and_leave_empty_places_last():
    codes = molecules.encode("CCO", None)
    others = molecules.reordered(codes[None], 50, 0)[0]
    assert (others[:, 3:PLACES] == NONE).all()
    joined = [[bool(o) for o in graph[PLACES:]] for graph in others]
    assert all(bonds[PAIRS.index((0, 1))] for bonds in joined)
    assert len(np.unique(others, axis=0)) == 4  # C-C-O from either end, and from the middle either way


@pytest.mark.parametrize(
    ("smiles", "reason"),
    [
        ("C1CC", "no SMILES that RDKit can read"),
        ("", "no SMILES"),
        ("CCCCCCCC", "heavy atoms C8, not C7O2"),
        ("CCCCCCSOO", "has S; the encoding knows C, N, O, F"),
        ("CCCCCCC(=O)[O-]", "charge"),
        ("CCCCCCO.CO", "2 fragments"),
    ],
)
def test_what_cannot_be_encoded_is_refused_with_its_reason(smiles, reason):
    with pytest.raises(NotEncodable, match=reason):
        molecules.encode(smiles)


def test_ten_heavy_atoms_do_not_fit():
    with pytest.raises(NotEncodable, match="10 heavy atoms; there are 9 places"):
        molecules.encode("CCCCCCCCCC", None)


def test_rows_are_refused_by_number():
    rows = ["CC(C)(O)CC=CC=O", "nonsense", "CCO", *["X"] * 9]
    with pytest.raises(
        DataError, match=r"row 2: 'nonsense'.*row 3: 'CCO' has the heavy atoms C2O.*and 6 more"
    ):
        molecules.checked(rows)


def graph(atoms, bonds):
    codes = np.full(len(GROUPS), NONE, np.uint8)
    codes[: len(atoms)] = atoms
    codes[PLACES:] = 0
    for pair, order in bonds.items():
        codes[PLACES + PAIRS.index(pair)] = order
    return codes


@pytest.mark.parametrize(
    ("atoms", "bonds", "reason"),
    [
        ([], {}, "no atoms"),
        ([0, 0], {}, "several fragments"),
        ([0], {(0, 1): 1}, "empty place"),
        ([2, 0], {(0, 1): 3}, "O has 3 bonds, its valence is 2"),
        ([0, 0, 0, 0], {(0, 1): 3, (0, 2): 1, (0, 3): 1}, "C has 5 bonds"),
    ],
)
def test_a_graph_that_is_no_molecule_is_refused_with_its_reason(atoms, bonds, reason):
    with pytest.raises(NotEncodable, match=reason):
        molecules.decode(graph(atoms, bonds))
    assert molecules.decode_all([graph(atoms, bonds)]) == [""]


def test_valence_agrees_with_rdkit_on_random_graphs():
    """An independent check: RDKit's sanitisation and fragments accept just what the rules accept."""
    draw = np.random.default_rng(1)
    for _ in range(200):
        atoms = draw.integers(0, 4, 4)
        drawn = {p: int(draw.choice(4, p=[0.5, 0.3, 0.15, 0.05])) for p in PAIRS if max(p) < 4}
        bonds = {pair: order for pair, order in drawn.items() if order}
        built = Chem.RWMol()
        for kind in atoms:
            built.AddAtom(Chem.Atom(molecules.ELEMENTS[kind]))
        for (a, b), order in bonds.items():
            built.AddBond(a, b, KINDS[order])
        fine = not Chem.SanitizeMol(built, catchErrors=True) and len(Chem.GetMolFrags(built)) == 1
        assert bool(molecules.decode_all([graph(atoms, bonds)])[0]) == fine
