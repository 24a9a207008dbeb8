"""Replays: records outlive changes of code that do not change results, and those alone."""

import importlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from invex.lab import attestations, experiments, standing, sweep
from invex.lab.attestations import Tolerance
from invex.lab.config import digest
from invex.lab.errors import Refused
from invex.lab.records import Store
from invex.lab.replay import Task, candidates, replay, sample
from invex.lab.standing import CURRENT, STALE, VOUCHED

SOURCE = """
import math
from dataclasses import dataclass
from invex.lab.attestations import Tolerance
from invex.lab.records import Outcome

REPLAY = Tolerance(relative=1e-6, reason="sums in another order", times=("seconds",), chaotic=CHAOTIC)

@dataclass(frozen=True)
class Config:
    method: str = "plain"
    seed: int = 0

def configs(profile):
    return [Config(method, seed) for seed in range(6) for method in ("plain", "skip")]

def value(config):
    return math.sin(1 + config.seed) * FACTOR

def run(configs, *, device, folder, progress):
    for config in configs:
        progress("running")
        loss = [value(config) / (step + 1) for step in range(4)]
        metrics = {"final": loss[-1], "seconds": SECONDS}
        yield config, Outcome({"curve": {"loss": loss}}, metrics, {"made up": DATA})
"""


NUMBERS = count()


class Lab(SimpleNamespace):
    """An experiment whose code can be changed, and its records."""

    def change(self, factor: str, *, chaotic: bool = False, seconds: str = "1.0", data: str = "0") -> None:
        text = SOURCE.replace("FACTOR", factor).replace("CHAOTIC", str(chaotic))
        self.source.write_text(text.replace("SECONDS", seconds).replace("DATA", repr(data)))
        self.written += 1
        os.utime(self.source, (self.written, self.written))  # a file that is written twice within a tick
        importlib.invalidate_caches()
        importlib.reload(importlib.import_module(self.name))

    def found(self) -> experiments.Experiment:
        return experiments.find(self.name)

    def record(self, count: int = 12, *, stale: bool = False) -> None:
        configs = tuple(self.found().configs("paper"))[:count]
        sweep.sweep(sweep.Plan(self.found(), configs, "paper", self.store, stale=stale))

    def replay(self, runs: int | None = None) -> attestations.Attestation:
        done = replay(Task(self.found(), self.store, runs=runs))
        assert done.attestation is not None, done.raised
        return done.attestation

    def standings(self) -> list[standing.Standing]:
        return [worth for _, worth in standing.standings(self.store, self.name)]

    def states(self) -> set[str]:
        return {worth.state for worth in self.standings()}

    def words(self) -> str:
        return standing.in_words(self.standings())


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    name = f"lab_{next(NUMBERS)}"  # a module of its own for each test
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    made = Lab(name=name, source=tmp_path / f"{name}.py", store=Store(tmp_path / "records"), written=1e9)
    made.source.write_text("")
    made.change("1.0")
    made.record()
    return made


def test_records_of_todays_code_need_no_replay(lab: Lab) -> None:
    assert lab.states() == {CURRENT}
    with pytest.raises(Refused, match="to make again"):
        lab.replay()


def test_changed_code_makes_records_stale_until_a_replay_vouches_for_them(lab: Lab) -> None:
    lab.change("1.0 + 0.0")
    assert lab.states() == {STALE}
    assert lab.words() == ""
    lab.replay()
    assert lab.states() == {VOUCHED}
    assert lab.words() == "recorded by earlier code; 2 runs made again by today's are identical"
    lab.change("1.0 - 0.0")
    assert lab.states() == {STALE}


def test_agreement_to_rounding_is_said_with_its_size(lab: Lab) -> None:
    lab.change("(1.0 + 1e-9)")
    lab.replay(3)
    assert lab.words() == "recorded by earlier code; 3 runs made again by today's agree to 1e-09"


def test_measured_times_are_not_compared(lab: Lab) -> None:
    lab.change("1.0", seconds="2.0")
    assert {run.deviation for run in lab.replay().runs} == {0.0}


@pytest.mark.parametrize("chaotic", [False, True])
def test_a_run_that_differs_makes_all_of_the_experiment_stale_by_name_and_number(
    lab: Lab, chaotic: bool
) -> None:
    lab.change("(1.1 if config.seed == 3 else 100.0)", chaotic=chaotic)
    lab.replay(6)
    assert lab.states() == {STALE}
    reason = lab.standings()[0].reason
    assert "a run made again differs (" in reason
    assert "recorded" in reason
    assert "final" in reason or "curve.loss" in reason


