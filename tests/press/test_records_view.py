from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from invex.lab import attestations, experiments, sweep
from invex.lab.errors import Refused
from invex.lab.records import Record, Store
from invex.lab.replay import Task, replay
from invex.press.book import Book
from invex.press.chapter import Chapter
from invex.press.records_view import Records


def record(book: Book, experiment: str, seeds: int, methods: tuple[str, ...] = ("plain", "skip")) -> None:
    found = experiments.find(experiment)
    configs = [c for c in found.configs("paper") if c.seed < seeds and c.method in methods]
    sweep.sweep(sweep.Plan(found, tuple(configs), "paper", Store(book.records)))


def show(chapter: Chapter, records: Records) -> BeautifulSoup:
    shown = chapter.figure(
        "known2020-fig1", lambda: plt.figure(), data=pd.DataFrame(), alt="x", caption="Loss.", records=records
    )
    return BeautifulSoup(shown._repr_html_(), "html.parser")


def test_runs_come_as_a_tidy_frame(book: Book, chapter: Chapter, experiment: str) -> None:
    record(book, experiment, seeds=3)
    found = chapter.records(experiment, method="plain")
    frame = found.frame("curve")
    assert set(frame.method) == {"plain"}
    assert sorted(set(frame.seed)) == [0, 1, 2]
    assert len(found.metrics()) == len(found.runs) == 3
    assert (found.partial, found.empty, list(found.stale)) == ("", False, [])
    assert found.count("seed") == 3


def test_a_column_of_the_table_goes_before_a_field_of_its_name() -> None:
    """Else the terms that each row was measured with would read as those that the run trained with."""
    run = Record("walk", {"seed": 0, "terms": 5}, "", "paper", {"curve": {"terms": [1, 2]}}, {}, None, {})
    frame = Records("walk", [run], [run.config]).frame("curve")
    assert list(frame.terms) == [1, 2]
    assert list(frame.seed) == [0, 0]
    assert set(frame.profile) == {"paper"}


def test_missing_seeds_and_runs_are_counted(book: Book, chapter: Chapter, experiment: str) -> None:
    record(book, experiment, seeds=2)
    assert chapter.records(experiment).partial == "2 of 3 seeds"
    record(book, experiment, seeds=3, methods=("skip",))
    assert chapter.records(experiment).partial == "5 of 6 runs"
    assert "5 of 6 runs" in show(chapter, chapter.records(experiment)).figcaption.get_text()


def test_data_of_which_a_run_saw_a_part_are_named(book: Book, chapter: Chapter, experiment: str) -> None:
    record(book, experiment, seeds=2)
    found = chapter.records(experiment)
    data = {"cifar100 train": "0123 (200 of 500 train images a class (2 of 5 in all))", "mnist train": "4567"}
    runs = [replace(run, provenance=run.provenance | {"data": data}) for run in found.runs]
    part = "CIFAR100: 200 of 500 train images a class"
    assert replace(found, runs=runs).partial == f"2 of 3 seeds; {part}"
    assert replace(found, runs=runs, expected=found.expected[: len(runs)]).partial == part
    assert part in show(chapter, replace(found, runs=runs)).figcaption.get_text()


def test_without_a_record_there_is_an_honest_placeholder(chapter: Chapter, experiment: str) -> None:
    found = chapter.records(experiment)
    shown = show(chapter, found)
    assert found.empty
    assert found.frame().empty
    assert not shown.select("img, details")
    assert f"invex record {experiment} --profile paper" in shown.get_text()
    assert "not attempted" in shown.figcaption.get_text()


def test_failed_runs_alone_draw_nothing() -> None:
    reason = "loss not finite at step 3"
    failed = Record("walk", {"seed": 0}, "", "paper", {}, {}, reason, {})
    assert Records("walk", [failed], [{"seed": 0}]).empty
    assert Records("walk", [failed], [{"seed": 0}]).metrics().failed[0] == reason


def test_a_changed_function_makes_the_figure_stale(
    book: Book, chapter: Chapter, experiment: str, tmp_path: Path
) -> None:
    record(book, experiment, seeds=3)
    source = tmp_path / experiment.split(".")[0] / "steady.py"
    source.write_text(source.read_text().replace("math.exp(-config.rate * step)", "math.exp(-step)"))
    found = chapter.records(experiment)
    assert list(found.stale) == [f"{experiment}.curve"]
    assert f"stale: {experiment}.curve changed since" in show(chapter, found).figcaption.get_text()
    several = show(chapter, replace(found, stale=("walk.curve", "walk.rate")))
    assert "stale: 2 functions changed since" in several.figcaption.get_text()
    assert "walk.curve, walk.rate" in several.select_one(".ix-card").get_text()


