"""The scripts of data_scripts: one a set, three steps each, and a line in the README for every set."""

import importlib.util
import os
from dataclasses import replace
from pathlib import Path

import pytest
from invex.data.images import NAMES
from invex.data.sources import SOURCES, describe, script

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("INVEX_TEST_DATA") or ROOT.parent / "shared" / "data")
EVERY = sorted((ROOT / "data_scripts").glob("*.py"))
SCRIPTS = [path for path in EVERY if path.stem in SOURCES]  # sets of images: three steps each


def imported(path):
    spec = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_one_script_for_every_set_that_is_fetched():
    assert [path.stem for path in SCRIPTS] == sorted(SOURCES)


def test_every_other_script_has_a_row_in_the_readme():
    text = (ROOT / "data_scripts" / "README.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    for path in EVERY:
        assert path in SCRIPTS or any(f"`{path.name}`" in row for row in rows), path.name


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_verifies_and_prepares(path, tmp_path):
    script = imported(path)
    assert path.stem == script.NAME
    files = SOURCES[script.NAME].files
    if not all((REAL / script.NAME / name).exists() for name in files):
        pytest.skip(f"no published files of {script.NAME}; name their folder by INVEX_TEST_DATA")
    (tmp_path / script.NAME).mkdir()
    for name in files:
        (tmp_path / script.NAME / name).symlink_to(REAL / script.NAME / name)
    assert [found.name for found in script.fetch(tmp_path)] == list(files)
    assert script.verify(tmp_path) == script.fetch(tmp_path)
    assert [split.subset for split in script.prepare(tmp_path, tmp_path)] == [None, None]


def test_a_script_that_cannot_have_its_files_ends_with_the_reason(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(SOURCES, "mnist", replace(SOURCES["mnist"], url="http://127.0.0.1:9/"))
    mnist = imported(ROOT / "data_scripts" / "mnist.py")
    with pytest.raises(SystemExit, match=r"cannot fetch .* \(ConnectionError\); run `invex data` again"):
        script(mnist.fetch, mnist.prepare, [str(tmp_path)])
    assert capsys.readouterr().out == ""


def test_the_readme_states_source_licence_and_size_of_each_set():
    text = (ROOT / "data_scripts" / "README.md").read_text("utf-8")
    for name in SOURCES:
        said = describe(name)
        row = next(line for line in text.splitlines() if line.startswith(f"| {said['title']} |"))
        host = str(said["url"]).partition("//")[2].strip("/")
        assert host in row.replace("mirror of the originals at ", "")
        assert f"{said['megabytes']} MB" in row
        assert str(said["licence"]).partition(" (")[0].partition(";")[0] in row
    assert all(name in text for name in NAMES if name not in SOURCES)