def test_one_run_that_differs_is_enough(lab: Lab) -> None:
    lab.change("(1.001 if config == Config('skip', 3) else 1.0)")
    lab.replay(12)
    assert lab.states() == {STALE}
    assert "method=skip seed=3" in lab.standings()[0].reason


def test_to_take_away_the_record_that_differs_does_not_help(lab: Lab) -> None:
    lab.change("1.001")
    lab.replay(2)
    for run in lab.replay(2).runs:
        lab.store.path(lab.name, run.run).unlink()
    assert lab.states() == {STALE}


def test_made_again_rightly_after_a_mistake_of_the_code_a_run_counts_anew(lab: Lab) -> None:
    lab.change("1.001")
    lab.replay(2)
    lab.change("1.0 * 1.0")
    lab.replay(2)
    assert lab.states() == {VOUCHED}


def test_within_the_spread_of_the_seeds_where_training_amplifies_rounding(lab: Lab) -> None:
    lab.change("1.01", chaotic=True)
    lab.replay(4)
    assert lab.states() == {STALE}
    assert "4 runs made again are too few" in lab.standings()[0].reason
    lab.replay(5)
    assert lab.states() == {VOUCHED}
    assert lab.words() == (
        "recorded by earlier code; 5 runs made again by today's lie within the spread of the recorded seeds"
    )


def test_the_spread_counts_only_where_the_experiment_says_that_it_is_chaotic(lab: Lab) -> None:
    lab.change("1.01")
    lab.replay(5)
    assert lab.states() == {STALE}


def test_an_edited_attestation_vouches_for_nothing(lab: Lab) -> None:
    lab.change("1.001")
    lab.replay()
    [path] = attestations.paths(lab.store)
    path.write_text(path.read_text().replace('"relative":1e-06', '"relative":0.01'))
    assert lab.states() == {STALE}
    [problem] = attestations.verify(lab.store)
    assert "edited since it was written" in problem
    path.write_text("{}")
    assert "not a readable attestation" in attestations.verify(lab.store)[0]


def test_a_renamed_attestation_is_named(lab: Lab) -> None:
    lab.change("1.0 + 0.0")
    lab.replay()
    [path] = attestations.paths(lab.store)
    path.rename(path.with_name("other.json"))
    assert "misnamed" in attestations.verify(lab.store)[0]
    assert lab.states() == {STALE}


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("{}")])
def test_an_attestation_whose_runs_are_gone_vouches_for_nothing(
    lab: Lab, spoil: Callable[[Path], object]
) -> None:
    lab.change("1.0 + 0.0")
    runs = lab.replay(2).runs
    spoil(lab.store.path(lab.name, runs[0].run))
    assert VOUCHED in lab.states()
    assert "1 run made again by today's is identical" in lab.words()
    spoil(lab.store.path(lab.name, runs[1].run))
    assert lab.states() == {STALE}
    [problem] = attestations.verify(lab.store)
    assert runs[1].run in problem
    assert "2 of its 2 runs have no record as attested" in problem


