"""Five runs of which three go wrong, each in its own way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from invex.lab.records import Outcome

NAN = float("nan")


@dataclass(frozen=True)
class Config:
    ends: Literal["well", "diverged", "raised", "ragged"] = "well"
    seed: int = 0


def configs(profile: str) -> list[Config]:
    return [Config(), Config("diverged"), Config("raised"), Config("ragged"), Config(seed=1)]


def run(configs: Sequence[Config], *, device: str, folder: Any, progress: Any) -> Iterator[Any]:
    for config in configs:
        if config.ends == "raised":
            raise RuntimeError("no such luck")
        losses = [1.0, 0.5, NAN if config.ends == "diverged" else 0.25]
        steps = [0, 1] if config.ends == "ragged" else [0, 1, 2]
        yield config, Outcome({"curve": {"step": steps, "loss": losses}}, {}, {})
