"""Benches: what a row says, failed checks, the command, and records of measurements."""

import ast
import importlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from invex.charts import performance, performance_costs, performance_tables
from invex.press import benches
from invex.press.book import Book
from invex.press.claims import load
from invex.press.cli import app
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
TINY = '''"""A tiny bench, to look at the machinery.

More words.
"""
from invex.analysis.level_sets.spherical import to_angles

def rows(full):
    yield {"bench": "tiny", "case": f"n=10 full={full}", "peer": "slow", "unit": "points/s", "error": 1e-9,
           "ratio": 3.0, "ratio_min": 2.0, "ratio_max": 4.0, "ours": 6.0, "theirs": 2.0, "limit": 12.0,
           "limit_of": "products"}
'''
FAILING = TINY.replace('"ours": 6.0', '"ours": None').replace("1e-9", '"the two sides differ by 1"')


@pytest.fixture
def harness() -> ModuleType:
    spec = importlib.util.spec_from_file_location("harness", ROOT / "benchmarks" / "harness.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["harness"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    (tmp_path / "book").mkdir()
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "tiny.py").write_text(TINY)
    (tmp_path / "benchmarks" / "failing.py").write_text(FAILING)
    (tmp_path / "benchmarks" / "shared.py").write_text("PAIRS = 5\n")
    monkeypatch.setenv("INVEX_ROOT", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.split(".")[0] == "benchmarks"]:
        monkeypatch.delitem(sys.modules, name)
    return Book(tmp_path)


def test_ratio_is_their_time_over_ours_for_the_same_work(harness: ModuleType) -> None:
    timing = harness.Timing((1.0, 2.0, 1.0), (0.5, 0.5, 0.4))
    row = harness.row(
        "b", "n=1", "p", timing, unit="points/s", work=100, their_work=10, error=0.0, tolerance=0.0
    )
    keys = "bench case peer ratio ratio_min ratio_max unit ours theirs limit limit_of error"
    assert list(row) == keys.split()
    assert (row["ratio"], row["ratio_min"], row["ratio_max"]) == (4.0, 2.5, 5.0)
    assert (row["ours"], row["theirs"]) == (100.0, 20.0)


@pytest.mark.parametrize("error", [0.2, float("nan"), float("inf")])
def test_a_row_whose_check_fails_has_no_number(harness: ModuleType, error: float) -> None:
    timing = harness.Timing((1.0,), (2.0,))
    row = harness.row("b", "n=1", "p", timing, unit="ms", error=error, tolerance=0.1)
    assert all(row[key] is None for key in ("ratio", "ours", "theirs", "limit"))
    assert "differ" in row["error"]


def test_pairs_alternate_after_a_warm_up(harness: ModuleType) -> None:
    calls: list[str] = []
    timing = harness.paired(lambda: calls.append("ours"), lambda: calls.append("theirs"), pairs=5, least=0.0)
    assert calls == ["ours", "theirs"] * 6
    assert len(timing.ours) == len(timing.theirs) == 5


def test_a_case_reads_back(harness: ModuleType) -> None:
    assert harness.fields(harness.case(width=784, dtype="float32")) == {"width": "784", "dtype": "float32"}


def test_limits_are_measured(harness: ModuleType) -> None:
    assert harness.gemm_rate(64, 64, 64) > 1e8
    assert harness.bandwidth(megabytes=16) > 1e8


def test_benches_are_listed_with_their_first_sentence(book: Book) -> None:
    assert benches.names(book) == dict.fromkeys(
        ("failing", "tiny"), "A tiny bench, to look at the machinery."
    )
    done = CliRunner().invoke(app, ["bench", "--json"])
    assert list(json.loads(done.stdout)) == ["failing", "tiny"]


def test_rows_are_printed_and_recorded_with_their_hardware(book: Book) -> None:
    done = CliRunner().invoke(app, ["bench", "tiny", "--json", "--full", "--record"])
    assert done.exit_code == 0
    (row,) = json.loads(done.stdout)
    records = benches.recorded("tiny", book)
    assert records.frame("rows")["row"].tolist() == [json.dumps(row)]
    assert row["case"] == "n=10 full=True"
    assert "cores" in records.runs[0].provenance["device"]
    assert not records.stale
    benches.keep(book, "tiny", [row], True, "cpu", 1.0)
    assert len(benches.recorded("tiny", book).runs) == 1


def test_a_record_of_other_code_is_stale(book: Book) -> None:
    benches.keep(book, "tiny", list(benches.rows(book, "tiny")), True, "cpu", 1.0)
    (book.root / "benchmarks" / "tiny.py").write_text(TINY + "\n# a remark\n")
    assert not benches.recorded("tiny", book).stale
    (book.root / "benchmarks" / "tiny.py").write_text(TINY.replace("to_angles", "from_angles"))
    assert benches.recorded("tiny", book).stale == ["benchmarks.tiny"]


