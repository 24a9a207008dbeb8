"""Six short runs; FAKE_PAUSE seconds each, a line in the file FAKE_LOG for each."""

import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from invex.lab.records import Outcome


@dataclass(frozen=True)
class Config:
    method: str = "plain"
    rate: float = 0.1
    deep: bool = False
    seed: int = 0


def configs(profile: str) -> list[Config]:
    seeds = {"quick": 1, "paper": 3}[profile]
    return [Config(method, seed=seed) for seed in range(seeds) for method in ("plain", "skip")]


def batch_key(config: Config) -> str:
    return config.method


def curve(config: Config) -> list[float]:
    return [math.exp(-config.rate * step) + config.seed for step in range(20)]


def run(configs: Sequence[Config], *, device: str, folder: Any, progress: Any) -> Iterator[Any]:
    for config in configs:
        log = os.environ.get("FAKE_LOG")
        if log:
            with open(log, "a") as file:
                file.write(f"{config.method} {config.seed} of {len(configs)}\n")
        for _ in range(2):
            progress("running")
            time.sleep(float(os.environ.get("FAKE_PAUSE", "0")) / 2)
        losses = curve(config)
        yield config, Outcome({"curve": {"loss": losses}}, {"final": losses[-1]}, {"made up": "0"})
