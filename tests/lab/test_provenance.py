import os
import platform
import subprocess

import pytest
from invex.lab import provenance
from invex.lab.closure import CodeDigest


@pytest.fixture
def repository(tmp_path, monkeypatch):
    def git(*words):
        identity = ["-c", "user.name=A", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    git("init")
    for name in ("used.py", "other.py"):
        (tmp_path / name).write_text("before = 1\n")
    git("add", ".")
    git("commit", "-m", "first")
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    return tmp_path


def test_a_commit_is_marked_when_a_file_of_the_closure_differs_from_it(repository):
    used = [repository / "used.py"]
    clean = provenance.commit(used)
    assert clean is not None
    assert len(clean) == 40
    (repository / "other.py").write_text("after = 2\n")
    assert provenance.commit(used) == clean
    (repository / "used.py").write_text("after = 2\n")
    assert provenance.commit(used) == clean + "+"


def test_outside_a_repository_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path)
    assert provenance.commit() is None


def test_provenance_names_hardware_and_not_the_machine():
    said = provenance.provenance(CodeDigest("0", {}), device="cpu", wall_seconds=1.0, batch=1)
    assert said["device"].endswith(f"{provenance.cores()} cores")
    assert platform.node() not in str(said)
    assert said["when"].endswith("Z")


def test_peak_memory_sees_what_was_allocated_since_it_was_reset():
    import numpy as np

    block = np.ones(25_000_000)
    high = provenance.peak_memory("cpu")
    del block
    provenance.reset_peak("cpu")
    before = provenance.peak_memory("cpu")
    if os.access("/proc/self/clear_refs", os.W_OK):
        assert before < high - 0.8 * 8 * 25_000_000
    block = np.ones(25_000_000)
    assert provenance.peak_memory("cpu") - before > 0.8 * block.nbytes


def test_devices_are_resolved_or_refused_by_name():
    assert provenance.resolve("cpu") == "cpu"
    with pytest.raises(ValueError, match="no device 'tpu'; there are auto, cpu, cuda"):
        provenance.resolve("tpu")
