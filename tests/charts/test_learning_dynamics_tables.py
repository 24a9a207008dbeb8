"""Tables and sentences about training runs, from few numbers that can be checked by hand."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from invex.charts import initial_activity
from invex.charts import learning_dynamics_tables as tables

RUNS = pd.DataFrame(
    [("mnist", 5, "ICNN", seed, 2.0 + seed, 0.1) for seed in range(3)]
    + [("mnist", 5, "ICNN + init", seed, 0.5 + seed, 0.9) for seed in range(3)]
    + [("cifar10", 5, "ICNN", 0, 1.5, 0.4)],
    columns=["dataset", "hidden", "method", "seed", "final_loss", "test_accuracy"],
)


def curve(dataset: str, method: str, seed: int, leaves: int | None) -> pd.DataFrame:
    steps = range(0, 500, 50)
    losses = [2.3 if leaves is None or step < leaves else 0.5 for step in steps]
    run = {"dataset": dataset, "hidden": 5, "method": method, "seed": seed}
    return pd.DataFrame({"step": steps, "loss": losses}).assign(**run)


LEFT = tables.starts(
    pd.concat(
        [curve("mnist", "ICNN", seed, None) for seed in range(2)]
        + [curve("mnist", "ICNN + init", seed, leaves) for seed, leaves in enumerate((150, None, 1, 300))]
    )
)


def test_starts_are_the_steps_at_which_runs_leave_the_plateau() -> None:
    steps = LEFT.loc[LEFT["method"] == "ICNN + init", "left"]
    assert steps.dropna().tolist() == [150, 50, 300]
    assert LEFT.loc[LEFT["method"] == "ICNN", "left"].isna().all()


def test_departures_in_words() -> None:
    assert tables.departures(LEFT, "mnist", "ICNN + init") == "3 of 4, between steps 50 and 300"
    assert tables.departures(LEFT, "mnist", "ICNN") == "none of 2"
    assert tables.departures(LEFT, "cifar10", "ICNN") == "not recorded"
    same = tables.starts(curve("mnist", "ICNN + skip", 0, 100))
    assert tables.departures(same, "mnist", "ICNN + skip") == "1 of 1, by step 100"


def test_the_finding_counts_each_method() -> None:
    said = "Below the loss of guessing come on MNIST 3 of 4 ICNN + init, none of 2 ICNN."
    assert tables.left_in_words(LEFT) == said
    shallow = LEFT[LEFT["method"] == "ICNN + init"].assign(hidden=3)
    assert tables.left_in_words(pd.concat([LEFT, shallow])).endswith(
        "on MNIST with 3 layers 3 of 4 ICNN + init; "
        "on MNIST with 5 layers 3 of 4 ICNN + init, none of 2 ICNN."
    )
    learning = LEFT.dropna()
    few = pd.concat([LEFT, learning.assign(method="ICNN + skip")])
    assert tables.left_in_words(few).endswith(
        "on MNIST all 3 ICNN + skip, 3 of 4 ICNN + init, none of 2 ICNN."
    )
    idle = pd.concat([few, LEFT[LEFT["method"] == "ICNN"].head(1).assign(method="shift")])
    assert tables.left_in_words(idle).endswith("3 of 4 ICNN + init, none of 2 ICNN, none of 1 shift.")
    both = pd.concat([learning, learning.assign(method="ICNN + skip")])
    assert tables.left_in_words(both).endswith("on MNIST all ICNN + init and ICNN + skip.")


def test_the_lowest_median_is_named_by_data_and_depth() -> None:
    assert tables.best_in_words(RUNS) == (
        "The loss ends lowest with ICNN + init on MNIST with 5 layers. "
        "Recorded alone: ICNN on CIFAR10 with 5 layers."
    )
    depths = pd.concat([RUNS.assign(hidden=hidden) for hidden in (5, 3, 7)])
    assert "ICNN + init on MNIST with 3, 5 and 7 layers. Rec" in tables.best_in_words(depths)
    one = tables.best_in_words(RUNS[RUNS["dataset"] == "cifar10"])
    assert one == "Recorded alone: ICNN on CIFAR10 with 5 layers."


def test_endings_hold_medians_within_their_intervals_and_count_runs() -> None:
    table = tables.endings(RUNS, LEFT)
    assert table["data"].tolist() == ["MNIST", "MNIST", "CIFAR10"]
    assert table["loss"].tolist() == [3.0, 1.5, 1.5]
    assert (table["loss low"] <= table["loss"])[:2].all()
    assert table["loss low"].isna().tolist() == [False, False, True]  # one run alone has no interval
    assert table["below guessing"].tolist() == ["0 of 3", "3 of 3", "0 of 1"]
    assert "data" not in tables.endings(RUNS[RUNS["dataset"] == "mnist"], LEFT)


def test_a_run_that_failed_counts_as_a_run_and_not_as_a_loss() -> None:
    failed = RUNS.assign(final_loss=RUNS["final_loss"].where(RUNS["seed"] > 0))
    assert tables.endings(failed, LEFT)["below guessing"].tolist() == ["0 of 3", "3 of 3", "0 of 1"]
    assert tables.ratio(failed, {"method": "ICNN + init"}, {"method": "ICNN", "dataset": "mnist"})["n"] == 2


def test_ratio_is_that_of_the_medians_and_nothing_without_both_sides() -> None:
    found = tables.ratio(RUNS, {"method": "ICNN + init"}, {"method": "ICNN", "dataset": "mnist"})
    assert found["value"] == pytest.approx(1.5 / 3.0)
    assert found["low"] <= found["value"] <= found["high"]
    assert tables.ratio(RUNS, {"method": "ICNN + skip"}, {"method": "ICNN"}) == {}


def test_gain_is_the_difference_of_the_shares_that_learn() -> None:
    found = tables.gain(LEFT, {"method": "ICNN + init"}, {"method": "ICNN"})
    assert found["value"] == 0.75
    assert 0 <= found["low"] < 0.75 < found["high"] == 1
    assert found["n"] == 2
    assert tables.gain(LEFT, {"method": "ICNN + init"}, {"method": "ICNN + skip"}) == {}
    assert tables.gain(pd.DataFrame(), {"method": "ICNN"}, {"method": "ICNN"}) == {}


def test_order_needs_every_method() -> None:
    found = tables.order(RUNS, "mnist", ("ICNN", "ICNN + init"))
    assert list(found["value"]) == ["ICNN + init", "ICNN"]  # smallest first
    assert all(low <= value <= high for value, low, high in found["value"].values())
    assert found["n"] == 3
    assert tables.order(RUNS, "cifar10", ("ICNN", "ICNN + init")) == {}


def test_without_records_nothing_is_said_and_nothing_raised() -> None:
    nothing = pd.DataFrame()
    left = tables.starts(nothing)
    assert tables.endings(nothing, left).empty
    assert tables.ratio(nothing, {"method": "ICNN"}, {"method": "ICNN"}) == {}
    assert tables.departures(left, "mnist", "ICNN") == "not recorded"


def test_a_list_selects_any_of_its_entries() -> None:
    assert len(tables.select(RUNS, {"dataset": ["cifar10", "mnist"], "method": "ICNN"})) == 4
    assert len(tables.select(RUNS, {"seed": [2]})) == 2


USUAL = {"dataset": "mnist", "hidden": 2, "correlation": 0.5, "bias_noise": 0.0, "positivity": "projection"}
STARTED = pd.DataFrame(
    [
        USUAL | {"seed": seed, "layer": layer, "active": 0.1 * seed / layer}
        for seed in range(4)
        for layer in (1, 2)
    ]
).drop(columns="positivity")
ENDED = pd.DataFrame(
    [USUAL | {"seed": s, "method": "ICNN + init", "final_loss": 2.3 - s / 2} for s in range(3)]
)


def active(leaves: tuple[int | None, ...]) -> pd.DataFrame:
    curves = [curve("mnist", "ICNN + init", seed, step) for seed, step in enumerate(leaves)]
    return tables.activity(STARTED, ENDED, tables.starts(pd.concat(curves).assign(hidden=2)))


def test_a_run_has_the_active_units_of_its_last_layer_and_whether_it_learnt() -> None:
    runs = active((None, 50, 1))
    assert runs["active"].tolist() == pytest.approx([0.0, 0.05, 0.1])
    assert runs["left"].isna().tolist() == [True, False, False]
    assert tables.activity_in_words(runs) == (
        "On MNIST 0 of 1 principled runs that start with a silent last layer learn, and 2 of 2 others, down "
        "to an active share of 5e-02."
    )
    assert tables.activity_in_words(active((50, None, 1))).startswith("On MNIST 1 of 1 principled runs")
    assert tables.activity_in_words(active((50, None, None))).endswith("learn, and 0 of 2 others.")
    assert tables.activity_in_words(active((50, 50, 1)).tail(2)) == (
        "On MNIST no principled run starts with a silent last layer and 2 of 2 learn, down to an active "
        "share of 5e-02."
    )
    assert tables.activity(STARTED, ENDED.head(0), tables.starts(pd.DataFrame())).empty


def test_runs_without_active_units_are_drawn_at_the_left_end() -> None:
    figure = initial_activity.activity(active((None, 50, 1)), titles=tables.TITLES, chance=tables.CHANCE)
    (marks,) = [line for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
    assert marks.get_xdata().tolist() == pytest.approx([0.0025, 0.05, 0.1])
    figure.canvas.draw()
    assert figure.axes[0].get_xticklabels()[0].get_text() == "none"
    assert marks.get_ydata().tolist() == pytest.approx([2.3, 1.8, 1.3])
    plt.close(figure)


def test_the_ends_by_depth_have_a_row_a_data_set_and_depth_and_a_column_a_method() -> None:
    runs = pd.concat([RUNS[RUNS["dataset"] == "mnist"].assign(hidden=hidden) for hidden in (5, 3)])
    table = tables.by_depth(runs, pd.concat([LEFT.assign(hidden=hidden) for hidden in (5, 3)]))
    assert table["layers"].tolist() == [3, 5]
    own = runs[(runs["method"] == "ICNN + init") & (runs["hidden"] == 3)]
    cell = f"{own['final_loss'].median():.3g} (3/{len(own)})"
    assert table["ICNN + init"].tolist() == [cell, cell]