def test_verify_names_a_bench_that_changed_since_it_was_recorded(book: Book) -> None:
    path = benches.keep(book, "tiny", list(benches.rows(book, "tiny")), True, "cpu", 1.0)

    def stale() -> dict[str, list[str]]:
        return json.loads(CliRunner().invoke(app, ["verify", "--json"]).stdout)["stale"]

    assert stale() == {}
    (book.root / "benchmarks" / "tiny.py").write_text(TINY.replace("to_angles", "from_angles"))
    assert stale() == {f"bench-tiny/{path.stem}": ["benchmarks.tiny"]}
    path.write_text(path.read_text().replace("tiny", "tidy", 1))
    assert stale() == {}  # it is damaged, which is another finding


def test_a_failed_check_ends_with_code_1_and_records_nothing(book: Book) -> None:
    done = CliRunner().invoke(app, ["bench", "failing", "--record"])
    assert done.exit_code == 1
    assert "differ" in done.stdout
    assert not (book.root / "book" / "records").exists()
    with pytest.raises(ValueError, match="failed their check: n=10"):
        benches.keep(book, "failing", list(benches.rows(book, "failing")), True, "cpu", 1.0)


def test_an_unknown_bench_ends_with_code_2_and_the_list(book: Book) -> None:
    done = CliRunner().invoke(app, ["bench", "speed"])
    assert done.exit_code == 2
    assert "there are failing, tiny" in done.stderr


def test_every_bench_of_the_book_has_a_figure_and_a_description() -> None:
    known = benches.names(Book(ROOT))
    assert {"icnn-step", "icnn-epoch", "icnn-seeds", "level-sets"} <= set(known)
    assert all(known.values())
    declared = load(Book(ROOT)).chapters["performance"].artefacts
    assert {f"performance-{name}" for name in known} <= declared.keys()


@pytest.mark.parametrize("anew", [False, True])
def test_curves_of_a_stack_are_compared_with_those_of_its_networks_alone(
    monkeypatch: pytest.MonkeyPatch, anew: bool
) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    bench = importlib.import_module("benchmarks.icnn_seeds")
    cases, data = [("non-convex", 0), ("ICNN + init", 1)], bench.examples(16, "cpu", 20 * bench.BATCH)
    assert bench.difference(cases, 16, data, anew) == 0.0
    alone = bench.alone
    monkeypatch.setattr(bench, "alone", lambda nets, cases, *rest: alone(nets, [("", 7), ("", 8)], *rest))
    assert bench.difference(cases, 16, data, anew) > 1e-4  # of other orders of the examples


def test_the_digest_of_a_bench_is_that_of_one_version_of_python(book: Book) -> None:
    here = sys.version_info[:2]
    for path in (ROOT / "benchmarks").glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        if here in ((3, 11), (3, 12)):
            assert benches._dump(tree, here) == ast.dump(tree)
        later = benches._dump(tree, (3, 12))
        assert later.replace(", type_params=[]", "") == benches._dump(tree, (3, 11))


def test_a_record_made_on_the_next_version_of_python_is_not_stale(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        code = benches.code_of(book, "tiny", (3, 12))
        patch.setattr(benches, "code_of", lambda *_: code)
        benches.keep(book, "tiny", list(benches.rows(book, "tiny")), True, "cpu", 1.0)
    assert code.digest != benches.code_of(book, "tiny").digest
    assert not benches.recorded("tiny", book).stale


def test_page_without_records_has_no_rows_and_no_checks() -> None:
    rows = performance.tidy(benches.Records("bench-*", [], []).frame("rows"))
    assert rows.empty
    assert performance_tables.checks(rows) == {}
    assert performance_costs.estimates(rows, performance_costs.recorded_runs([])).empty
    assert performance_tables.speeds(rows).empty


def test_checks_take_the_slowest_row_and_estimates_multiply(book: Book) -> None:
    step = {
        "bench": "icnn-step",
        "peer": "p",
        "ratio_min": 1.0,
        "ratio_max": 3.0,
        "unit": "ms",
        "theirs": 20.0,
    }
    step |= {"limit": 6.0, "limit_of": "products", "error": 0.0}
    case = "width=784 layers=5 batch=64 products=float32"
    rows = [step | {"case": case, "ratio": 1.5, "ours": 12.0}]
    search = step | {"bench": "level-sets", "peer": "brentq", "unit": "points/s"}
    for dimension, ratio in ((2, 40.0), (512, 30.0)):
        words = f"dimension={dimension} widths=8 skips=no n=1000 peer_points=50"
        rows.append(search | {"case": words, "ratio": ratio, "ours": 12.0})
    benches.keep(book, "tiny", rows, True, "cpu", 1.0)
    tidy = performance.tidy(benches.recorded("tiny", book).frame("rows"))
    checks = performance_tables.checks(tidy)
    assert checks["bench-icnn-step/float32-784"]["value"] == 1.5
    assert checks["bench-icnn-step/limit"]["value"] == 0.5
    assert checks["bench-level-sets/brentq"]["value"] == 30.0
    estimates = performance_costs.estimates(tidy, performance_costs.recorded_runs([]))
    assert estimates["seconds"].tolist() == pytest.approx([101.28, 4051.2, 405.12])
