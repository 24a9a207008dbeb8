"""Six runs of which four go wrong, each in its own way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from invex.lab.records import Outcome

NAN = float("nan")


@dataclass(frozen=True)
class Config:
    ends: str = "well"
    seed: int = 0


def configs(profile: str) -> list[Config]:
    return [*map(Config, ("well", "diverged", "raised", "ragged", "no number")), Config(seed=1)]


def run(configs: Sequence[Config], *, device: str, folder: Any, progress: Any) -> Iterator[Any]:
    for config in configs:
        if config.ends == "raised":
            raise RuntimeError("no such luck")
        losses = [1.0, 0.5, NAN if config.ends == "diverged" else 0.25]
        steps = [0, 1] if config.ends == "ragged" else [0, 1, 2]
        metrics: dict[str, Any] = {"final": range(3)} if config.ends == "no number" else {}
        yield config, Outcome({"curve": {"step": steps, "loss": losses}}, metrics, {})
