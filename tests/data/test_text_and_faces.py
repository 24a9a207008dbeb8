"""BibTeX and Olivetti: formats, canonical order, digests, and what is said of missing or damaged files."""

from dataclasses import replace

import numpy as np
import pytest
from invex.data import faces, text
from invex.data.archives import DataError
from scipy.io import savemat


def test_a_set_of_texts_comes_back_from_its_file(tmp_path, monkeypatch):
    topics = text.load("topics")
    (tmp_path / "bibtex").mkdir()
    text.write(topics, tmp_path / "bibtex" / "bibtex.npz")
    monkeypatch.setattr(text, "DIGEST", topics.digest)
    again = text.load("bibtex", tmp_path)
    np.testing.assert_array_equal(again.words, topics.words)
    np.testing.assert_array_equal(again.labels, topics.labels)
    assert again.digest == topics.digest
    assert text.load("bibtex", tmp_path / "bibtex").digest == topics.digest


def test_the_digest_does_not_depend_on_the_order_of_rows():
    topics = text.load("topics")
    order = np.random.default_rng(0).permutation(len(topics.words))
    again = text._canonical(topics.words[order], topics.labels[order], topics.label_names, "topics")
    assert again.digest == topics.digest
    changed = topics.labels.copy()
    changed[0, 0] ^= 1
    assert text._canonical(topics.words, changed, topics.label_names, "topics").digest != topics.digest


def test_sparse_arff_is_read_with_its_last_attributes_as_labels(tmp_path):
    path = tmp_path / "bibtex.arff"
    path.write_text(
        "@relation small\n@attribute a {0,1}\n@attribute b {0,1}\n"
        "@attribute TAG_x {0,1}\n@attribute TAG_y {0,1}\n"
        "@data\n{0 1,3 1}\n{1 1}\n{0 0, 2 1}\n"
    )
    words, labels, names = text.read_arff(path, labels=2)
    assert words.tolist() == [[1, 0], [0, 1], [0, 0]]
    assert labels.tolist() == [[0, 1], [0, 0], [1, 0]]
    assert names == ["TAG_x", "TAG_y"]
    path.write_text(path.read_text() + "0 1\n")
    with pytest.raises(DataError, match="row 4 is not in braces"):
        text.read_arff(path, labels=2)


def test_missing_damaged_and_foreign_texts_are_named(tmp_path):
    with pytest.raises(DataError, match="no set of texts 'x'; there are bibtex, topics"):
        text.load("x")
    with pytest.raises(DataError, match=r"no bibtex\.npz or bibtex\.arff in"):
        text.load("bibtex", tmp_path)
    (tmp_path / "bibtex.npz").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match=r"bibtex\.npz is damaged"):
        text.load("bibtex", tmp_path)
    text.write(text.load("topics"), tmp_path / "bibtex.npz")
    with pytest.raises(DataError, match="are not the published BibTeX"):
        text.load("bibtex", tmp_path)


def test_faces_come_back_from_both_formats(tmp_path, monkeypatch):
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (20, 64, 64), dtype=np.uint8)
    made = faces._canonical(images, np.arange(20) // 10, "olivetti")
    monkeypatch.setattr(faces, "DIGEST", made.digest)
    faces.write(made, tmp_path / "olivetti_faces.npz")
    assert faces.load("olivetti", tmp_path).digest == made.digest
    (tmp_path / "olivetti_faces.npz").unlink()
    savemat(tmp_path / "olivettifaces.mat", {"faces": images.transpose(0, 2, 1).reshape(20, -1).T})
    found = faces.load("olivetti", tmp_path)
    assert found.digest == made.digest
    np.testing.assert_array_equal(found.images, made.images)


def test_missing_damaged_and_foreign_faces_are_named(tmp_path):
    with pytest.raises(DataError, match="no set of faces 'x'"):
        faces.load("x")
    with pytest.raises(DataError, match=r"no olivetti_faces\.npz"):
        faces.load("olivetti", tmp_path)
    (tmp_path / "olivetti_faces.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match="is damaged"):
        faces.load("olivetti", tmp_path)
    faces.write(faces.load("enlarged-digits"), tmp_path / "olivetti_faces.npz")
    with pytest.raises(DataError, match="does not hold the Olivetti faces"):
        faces.load("olivetti", tmp_path)


def test_the_split_is_that_of_the_source_in_size_and_differs_by_seed():
    digits = faces.load("enlarged-digits")
    train, test = faces.split(digits, 0)
    assert (len(train), len(test)) == (350, 50)
    assert not set(train) & set(test)
    assert set(test) != set(faces.split(digits, 1)[1])
    assert replace(digits, name="x").images.shape == (400, 32, 32)
