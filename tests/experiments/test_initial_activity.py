"""Active units before training: of the networks that learning dynamics trains, on the images it trains on."""

from dataclasses import replace

import pytest
from invex.experiments import initial_activity, learning_dynamics
from invex.experiments.initial_activity import Config


def test_every_principled_network_of_a_seed_is_looked_at() -> None:
    chosen = initial_activity.networks(Config("mnist", 3))
    assert {(c.dataset, c.seed, c.method, c.positivity) for c in chosen} == {
        ("mnist", 3, "ICNN + init", "projection")
    }
    assert len(chosen) == len(set(chosen)) == 3 * 4  # depths, and the usual, beta = 1/2, rho = .1 and .9
    assert len(initial_activity.configs("paper")) == 3 * 10


def test_shares_fall_with_depth_on_stand_in_data() -> None:
    config = initial_activity.configs("quick")[0]
    ((same, outcome),) = initial_activity.run([config], device="cpu", folder=None, progress=lambda text: None)
    assert same == config
    layers = outcome.tables["layers"]
    assert layers["layer"] == [1, 2, 3, 4, 5]
    assert 0.3 < layers["active"][0] < 0.7
    assert layers["active"][-1] < 0.5 * layers["active"][0]
    assert list(outcome.data) == ["digits train", "digits test"]


def test_shares_stand_beside_the_settings_of_their_network(monkeypatch: pytest.MonkeyPatch) -> None:
    (usual,) = initial_activity.networks(Config("digits", 0))
    chosen = [usual, replace(usual, correlation=0.1, bias_noise=0.3)]
    monkeypatch.setattr(initial_activity, "networks", lambda config: chosen)
    ((_, outcome),) = initial_activity.run(
        [Config("digits", 0)], device="cpu", folder=None, progress=lambda text: None
    )
    layers = outcome.tables["layers"]
    rows = set(zip(*(layers[name] for name in ("hidden", "correlation", "bias_noise")), strict=True))
    assert rows == {(5, 0.5, 0.0), (5, 0.1, 0.3)}


def test_the_network_is_that_which_is_trained() -> None:
    config = learning_dynamics.configs("quick")[3]
    network, examples, _ = learning_dynamics.start(config, device="cpu", folder=None)
    sizes = [network.layers[0].in_features] * 6 + [10]
    again = learning_dynamics._network(sizes, config)
    assert all((a == b).all() for a, b in zip(network.parameters(), again.parameters(), strict=True))
    assert len(examples) > 1000
