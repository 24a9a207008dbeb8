"""Drawings and sentences of the chapter on molecules, from frames alone."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from invex.charts import molecule_words as words
from invex.charts import molecules as charts
from invex.charts import style
from invex.data import depiction

pytest.importorskip("rdkit")
SMILES = ["CC(=O)CCCC=C=O", "O=C1CCC2(CC1)CO2", "CC1(C)CC(=O)C1C=O", "CC1CCC(O)(CO)C1"]


@pytest.fixture(scope="module")
def stations():
    frame = pd.DataFrame({
        "smiles": SMILES, "first": [0.0, 0.3, 0.5, 0.8], "last": [0.2, 0.3, 0.7, 1.0],
        "again": [137.0, 141.0, 139.0, 138.0], "true": [138.5, np.nan, 150.0, 137.0],
        "known": [True, False, True, True],
    })  # fmt: skip
    return frame.assign(label=charts.labels(frame, {SMILES[1]: 144.2}, "xTB"))


@pytest.fixture(scope="module")
def path():
    share = np.linspace(0, 1, 61)
    parts = []
    for method, value in (("level set", 138 + 0 * share), ("straight line", 138 - 36 * share * (1 - share))):
        smiles = [SMILES[min(int(4 * s), 3)] if i % 7 else "" for i, s in enumerate(share)]
        frame = pd.DataFrame(
            {"method": method, "pair": 0, "step": np.arange(61), "share": share, "value": value}
        )
        parts.append(frame.assign(smiles=smiles, again=140.0, true=139.0, known=True))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def study():
    config = {"epochs": 200, "seed": 0, "validation": 500}
    first = SimpleNamespace(config=config, profile="paper", metrics={"pairs": 100, "test": 2500})
    numbers = pd.DataFrame({"here": [99.4, 4.4, 0.1]})
    return SimpleNamespace(
        first=first, unit="kcal/mol", quantity="gap", seeds=3, source_data=True, numbers=lambda: numbers
    )


def test_labels_say_true_computed_or_neither(stations):
    assert stations["label"].tolist()[:2] == ["predicted 137\ntrue 138", "predicted 141\nxTB 144"]
    bare = charts.labels(stations, {}, "xTB")
    assert bare[1] == "predicted 141\nnot in the data"


@pytest.mark.parametrize("width", [style.NARROW, style.WIDTH, style.WIDE])
def test_the_path_has_a_panel_above_and_a_card_a_molecule(stations, path, width):
    structures = depiction.in_space(SMILES[:3])  # one molecule without a structure
    with style.house(width):
        figure = charts.path(stations, path, 138.0, structures, ("gap", "kcal/mol"))
        assert len(figure.axes) == 1 + len(stations)
        written = [text.get_text() for axes in figure.axes[1:] for text in axes.texts]
    assert all(text in written for text in SMILES)


def test_the_explorer_opens_where_the_straight_line_sags_most(path):
    seconds = dict.fromkeys(SMILES, "true 1")
    found = charts.explorer(path, 138.0, ("gap", "kcal/mol"), {}, seconds)
    assert len(found["molecules"]) == 4
    assert [way["name"] for way in found["ways"]] == ["on the level set", "straight line"]
    assert abs(found["start"] - 30) <= 1
    assert found["ways"][0]["at"][found["start"]] >= 0
    assert found["ways"][0]["at"][0] == -1
    assert set(found["ways"][0]["value"]) == {138.0}
    assert all(molecule["xyz"] is None for molecule in found["molecules"])


def test_other_drawings_hold_their_data():
    draw = np.random.default_rng(0)
    test = pd.DataFrame({"true": draw.normal(160, 30, 50)}).assign(predicted=lambda f: f["true"] + 4)
    curves = pd.DataFrame({"seed": [0, 0, 1, 1], "epoch": [1, 2, 1, 2], "validation": [9.0, 5.0, 8.0, 4.9]})
    molecules = pd.DataFrame({"xtb": [1.0, 2.0, 3.0], "true": [1.0, 2.0, 3.0], "calibrated": [1.1, 2.0, 3.0]})
    profiles = pd.DataFrame({
        "method": ["level set", "level set", "straight line", "straight line"], "share": [0, 1, 0, 1],
        "off": [0.0, 0.0, 0.0, -9.0], "low": [0.0, 0.0, 0.0, -12.0], "high": [0.0, 0.0, 0.0, -5.0],
    })  # fmt: skip
    walks = pd.DataFrame({
        "method": ["free", "free", "on the level set", "on the level set"], "stride": [0, 1, 0, 1],
        "off": [0.0, 1.0, 0.0, 0.0], "away": [0.0, 2.0, 0.0, 1.0],
    })  # fmt: skip
    with style.house(style.WIDTH):
        assert len(charts.numbers(test, curves, "kcal/mol", 4.5).axes) == 2
        assert len(charts.calibration(molecules, (0.0, 1.0), ("GFN1-xTB", "B3LYP")).axes) == 2
        errors = {"level set": np.array([1.0, 3.0]), "any molecule": np.array([10.0])}
        assert len(charts.advantage(profiles, errors, walks, "kcal/mol", 4.5).axes) == 3


def counted(level_set, straight):
    rows = [{"method": "level set", "pair": i, "away": level_set + 0.01 * i} for i in range(20)]
    rows += [{"method": "straight line", "pair": i, "away": straight + 0.01 * i} for i in range(20)]
    return pd.DataFrame(rows).assign(distinct=4.0, new=1.0, true=7.0)


@pytest.mark.parametrize(
    ("level_set", "straight", "said"),
    [
        (5.0, 8.0, "The level set keeps them nearer"),
        (8.0, 5.0, "which needs no level set, keeps them nearer"),
    ],
)
def test_the_verdict_follows_the_numbers(study, level_set, straight, said):
    assert said in words.answer(study, counted(level_set, straight))


def test_an_undecided_difference_is_said_as_one():
    rows = counted(5.0, 5.0)
    rows.loc[rows["method"] == "straight line", "away"] += np.tile([1.0, -1.0], 10)
    assert "does as well" in words.verdict(rows, "kcal/mol")


def test_nothing_is_found_where_nothing_is_recorded(study):
    assert "no model is recorded" in words.answer(study, None)


@pytest.mark.parametrize(
    ("here", "said"),
    [
        ([99, 4.4, 0.1], "All three of the source's numbers are reached."),
        ([99, 4.8, 0.1], "reached for the graphs and cycle, missed for the gap"),
        ([90, 4.8, 0.5], "None of the source's numbers is reached."),
    ],
)
def test_the_caption_of_the_numbers_names_what_is_missed(study, here, said):
    assert said in words.numbers_caption(pd.DataFrame({"here": here}), study)


def test_the_caption_of_the_path_says_what_it_is_and_that_it_was_chosen(stations, path, study):
    text = words.path_caption(stations, path, 138.0, study)
    assert text.startswith(
        "Four molecules on the level set of 138 kcal/mol; the true gap of those between the ends is 12.0"
    )
    assert "one of them is not in the data" in text
    assert "sags by 9.0 kcal/mol" in text
    assert "The best of 100 random pairs" in text


def test_the_remedy_keeps_what_is_predicted_near():
    met = pd.DataFrame({"method": "level set", "again": [138.0, 139.0, 170.0], "away": [1.0, 3.0, 32.0]})
    found = words.remedy(met, 138.0, 4.5)
    assert found == {"kept-share": pytest.approx(200 / 3), "kept-away": 2.0, "all-away": 12.0}


def test_coverage_is_said_as_it_is():
    def table(moved, drawn):
        rows = {
            "codes": ["moved to the level set", "drawn"],
            "away": [moved[0], drawn[0]],
            "valid": [moved[1], drawn[1]],
        }
        return pd.DataFrame(rows)

    assert "costs validity" in words.coverage(table((10, 30), (50, 40)))
    assert "no cost" in words.coverage(table((10, 45), (50, 40)))
    assert "does not bring" in words.coverage(table((60, 45), (50, 40)))


def test_the_caption_of_the_paths_follows_the_paired_difference(study):
    from invex.analysis.bootstrap import Estimate

    assert words.paths_caption(Estimate(-2, -3, -1), study).startswith("Molecules met on the straight line")
    assert words.paths_caption(Estimate(2, 1, 3), study).startswith("Molecules met on the level set")
    assert "equally near" in words.paths_caption(Estimate(0, -1, 1), study)
