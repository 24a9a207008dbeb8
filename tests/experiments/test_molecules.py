"""The experiment on molecules: splits, training, and paths on a model that is known exactly."""

import math
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from invex.analysis.level_sets import LevelSet
from invex.data import molecule_tables
from invex.data.molecules import GROUPS, WIDTH, one_hot
from invex.experiments import molecule_paths, molecule_reading, molecules, molecules_xtb
from invex.experiments.molecule_paths import METHODS, STEPS, NoPairs
from invex.lab.errors import Refused
from invex.lab.records import record
from invex.nn.molecules import Bowl, Categorical
from invex.nn.vae import GenerativeModel
from torch import Generator, nn

pytest.importorskip("rdkit")
TINY = replace(molecules.QUICK, epochs=1, hidden=8, width=8, latent=4, test=40, validation=20, pairs=3)


@pytest.fixture(scope="module")
def table():
    whole = molecule_tables.load("enumerated")
    part = slice(0, 300)
    return replace(
        whole, smiles=whole.smiles[part], codes=whole.codes[part], values=whole.values[part].copy()
    )


class Sharp(nn.Module):
    def forward(self, z):
        return 10 * z


class Flat(nn.Module):
    """A convex network: the mean number of oxygen bonds, shifted; and something that curves."""

    def forward(self, z):
        return z[:, 45::4].sum(-1) / 9 - 3 + 0.02 * z.square().sum(-1)


@pytest.fixture(scope="module")
def perfect(table):
    """Graphs are their own codes: every graph is reconstructed, and the property is what the head says."""
    model = GenerativeModel(
        nn.Identity(), Sharp(), Bowl(Flat(), 0.05), observation=Categorical(GROUPS)
    ).double()
    parts = molecules.Parts(np.arange(100), np.arange(100, 120), np.arange(120, 300), 100.0, 30.0)
    with torch.no_grad():
        values = parts.natural(model.predict(one_hot(torch.as_tensor(table.codes)).double())).numpy()
    return model, replace(table, values=values), parts


@pytest.fixture(scope="module")
def explored(perfect):
    model, table, parts = perfect
    config = replace(TINY, latent=WIDTH, level=None, ends=molecule_paths.TEST)
    metrics, tensors = molecule_paths.explore(model, table, parts, config)
    return metrics, tensors, table


def test_a_split_holds_no_molecule_twice_and_the_same_for_every_seed(table):
    first, second = (molecules.split(table, replace(TINY, seed=seed)) for seed in (0, 1))
    np.testing.assert_array_equal(first.test, second.test)
    rows = np.concatenate([first.train, first.validation, first.test])
    assert sorted(rows) == list(range(len(table.smiles)))
    assert (len(first.test), len(first.validation)) == (40, 20)


def test_molecules_without_the_property_are_trained_on_but_not_tested(table):
    values = table.values.copy()
    values[:50] = np.nan
    parts = molecules.split(replace(table, values=values), TINY)
    assert np.isfinite(values[np.concatenate([parts.test, parts.validation])]).all()
    assert set(range(50)) <= set(parts.train.tolist())
    assert math.isfinite(parts.mean)


def test_the_scale_is_undone():
    parts = molecules.Parts(np.arange(1), np.arange(1), np.arange(1), 160.0, 30.0)
    values = torch.tensor([100.0, 190.0])
    torch.testing.assert_close(parts.natural(parts.standard(values)), values)


@pytest.mark.parametrize("orders", [0.0, 0.5])
def test_training_lowers_the_loss_and_comes_again(table, orders):
    config = replace(TINY, epochs=3, hidden=32, orders=orders)
    parts = molecules.split(table, config)
    model, fitted = molecules.fit(config, table, parts)
    assert fitted.curve["loss"][-1] < fitted.curve["loss"][0]
    assert model.log_sigma[1].item() == pytest.approx(math.log(config.sigma_y))
    again, _ = molecules.fit(config, table, parts)
    x = one_hot(torch.as_tensor(table.codes[:5])).double()
    assert torch.equal(model.predict(x), again.predict(x))


def test_what_the_encoder_is_shown():
    codes = torch.arange(6, dtype=torch.uint8)[:, None].expand(6, 3)
    others = 100 + codes[:, None].expand(6, 4, 3)
    draw = Generator().manual_seed(0)
    assert molecules._shown(codes, others, 0.0, draw) is codes
    assert torch.equal(molecules._shown(codes, others, 1.0, draw), others[:, 0])
    many = molecules._shown(codes.repeat(500, 1), others.repeat(500, 1, 1), 0.3, draw)
    assert 0.26 < (many >= 100).double().mean() < 0.34


def test_a_perfect_model_measures_as_one(perfect):
    model, table, parts = perfect
    metrics, tensors = molecules.measure(model, table, parts)
    assert metrics["reconstruction"] == metrics["places"] == 1
    assert metrics["mae"] < 1e-9
    assert metrics["cycle_mae"] < 1e-9
    assert tensors["test/right"].dtype == torch.uint8
    wrong = replace(table, values=table.values + 3)
    assert molecules.measure(model, wrong, parts)[0]["mae"] == pytest.approx(3)


