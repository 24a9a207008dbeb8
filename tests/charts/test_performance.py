"""Rows of benches as the performance page shows them, on made-up rows with answers known by hand."""

import json
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from invex.charts import performance, performance_costs, performance_tables, style

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


def recorded(
    hidden: int, machine: str, together: int, seconds: float, minute: int = 0, dataset: str = "mnist"
) -> SimpleNamespace:
    origin = {
        "device": machine,
        "batch": together,
        "wall_seconds": seconds,
        "when": f"2026-01-01T01:{minute:02}:00Z",
    }
    return SimpleNamespace(config={"dataset": dataset, "hidden": hidden}, provenance=origin)


NOTHING = performance_costs.recorded_runs([])


def test_estimates_are_multiples_of_what_was_measured(rows: pd.DataFrame) -> None:
    found = performance_costs.estimates(rows, NOTHING)
    seconds = dict(found[["what", "seconds"]].itertuples(index=False))
    assert seconds["MNIST, 5 layers"] == pytest.approx(8440 * 0.006)
    assert seconds["40 of 5 layers, one by one"] == pytest.approx(40 * 8440 * 0.006)
    assert seconds["MNIST, 5 layers, bfloat16"] == pytest.approx(8440 * 0.006)
    assert seconds["100,000 points of a level set, 2\u2011D"] == pytest.approx(100_000 / 500)
    assert set(found["recorded"]) == {""}


def test_recorded_times_stand_beside_the_estimates_of_the_same_work(rows: pd.DataFrame) -> None:
    here = rows.assign(hardware="a, 2 cores")
    runs = [recorded(5, "a, 1 cores", 1, 101.28), recorded(3, "a, 2 cores", 1, 1.0), recorded(5, "b", 1, 9.0)]
    runs.append(recorded(5, "a, 2 cores", 1, 1.0, dataset="cifar10"))
    lines = performance_costs.estimates(here, performance_costs.recorded_runs(runs))
    assert lines["recorded"][lines["recorded"] != ""].tolist() == ["101\u00a0(2\u00a0×)"]
    assert lines["what"][lines["recorded"] != ""].tolist() == ["MNIST, 5 layers"]


def test_a_gpu_is_not_said_to_train_one_network_after_another(rows: pd.DataFrame) -> None:
    there = performance_costs.estimates(rows.assign(device="cuda"), NOTHING)
    assert list(there["what"]) == ["100,000 points of a level set, 2\u2011D"]


def test_recorded_runs_are_told_apart_by_data_depth_and_processor() -> None:
    table = performance_costs.recorded_runs(
        [recorded(7, "b", 40, 3.0), recorded(5, "b", 20, 2.0), recorded(5, "b", 16, 2.0),
         recorded(5, "a, 1 cores", 1, 90.0), recorded(5, "a, 2 cores", 1, 100.0)]
    )  # fmt: skip
    assert table["machine"].tolist() == ["a", "b", "b"]
    assert table["together"].tolist() == ["1", "16 to 20", "40"]
    assert table["seconds a run"].tolist() == [95.0, 2.0, 3.0]
    assert table["seconds a run high"].tolist()[0] == 100.0
    assert table["seconds a run high"].isna().tolist() == [False, True, True]
    assert table["runs"].tolist() == [2, 2, 1]
    assert NOTHING.empty


def test_a_run_had_company_if_another_took_half_of_its_time_there() -> None:
    first, second = recorded(5, "a, 1 core", 1, 120.0, minute=2), recorded(5, "a, 2 cores", 1, 60.0, minute=2)
    later, stack = recorded(5, "a, 2 cores", 1, 60.0, minute=3), recorded(5, "g", 40, 600.0, minute=3)
    elsewhere = recorded(5, "b", 1, 600.0, minute=4)
    others = [first, second, later, stack, elsewhere]
    said = performance_costs.company([first, second, later, stack], others)
    assert said == "Of 3 runs on a, 2 had another beside them, on 1 or 2 cores."
    assert (
        performance_costs.company([first], others) == "Of 1 runs on a, 1 had another beside them, on 1 core."
    )
    assert performance_costs.company([elsewhere], others) == "Of 1 runs on b, 0 had another beside them."
    assert performance_costs.company([], others) == ""


