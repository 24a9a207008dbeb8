import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from invex.lab import costs, experiments, provenance, sweep
from invex.lab.errors import Refused
from invex.lab.records import Store
from invex.lab.sweep import Plan

FAKES = Path(__file__).parents[1] / "fakes"


@dataclass(frozen=True)
class Fake:
    seed: int
    width: int = 8


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(FAKES)
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "log"))
    found = experiments.find("fake_runs.steady")
    return Plan(found, tuple(found.configs("paper")), "paper", Store(tmp_path / "records"))


def log(plan):
    path = plan.store.folder.parent / "log"
    return path.read_text().splitlines() if path.exists() else []


def test_runs_what_is_missing_in_order_and_then_nothing(plan):
    sweep.sweep(replace(plan, configs=plan.configs[2:3]))
    report = sweep.sweep(plan)
    assert [item.config["seed"] for item in report.recorded] == [0, 0, 1, 2, 2]
    assert sweep.missing(plan) == []
    assert sweep.sweep(plan).recorded == []
    assert len(log(plan)) == 6


def test_a_record_says_what_made_it(plan):
    item = sweep.sweep(plan).recorded[0]
    origin = item.provenance
    assert set(origin["code"]["functions"]) == {f"fake_runs.steady.{n}" for n in ("Config", "curve", "run")}
    assert set(origin["versions"]) == {"python", "torch", "numpy", "scipy", "invex"}
    assert origin["data"] == {"made up": "0"}
    assert origin["peak_memory_bytes"] > 1e6
    assert origin["wall_seconds"] >= 0
    assert "cores" in origin["device"]


def test_no_record_holds_the_name_of_the_machine(plan):
    import platform

    assert platform.node() not in sweep.sweep(plan).recorded[0].text()


class Clock:
    """Time that passes only while somebody sleeps."""

    now = 1000.0

    def time(self):
        return self.now

    perf_counter = time

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(plan, monkeypatch):
    found = Clock()
    monkeypatch.setenv("FAKE_PAUSE", "0.2")
    monkeypatch.setattr(sweep, "time", found)
    monkeypatch.setattr(plan.experiment.module, "time", found)
    return found


def test_only_what_fits_into_the_budget_is_started(plan, clock):
    report = sweep.sweep(replace(plan, deadline=clock.now + 0.7))
    assert len(report.recorded) == 3
    assert clock.now <= 1000.7
    assert len(sweep.missing(plan)) == 3


def test_a_run_without_a_prediction_is_given_up_at_the_deadline(plan, clock):
    said = []
    report = sweep.sweep(replace(plan, deadline=clock.now + 0.05), ended=said.append)
    assert (report.recorded, report.raised) == ([], {})
    assert said == ["defaults: given up at the end of the budget"]
    assert clock.now <= 1000.1
    assert len(sweep.sweep(plan).recorded) == 6


def test_recorded_times_of_this_hardware_predict_the_next_sweep(plan, clock):
    sweep.sweep(replace(plan, configs=plan.configs[:1]))
    assert sweep.sweep(replace(plan, deadline=clock.now + 0.1)).recorded == []
    assert len(sweep.sweep(replace(plan, deadline=clock.now + 0.3)).recorded) == 1


def test_the_slowest_run_of_this_hardware_and_profile_predicts_the_others(plan, clock, monkeypatch):
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(provenance, "hardware", lambda device: "another processor")
        sweep.sweep(replace(plan, configs=plan.configs[:2]))
    sweep.sweep(replace(plan, configs=plan.configs[2:4], profile="quick"))
    assert sweep._measured(plan) == {}
    for item, seconds in zip(list(plan.store.all()), (9.0, 20.0, 3.0, 1.0), strict=True):
        here = item.provenance | {"device": provenance.hardware("cpu"), "wall_seconds": seconds}
        same = item.config | {"method": "plain"}
        plan.store.put(replace(item, config=same, profile="paper", provenance=here))
    assert sweep._measured(plan) == {sweep.kind(same): 20.0}


