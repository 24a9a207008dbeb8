"""The commands `data`, `verify`, `doctor` and `record` as a program would call them."""

import importlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from invex.lab import costs
from invex.press.cli import app
from typer.testing import CliRunner

FAKES = Path(__file__).parents[1] / "fakes"


@pytest.fixture
def invex(monkeypatch, tmp_path):
    """Runs a command with its own folder of data and records; gives exit code, output and errors."""
    monkeypatch.syspath_prepend(FAKES)
    monkeypatch.setenv("INVEX_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("INVEX_ROOT", str(tmp_path))
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text("root: index\n")
    return lambda *words: CliRunner().invoke(app, list(words))


def mnist_like(folder, count):
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        np.save(folder / f"{split}-images.npy", random.integers(0, 256, (count, 28, 28, 1), dtype=np.uint8))
        np.save(folder / f"{split}-labels.npy", np.arange(count) % 10)


def test_data_lists_every_set_with_licence_and_source(invex):
    found = {item["name"]: item for item in json.loads(invex("data", "--json").stdout)}
    assert set(found) == {"mnist", "fashion_mnist", "cifar10", "cifar100", "digits", "patches"}
    assert found["digits"]["found"]
    assert not found["mnist"]["found"]
    assert "invex data mnist" in found["mnist"]["why"]
    assert found["fashion_mnist"]["licence"] == "MIT"
    assert found["cifar10"]["url"].startswith("https://www.cs.toronto.edu/")
    listed = invex("data").stdout
    assert "not here" in listed
    assert "…" not in listed


def test_data_prepares_from_a_folder_and_names_the_subset(invex, tmp_path):
    mnist_like(tmp_path / "mine" / "mnist", 50)
    done = invex("data", "mnist", "--from", str(tmp_path / "mine"), "--json")
    assert done.exit_code == 0
    splits = json.loads(done.stdout)[0]["splits"]
    assert splits[0]["subset"] == "5 of 6000 train images a class (50 of 60,000 train images)"
    assert (tmp_path / "data" / "mnist" / "train-images.npy").exists()


def test_a_damaged_file_of_the_readers_is_named_and_left_alone(invex, tmp_path):
    path = tmp_path / "mine" / "cifar10" / "cifar-10-python.tar.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of it")
    done = invex("data", "cifar10", "--from", str(tmp_path / "mine"))
    assert done.exit_code == 1
    assert f"{path} is truncated or not the published file (wrong SHA-256)" in done.stderr
    assert path.read_bytes() == b"half of it"


def test_data_that_cannot_be_had_is_named(invex, tmp_path):
    done = invex("data", "mnist", "--from", str(tmp_path / "nowhere"))
    assert done.exit_code == 1
    assert "mnist: no files of mnist (train) in" in done.stderr
    unknown = invex("data", "imagenet")
    assert unknown.exit_code == 2
    assert "no data set 'imagenet'; there are mnist, fashion_mnist" in unknown.stderr


def test_data_that_are_damaged_are_not_only_absent(invex, tmp_path):
    folder = tmp_path / "data" / "mnist"
    mnist_like(folder, 50)
    (folder / "train-images.npy").write_bytes(b"half of it")
    said = invex("data").stderr
    assert f"mnist: files of mnist (train) in {folder} are damaged" in said
    assert "cifar10" not in said


def test_runs_whose_data_are_missing_are_named_in_a_line_with_the_way_out(invex):
    done = invex("record", "learning_dynamics", "--device", "cpu", "--only", "dataset=mnist,hidden=5,seed=0")
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    assert done.stderr.count("\n") == 1
    assert "more): no files of mnist (train) in" in done.stderr
    assert "`invex data mnist`" in done.stderr


def test_record_dry_run_lists_and_runs_nothing(invex, tmp_path):
    found = json.loads(invex("record", "fake_runs.steady", "--dry-run", "--json").stdout)
    assert found["runs"] == 6
    assert found["missing"][1] == "method=skip"
    assert not (tmp_path / "book" / "records").exists()


def test_record_then_verify(invex, tmp_path):
    done = invex("record", "fake_runs.steady", "--device", "cpu", "--only", "method=skip")
    assert done.exit_code == 0
    assert "3 runs recorded, 0 of them failed; 3 of 3 are there" in done.stdout
    audit = json.loads(invex("verify", "--json").stdout)
    assert audit["records"] == 3
    assert not any(audit[key] for key in ("problems", "stale", "vouched for", "failed replays"))
    path = next((tmp_path / "book" / "records" / "fake_runs.steady").glob("*.json"))
    path.write_text(path.read_text().replace('"plain"', '"skip"').replace('"skip"', '"plain"'))
    done = invex("verify")
    assert done.exit_code == 1
    assert "edited since it was written" in done.stderr
    assert "3 records: 1 damaged or edited, 0 stale" in done.stdout


