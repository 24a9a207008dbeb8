"""Tensors beside a record: named and hashed in it, limited in size, missed where they are gone."""

from dataclasses import dataclass

import pytest
import torch
from invex.lab import tensorfile
from invex.lab.errors import CorruptRecord, RecordNotWritten
from invex.lab.records import Outcome, Store, read, record


@dataclass(frozen=True)
class Config:
    seed: int = 0


def put(folder, seed=0, **tensors):
    outcome = Outcome({}, {"x": 1.0}, {}, tensors=tensors)
    return Store(folder).put(record("made", Config(seed), "paper", outcome, {}))


def test_tensors_come_back_as_they_were(tmp_path):
    image = torch.arange(12, dtype=torch.uint8).reshape(3, 4)
    found = read(put(tmp_path, image=image, weight=torch.ones(2, dtype=torch.float16)))
    assert torch.equal(found.tensors()["image"], image)
    assert found.attached["names"] == ["image", "weight"]
    assert Store(tmp_path).verify() == []


def test_a_record_without_tensors_has_no_file_and_no_key(tmp_path):
    path = put(tmp_path)
    assert read(path).tensors() == {}
    assert "attached" not in path.read_text()
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize("damage", ["missing", "edited"])
def test_damaged_tensors_are_found_by_verify_and_refused(tmp_path, damage):
    path = put(tmp_path, weight=torch.ones(2))
    beside = path.with_suffix(".safetensors")
    beside.unlink() if damage == "missing" else beside.write_bytes(beside.read_bytes()[:-1] + b"x")
    (problem,) = Store(tmp_path).verify()
    assert beside.name in problem
    with pytest.raises(CorruptRecord, match="tensors"):
        read(path).tensors()


def test_tensors_without_their_record_are_found(tmp_path):
    path = put(tmp_path, weight=torch.ones(2))
    path.unlink()
    assert "without their record" in Store(tmp_path).verify()[0]


def test_limits_are_refused_with_the_number(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"4\.0 MB beside a record, at most 3 MB"):
        Outcome({}, {}, {}, tensors={"a": torch.zeros(1_000_000)})
    monkeypatch.setattr(tensorfile, "ROOM", 1000)
    put(tmp_path, 0, a=torch.zeros(100))
    put(tmp_path, 0, a=torch.zeros(100))  # again: it replaces itself
    with pytest.raises(RecordNotWritten, match=r"at most 0\.001 MB"):
        put(tmp_path, 1, a=torch.zeros(200))