def test_stale_records_are_run_again_on_request_only(plan):
    sweep.sweep(plan)
    item = plan.store.get("fake_runs.steady", plan.configs[0])
    code = item.provenance["code"] | {"digest": "another", "functions": {"fake_runs.steady.run": "another"}}
    plan.store.put(replace(item, provenance=item.provenance | {"code": code}))
    assert sweep.missing(plan) == []
    again = replace(plan, stale=True)
    assert sweep.missing(again) == [plan.configs[0]]
    assert len(sweep.sweep(again).recorded) == 1
    assert sweep.missing(again) == []


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(sweep, "hardware", lambda device: "a GPU")
    monkeypatch.setattr(sweep, "reset_peak", lambda device: None)
    monkeypatch.setattr(provenance, "hardware", lambda device: "a GPU")
    monkeypatch.setattr(provenance, "peak_memory", lambda device: 1)


def test_a_gpu_is_given_whole_groups(plan, gpu):
    report = sweep.sweep(replace(plan, device="cuda"))
    assert log(plan) == [f"{m} {s} of 3" for m in ("plain", "skip") for s in range(3)]
    assert {item.provenance["batch"] for item in report.recorded} == {3}


def test_of_a_group_each_run_is_recorded_when_it_ends_with_its_share_of_the_time(plan, clock, gpu):
    there = []
    counted = lambda text: there.append(len(plan.store.paths()))  # noqa: E731
    report = sweep.sweep(replace(plan, device="cuda"), counted, ended=lambda text: None)
    assert there == [runs for runs in range(6) for _ in range(2)]
    assert [item.provenance["wall_seconds"] for item in report.recorded] == pytest.approx([0.2] * 6)


def test_of_a_group_the_part_that_fits_is_run():
    times, configs = {}, [Fake(seed) for seed in range(4)]
    assert sweep._next(times, configs, float("inf")) == configs
    times[sweep.kind({"seed": 0, "width": 8})] = 10.0
    assert [len(sweep._next(times, configs, budget)) for budget in (5, 10, 35, 40)] == [0, 1, 3, 4]
    times[sweep.kind({"seed": 0, "width": 9})] = 20.0
    assert sweep._next(times, [Fake(0, width=7)], 19) == []  # of another kind: as slow as the slowest


def test_within_a_budget_one_run_of_each_kind_is_measured_before_the_others():
    configs = [Fake(seed, width) for seed in range(3) for width in (8, 9)]
    assert sweep._next({}, configs, 1.0) == configs[:2]
    assert sweep._next({}, configs, -1.0) == []
    times = {sweep.kind({"seed": 0, "width": 8}): 10.0}
    assert sweep._next(times, configs, 25.0) == [Fake(0, 9)]
    times[sweep.kind({"seed": 0, "width": 9})] = 1.0
    assert sweep._next(times, configs, 25.0) == configs[:4]


def test_a_budget_on_a_gpu_costs_at_most_the_runs_that_measure(plan, clock, gpu):
    report = sweep.sweep(replace(plan, device="cuda", deadline=clock.now + 0.7))
    assert log(plan) == ["plain 0 of 1", "plain 1 of 2", "plain 2 of 2"]
    assert len(report.recorded) == 3
    assert clock.now <= 1000.7


def test_a_run_that_another_sweep_has_claimed_is_left_to_it(plan):
    with sweep._claims(plan, plan.configs[:2]) as claimed:
        assert claimed == list(plan.configs[:2])
        assert len(sweep.sweep(plan).recorded) == 4
    assert len(sweep.sweep(plan).recorded) == 2


def test_only_takes_values_by_field(plan):
    chosen = experiments.only(plan.experiment, plan.configs, "method=skip,seed=0,seed=2,deep=false,rate=0.1")
    assert [(c.method, c.seed) for c in chosen] == [("skip", 0), ("skip", 2)]


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("metod=skip", "no field 'metod'; there are method, rate, deep, seed"),
        ("seed=7", "no config with seed '7'; there are 0, 1, 2"),
        ("seed=0,seed=one", "no config with seed 'one'; there are 0, 1, 2"),
        ("deep=maybe", "no config with deep 'maybe'; there are False"),
        ("seed", "no config with seed ''; there are 0, 1, 2"),
    ],
)
def test_only_refuses_by_name(plan, only, message):
    with pytest.raises(Refused, match=message):
        experiments.only(plan.experiment, plan.configs, only)


