"""Control by argmin: the stand-in task, a short run, evaluation side by side, the library's agents."""

from dataclasses import replace

import numpy as np
import pytest
from invex.experiments import reinforcement as experiment

QUICK = replace(experiment.configs("quick")[0], steps=60, every=30, warm_up=40)


def test_a_short_run_learns_and_reports_returns():
    [(_, outcome)] = experiment.run([QUICK], device="cpu", folder=None, progress=lambda line: None)
    curve = outcome.tables["curve"]
    assert outcome.failed is None
    assert curve["step"] == [30, 60]
    assert all(
        a <= b <= c for a, b, c in zip(curve["least"], curve["mean_return"], curve["most"], strict=True)
    )
    assert outcome.metrics["final"] == pytest.approx(np.mean(curve["mean_return"]))


def test_the_judge_plays_the_same_episodes_each_time_and_sees_a_better_policy():
    judge = experiment.Judge(QUICK)
    still = judge(lambda seen: np.zeros((len(seen), 1)))
    np.testing.assert_array_equal(still, judge(lambda seen: np.zeros((len(seen), 1))))
    steered = judge(lambda seen: -2 * seen[:, :1] - 0.7 * seen[:, 1:])
    assert steered.mean() > still.mean() + 3


def test_configs_order_seeds_first_and_keep_td3_for_last():
    found = experiment.configs("paper")
    assert len(found) == 30
    assert {config.seed for config in found[:4]} == {0}
    assert all(config.method == "TD3" for config in found[20:])


def test_a_task_without_its_library_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gymnasium", None)
    with pytest.raises(ImportError, match=r"pip install 'invex\[control\]'"):
        experiment.make("Reacher-v5")


@pytest.mark.parametrize("method", ["DDPG", "convex Q"])
def test_a_few_steps_on_mujoco(method):
    pytest.importorskip("stable_baselines3")
    pytest.importorskip("mujoco")
    pytest.importorskip("imageio")
    config = experiment.Config(
        method, "Reacher-v5", 0, 60, every=60, episodes=1, width=16, batch=16, warm_up=50
    )
    [(_, outcome)] = experiment.run([config], device="cpu", folder=None, progress=lambda line: None)
    assert outcome.failed is None
    assert outcome.tables["curve"]["mean_return"][0] < 0
