"""Actions by argmin: descent free of scale, replay, and Q-learning on a problem with a known answer."""

import pytest
import torch
from argmin_problems import kinked
from invex.analysis.argmin import Box, gradient
from invex.analysis.argmin.control import ConvexAgent, Replay, descend_scaled


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_descent_finds_the_minimum_at_any_scale_of_the_energy(scale):
    centre = torch.tensor([[0.3, -0.7], [2.0, 0.1]])
    point, value = descend_scaled(
        lambda y: scale * (y - centre).square().sum(-1), torch.zeros(2, 2), steps=40
    )
    torch.testing.assert_close(point, centre.clamp(-1, 1), atol=0.02, rtol=0)
    torch.testing.assert_close(value, scale * (point - centre).square().sum(-1))


def test_it_is_near_the_minimum_that_the_solver_finds_on_a_network():
    energy = kinked(p=2)
    point, value = descend_scaled(energy, torch.zeros(4, 2, dtype=torch.float64), steps=25)
    exact = gradient.minimise(energy, torch.zeros_like(point), box=Box(-1, 1), steps=500).value.detach()
    spread = energy(torch.ones_like(point)).detach() - exact
    assert ((value.detach() - exact) / spread.abs() < 0.02).all()


def test_replay_overwrites_the_oldest_and_draws_what_is_there():
    replay = Replay(3, 1, 1, seed=0)
    for number in range(5):
        replay.add([number], [0.0], number, [number + 1], 0.0)
    drawn = replay.sample(200)
    assert set(drawn[0].flatten().tolist()) == {2.0, 3.0, 4.0}
    assert drawn[3].equal(drawn[0] + 1)


def test_q_learning_finds_the_best_action_of_a_bandit():
    agent, replay = ConvexAgent(1, 1, widths=(32, 32), rate=3e-3), Replay(500, 1, 1, seed=0)
    draw = torch.Generator().manual_seed(0)
    for _ in range(500):
        s, a = (2 * torch.rand(2, generator=draw) - 1).tolist()
        replay.add([s], [a], -((a - 0.5 * s) ** 2), [s], 1.0)
    for _ in range(150):
        loss = agent.learn(replay.sample(64))
    states = torch.linspace(-1, 1, 9)[:, None]
    assert loss < 0.01
    torch.testing.assert_close(agent.act(states), 0.5 * states, atol=0.2, rtol=0)
    assert all((weight >= 0).all() for weight in agent.energy.weights())


def test_a_loss_that_is_not_finite_stops_learning():
    agent = ConvexAgent(1, 1, widths=(8, 8))
    bad = [
        torch.zeros(4, 1),
        torch.zeros(4, 1),
        torch.full((4, 1), torch.inf),
        torch.zeros(4, 1),
        torch.ones(4, 1),
    ]
    with pytest.raises(FloatingPointError, match="not finite"):
        agent.learn(bad)