def test_shards_are_disjoint_and_cover_everything(plan):
    parts = [config for i in range(1, 5) for config in experiments.shard(plan.configs, f"{i}/4")]
    assert sorted(map(str, parts)) == sorted(map(str, plan.configs))
    assert experiments.shard(plan.configs, "1/1") == list(plan.configs)
    for wrong in ("0/4", "5/4", "1", "a/b", "-1/2"):
        with pytest.raises(Refused, match="--shard"):
            experiments.shard(plan.configs, wrong)


def test_seconds():
    assert [experiments.seconds(text) for text in ("90", "90s", "20m", "1.5h")] == [90, 90, 1200, 5400]
    for wrong in ("", "m", "soon", "-5m", "nan", "inf", "0"):
        with pytest.raises(Refused, match="--budget"):
            experiments.seconds(wrong)


def test_unknown_experiments_and_profiles_are_refused(plan):
    with pytest.raises(Refused, match="no experiment 'learning'"):
        experiments.find("learning")
    for name in ("fake_runs.nothing", ".fake_runs", "fake_runs.", "fake_runs/steady.py", ""):
        with pytest.raises(Refused, match=f"no experiment '{re.escape(name)}' .*; there are"):
            experiments.find(name)
    with pytest.raises(Refused, match=r"no experiment 'invex\.lab\.config': the module has no Config"):
        experiments.find("invex.lab.config")
    with pytest.raises(Refused, match="no configs at profile 'recorded'; there are quick, reduced, paper"):
        plan.experiment.configs("recorded")


@pytest.mark.parametrize("config", ["@dataclass\nclass Config:\n    seed: int", "class Config: ..."])
def test_an_experiment_is_refused_whose_config_names_no_run(tmp_path, monkeypatch, config):
    name = f"loose_{tmp_path.name}"
    monkeypatch.syspath_prepend(tmp_path)
    text = f"from dataclasses import dataclass\nconfigs = run = None\n{config}\n"
    (tmp_path / f"{name}.py").write_text(text)
    with pytest.raises(Refused, match=f"no experiment '{name}': its Config is not a frozen dataclass"):
        experiments.find(name)


def test_costs_add_up_what_runs_of_the_kind_took_and_count_the_rest(plan, monkeypatch):
    monkeypatch.setenv("FAKE_PAUSE", "0.1")
    sweep.sweep(replace(plan, configs=plan.configs[:1]))
    monkeypatch.setattr(experiments, "names", lambda: ["fake_runs.steady"])
    monkeypatch.setattr(experiments, "find", lambda name: plan.experiment)
    quick, paper = costs.experiments_cost(plan.store)
    assert (quick["runs"], quick["recorded"], quick["cost"]) == (2, 0, "2 runs not measured")
    assert (paper["runs"], paper["recorded"], paper["cost"]) == (6, 1, "0 s, 3 runs not measured")
    assert 0.3 <= paper["seconds"] < 1.5
    assert [costs.duration(s) for s in (7, 90, 150, 9000)] == ["7 s", "90 s", "2.5 min", "2.5 h"]


def test_the_cost_of_a_chapter_names_each_machine_once(plan, monkeypatch):
    monkeypatch.setattr(experiments, "find", lambda name: plan.experiment)
    monkeypatch.setattr(costs, "hardware", lambda device: "a processor, 2 cores")
    for place, part in (("a processor, 2 cores", plan.configs[:1]), ("a GPU", plan.configs[1:2])):
        monkeypatch.setattr(provenance, "hardware", lambda device, place=place: place)
        sweep.sweep(replace(plan, configs=part))
    costs.note(plan.store.folder, [("part/chapter", "quick", 7.0)])
    stated = costs.stated(plan.store, "part/chapter", ["fake_runs.steady"])
    assert stated.endswith("(on a GPU; a processor, 2 cores)")


STRANGER = """
from dataclasses import dataclass
from invex.lab.records import Outcome

@dataclass(frozen=True)
class Config:
    seed: int = 0

def configs(profile):
    return [Config()]

def run(configs, **more):
    yield Config(seed=7), Outcome({}, {"x": 1.0}, {})
"""


def test_a_run_that_was_not_asked_for_is_not_recorded(plan, tmp_path, monkeypatch):
    (tmp_path / "stranger.py").write_text(STRANGER)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = experiments.find("stranger")
    report = sweep.sweep(replace(plan, experiment=found, configs=(found.module.Config(),)))
    assert "not asked for: seed=7" in next(iter(report.raised.values()))
    assert not plan.store.paths("stranger")