@pytest.mark.parametrize("name", ["icnn-step", "level-sets"])
def test_a_bench_is_drawn_with_its_curves_and_aims(rows: pd.DataFrame, name: str) -> None:
    mine = rows[rows["bench"] == name]
    with style.house(style.WIDE):
        figure = performance.bench(mine, {("brentq, 2-D", "cpu"): 20.0})
    assert len(figure.axes) == 2
    column = [text for text in figure.axes[0].texts if text.get_text() != "times as fast"]
    assert [text.get_text() for text in column] == [
        f"{r} ×" for r in performance.headline(mine)["said"][::-1]
    ]
    assert {text.xy[0] for text in figure.axes[0].texts} == {1}  # at the right of the panel
    assert figure.axes[1].get_xscale() == figure.axes[1].get_yscale() == "log"
    plt.close(figure)


def test_an_aim_is_that_of_a_label_on_its_device() -> None:
    row = {
        "bench": "icnn-seeds",
        "case": "width=784 layers=5 networks=40",
        "peer": "p",
        "ratio": 3.0,
        "unit": "ms",
    }
    row |= {"ratio_min": 2.0, "ratio_max": 4.0, "ours": 1.0, "theirs": 3.0, "limit": 1.0, "limit_of": "x"}
    machines = {"hardware": ["a", "b"], "device": ["cpu", "cuda"]}
    tidy = performance.tidy(pd.DataFrame({"row": [json.dumps(row)] * 2} | machines))
    claims = {name: SimpleNamespace(paper=i) for i, name in enumerate(performance_tables.CHECKS)}
    aims = performance_tables.aims(claims, tidy)
    assert set(aims) == {("width 784, 40 networks", "cpu"), ("width 784, 40 networks", "cuda")}
    assert len(set(aims.values())) == 2
    figure = performance.bench(tidy, aims)
    runs = performance_costs.recorded_runs([recorded(5, "b", 80, 16.88)])
    (line,) = performance_costs.estimates(tidy, runs).to_dict("records")
    assert line["recorded"] == "675\u00a0(2\u00a0×)"
    assert (line["machine"], line["how"], line["seconds"]) == (
        "b",
        "8,440 × 40 × 1 ms".replace(" ", "\u00a0"),
        8440 * 40 / 1e3,
    )
    strokes = {each.get_xdata()[0] for each in figure.axes[0].get_lines() if each.get_marker() == "|"}
    assert strokes == set(aims.values())
    plt.close(figure)


def other(bench: str, case: str, peer: str | None, ratio: float | None, ours: float, unit: str) -> str:
    ends = {"ratio_min": ratio and 0.9 * ratio, "ratio_max": ratio and 1.1 * ratio}
    return row(bench=bench, case=case, peer=peer, ratio=ratio, ours=ours, theirs=1.0, unit=unit, **ends)


def tidied(*texts: str) -> pd.DataFrame:
    return performance.tidy(
        pd.DataFrame({"row": list(texts), "hardware": "made up, 2 cores", "device": "cpu"})
    )


def test_a_case_that_names_its_peer_keeps_the_peer_of_the_row() -> None:
    rows = tidied(other("logdet-2d", "blocks=10 batch=500 peer=exact", "normflows, exact", 1.6, 1.0, "ms"))
    assert rows["peer"].tolist() == rows["label"].tolist() == ["normflows, exact"]
    assert performance_tables.checks(rows)["bench-logdet-2d/normflows"]["value"] == 1.6


def test_inverses_are_checked_against_each_peer_on_the_slower_chain() -> None:
    plain, fixed = "the plain iteration to the tolerance", "100 iterations a block"
    rows = tidied(
        *(other("inverse", f"chain={c} c=0.9", plain, r, 1.0, "ms") for c, r in (("a", 0.6), ("b", 1.7))),
        *(other("inverse", f"chain={c} c=0.9", fixed, r, 1.0, "ms") for c, r in (("a", 6.0), ("b", 5.0))),
        other("inverse", "chain=line iterations=30", None, None, 1.0, "ms"),
    )
    found = performance_tables.checks(rows)
    assert found["bench-inverse/plain"]["value"] == 0.6
    assert found["bench-inverse/fixed"]["value"] == 5.0
    assert len(performance.headline(rows)) == 4
    assert performance_tables.speeds(rows).empty  # no reference was measured


def test_memory_is_compared_as_memory() -> None:
    texts = [
        other("logdet-memory", f"terms={n}", "p", r, m, "MB") for n, r, m in ((2, 1.0, 10.0), (20, 7.0, 10.5))
    ]
    rows = tidied(*texts)
    said = performance_tables.finding(rows)
    assert said.endswith(
        "a training step through a log-determinant takes 1.0 to 7.0 times less memory than p."
    )
    assert performance_tables.checks(rows)["bench-logdet-memory/flat"] == {"value": pytest.approx(1.05)}