def test_points_of_paths_on_the_level_set_have_its_value_and_those_of_the_straight_line_less(explored):
    metrics, tensors, _ = explored
    value, level = tensors["paths/value"], metrics["level"]
    assert metrics["level_error"] < 1e-6
    torch.testing.assert_close(value[:2], torch.full_like(value[:2], level))
    assert (value[2] <= level + 1e-3).all()
    assert metrics["dip"] > 0
    torch.testing.assert_close(value[2][:, [0, -1]], torch.full_like(value[2][:, [0, -1]], level))


def test_ends_decode_to_their_molecules_and_lie_near_the_level(explored):
    metrics, tensors, _ = explored
    codes, ends = tensors["paths/codes"], tensors["paths/ends"]
    for way in range(3):
        assert torch.equal(codes[way][:, 0], ends[:, 0])
        assert torch.equal(codes[way][:, -1], ends[:, 1])
    assert ((tensors["paths/true"] - metrics["level"]).abs() < 30 / 6).all()
    assert (tensors["paths/rows"] >= 120).all()  # of the test molecules alone


def test_walks_take_equal_steps_and_only_one_stays(perfect):
    model, table, parts = perfect
    z = one_hot(torch.as_tensor(table.codes[:4])).double()
    centre = torch.zeros(WIDTH, dtype=torch.float64)
    surface = LevelSet(lambda p: p.square().sum(-1), 40.0, centre)
    on, free = molecule_paths.walks(surface, surface.retract(z), Generator().manual_seed(0))
    torch.testing.assert_close(on.square().sum(-1), torch.full(on.shape[:2], 40.0, dtype=torch.float64))
    steps = free.diff(dim=1).norm(dim=-1)
    torch.testing.assert_close(steps, torch.full_like(steps, molecule_paths.STRIDE))
    del model, parts


def test_a_level_that_no_molecule_has_is_refused_with_where_they_are(perfect):
    model, table, parts = perfect
    config = replace(TINY, latent=WIDTH, level=1e4)
    with pytest.raises(NoPairs, match=r"only 0 molecules lie within .* of the level 1e\+04 .* nine in ten"):
        molecule_paths.explore(model, table, parts, config)


def test_pairs_are_different_and_come_again():
    first = molecule_paths.pairs_of(5, 100, Generator().manual_seed(1))
    assert len(first) == 10
    assert (first[:, 0] != first[:, 1]).all()
    assert len({tuple(sorted(pair)) for pair in first.tolist()}) == 10
    assert torch.equal(first, molecule_paths.pairs_of(5, 100, Generator().manual_seed(1)))


def test_the_peak_of_a_density_is_where_most_lie():
    values = np.concatenate([np.random.default_rng(0).normal(5, 0.1, 300), np.linspace(0, 20, 300), [np.nan]])
    assert abs(molecule_paths.peak(values) - 5) < 0.5


@pytest.fixture(scope="module")
def run(explored):
    metrics, tensors, table = explored
    known = dict(zip(table.smiles, table.values.tolist(), strict=True))
    found = SimpleNamespace(config=asdict(TINY), metrics=metrics | {"mae": 1.0}, tensors=lambda: tensors)
    return found, known


def test_paths_are_named_looked_up_and_counted(run):
    found, known = run
    frame = molecule_reading.paths(found, known)
    assert len(frame) == 3 * found.metrics["pairs"] * STEPS
    level = found.metrics["level"]
    counted = molecule_reading.counted(frame, level, 1.0)
    assert len(counted) == 3 * found.metrics["pairs"]
    own = counted[counted["method"] == METHODS[0]]
    assert (own["off"] < 1e-4).all()
    assert own["valid"].between(2, 16).all()
    ends = frame[frame["step"].isin([0, STEPS - 1])]
    assert ends["known"].all()
    np.testing.assert_allclose(ends["true"], ends["again"], atol=1e-3)
    compared = molecule_reading.compared(counted, ["valid", "off"])
    assert list(compared["method"]) == list(METHODS)
    gain = molecule_reading.difference(counted, "off", METHODS[0], METHODS[2])
    assert gain.low > 0


def test_molecules_between_the_ends_are_neither_of_them(run):
    found, known = run
    frame = molecule_reading.paths(found, known)
    met = molecule_reading.between(frame)
    ends = frame[frame["step"].isin([0, STEPS - 1])].groupby(["method", "pair"])["smiles"].agg(set)
    assert all(row.smiles not in ends[row.method, row.pair] for row in met.itertuples())


def test_the_path_drawn_is_the_one_with_most_molecules_near_the_level():
    rows = [
        (0, 0, "a", 10.0), (0, 1, "b", 10.0), (1, 0, "a", 10.0), (1, 1, "b", 11.0), (1, 2, "c", 10.0),
        (2, 0, "a", 10.0), (2, 1, "b", 90.0), (2, 2, "c", 10.0), (2, 3, "d", 10.0), (2, 4, "", 10.0),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["pair", "step", "smiles", "again"])
    frame = frame.assign(method=METHODS[0], known=True)
    assert molecule_reading.shown(frame, 10.0, 1.0) == 1
    assert molecule_reading.shown(frame, 10.0, 100.0) == 2