@pytest.fixture
def chain(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> dict[int, Path]:
    """A second code replays two records of the first and records one anew, a third replays this one.

    Its attestations by the number of their runs.
    """
    lab.change("1.0 + 0.0")
    again = {run.run for run in lab.replay(2).runs}
    left = next(c for c in lab.found().configs("paper") if digest(c) not in again)
    lab.store.path(lab.name, digest(left)).unlink()
    sweep.sweep(sweep.Plan(lab.found(), (left,), "paper", lab.store))
    lab.change("1.0 * 1.0")
    task, code = Task(lab.found(), lab.store), lab.found().code()
    only = [pair for pair in candidates(task, code) if pair[1].digest == digest(left)]
    monkeypatch.setattr("invex.lab.replay.sample", lambda task, code: only)
    replay(task)
    return {len(attestations.load(path).runs): path for path in attestations.paths(lab.store)}


def test_a_chain_of_replays_leads_from_the_first_code_to_todays(lab: Lab, chain: dict[int, Path]) -> None:
    assert lab.states() == {VOUCHED}
    assert "3 runs made again by later code, in 2 steps to today's, are identical" in lab.words()


def test_a_chain_with_a_gap_vouches_for_nothing_before_it(lab: Lab, chain: dict[int, Path]) -> None:
    chain[2].unlink()
    states = [worth.state for worth in lab.standings()]
    assert (states.count(STALE), states.count(VOUCHED)) == (11, 1)


def test_a_step_of_a_chain_that_differs_is_a_gap(lab: Lab, chain: dict[int, Path]) -> None:
    item = attestations.load(chain[2])
    worse = [replace(run, deviation=0.1, where="metric final: 2, recorded 1") for run in item.runs]
    attestations.put(lab.store, replace(item, runs=worse))
    assert lab.states() == {STALE, VOUCHED}


def test_a_replay_on_a_cpu_covers_records_of_a_gpu_and_says_so_until_one_on_a_gpu(lab: Lab) -> None:

    for item in list(lab.store.all(lab.name)):
        origin = item.provenance | {"device": "NVIDIA H100"}
        lab.store.put(replace(item, provenance=origin))
    lab.change("1.0 + 0.0")
    made = lab.replay(2)
    assert "2 runs made again on a CPU by today's are identical" in lab.words()
    attestations.put(lab.store, replace(made, device="NVIDIA H100", when="2100-01-01", runs=made.runs[:1]))
    assert lab.words() == "recorded by earlier code; 1 run made again by today's is identical"


def test_runs_on_the_same_kind_of_device_are_drawn(lab: Lab) -> None:

    item = next(lab.store.all(lab.name))
    lab.store.put(replace(item, provenance=item.provenance | {"device": "NVIDIA H100"}))
    lab.change("1.0 + 0.0")
    code = lab.found().code()
    on_cpu, on_gpu = (candidates(Task(lab.found(), lab.store, device), code) for device in ("cpu", "cuda"))
    assert (len(on_cpu), len(on_gpu)) == (11, 1)


def test_the_sample_has_one_of_each_kind_and_depends_on_the_code_alone(lab: Lab) -> None:
    drawn = set()
    for factor in ("1.0 + 0.0", "1.0 - 0.0", "1.0 * 1.0", "1.0 / 1.0"):
        lab.change(factor)
        task, code = Task(lab.found(), lab.store), lab.found().code()
        chosen = [config for config, _ in sample(task, code)]
        assert chosen == [config for config, _ in sample(task, code)]
        assert sorted(config.method for config in chosen) == ["plain", "skip"]
        drawn.add(tuple(config.seed for config in chosen))
    assert len(drawn) > 1


def test_a_budget_is_kept_and_what_was_finished_counts(lab: Lab) -> None:
    lab.change("1.0 + 0.0")
    done = replay(Task(lab.found(), lab.store, deadline=time.time() - 1))
    assert done.attestation is None
    done = replay(Task(lab.found(), lab.store, deadline=time.time() + 60))
    assert done.attestation
    assert len(done.attestation.runs) == 12


def test_what_is_vouched_for_is_not_recorded_again(lab: Lab) -> None:
    lab.change("1.0 + 0.0")
    plan = sweep.Plan(lab.found(), tuple(lab.found().configs("paper")), "paper", lab.store, stale=True)
    assert len(sweep.missing(plan)) == 12
    lab.replay()
    assert sweep.missing(plan) == []


def test_other_data_are_no_replay(lab: Lab) -> None:
    lab.change("1.0", data="1")
    done = replay(Task(lab.found(), lab.store, runs=1))
    assert done.attestation is None
    assert "made from other data than the record" in next(iter(done.raised.values()))
    assert lab.states() == {STALE}


def test_a_run_that_lacks_a_number_differs(lab: Lab) -> None:
    lab.change("1.0")
    text = lab.source.read_text().replace('{"final": loss[-1], ', "{")
    lab.source.write_text(text)
    os.utime(lab.source, (2e9, 2e9))
    importlib.reload(importlib.import_module(lab.name))
    lab.replay(1)
    assert "metric final: missing" in lab.standings()[0].reason


def test_a_file_says_what_was_compared_how_and_when(lab: Lab) -> None:
    lab.change("1.0 + 0.0")
    lab.replay(2)
    [path] = attestations.paths(lab.store, lab.name)
    said = json.loads(path.read_text())
    assert said["code"] == lab.found().code().digest
    assert said["tolerance"]["reason"] == "sums in another order"
    assert len(said["runs"]) == 2
    assert attestations.load(path).tolerance == Tolerance(1e-6, "sums in another order", times=("seconds",))
    assert attestations.verify(lab.store) == []