@pytest.mark.parametrize(
    "command",
    [["record", "fake_runs.steady", "--dry-run"], ["replay", "fake_runs.steady"], ["verify"], ["doctor"]],
)
def test_a_file_in_place_of_the_records_is_refused(invex, tmp_path, command):
    (tmp_path / "kept").write_text("a thesis")
    done = invex(*command, "--records", str(tmp_path / "kept"))
    assert done.exit_code == 2
    assert "kept' is a file; name a folder" in done.stderr
    assert (tmp_path / "kept").read_text() == "a thesis"


def test_verify_refuses_names_of_nothing(invex, tmp_path):
    assert "0 records: 0 damaged or edited, 0 stale" in invex("verify").stdout
    invex("record", "fake_runs.steady", "--device", "cpu", "--only", "method=skip,seed=0")
    assert "1 records: 0 damaged or edited, 0 stale" in invex("verify", "fake_runs.steady").stdout
    for words, message in [
        (["steady"], "no records of 'steady'; there are fake_runs.steady"),
        (["--records", "nowhere"], "no folder of records 'nowhere'"),
    ]:
        done = invex("verify", *words)
        assert done.exit_code == 2
        assert message in done.stderr


def test_the_ledger_of_a_book_that_is_not_built_is_not_one_of_nothing_attempted(invex):
    for words in ([], ["--json"], ["--profile", "quick"]):
        done = invex("ledger", *words)
        assert done.exit_code == 1
        assert "nothing is built at profile" in done.stderr
        assert done.stdout == ""


def test_doctor_says_versions_device_data_and_costs(invex, tmp_path):
    records = tmp_path / "book" / "records"
    records.mkdir()
    costs.note(records, [("part/chapter", "quick", 7.0), ("part/chapter", "paper", 9000)])
    found = json.loads(invex("doctor", "--json").stdout)
    assert found["versions"]["torch"]
    assert "cores" in found["device"] or found["device"]
    assert len(found["data"]) == 6
    said = {(row["what"], row["profile"]): row for row in found["costs"]}
    assert said["part/chapter", "quick"]["cost"] == "7 s"
    assert said["part/chapter", "paper"]["cost"] == "2.5 h"
    assert said["part/chapter", "paper"]["measured on"] == found["device"]
    assert all("not measured" in row["cost"] for (what, _), row in said.items() if what != "part/chapter")
    assert "part/chapter" in invex("doctor").stdout


def test_outside_a_book_the_commands_ask_for_a_folder(invex, tmp_path, monkeypatch):
    monkeypatch.setenv("INVEX_ROOT", str(tmp_path / "data"))
    done = invex("verify")
    assert done.exit_code == 2
    assert "_toc.yml" in done.stderr


def test_replay_by_the_command_line(invex, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "mine_again.py"
    text = (FAKES / "fake_runs" / "steady.py").read_text()
    source.write_text(text.replace("math.exp(-config.rate * step)", "math.exp(-(config.rate * step))"))
    assert invex("record", "mine_again", "--device", "cpu").exit_code == 0
    done = invex("replay", "mine_again")
    assert done.exit_code == 2
    assert "none that did not fail was recorded by other code than today's" in done.stderr
    changed_source(source, text)
    stale = invex("verify").stdout
    assert "6 records: 0 damaged or edited, 6 stale, 0 vouched for" in stale
    assert "changed since: mine_again.curve" in stale
    assert len(json.loads(invex("replay", "mine_again", "--dry-run", "--json").stdout)["runs"]) == 2
    done = invex("replay", "mine_again", "--runs", "3", "--device", "cpu")
    assert done.exit_code == 0, done.output
    assert "seed=" in done.stdout
    assert "6 records vouched for" in done.stdout
    audit = invex("verify")
    assert "6 records: 0 damaged or edited, 0 stale, 6 vouched for" in audit.stdout
    assert "3 runs made again by today's are identical" in audit.stdout
    assert len(json.loads(invex("verify", "--json").stdout)["vouched for"]) == 6
    changed_source(source, text.replace("+ config.seed for", "+ 2 * config.seed + 1 for"))
    done = invex("replay", "mine_again", "--device", "cpu")
    assert done.exit_code == 1
    assert "all records by earlier code are stale: a run made again differs" in done.stderr
    audit = json.loads(invex("verify", "--json").stdout)
    assert (len(audit["stale"]), audit["vouched for"]) == (6, {})
    assert len(audit["failed replays"]) == 6
    next((tmp_path / "book" / "records").glob("*/attestations/*.json")).write_text("{}")
    assert invex("verify").exit_code == 1
    done = invex("replay", "mine_again", "--budget", "soon")
    assert done.exit_code == 2


def changed_source(path, text):
    """Write a module anew, and load what it says now."""
    path.write_text(text)
    os.utime(path, (path.stat().st_mtime + 10,) * 2)
    importlib.invalidate_caches()
    importlib.reload(sys.modules[path.stem])
