"""Rows of benches as the performance page shows them, on made-up rows with answers known by hand."""

import json
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from invex.charts import performance, performance_tables, style

KEYS = (
    "bench",
    "case",
    "peer",
    "ratio",
    "ratio_min",
    "ratio_max",
    "unit",
    "ours",
    "theirs",
    "limit",
    "limit_of",
)


def row(**values: object) -> str:
    return json.dumps(dict.fromkeys(KEYS) | {"error": 0.0, "limit_of": "x"} | values)


def step(width: int, ratio: float, layers: int = 5, products: str = "float32") -> str:
    case = f"width={width} layers={layers} batch=64 products={products}"
    ratios = {"ratio": ratio, "ratio_min": ratio - 0.1, "ratio_max": ratio + 0.1}
    return row(
        bench="icnn-step", case=case, peer="p", unit="ms", ours=6.0, theirs=6 * ratio, limit=4.5, **ratios
    )


def points(peer: str | None, dimension: int, n: int, ours: float = 500.0, **values: object) -> str:
    widths = "512-512-512-512" if dimension == 2 else "128-128"
    case = f"dimension={dimension} widths={widths} skips=no n={n}"
    return row(bench="level-sets", case=case, peer=peer, unit="points/s", ours=ours, limit=1000.0, **values)


@pytest.fixture
def rows() -> pd.DataFrame:
    texts = [
        *(step(784, 1.4), step(784, 1.7, products="bfloat16"), step(3072, 2.0)),
        *(step(width, 1.2) for width in (128, 512)),
        points("brentq", 2, 1000, ratio=50, ratio_min=40, ratio_max=60, theirs=10.0),
        points("brentq", 512, 1000, ratio=30, ratio_min=20, ratio_max=40, theirs=10.0),
        *(points(None, 2, n) for n in (10, 1000, 100000)),
    ]
    return performance.tidy(pd.DataFrame({"row": texts, "hardware": "made up", "device": "cpu"}))


def test_share_of_the_limit_is_of_a_rate_or_of_a_time(rows: pd.DataFrame) -> None:
    shares = rows.groupby("bench")["share"].unique()
    assert shares["icnn-step"] == [0.75]
    assert shares["level-sets"] == [0.5]


def test_rows_that_are_there_for_a_curve_are_no_headline(rows: pd.DataFrame) -> None:
    labels = list(performance.headline(rows)["label"])
    assert labels[:3] == ["width 784, float32", "width 784, bfloat16", "width 3,072, float32"]
    assert labels[3:] == ["brentq, 2-D", "brentq, 512-D"]


def test_a_claim_is_checked_on_its_slowest_row(rows: pd.DataFrame) -> None:
    found = performance_tables.checks(rows)
    assert found["bench-level-sets/brentq"] == {"value": 30, "low": 20, "high": 40}
    assert found["bench-icnn-step/float32-784"]["value"] == 1.4
    assert found["bench-icnn-step/limit"] == {"value": 0.75}
    assert "bench-icnn-epoch/float32" not in found


def test_estimates_are_multiples_of_what_was_measured(rows: pd.DataFrame) -> None:
    seconds = dict(performance_tables.estimates(rows)[["what", "seconds"]].itertuples(index=False))
    assert seconds["40 of them, one after another"] == pytest.approx(40 * 8440 * 0.006)
    assert seconds["100,000 points of a level set, 2-D"] == pytest.approx(100_000 / 500)


def test_a_gpu_is_not_said_to_train_one_network_after_another(rows: pd.DataFrame) -> None:
    there = performance_tables.estimates(rows.assign(device="cuda"))
    assert list(there["what"]) == ["100,000 points of a level set, 2-D"]


def test_recorded_runs_are_told_apart_by_what_changes_their_time() -> None:
    def run(hidden: int, machine: str, together: int, seconds: float) -> SimpleNamespace:
        origin = {"device": machine, "batch": together, "wall_seconds": seconds}
        return SimpleNamespace(config={"dataset": "mnist", "hidden": hidden}, provenance=origin)

    table = performance_tables.recorded_runs(
        [run(7, "b", 40, 3.0), run(5, "b", 40, 2.0), run(5, "a", 1, 90.0), run(5, "a", 1, 100.0)]
    )
    assert table["machine"].tolist() == ["a", "b", "b"]
    assert table["seconds a run"].tolist() == [95.0, 2.0, 3.0]
    assert table["runs"].tolist() == [2, 1, 1]
    assert performance_tables.recorded_runs([]).empty


@pytest.mark.parametrize("name", ["icnn-step", "level-sets"])
def test_a_bench_is_drawn_with_its_curves_and_aims(rows: pd.DataFrame, name: str) -> None:
    mine = rows[rows["bench"] == name]
    with style.house(style.WIDE):
        figure = performance.bench(mine, {("brentq, 2-D", "cpu"): 20.0})
    assert len(figure.axes) == 2
    drawn = [text.get_text() for text in figure.axes[0].texts]
    assert len(drawn) == len(performance.headline(mine))
    assert figure.axes[1].get_xscale() == figure.axes[1].get_yscale() == "log"
    plt.close(figure)


def test_an_aim_is_that_of_a_label_on_its_device() -> None:
    row = {"bench": "icnn-seeds", "case": "width=784 networks=40", "peer": "p", "ratio": 3.0, "unit": "ms"}
    row |= {"ratio_min": 2.0, "ratio_max": 4.0, "ours": 1.0, "theirs": 3.0, "limit": 1.0, "limit_of": "x"}
    machines = {"hardware": ["a", "b"], "device": ["cpu", "cuda"]}
    tidy = performance.tidy(pd.DataFrame({"row": [json.dumps(row)] * 2} | machines))
    claims = {name: SimpleNamespace(paper=i) for i, name in enumerate(performance_tables.CHECKS)}
    aims = performance_tables.aims(claims, tidy)
    assert set(aims) == {("width 784, 40 networks", "cpu"), ("width 784, 40 networks", "cuda")}
    assert len(set(aims.values())) == 2
    figure = performance.bench(tidy, aims)
    (line,) = performance_tables.estimates(tidy).to_dict("records")
    assert (line["machine"], line["how"], line["seconds"]) == ("b", "8,440 × 40 × 1 ms", 8440 * 40 / 1e3)
    strokes = {each.get_xdata()[0] for each in figure.axes[0].get_lines() if each.get_marker() == "|"}
    assert strokes == set(aims.values())
    plt.close(figure)


def test_no_record_gives_no_row() -> None:
    empty = performance.tidy(pd.DataFrame())
    assert performance_tables.checks(empty) == {}
    assert performance_tables.estimates(empty).empty
