"""Tables of molecules: one canonical order and digest, and rows refused by number and reason."""

import gzip
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
from invex.data import molecule_tables, qm9
from invex.data.archives import DataError
from invex.data.molecule_tables import KCAL, load, prepare, read_table

pytest.importorskip("rdkit")
ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("INVEX_TEST_DATA") or ROOT.parent / "shared" / "data") / "qm9"
ROWS = ["CC(=O)CCCC=C=O", "O=C1CCC2(CC1)CO2", "CC1(C)CC(=O)C1C=O"]


def written(path, lines):
    path.write_text("\n".join(lines) + "\n")
    return path


def own(tmp_path, *extra):
    return written(
        tmp_path / "mine.csv", ["smiles,dipole", f"{ROWS[0]},1.5", f"{ROWS[1]},", f"{ROWS[2]},2", *extra]
    )


def test_a_readers_table_is_read_in_canonical_order_with_what_is_not_known(tmp_path):
    found = read_table(own(tmp_path), "dipole")
    assert sorted(found.smiles) == sorted(ROWS)
    assert found.known.sum() == 2
    assert (found.quantity, found.unit, found.name) == ("dipole", "D", "mine")
    shuffled = ["smiles,dipole", f"{ROWS[2]},2.0", f"{ROWS[0]},1.5", f"{ROWS[1]},"]
    again = read_table(written(tmp_path / "other.csv", shuffled), "dipole")
    assert (again.digest, again.smiles) == (found.digest, found.smiles)


def test_the_digest_follows_the_values(tmp_path):
    before = read_table(own(tmp_path), "dipole").digest
    changed = (tmp_path / "mine.csv").read_text().replace("1.5", "1.6")
    (tmp_path / "mine.csv").write_text(changed)
    assert read_table(tmp_path / "mine.csv", "dipole").digest != before


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("C1CC,1", r"mine\.csv: row 4: 'C1CC' is no SMILES"),
        ("CCO,1", "row 4: 'CCO' has the heavy atoms C2O, not C7O2"),
        ("CC(=O)CCCC=C=S,1", "row 4: .* has S; the encoding knows"),
        (f"{ROWS[1]},high", "row 4: 'high' is no finite number"),
        (f"{ROWS[1]},inf", "row 4: 'inf' is no finite number"),
        ("C=CCCCC(C)(=O)=O,1", "row 4: .* is no SMILES"),
        ("O=C=CCCCC(C)=O,3", "row 4: CC.*C=O is the molecule of row 1 again"),
    ],
)
def test_rows_are_refused_by_number_and_reason(tmp_path, row, reason):
    with pytest.raises(DataError, match=reason):
        read_table(own(tmp_path, row), "dipole")


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match=r"there is no file .*absent\.csv"):
        read_table(tmp_path / "absent.csv", "dipole")
    with pytest.raises(DataError, match=r"columns smiles, dipole, no 'gap'; give mine\.csv a column 'gap'"):
        read_table(own(tmp_path), "gap")
    with pytest.raises(DataError, match="needs a header with a column smiles"):
        read_table(written(tmp_path / "bare.csv", ["C,1"]), "gap")
    with pytest.raises(DataError, match=r"no QM9 in .*data_scripts/qm9\.py .* fetches"):
        load("qm9", "gap", tmp_path)
    with pytest.raises(DataError, match="gap alone, not 'dipole'"):
        load("enumerated", "dipole")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"smiles,gap\nC,1\n" * 50)[:20])
    with pytest.raises(DataError, match="cannot be read"):
        read_table(tmp_path / "cut.csv.gz", "gap")


def test_a_value_for_no_row_is_refused(tmp_path):
    with pytest.raises(DataError, match="no row has a value of 'gap'"):
        read_table(written(tmp_path / "mine.csv", ["smiles,gap", f"{ROWS[0]},"]), "gap")


def test_the_enumerated_molecules_are_distinct_and_have_gaps():
    found = load("enumerated")
    assert len(set(found.smiles)) == len(found.smiles) == 2700
    assert found.known.all()
    assert 5 < found.values.min() < found.values.max() < 400


VALUES = "157.7118 157.70997 157.70699 0. 13.21 -0.3877 0.1171 0.5048 35.3641 0.044749 -40.47893 -40.476062"
MOLECULE = f"""5
gdb 1\t{VALUES} -40.475117 -40.498597 6.469
C	-0.0126981359	 1.0858041578	 0.0080009958	-0.535689
H	 0.002150416	-0.0060313176	 0.0019761204	 0.133921
H	 1.0117308433	 1.4637511618	 2.5*^-6	 0.133922
H	-0.540815069	 1.4475266138	-0.8766437152	 0.133923
H	-0.5238136345	 1.4379326443	 0.9063972942	 0.133923
1341.307	1341.3284	1341.365	1562.6731	1562.7453	3038.3205	3151.6034	3151.6788	3151.7078
C	C
InChI=1S/CH4/h1H4	InChI=1S/CH4/h1H4
"""


