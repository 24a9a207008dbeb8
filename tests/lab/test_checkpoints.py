"""Runs that continue: killed at any instant, ended by a budget, carried elsewhere, to the same numbers."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from invex.lab import experiments, records, sweep
from invex.lab.checkpoints import Checkpoint
from invex.lab.errors import Failed

FAKES = Path(__file__).parents[1] / "fakes"


@pytest.fixture
def lasting(monkeypatch):
    monkeypatch.syspath_prepend(str(FAKES))
    return experiments.find("fake_runs.lasting")


def plan(experiment, folder, **more):
    store = records.Store(folder)
    return sweep.Plan(experiment, tuple(experiment.configs("paper")), "paper", store, **more)


def only(folder):
    (found,) = records.Store(folder).all()
    return found


@pytest.fixture
def whole(lasting, tmp_path):
    sweep.sweep(plan(lasting, tmp_path / "whole"))
    return only(tmp_path / "whole")


def same(one, other):
    return one.tables == other.tables and one.attached == other.attached


def test_a_run_killed_at_random_instants_gives_the_numbers_of_an_uninterrupted_one(whole, tmp_path):
    drawn, folder = random.Random(0), tmp_path / "killed"
    environment = os.environ | {"PYTHONPATH": str(FAKES), "OMP_NUM_THREADS": "1", "FAKE_PAUSE": "0.02"}
    code = "from invex.press.cli import app; app()"
    command = [sys.executable, "-c", code, "record", "fake_runs.lasting", "--records", str(folder)]
    states = folder / "fake_runs.lasting" / ".work"
    for _ in range(20):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        before = _newest(states)
        deadline = time.monotonic() + 60
        while _newest(states) == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(drawn.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if list(folder.glob("*/*.json")):
            break
    if not list(folder.glob("*/*.json")):
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    found = only(folder)
    assert same(found, whole)
    assert found.provenance["stretches"] > 5


def _newest(folder):
    return max((path.stat().st_mtime_ns for path in folder.glob("*.state")), default=0)


def test_a_budget_that_ends_inside_a_run_keeps_its_state(lasting, whole, tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_PAUSE", "0.05")
    said = []
    states = tmp_path / "states"
    sweep.sweep(plan(lasting, tmp_path / "a", deadline=time.time() + 0.1, states=states), ended=said.append)
    assert "left its state" in said[0]
    assert not list(records.Store(tmp_path / "a").paths())
    monkeypatch.setenv("FAKE_PAUSE", "0")
    sweep.sweep(plan(lasting, tmp_path / "b", states=states))  # elsewhere, with the states carried there
    assert same(only(tmp_path / "b"), whole)
    assert only(tmp_path / "b").provenance["stretches"] == 2
    assert not list(states.glob("*.state"))


def test_a_run_on_another_seed_would_be_noticed(lasting, whole, tmp_path):
    """Negative control for `same`."""
    other = tmp_path / "other"
    config = lasting.module.Config(seed=1)
    sweep.sweep(sweep.Plan(lasting, (config,), "paper", records.Store(other)))
    assert not same(only(other), whole)


def test_a_damaged_state_is_named_with_the_way_out(tmp_path):
    path = tmp_path / "x.state"
    path.write_bytes(b"no tensors")
    with pytest.raises(Failed, match=r"x\.state: not a readable state .*delete it"):
        Checkpoint(path).load()


def test_a_state_is_written_when_due_only(tmp_path):
    kept = Checkpoint(tmp_path / "x.state", every=1000.0)
    kept.save(lambda: {"a": torch.ones(2)})
    assert kept.load() is None
    kept.save(lambda: {"a": torch.ones(2)}, now=True)
    assert torch.equal(kept.load()["a"], torch.ones(2))
