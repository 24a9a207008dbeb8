"""Charts and sentences of the chapter on pre-images, from small data and from none."""

from collections.abc import Iterator

import pandas as pd
import pytest
import torch
from invex.analysis import circles
from invex.analysis.omnidirectional import omnidirectional_by_hull
from invex.charts import relu_explorer, relu_preimages, relu_spectra, relu_words, style
from invex.experiments import relu_layers
from invex.nn.rectifier import thin_cifar, wide_cifar

ZERO = 1e-11


@pytest.fixture(scope="module")
def trained() -> circles.ThreeUnitNetworks:
    return circles.train(4, steps=30)


@pytest.fixture(autouse=True, params=[7.0, 3.7])
def width(request: pytest.FixtureRequest) -> Iterator[None]:
    with style.house(request.param):
        yield


def layers(epochs: int, factor: float) -> pd.DataFrame:
    """A network whose largest singular value changes by a factor at each layer, at two thresholds."""
    rows = [
        {
            "architecture": name, "epochs": epochs, "seed": 0, "layer": layer, "rectified": rectified,
            "outputs": 4000 // layer, "zero": zero, "number": 100 - 10 * layer * (name == "ThinCIFAR"),
            "condition": 10.0**layer * (2 - rectified), "largest": factor**layer,
        }
        for name in ("WideCIFAR", "ThinCIFAR")
        for layer in range(1, 9)
        for rectified in (0, 1)
        for zero in (ZERO, 1e-3)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def values() -> pd.DataFrame:
    rows = [
        {"architecture": name, "seed": seed, "layer": layer, "rectified": 1, "rank": rank, "value": 1 / rank}
        for name in ("WideCIFAR", "ThinCIFAR")
        for seed in (1, 0)
        for layer in range(1, 7)
        for rank in (1, 10, 100)
    ]
    return pd.DataFrame(rows)


def test_maps_of_two_networks_and_of_one(trained: circles.ThreeUnitNetworks) -> None:
    points, inner = circles.two_circles()
    both = pd.concat([relu_preimages.map_frame(trained, n, name) for n, name in ((0, "a"), (1, "b"))])
    assert len(relu_preimages.two_circles(both, points, inner).axes) == 8
    assert relu_preimages.two_circles(both[both["network"] == "a"], points, inner).axes
    assert relu_preimages.matched(both)
    assert not relu_preimages.matched(both.assign(condition=1.0, kind="singleton"))
    assert "everywhere" in relu_words.maps_in_words(both)


def test_best_of_each_kind() -> None:
    accuracy = torch.tensor([0.5, 0.9, 0.9, 0.7])
    assert relu_preimages.best_of_each(accuracy, [True, False, False, True]) == {True: 3, False: 1}
    assert relu_preimages.best_of_each(accuracy, [False] * 4) == {False: 1}


def test_four_cases_are_those_of_figure_3_2() -> None:
    cases = relu_preimages.four_cases()
    found = relu_preimages.case_frame(cases, omnidirectional_by_hull)
    assert found["kind"].tolist() == ["singleton", "unbounded", "unbounded", "compact"]
    assert found["program"].tolist() == found["hull"].tolist() == [True, False, False, True]
    assert relu_preimages.omnidirectionality(cases, found).axes


def test_removed_rows() -> None:
    weight, bias, point = relu_preimages.weakly_correlated()
    biases = {"without": torch.zeros_like(bias), "with": bias}
    frame = relu_preimages.removal_frame(weight, biases, point)
    assert frame["number"].tolist() == [3, 2, 3, 2]
    assert frame["smallest"].iloc[0] > 8 * frame["smallest"].iloc[1]
    assert len(relu_preimages.removed_rows(weight, biases, point).axes) == 2


def test_cells_of_the_explorer_cover_the_frame(trained: circles.ThreeUnitNetworks) -> None:
    data = relu_explorer.explorer(trained, [(0, "a")])
    area = 0.0
    for cell in data["networks"][0]["cells"]:
        x = torch.tensor(cell["outline"], dtype=torch.float64)
        area += 0.5 * abs(float((x[:, 0] * x[:, 1].roll(-1) - x[:, 1] * x[:, 0].roll(-1)).sum()))
    assert area == pytest.approx((2 * data["reach"]) ** 2, rel=0.01)
    points = relu_explorer.samples(trained, [(0, "a")])
    assert relu_explorer.some_preimages(trained, [(0, "a")], points).axes


def test_bounds_and_dimensions() -> None:
    removals = pd.DataFrame(relu_layers.removals(20))
    removals[relu_words.BOUNDS] = removals[relu_words.BOUNDS].astype(float)
    assert len(relu_spectra.bounds(removals).axes) == 3
    dimensions = pd.DataFrame(relu_layers.kinds_by_dimension((2, 4), layers=3, points=5))
    assert len(relu_spectra.kinds_in_dimensions(dimensions).axes) == 2
    assert "0% have a condition number above one with 2" in relu_words.forgetful_in_words(dimensions)


def test_table_3_1_is_read_from_the_modules() -> None:
    table = relu_spectra.architectures({"WideCIFAR": wide_cifar(), "ThinCIFAR": thin_cifar()})
    assert relu_spectra.as_in_table_3_1(table)
    assert table["Thin maps"].tolist() == ["3", "32", "32", "16", "16", "16", "32", "–", "–"]
    assert table["Wide outputs"].tolist() == [3072, 32768, 16384, 16384, 8192, 8192, 4096, 512, 10]
    assert not relu_spectra.as_in_table_3_1(table.assign(stride="(1, 1)"))


def test_spectra_where_one_network_has_only_its_start() -> None:
    some = layers(100, 2.0)
    some = pd.concat([layers(0, 0.5), some[some["architecture"] == "WideCIFAR"]])
    own = relu_spectra.first_seed(values()[values()["architecture"] == "WideCIFAR"])
    assert len(relu_spectra.spectra(own, some, ZERO).axes) == 1 + 3


@pytest.mark.parametrize("names", [("WideCIFAR", "ThinCIFAR"), ("ThinCIFAR",)])
def test_spectra_of_any_subset(names: tuple[str, ...]) -> None:
    some = pd.concat([layers(100, 2.0), layers(0, 0.5)])
    some = some[some["architecture"].isin(names)]
    own = relu_spectra.first_seed(values()[values()["architecture"].isin(names)])
    assert set(own["seed"]) == {0}
    assert len(relu_spectra.spectra(own, some, ZERO).axes) == len(names) + 3
    assert len(relu_spectra.zeros_table(some)) == 2
    assert relu_spectra.first_seed(pd.DataFrame()).empty


def test_trends_follow_the_data() -> None:
    grown = relu_words.trends(layers(100, 2.0), ZERO)
    assert grown["grows"].all()
    assert grown["growth"].tolist() == [16.0, 16.0]
    assert grown.set_index("architecture")["cut"].to_dict() == {"WideCIFAR": False, "ThinCIFAR": True}
    shrunk = relu_words.trends(layers(100, 0.5), ZERO)
    assert not shrunk["grows"].any()
    assert "grows from layer to layer" in relu_words.trends_in_words(grown)
    assert "does not grow" in relu_words.trends_in_words(shrunk)
    assert "not recorded" in relu_words.trends_in_words(pd.DataFrame())


def test_growth_is_compared_with_the_untrained_networks() -> None:
    grown = relu_words.trends(layers(100, 2.0), ZERO)
    both = pd.concat([layers(100, 2.0), layers(0, 0.5)])
    assert "from 0.062 to 16 in WideCIFAR" in relu_words.growth_in_words(grown, both, ZERO)
    assert "not recorded" in relu_words.growth_in_words(grown, layers(100, 2.0), ZERO)


def test_results_are_registered_for_the_networks_there() -> None:
    kept = {}
    thin = relu_words.trends(layers(100, 2.0), ZERO).query("architecture == 'ThinCIFAR'")
    relu_words.register(lambda name, value, n: kept.update({name: (value, n)}), thin)
    assert kept == {"behrmann2019-fig3.4/cut": (True, 1), "behrmann2019-fig3.4/relieved": (True, 1)}


def test_offset_of_theorem_3_3_needs_the_rows_that_are_off() -> None:
    found = pd.DataFrame(relu_layers.offsets_as_printed(40))
    assert found["mended"].all()
    assert not found["printed"].all()


def test_program_and_hull_agree() -> None:
    found = pd.DataFrame(relu_layers.agreement(60))
    assert (found["program"] == found["hull"]).all()
    assert 0 < found["program"].mean() < 1


def test_circles_are_learnt() -> None:
    made = circles.train(6, steps=400)
    assert made.accuracy.max() > 0.9
    points, inner = circles.two_circles()
    best = int(made.accuracy.argmax())
    assert ((made.logits(best, points) > 0) == inner).double().mean() == pytest.approx(
        float(made.accuracy[best])
    )