def archive(path, *texts):
    import io
    import tarfile

    with tarfile.open(path, "w:bz2") as file:
        for i, text in enumerate(texts):
            member = tarfile.TarInfo(f"dsgdb9nsd_{i:06d}.xyz")
            member.size = len(text.encode())
            file.addfile(member, io.BytesIO(text.encode()))
    return path


def test_the_published_form_is_parsed_with_its_odd_exponents():
    entry = qm9.parse(MOLECULE)
    assert (entry.number, entry.smiles) == (1, "C")
    assert entry.values[qm9.PROPERTIES.index("gap")] == 0.5048
    assert entry.positions[2, 2] == 2.5e-6
    assert entry.elements == ("C", "H", "H", "H", "H")


@pytest.mark.parametrize("damaged", ["", "5\nxyz 1", MOLECULE.replace("gdb 1", "gdb one"), MOLECULE[:300]])
def test_another_form_is_refused(damaged):
    with pytest.raises(DataError, match="not a molecule of QM9"):
        qm9.parse(damaged)


def test_the_archive_gives_the_molecules_asked_for(tmp_path):
    path = archive(tmp_path / "a.tar.bz2", MOLECULE, MOLECULE.replace("gdb 1\t", "gdb 7\t"))
    assert [entry.number for entry in qm9.entries(path, {"C": 1})] == [1, 7]
    assert not list(qm9.entries(path))
    with pytest.raises(DataError, match="there is no file"):
        list(qm9.entries(tmp_path / "none"))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match="damaged"):
        list(qm9.entries(path, {"C": 1}))


def test_what_is_written_from_the_archive_is_loaded_with_any_property(tmp_path):
    texts = []
    for number, smiles in enumerate(ROWS, start=1):
        texts.append(
            MOLECULE.replace("gdb 1\t", f"gdb {number}\t").replace("\nC\tC\n", f"\n{smiles}\t{smiles}\n")
        )
    qm9.write([qm9.parse(text) for text in texts], tmp_path / "qm9")
    found = load("qm9", "gap", tmp_path)
    np.testing.assert_allclose(found.values, 0.5048 * KCAL)
    assert load("qm9", "polarisability", tmp_path).values.tolist() == [13.21] * 3
    (tmp_path / "qm9" / molecule_tables.PREPARED).unlink()
    assert load("qm9", "gap", tmp_path).digest == found.digest
    with pytest.raises(DataError, match=r"no property 'colour' in .*, which has a, b, c, mu"):
        load("qm9", "colour", tmp_path)


def test_a_damaged_preparation_is_named(tmp_path):
    (tmp_path / "qm9").mkdir()
    (tmp_path / "qm9" / molecule_tables.PREPARED).write_bytes(b"PK")
    with pytest.raises(DataError, match="is damaged"):
        load("qm9", "gap", tmp_path)


@pytest.mark.skipif(
    not (REAL / molecule_tables.FILE).exists(), reason="no QM9; name its folder by INVEX_TEST_DATA"
)
def test_the_real_table_encodes_and_decodes(tmp_path):
    lines = gzip.decompress((REAL / molecule_tables.FILE).read_bytes()).decode().splitlines()
    (tmp_path / "qm9").mkdir()
    short = "\n".join([lines[0], *lines[1::400]])
    (tmp_path / "qm9" / molecule_tables.FILE).write_bytes(gzip.compress(short.encode()))
    prepare(tmp_path / "qm9")
    found = load("qm9", "gap", tmp_path)
    from invex.data.molecules import decode_all

    assert decode_all(found.codes) == list(found.smiles)
    assert len(found.smiles) == len(lines[1::400])


def test_the_script_encodes_a_table_that_is_there(tmp_path, capsys):
    spec = importlib.util.spec_from_file_location("script_qm9", ROOT / "data_scripts" / "qm9.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    (tmp_path / "qm9").mkdir()
    text = "gdb_id,smiles,gap\n" + "\n".join(f"{i},{smiles},0.2" for i, smiles in enumerate(ROWS))
    (tmp_path / "qm9" / molecule_tables.FILE).write_bytes(gzip.compress(text.encode()))
    script.main(tmp_path)
    assert capsys.readouterr().out.startswith("qm9 3 molecules, 3 with gap, ")
