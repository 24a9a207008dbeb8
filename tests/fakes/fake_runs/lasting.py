"""A run that lasts: a small network, whose training leaves its state and goes on from it."""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from invex.lab.records import Outcome
from invex.nn import fit
from torch import nn


@dataclass(frozen=True)
class Config:
    epochs: int = 6
    seed: int = 0


def configs(profile: str) -> list[Config]:
    return [Config(2 if profile == "reduced" else 6)]


def reduced(config: Config) -> str:
    return f"{config.epochs} epochs of 6"


def run(configs: Sequence[Config], *, device: str, folder: Any, progress: Any, keeper: Any) -> Iterator[Any]:
    for config in configs:
        torch.manual_seed(config.seed)
        module = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))
        x = torch.randn(256, 4)
        optimiser = torch.optim.Adam(module.parameters(), lr=0.01)

        def loss(batch: Any, moment: Any, module: nn.Module = module) -> torch.Tensor:
            noise = torch.randn(len(batch[0]), generator=moment.generator)
            return (module(batch[0])[:, 0] - batch[0].prod(1) + 0.1 * noise).square().mean()

        kept = keeper(config)
        kept.every = 0.0
        fitted = fit.fit(
            module, loss, (x,), optimiser, epochs=config.epochs, batch=8, seed=config.seed, keeper=kept,
            progress=lambda text: (progress(text), time.sleep(float(os.environ.get("FAKE_PAUSE", "0")))),
        )  # fmt: skip
        yield config, Outcome({"curve": fitted.curve}, {}, {}, tensors={"weight": module[0].weight})