def test_a_cost_is_not_called_chance() -> None:
    slower, equal = (
        other("spectral", "blocks=21 batch=128 c=0.9", "the free step", ratio, 1.0, "ms")
        for ratio in (0.89, 1.05)
    )
    assert "no sure gain" not in performance_tables.finding(tidied(slower))
    assert "no sure gain" in performance_tables.finding(tidied(equal))


def test_no_record_gives_no_row() -> None:
    empty = performance.tidy(pd.DataFrame())
    assert performance_tables.checks(empty) == {}
    assert performance_costs.estimates(empty, NOTHING).empty
    assert performance_tables.speeds(empty).empty
    assert performance_tables.fixed_costs(empty) == ""


def on_gpu(rows: pd.DataFrame, **values: object) -> pd.DataFrame:
    return pd.concat([rows, rows.assign(device="cuda", hardware="G", **values)], ignore_index=True)


def test_a_finding_is_that_of_each_machine_and_peer(rows: pd.DataFrame) -> None:
    steps = rows[rows["bench"] == "icnn-step"].assign(hardware="C, 2 cores")
    on_cpu = "On 2 CPU cores (C) a training step is 1.40 to 2.00 times as fast as p"
    assert performance_tables.finding(steps) == f"{on_cpu}."
    both = performance_tables.finding(on_gpu(steps, said="1.01", ratio_min=0.9))
    unsure = "1.01 times, no sure gain, as in every case some pair was no faster"
    assert both == f"{on_cpu}; on a GPU (G) {unsure}."
    points = performance_tables.finding(rows[rows["bench"] == "level-sets"])
    assert points.endswith("finding points of level sets is 30.00 to 50.00 times as fast as SciPy's brentq.")


def test_a_machine_has_one_colour_in_all_panels(rows: pd.DataFrame) -> None:
    mine = rows[rows["bench"] == "level-sets"]
    with style.house(style.WIDE):
        figure, alone = performance.bench(on_gpu(mine), {}), performance.bench(mine, {})
    drawn = {line.get_color() for axes in figure.axes for line in axes.get_lines()} - {style.MUTED}
    assert drawn == set(style.CYCLE[:2])
    drawn = {line.get_color() for axes in alone.axes for line in axes.get_lines()} - {style.MUTED}
    assert drawn == set(style.CYCLE[:1])


def test_curves_of_one_of_several_machines_name_it(rows: pd.DataFrame) -> None:
    mine = rows[rows["bench"] == "icnn-step"]
    gpu = performance.headline(mine).assign(device="cuda", hardware="G")
    with style.house(style.WIDE):
        figure = performance.bench(pd.concat([mine, gpu], ignore_index=True), {})
    assert figure.axes[1].get_title(loc="left") == "On made up:"


def test_few_points_cost_what_any_number_does() -> None:
    texts = [
        points(None, 2, n, speed) for n, speed in ((10, 100.0), (100, 450.0), (1000, 900.0), (10000, 1000.0))
    ]
    rows = performance.tidy(pd.DataFrame({"row": texts, "hardware": "made up", "device": "cpu"}))
    said = performance_tables.fixed_costs(rows)
    assert said.startswith(
        "Up to 100 points fixed costs take most of the time: at 10 ours reaches 10 % in 2-D "
    )
    assert performance_tables.fixed_costs(rows.assign(ours=1000.0)) == ""


def test_speeds_are_told_once_for_all_peers() -> None:
    peers = {"brentq": 500.0, "bisection": 700.0, "nelder_mead": 600.0}
    texts = [points(p, 2, 1000, s, ratio=3, ratio_min=2, ratio_max=4, theirs=1.0) for p, s in peers.items()]
    (line,) = performance_tables.speeds(
        performance.tidy(pd.DataFrame({"row": texts, "hardware": "made up", "device": "cpu"}))
    ).to_dict("records")
    assert (line["what"], line["ours"]) == ("level sets, 2\u2011D", 600.0)
    share = "share of reference"
    assert (line[share], line[f"{share} low"], line[f"{share} high"]) == pytest.approx((0.6, 0.5, 0.7))


def test_networks_that_were_not_compared_are_counted() -> None:
    def label(networks: int, compared: int) -> str:
        case = f"width=64 layers=5 networks={networks} compared={compared}"
        return performance.tidy(
            pd.DataFrame(
                {"row": [row(case=case, ours=1.0, limit=1.0, unit="ms")], "hardware": "a", "device": "cpu"}
            )
        )["label"].item()

    assert label(40, 4) == "width 64, 40 networks (4 compared)"
    assert label(40, 40) == "width 64, 40 networks"
