"""Active units of principled classifiers before training (Hoedt & Klambauer, 2023, Fig. 2-9)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from invex.analysis.activity import active_shares
from invex.experiments import learning_dynamics
from invex.lab.attestations import Tolerance
from invex.lab.records import Outcome

IMAGES = 1000
COLUMNS = ("hidden", "correlation", "bias_noise", "layer", "active")
REPLAY = Tolerance(
    relative=1e-4,
    reason="shares of some hundred thousand units: rounding turns a few of those that are nearly zero",
)


@dataclass(frozen=True)
class Config:
    """The principled networks of one seed: those of `learning_dynamics` with weights kept by projection."""

    dataset: str
    seed: int


def configs(profile: str) -> list[Config]:
    """One for each data set and seed of `learning_dynamics`."""
    runs = learning_dynamics.configs(profile)
    return list(dict.fromkeys(Config(run.dataset, run.seed) for run in runs))


def networks(config: Config) -> list[learning_dynamics.Config]:
    """The runs of `learning_dynamics` whose networks are looked at."""
    runs = learning_dynamics.configs("quick" if config.dataset == "digits" else "paper")
    return [
        run
        for run in runs
        if (run.dataset, run.seed, run.method, run.positivity)
        == (config.dataset, config.seed, "ICNN + init", "projection")
    ]


def run(
    configs: Sequence[Config], *, device: str, folder: Path | None, progress: Callable[[str], None]
) -> Iterator[tuple[Config, Outcome]]:
    """Shares of active units, by layer, on the first training images."""
    for config in configs:
        rows = []
        for each in networks(config):
            network, examples, data = learning_dynamics.start(each, device=device, folder=folder)
            index = torch.arange(min(IMAGES, len(examples)), device=examples.inputs.device)[None]
            shares = active_shares(network, examples.batch(index, torch.float32)[0][0]).tolist()
            fields = each.hidden, each.correlation, each.bias_noise
            rows += [(*fields, layer, share) for layer, share in enumerate(shares, 1)]
            progress(f"{each.hidden} layers")
        columns = map(list, zip(*rows, strict=True))
        yield config, Outcome({"layers": dict(zip(COLUMNS, columns, strict=True))}, {}, data)
