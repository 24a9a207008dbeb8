import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invex.lab.records import CorruptRecord, Outcome, Store, read, record


@dataclass(frozen=True)
class Config:
    method: str = "icnn"
    seed: int = 0


@dataclass(frozen=True)
class Grown(Config):
    momentum: float = 0.0


@dataclass(frozen=True)
class Redefined:
    method: str = "other"
    seed: int = 0


ORIGIN = {"code": {"digest": "0", "module": "none", "functions": {}}, "wall_seconds": 1.0}


def made(config=None, **tables):
    outcome = Outcome({"curve": tables or {"loss": [1.0, 0.5]}}, {"final": 0.5}, {"mnist": "f567"})
    return record("learning", config or Config(), "paper", outcome, ORIGIN)


def test_what_is_put_is_got_back_with_its_data_and_provenance(tmp_path):
    store, item = Store(tmp_path), made()
    path = store.put(item)
    assert path == tmp_path / "learning" / f"{item.digest}.json"
    assert store.get("learning", Config()) == item
    assert store.get("learning", Config(seed=1)) is None
    assert item.provenance["data"] == {"mnist": "f567"}
    assert list(store.all()) == [item]


def test_putting_twice_changes_nothing(tmp_path):
    store = Store(tmp_path)
    before = store.put(made()).read_bytes()
    assert store.put(made()).read_bytes() == before
    assert [p.name for p in (tmp_path / "learning").iterdir() if p.suffix == ".json"] == [
        store.paths()[0].name
    ]


def test_many_writers_of_one_run_never_show_half_a_record(tmp_path):
    store, item = Store(tmp_path), made(loss=list(range(2000)))
    store.put(item)
    with ThreadPoolExecutor(8) as pool:
        writes = [pool.submit(store.put, item) for _ in range(40)]
        reads = [pool.submit(store.get, "learning", Config()) for _ in range(40)]
    assert all(write.result().exists() for write in writes)
    assert all(got.result() == item for got in reads)
    assert list(store.work("learning").glob("*.tmp")) == []


def test_a_new_field_finds_the_old_record_but_another_default_does_not(tmp_path):
    store = Store(tmp_path)
    store.put(made())
    assert store.get("learning", Grown()) is not None
    assert store.get("learning", Redefined()) is None
    store.put(made(Grown()))
    assert store.get("learning", Config()) is None  # of a field that has gone


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_float32_columns_read_back_as_the_same_float32(values):
    item = made(loss=np.array(values, np.float32))
    stored = json.loads(item.text())["tables"]["curve"]["loss"]
    assert np.array_equal(np.array(stored, np.float32), np.array(values, np.float32))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_a_column_with_a_number_that_no_float32_is_reads_back_exactly(values):
    stored = json.loads(made(loss=[0.1, *values]).text())["tables"]["curve"]["loss"]
    assert stored == [0.1, *values]


def test_a_curve_of_169_float32_points_takes_less_than_four_kilobytes():
    losses = np.exp(-np.arange(169) / 50).astype(np.float32)
    assert len(made(step=list(range(0, 8450, 50)), loss=losses).text()) < 4000


def test_a_value_that_is_not_finite_is_null_and_fails_the_run(tmp_path):
    item = made(loss=[1.0, math.inf, math.nan])
    assert item.tables["curve"]["loss"] == [1.0, None, None]
    assert item.failed == "curve.loss is not finite at row 1"
    assert made().failed is None
    assert read(Store(tmp_path).put(item)).failed == item.failed


def test_a_metric_that_is_not_finite_is_null_and_fails_the_run():
    item = record("learning", Config(), "paper", Outcome({}, {"final": math.inf, "best": 1.0}, {}), ORIGIN)
    assert item.metrics == {"final": None, "best": 1.0}
    assert item.failed == "metric final is not finite"


def test_a_given_reason_of_failure_is_kept():
    outcome = Outcome({"curve": {"loss": [math.nan]}}, {}, {}, failed="loss not finite at step 120")
    assert record("learning", Config(), "paper", outcome, ORIGIN).failed == "loss not finite at step 120"


def test_columns_of_one_table_have_one_length():
    with pytest.raises(ValueError, match="table curve: columns of \\[1, 2\\] rows"):
        Outcome({"curve": {"a": [1], "b": [1, 2]}}, {}, {})


def test_verify_is_silent_on_whole_records_and_names_each_bad_one(tmp_path):
    store = Store(tmp_path)
    paths = [store.put(made(Config(seed=seed))) for seed in range(4)]
    assert store.verify() == []
    paths[0].write_text(paths[0].read_text().replace("0.5", "0.4"))
    paths[1].write_bytes(paths[1].read_bytes()[:200])
    paths[2].rename(paths[2].with_name("0123456789abcdef.json"))
    problems = " ".join(sorted(store.verify()))
    assert f"{paths[0]}: edited" in problems
    assert f"{paths[1]}: not a readable record" in problems
    assert problems.count("restore the file, or delete it and record its run again") == 2
    assert "0123456789abcdef.json: misnamed" in problems
    assert str(paths[3]) not in problems
    with pytest.raises(CorruptRecord, match="edited"):
        store.get("learning", Config())


def test_an_edit_that_also_moves_the_hash_of_another_record_is_still_found(tmp_path):
    store = Store(tmp_path)
    first, second = (store.put(made(Config(seed=seed))) for seed in range(2))
    first.write_text(second.read_text())
    assert "misnamed" in store.verify()[0]
    (tmp_path / "other").mkdir()
    second.rename(tmp_path / "other" / second.name)
    assert "misnamed, it is learning/" in store.verify("other")[0]