def test_a_figure_of_records_that_a_replay_vouches_for_is_not_stale_and_its_card_says_so(
    book: Book, chapter: Chapter, experiment: str, tmp_path: Path
) -> None:
    record(book, experiment, seeds=3)
    source = tmp_path / experiment.split(".")[0] / "steady.py"
    source.write_text(
        source.read_text().replace("math.exp(-config.rate * step)", "math.exp(-step * config.rate)")
    )
    found, store = experiments.find(experiment), Store(book.records)
    replay(Task(found, store, runs=2))
    shown = show(chapter, chapter.records(experiment))
    assert not shown.select(".ix-badge-stale")
    words = "recorded by earlier code; 2 runs made again by today's are identical"
    assert words in shown.select_one(".ix-card").get_text()
    [path] = attestations.paths(store)
    item = attestations.load(path)
    worse = replace(item.runs[0], deviation=0.1, where="metric final: 2, recorded 1")
    attestations.put(store, replace(item, runs=[worse]))
    shown = show(chapter, chapter.records(experiment))
    assert "stale: a run made again differs" in shown.figcaption.get_text()
    assert "metric final: 2, recorded 1" in shown.select_one(".ix-card").get_text()


def test_quick_runs_the_quick_configurations_and_stores_nothing(book: Book, experiment: str) -> None:
    found = Chapter("part/tiny", profile="quick", device="cpu").records(experiment)
    assert {run.config["seed"] for run in found.runs} == {0}
    assert not found.frame().empty
    assert not book.records.exists()


def test_paper_records_what_is_missing_first(book: Book, experiment: str) -> None:
    record(book, experiment, seeds=1)
    found = Chapter("part/tiny", profile="paper", device="cpu").records(experiment, method="skip")
    assert (len(found.runs), found.partial) == (3, "")
    assert len(list(book.records.rglob("*.json"))) == 4


def test_an_unknown_field_is_refused_with_those_that_exist(chapter: Chapter, experiment: str) -> None:
    with pytest.raises(Refused, match="no field 'metod'; there are method, rate, deep, seed"):
        chapter.records(experiment, metod="plain")


def test_the_card_carries_the_runs_own_provenance(book: Book, chapter: Chapter, experiment: str) -> None:
    record(book, experiment, seeds=3)
    found = chapter.records(experiment)
    terms = {dt.get_text(): dt.find_next("dd").get_text() for dt in show(chapter, found).select("dt")}
    origin = found.runs[0].provenance
    assert (terms["Seeds"], terms["Recorded"]) == ("0, 1, 2", origin["when"][:10])
    assert (terms["Code"], terms["Device"]) == (origin["code"]["digest"], origin["device"])


PANELS = """
from dataclasses import dataclass
from invex.lab.records import Outcome

@dataclass(frozen=True)
class Config:
    dataset: str = "a"
    epochs: int = 10
    seed: int = 0

def configs(profile):
    epochs = {"quick": 1, "reduced": 2, "paper": 10}[profile]
    return [Config(dataset, epochs, seed) for dataset in "ab" for seed in range(2)]

def reduced(config):
    return f"{config.epochs} epochs of 10"

def run(configs, *, device, folder, progress):
    for config in configs:
        yield config, Outcome({"curve": {"loss": [1.0]}}, {"x": 1.0}, {})
"""


def test_a_page_draws_the_largest_recorded_scale_panel_by_panel(
    book: Book, chapter: Chapter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "panels_of_two.py").write_text(PANELS)
    monkeypatch.syspath_prepend(str(tmp_path))
    found, store = experiments.find("panels_of_two"), Store(book.records)
    sweep.sweep(sweep.Plan(found, tuple(found.configs("reduced")), "reduced", store))
    less = chapter.records("panels_of_two", per=("dataset",))
    assert set(less.frame().profile) == {"reduced"}
    assert (less.reduced, less.partial) == ("2 epochs of 10", "reduced: 2 epochs of 10")
    assert "reduced: 2 epochs of 10" in show(chapter, less).figcaption.get_text()
    full = experiments.select(found, found.configs("paper"), {"dataset": "b", "seed": 0})
    sweep.sweep(sweep.Plan(found, tuple(full), "paper", store))
    mixed = chapter.records("panels_of_two", per=("dataset",))
    scales = mixed.metrics().groupby("dataset").profile.agg(set).to_dict()
    assert scales == {"a": {"reduced"}, "b": {"paper"}}
    assert mixed.partial == "reduced: 2 epochs of 10; 3 of 4 runs"
    assert set(chapter.records("panels_of_two").metrics().profile) == {"paper"}
