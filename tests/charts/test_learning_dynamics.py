"""Training curves: quartiles by step, variations named, one pair of panels for each data set and depth."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from invex.charts.learning_dynamics import beside, curves, depths, labelled, overview, quartiles, smoothed_end
from invex.charts.style import METHOD_COLOURS, house


def frame(hidden: int = 5, **settings: object) -> pd.DataFrame:
    rows = [
        {"step": step, "loss": (seed + 1) * 2.0 ** -(step / 50), "seed": seed, "method": method}
        for method in ("non-convex", "ICNN + init")
        for seed in range(5)
        for step in range(0, 200, 50)
    ]
    usual = {"dataset": "mnist", "hidden": hidden, "bias_noise": 0.0, "correlation": 0.5}
    usual |= {"positivity": "projection"}
    return pd.DataFrame(rows).assign(**usual | settings)


def test_quartiles_are_those_of_the_seeds() -> None:
    first = quartiles(frame()).iloc[0]
    assert (first["lower"], first["median"], first["upper"], first["n"]) == (2, 3, 4, 5)


def test_a_variation_is_named_by_what_differs() -> None:
    assert set(labelled(frame())["method"]) == {"non-convex", "ICNN + init"}
    assert "ICNN + init (β = 0.5)" in set(labelled(frame(bias_noise=0.5))["method"])
    assert "ICNN + init (ρ = 0.1)" in set(labelled(frame(correlation=0.1))["method"])


@pytest.mark.parametrize("depths", [(5,), (3, 5, 7)])
def test_two_panels_a_data_set_and_lines_in_the_methods_colours(depths: tuple[int, ...]) -> None:
    summary = quartiles(pd.concat([frame(hidden=depth) for depth in depths]))
    with house():
        figure = curves(summary, titles={"mnist": "MNIST"}, chance={"mnist": 2.3}, early=100)
        assert len(figure.axes) == 2 * len(depths)
        drawn = {line.get_label(): line.get_color() for line in figure.axes[1].get_lines()}
        plt.close(figure)
    assert drawn["ICNN + init"] == METHOD_COLOURS["ICNN + init"]


def test_each_data_set_and_depth_that_is_there_has_a_row() -> None:
    there = [frame(), frame(hidden=3), frame().assign(dataset="cifar10")]
    with house():
        figure = curves(
            quartiles(pd.concat(there)),
            titles={"mnist": "MNIST", "cifar10": "CIFAR10"},
            chance={"mnist": 2.3, "cifar10": 2.3},
        )
        titles = [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes[::2]]
        assert [title.removesuffix(" constrained layers") for title in titles] == [
            "MNIST, 3",
            "MNIST, 5",
            "CIFAR10, 5",
        ]
        plt.close(figure)


def test_the_usual_runs_beside_a_variation_are_those_on_its_data_and_depth() -> None:
    usual = pd.concat([frame(), frame(hidden=7), frame(hidden=7).assign(dataset="cifar10")])
    both = beside(frame(hidden=7, correlation=0.1), usual)
    assert set(zip(both["dataset"], both["hidden"], strict=True)) == {("mnist", 7)}
    assert "ICNN + init (ρ = 0.1)" in set(both["method"])
    assert beside(pd.DataFrame(), usual).empty


def test_a_plateau_alone_is_drawn_over_a_decade_and_not_over_its_noise() -> None:
    summary = quartiles(frame().assign(loss=lambda f: 2.3 + 0.001 * f["seed"]))
    with house():
        figure = curves(summary, titles={"mnist": "MNIST"}, chance={"mnist": 2.3}, early=100)
        for axes in figure.axes:
            low, high = axes.get_ylim()
            assert high / low > 9.99
        plt.close(figure)


def test_a_median_far_above_guessing_is_named_and_does_not_set_the_scale() -> None:
    far = frame().assign(loss=lambda f: f["loss"].where(f["method"] != "non-convex", 1e4))
    with house():
        figure = curves(quartiles(far), titles={"mnist": "MNIST"}, chance={"mnist": 2.3}, early=100)
        whole = figure.axes[1]
        assert whole.get_ylim()[1] < 10
        assert "beyond: non-convex" in [text.get_text() for text in whole.texts]
        plt.close(figure)


def test_a_panel_with_fewer_seeds_than_others_says_so() -> None:
    few = frame(hidden=7).query("seed == 0")
    with house():
        figure = depths(
            quartiles(pd.concat([frame(), few])), titles={"mnist": "MNIST"}, chance={"mnist": 2.3}
        )
        five, seven = ([text.get_text() for text in axes.texts] for axes in figure.axes)
        assert "1 seed" in seven
        assert not any("seed" in text for text in five)
        plt.close(figure)


def test_a_grid_has_a_column_a_data_set_and_a_row_a_depth() -> None:
    there = [frame(), frame(hidden=3), frame(hidden=3).assign(dataset="cifar10")]
    with house():
        figure = depths(
            quartiles(pd.concat(there)),
            titles={"mnist": "MNIST", "cifar10": "CIFAR10"},
            chance={"mnist": 2.3, "cifar10": 2.3},
        )
        three, cifar, five, empty = figure.axes
        assert [axes.get_title(loc="left") for axes in (three, cifar)] == ["MNIST", "CIFAR10"]
        assert [axes.get_ylabel()[:8] for axes in (three, five)] == ["3 layers", "5 layers"]
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["non-convex", "ICNN + init"]
        assert five.axison
        assert not empty.axison
        plt.close(figure)


def test_the_end_of_a_noisy_curve_is_its_smoothed_end_and_its_label_stands_there() -> None:
    steps = range(0, 2000, 50)
    noisy = [1.0 if step < 1950 else 0.01 for step in steps]  # the last batch happened to be easy
    assert smoothed_end(noisy) == 1.0
    rows = pd.DataFrame({"step": steps, "loss": noisy, "seed": 0, "method": "ICNN + init"})
    summary = quartiles(rows.assign(dataset="mnist", hidden=5))
    with house():
        figure = curves(summary, titles={"mnist": "MNIST"}, chance={"mnist": 2.3}, early=100)
        (label,) = [text for text in figure.axes[1].texts if text.get_text() == "ICNN + init"]
        assert label.xy[1] == 1.0
        plt.close(figure)


@pytest.mark.parametrize("names", [("mnist",), ("mnist", "cifar10", "cifar100")])
def test_the_overview_has_all_steps_above_the_first_ones(names: tuple[str, ...]) -> None:
    summary = quartiles(pd.concat([frame().assign(dataset=name) for name in names]))
    with house():
        figure = overview(
            summary, titles={n: n.upper() for n in names}, chance=dict.fromkeys(names, 2.3), early=100
        )
        assert len(figure.axes) == 2 * len(names)
        above, below = figure.axes[: len(names)], figure.axes[len(names) :]
        assert [axes.get_title(loc="left") for axes in above] == [name.upper() for name in names]
        assert all(axes.get_title(loc="left") == "first 100 steps" for axes in below)
        assert max(below[0].get_lines()[0].get_xdata()) <= 100 < max(above[0].get_lines()[0].get_xdata())
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["non-convex", "ICNN + init"]
        plt.close(figure)
