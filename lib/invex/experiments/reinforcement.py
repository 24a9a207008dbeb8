"""Continuous control with -Q convex in the action, against DDPG and TD3 (Amos et al., 2017, Sec. 6.4).

The tasks and the baselines need the extra "control" (gymnasium with MuJoCo, stable-baselines3), imported when
asked for; the quick profile has a task of its own.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from invex.analysis.argmin.control import ConvexAgent, Replay
from invex.lab.records import Outcome

CONVEX, DDPG, TD3 = "convex Q", "DDPG", "TD3"
TASKS = {"InvertedPendulum-v5": 15_000, "Reacher-v5": 30_000}
"""Environment steps of each, for every method."""
STAND_IN = "point on a line"


@dataclass(frozen=True)
class Config:
    """One agent on one task.

    Attributes:
        method: "convex Q", "DDPG" or "TD3".
        seed: of the task, the weights, exploration and replay.
        steps: in the environment; one update each after `warm_up` random ones.
        every: steps from one evaluation to the next.
        episodes: of an evaluation, without exploration.
        width: units of each of two hidden layers, in every network.
        noise: standard deviation of exploration, in units where actions fill [-1, 1].
    """

    method: str
    task: str
    seed: int
    steps: int
    every: int = 1500
    episodes: int = 5
    width: int = 128
    batch: int = 128
    rate: float = 1e-3
    noise: float = 0.1
    warm_up: int = 1000


def configs(profile: str) -> list[Config]:
    """Five seeds, both tasks and first two methods of each before the next; TD3 last."""
    if profile == "quick":
        quick = Config(CONVEX, STAND_IN, 0, 400, every=100, width=24, batch=32, rate=3e-3, warm_up=120)
        return [quick]
    main = [Config(m, t, s, n) for s in range(5) for t, n in TASKS.items() for m in (CONVEX, DDPG)]
    found = main + [Config(TD3, t, s, n) for s in range(5) for t, n in TASKS.items()]
    return [replace(c, steps=c.steps // 2) for c in found[:8]] if profile == "reduced" else found


def reduced(config: Config) -> str:
    """What a reduced run leaves out."""
    return f"{config.steps:,} of {2 * config.steps:,} environment steps"


Policy = Callable[[np.ndarray], np.ndarray]
"""Actions in [-1, 1] at observations, (n, d) -> (n, p)."""


def run(
    configs: Sequence[Config], *, device: str, folder: Path | None, progress: Callable[[str], None]
) -> Iterator[tuple[Config, Outcome]]:
    """Train one agent after another, on the CPU: a step of so small a network is bound by its launch."""
    for config in configs:
        start = time.perf_counter()
        rows: dict[str, list[float]] = {"step": [], "mean_return": [], "least": [], "most": []}
        judge = Judge(config)

        def note(
            step: int, policy: Policy, rows: Any = rows, judge: Any = judge, config: Any = config
        ) -> None:
            returns = judge(policy)
            for name, value in zip(rows, (step, returns.mean(), returns.min(), returns.max()), strict=True):
                rows[name].append(float(value))
            progress(f"{config.method}, {config.task}, seed {config.seed}: step {step}, {returns.mean():.1f}")

        failed = (_train_convex if config.method == CONVEX else _train_library)(config, note)
        last = rows["mean_return"][-3:]
        metrics = {"final": float(np.mean(last)), "seconds": time.perf_counter() - start}
        yield config, Outcome({"curve": rows}, metrics, {}, failed)


class PointOnALine:
    """The stand-in: push a point to the origin; reward 1 - |x| - 0.1 a^2, 40 steps, no end before."""

    def __init__(self) -> None:
        self.state, self.step_number, self.draw = np.zeros(2), 0, np.random.default_rng(0)

    def reset(self, seed: int | None = None) -> tuple[np.ndarray, dict[str, object]]:
        """A new episode from a random place at rest."""
        self.draw = self.draw if seed is None else np.random.default_rng(seed)
        self.state, self.step_number = np.array([self.draw.uniform(-1, 1), 0.0]), 0
        return self.state.astype(np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, object]]:
        """One step of 0.1 with the force in [-1, 1]."""
        force = float(np.clip(action, -1, 1).sum())
        place, speed = self.state
        speed = 0.9 * speed + 0.3 * force
        self.state = np.array([np.clip(place + 0.1 * speed, -2, 2), speed])
        self.step_number += 1
        reward = 1 - abs(float(self.state[0])) - 0.1 * force**2
        return self.state.astype(np.float32), reward, False, self.step_number >= 40, {}


def make(task: str) -> tuple[Any, int, int, float]:
    """A task with the sizes of observation and action, and the factor from [-1, 1] to its own actions.

    Raises:
        ImportError: the extra "control" is not installed.
    """
    if task == STAND_IN:
        return PointOnALine(), 2, 1, 1.0
    try:
        import gymnasium
    except ImportError as error:
        raise ImportError(f"{task} needs gymnasium with MuJoCo: pip install 'invex[control]'") from error
    env = gymnasium.make(task)
    space: Any = env.action_space
    return env, env.observation_space.shape[0], space.shape[0], float(space.high[0])  # type: ignore[index]


class Judge:
    """Returns of undisturbed episodes, the same starts at every call, all played side by side."""

    def __init__(self, config: Config) -> None:
        self.envs = [make(config.task) for _ in range(config.episodes)]
        self.seed = 10_000 + 100 * config.seed

    def __call__(self, policy: Policy) -> np.ndarray:
        """Returns (episodes,) of a policy."""
        now = [env.reset(seed=self.seed + i)[0] for i, (env, *_) in enumerate(self.envs)]
        returns, going = np.zeros(len(now)), list(range(len(now)))
        while going:
            actions = policy(np.stack([now[i] for i in going]).astype(np.float32))
            for i, action in zip(tuple(going), actions, strict=True):
                env, _, _, scale = self.envs[i]
                now[i], reward, ended, cut, _ = env.step(scale * action)
                returns[i] += float(reward)
                if ended or cut:
                    going.remove(i)
        return returns


def _train_convex(config: Config, note: Callable[[int, Policy], None]) -> str | None:
    """Q-learning by argmin; None, or why it stopped."""
    env, d, p, scale = make(config.task)
    draw = np.random.default_rng(config.seed)
    agent = ConvexAgent(d, p, widths=(config.width,) * 2, rate=config.rate, seed=config.seed)
    replay = Replay(config.steps, d, p, config.seed)

    def policy(observations: np.ndarray) -> np.ndarray:
        return agent.act(torch.from_numpy(observations)).numpy()

    now, _ = env.reset(seed=config.seed)
    for step in range(1, config.steps + 1):
        exploring = draw.uniform(-1, 1, p) if step <= config.warm_up else _noisy(policy, now, config, draw)
        after, reward, ended, cut, _ = env.step(scale * exploring)
        replay.add(now, exploring, float(reward), after, float(ended))
        now = env.reset()[0] if ended or cut else after
        try:
            if step > config.warm_up:
                agent.learn(replay.sample(config.batch))
        except FloatingPointError as error:
            return f"{error} at step {step}"
        if step % config.every == 0:
            note(step, policy)
    return None


def _noisy(policy: Policy, now: np.ndarray, config: Config, draw: np.random.Generator) -> np.ndarray:
    greedy = policy(np.asarray(now, np.float32)[None])[0]
    return (greedy + config.noise * draw.standard_normal(greedy.shape)).clip(-1, 1).astype(np.float32)


def _train_library(config: Config, note: Callable[[int, Policy], None]) -> str | None:
    """DDPG or TD3 of stable-baselines3, with our widths, rate, batch, noise, warm-up, else its defaults."""
    try:
        import stable_baselines3
        from stable_baselines3.common.callbacks import BaseCallback
        from stable_baselines3.common.noise import NormalActionNoise
    except ImportError as error:
        raise ImportError("DDPG and TD3 need stable-baselines3: pip install 'invex[control]'") from error
    env, _, p, _ = make(config.task)

    class Note(BaseCallback):
        def _on_step(self) -> bool:
            if self.num_timesteps % config.every == 0:
                note(self.num_timesteps, policy)
            return True

    agent = getattr(stable_baselines3, config.method)(
        "MlpPolicy", env, learning_rate=config.rate, batch_size=config.batch, buffer_size=config.steps,
        learning_starts=config.warm_up, action_noise=NormalActionNoise(np.zeros(p), np.full(p, config.noise)),
        train_freq=1, gradient_steps=1, seed=config.seed, device="cpu",
        policy_kwargs={"net_arch": [config.width] * 2},
    )  # fmt: skip

    def policy(observations: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            found: Tensor = agent.policy.actor(torch.from_numpy(observations))
        return found.numpy()

    agent.learn(config.steps, callback=Note())
    return None
