"""Molecules in space and on paper, and their tight-binding gaps."""

import numpy as np
import pytest
from invex.data import depiction, geometry
from invex.data.archives import DataError
from invex.data.geometry import Structure

pytest.importorskip("rdkit")
RING = "CC1(C)CC(=O)C1C=O"


def test_a_structure_has_every_hydrogen_and_lengths_of_bonds():
    found = geometry.embedded(RING)
    assert (found.numbers == 1).sum() == 10
    assert (found.numbers > 1).sum() == 9
    lengths = [np.linalg.norm(found.positions[a] - found.positions[b]) for a, b in depiction.joined(found)]
    assert 0.9 < min(lengths) < max(lengths) < 1.7
    assert len(lengths) == 9 + 10  # one ring: as many bonds as heavy atoms, and one a hydrogen


def test_structures_come_again():
    first = geometry.embedded.__wrapped__(RING)
    np.testing.assert_array_equal(first.positions, geometry.embedded.__wrapped__(RING).positions)


def test_the_lowest_of_several_structures_is_taken():
    from rdkit import Chem
    from rdkit.Chem import rdForceFieldHelpers

    def energy(found):
        molecule = Chem.AddHs(Chem.MolFromSmiles(fused))
        conformer = Chem.Conformer(molecule.GetNumAtoms())
        for i, place in enumerate(found.positions):
            conformer.SetAtomPosition(i, place.tolist())
        molecule.AddConformer(conformer)
        properties = rdForceFieldHelpers.MMFFGetMoleculeProperties(molecule)
        return rdForceFieldHelpers.MMFFGetMoleculeForceField(molecule, properties).CalcEnergy()

    fused = "CC1(OC=O)C2CCC21"
    single, lowest = geometry.embedded(fused, tries=1), geometry.embedded(fused)
    assert energy(lowest) <= energy(single) + 1e-6


def test_gaps_agree_with_published_ones_in_kind():
    """Formaldehyde's gap is far below methane's, in both parametrisations."""
    pytest.importorskip("tblite")
    gaps = {s: [geometry.gap(geometry.embedded(s), m) for m in geometry.METHODS] for s in ("C", "C=O")}
    assert all(low < 0.5 * high for low, high in zip(gaps["C=O"], gaps["C"], strict=True))
    assert 50 < min(gaps["C=O"]) < max(gaps["C"]) < 600


def test_relaxation_lowers_the_energy_and_keeps_the_bonds():
    pytest.importorskip("tblite")
    stretched = geometry.embedded("C=O")
    stretched = Structure(stretched.numbers, 1.08 * stretched.positions)
    found = geometry.relaxed(stretched, "GFN1-xTB")
    before, after = (
        geometry._energy(geometry._calculator(s, "GFN1-xTB")).get("energy") for s in (stretched, found)
    )
    assert after < before
    assert depiction.joined(found) == depiction.joined(geometry.embedded("C=O"))


def test_an_unknown_method_is_refused_by_name():
    with pytest.raises(DataError, match="no method 'B3LYP'; there are GFN1-xTB, GFN2-xTB"):
        geometry.gap(geometry.embedded("C"), "B3LYP")


def test_published_structures_are_cut_by_their_counts(tmp_path):
    arrays = {"n_atoms": [1, 2], "Z": [6, 1, 1], "xyz": np.arange(9.0).reshape(3, 3)}
    np.savez(tmp_path / "g.npz", **arrays)
    first, second = geometry.published(tmp_path / "g.npz")
    assert (first.numbers.tolist(), second.numbers.tolist()) == ([6], [1, 1])
    np.testing.assert_array_equal(second.positions, arrays["xyz"][1:])
    with pytest.raises(DataError, match="there is no file"):
        geometry.published(tmp_path / "none.npz")


def test_a_formula_has_a_stroke_a_bond_order_and_a_letter_an_oxygen():
    found = depiction.depicted(RING)
    assert len(found.lines) == 9 + 2  # nine bonds, two of them double
    assert sorted(text for text, _, _ in found.letters) == ["O", "O"]
    assert depiction.depicted("CO").letters[0][0] == "OH"
    assert depiction.depicted("C").letters[0][0] == "CH4"


def test_what_faces_the_reader_is_the_widest_side_and_no_distance_changes():
    found = geometry.embedded("CCCCCCO")
    turned = depiction.facing(found)
    spread = turned[found.numbers > 1].std(0)
    assert spread[0] >= spread[1] >= spread[2]
    apart = [np.linalg.norm(p[:, None] - p[None], axis=-1) for p in (turned, found.positions)]
    np.testing.assert_allclose(*apart, atol=1e-9)
    assert depiction.xyz(found).splitlines()[0] == str(len(found.numbers))


def test_molecules_without_a_structure_are_left_out(monkeypatch):
    def fails(smiles):
        raise geometry.NoGeometry(smiles)

    monkeypatch.setattr(depiction, "embedded", fails)
    assert depiction.in_space(["C"]) == {}
