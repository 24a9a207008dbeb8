"""Continuous actions by argmin: -Q(s, a) convex in the action, so that the greedy action is a minimum.

Amos, Xu & Kolter (2017), Sec. 6.4: Q-learning as with discrete actions, with the maximum over actions found
by descent on a partially input-convex network instead of by an actor network.
"""

import copy
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional

from invex.analysis.argmin.problem import Energy, value_and_gradient
from invex.nn.partially_convex import PartiallyConvexNetwork

SECOND = 0.99  # decay of the mean square of the gradient


def descend_scaled(
    energy: Energy, start: Tensor, *, steps: int = 15, rate: float = 0.3, final: float = 0.01
) -> tuple[Tensor, Tensor]:
    """The best point seen, and f there, of projected descent on [-1, 1]^p with steps free of the scale of f.

    Each coordinate moves by the rate, which falls by a constant factor from `rate` to `final`, times its
    gradient over that gradient's own root mean square, as in Adam without its first moment. The source runs
    Adam at 0.01 until it moves by less than 1e-3, at up to 1,000 steps; values of Q differ by orders of
    magnitude between tasks and in training, so that no fixed rate of plain descent serves.

    Args:
        energy: (n, p) -> (n,).
        start: (n, p) within [-1, 1].
    """
    y, best, least = start, start, torch.full_like(start[:, 0], torch.inf)
    square = torch.zeros_like(start)
    for step in range(steps):
        value, gradient = value_and_gradient(energy, y)
        better = value < least
        best, least = torch.where(better[:, None], y, best), torch.where(better, value, least)
        square = SECOND * square + (1 - SECOND) * gradient.square()
        size = (square / (1 - SECOND ** (step + 1))).sqrt() + 1e-12
        y = (y - rate * (final / rate) ** (step / max(steps - 1, 1)) * gradient / size).clamp(-1, 1)
    with torch.no_grad():
        value = energy(y)
    better = value < least
    return torch.where(better[:, None], y, best), torch.where(better, value, least)


class Replay:
    """The last transitions: observation, action, reward, next observation, whether it ended there."""

    def __init__(self, capacity: int, observations: int, actions: int, seed: int) -> None:
        sizes = (observations, actions, 1, observations, 1)
        self.parts = [torch.zeros(capacity, size) for size in sizes]
        self.generator = Generator().manual_seed(seed)
        self.count = 0

    def add(self, *values: Any) -> None:
        """Keep one transition, over the oldest if it is full."""
        row = self.count % len(self.parts[0])
        for part, value in zip(self.parts, values, strict=True):
            part[row] = torch.as_tensor(value, dtype=torch.float32)
        self.count += 1

    def sample(self, batch: int) -> list[Tensor]:
        """Transitions drawn with replacement: each part (batch, size)."""
        rows = torch.randint(min(self.count, len(self.parts[0])), (batch,), generator=self.generator)
        return [part[rows] for part in self.parts]


class ConvexAgent:
    """Q-learning with -Q a PICNN in the action, and a slowly following copy of it for the targets.

    Args:
        observations, actions: sizes; actions lie in [-1, 1].
        widths: hidden units of both paths.
        rate: of Adam.
        discount: gamma.
        follow: share by which the copy moves to the network at each update.
        steps: of descent on the action.
        seed: of the weights.
    """

    def __init__(
        self,
        observations: int,
        actions: int,
        *,
        widths: Sequence[int] = (128, 128),
        rate: float = 1e-3,
        discount: float = 0.99,
        follow: float = 0.005,
        steps: int = 15,
        seed: int = 0,
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.energy = PartiallyConvexNetwork(
                observations, actions, widths, activation=functional.relu, positivity="projection"
            )
        self.target = copy.deepcopy(self.energy).requires_grad_(False)
        self.optimiser = torch.optim.Adam(self.energy.parameters(), rate)
        self.actions, self.discount, self.follow, self.steps = actions, discount, follow, steps

    def act(self, observation: Tensor) -> Tensor:
        """Greedy actions (n, p) at observations (n, d)."""
        return self._greedy(self.energy, observation)[0]

    def _greedy(self, network: PartiallyConvexNetwork, observation: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            energy = network.at(observation)
        return descend_scaled(energy, observation.new_zeros(len(observation), self.actions), steps=self.steps)

    def learn(self, batch: Sequence[Tensor]) -> float:
        """One step on (r + gamma max_a Q'(s', a) - Q(s, a))^2; returns that loss.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        observation, action, reward, after, ended = batch
        cost = self._greedy(self.target, after)[1]
        goal = reward[:, 0] - self.discount * (1 - ended[:, 0]) * cost
        loss = functional.smooth_l1_loss(-self.energy(observation, action), goal)
        if not math.isfinite(value := loss.item()):
            raise FloatingPointError("the loss is not finite")
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.energy.project_()
        with torch.no_grad():
            for slow, fast in zip(self.target.parameters(), self.energy.parameters(), strict=True):
                slow.lerp_(fast, self.follow)
        return value