def test_stations_are_in_the_order_of_the_path():
    frame = pd.DataFrame({
        "step": [0, 1, 2, 3, 4], "smiles": ["a", "a", "", "b", "a"], "again": [1.0, 1.0, 9.0, 2.0, 1.0],
        "true": [1.5, 1.5, np.nan, np.nan, 1.5], "known": [True, True, False, False, True],
        "share": [0.0, 0.25, 0.5, 0.75, 1.0],
    })  # fmt: skip
    found = molecule_reading.stations(frame)
    assert found["smiles"].tolist() == ["a", "b"]
    assert found["last"].tolist() == [1.0, 0.75]


def test_walks_and_samples_are_read(run):
    found, known = run
    walked = molecule_reading.along(molecule_reading.walks(found, known), found.metrics["level"])
    start = walked[walked["stride"] == 0]
    assert (start["met"] == 1).all()
    assert (walked.groupby(["method", "walk"])["met"].diff().dropna() >= 0).all()
    samples = molecule_reading.samples(found, known)
    table = molecule_reading.drawn_samples(samples, found.metrics["level"])
    assert table["valid"].between(0, 100).all()


def test_the_choice_is_made_by_the_held_out_molecules_among_those_with_most_seeds():
    rows = (
        [(0.0, 200, 0.05, 5.0)] * 3
        + [(0.5, 200, 0.05, 4.8)] * 3
        + [(0.5, 400, 0.05, 4.0)]
        + [(0.0, 200, 0.0, 1.0)] * 3
    )
    metrics = pd.DataFrame(rows, columns=["orders", "epochs", "curvature", "validation_mae"]).assign(
        failed=""
    )
    assert molecule_reading.best(metrics) == {"orders": 0.5, "epochs": 200}


def test_what_a_reader_asks_for():
    assert molecules.asked("recorded", "auto", "gap", "", 0, 0) is None
    assert molecules.asked("quick", "120", "gap", "", 0, 0).level == 120
    own = molecules.asked("recorded", "auto", "dipole", "mine.csv", 7, 0)
    assert (own.table, own.property, own.level, own.epochs) == ("mine.csv", "dipole", None, 7)
    assert molecules.asked("recorded", "auto", "gap", "", 0, 1).level == molecules.LEVEL
    with pytest.raises(Refused, match="level='high' is no number"):
        molecules.asked("quick", "high", "gap", "", 0, 0)


def test_configs_name_their_scale():
    assert [config.seed for config in molecules.configs("paper")[:3]] == [0, 1, 2]
    assert molecules.reduced(molecules.configs("reduced")[0]) == "30 epochs of 200"
    assert molecules.configs("quick")[0].table == "enumerated"


def test_a_run_of_few_steps_says_that_no_pair_is_found_or_leaves_a_record(table, monkeypatch):
    monkeypatch.setattr(molecules, "load", lambda *args: table)
    with pytest.raises(NoPairs):
        list(molecules.run([TINY], device="cpu", folder=None, progress=lambda text: None))
    monkeypatch.setattr(molecule_paths, "explore", lambda *args: ({"level": 1.0}, {}))
    ((config, outcome),) = molecules.run([TINY], device="cpu", folder=None, progress=lambda text: None)
    item = record("molecules", config, "quick", outcome, {})
    assert item.failed is None
    assert {"mae", "reconstruction", "cycle_mae", "level"} <= item.metrics.keys()


def test_calibrated_gaps_are_out_of_sample():
    draw = np.random.default_rng(0)
    gaps = draw.uniform(50, 200, 200)
    true = 20 + 0.5 * gaps + 1e-3 * gaps**2
    np.testing.assert_allclose(molecules_xtb.out_of_sample(gaps, true, 2), true, rtol=1e-9)
    noise = draw.normal(size=200)
    inside = np.polynomial.Polynomial.fit(gaps, noise, 8)(gaps) - noise
    outside = molecules_xtb.out_of_sample(gaps, noise, 8) - noise
    assert np.abs(outside).mean() > np.abs(inside).mean()


def test_the_table_travels_with_the_calibration(table):
    values = table.values.copy()
    values[3] = np.nan
    known = molecules_xtb.known(molecules_xtb.reference(replace(table, values=values))["reference"])
    assert list(known) == list(table.smiles)
    assert math.isnan(known[table.smiles[3]])
    assert known[table.smiles[0]] == pytest.approx(table.values[0], abs=0.006)


def test_gaps_that_cannot_be_computed_are_left_out(monkeypatch):
    pytest.importorskip("tblite")
    found = molecules_xtb.stand_ins(["C=O", "C=O"], "GFN2-xTB", "embedded", (1.0, 0.0))
    assert found == {"C=O": pytest.approx(1.0)}
    monkeypatch.setattr(
        molecules_xtb, "gap", lambda *args: (_ for _ in ()).throw(molecules_xtb.NoGeometry("x"))
    )
    assert molecules_xtb.stand_ins(["C=O"], "GFN2-xTB", "embedded") == {}
