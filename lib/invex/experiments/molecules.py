"""The C7O2 molecules of QM9: model, numbers, paths on a level set (Nesterov et al. 2022, Sec. 5.3, Fig. 6).

A run needs neither RDKit nor xTB where the table is prepared (`data_scripts/qm9.py`): it leaves graphs, as
codes, which the chapter names, draws and labels.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Generator, Tensor

from invex.analysis.level_sets import MinimumNotFound
from invex.data import molecule_tables
from invex.data.molecule_tables import MoleculeSet
from invex.data.molecules import GROUPS, one_hot, reordered
from invex.experiments import molecule_paths
from invex.lab.errors import Refused
from invex.lab.records import Outcome, Record, record
from invex.nn import fit as training
from invex.nn.fit import Fitted, Keeper, Moment
from invex.nn.molecules import Categorical, draw_dropout_from, molecule_model, molecule_terms, most_likely
from invex.nn.vae import GenerativeModel, objective, project

LEVEL = 138.0
"""kcal/mol, the source's: the mean of the largest cluster of gaps."""
TEST, VALIDATION, WHOLE = 2500, 500, 16302
CYCLED = 4
"""The cycle term is taken over one in so many molecules of a batch."""
OTHERS = 8
"""Other orders of its atoms that a molecule may be shown in."""


@dataclass(frozen=True)
class Config:
    """A model and how it is trained. Sizes are the source's (App. A.5); what it leaves open was chosen by
    the property error on the validation molecules.

    Attributes:
        table, property: as for `invex.data.molecule_tables.load`.
        level: of the paths, in the property's unit; None takes the peak of its density.
        curvature: of the quadratic term of the head.
        orders: share of training graphs that are shown with their atoms in another order.
        hidden, width: units of the layers of encoder and decoder, and of the head.
        beta, final_beta: weight of the divergence, annealed geometrically.
        sigma_y: scale of the property, in standard deviations; it is not trained.
        decay: of the weights (decoupled).
        test, validation, pairs: how many molecules to test on and to choose by, and pairs to join.
        ends: whether the pairs are of "test" molecules or of "every" one.
    """

    seed: int = 0
    table: str = "qm9"
    property: str = "gap"
    level: float | None = LEVEL
    epochs: int = 200
    batch: int = 128
    rate: float = 1e-3
    final_rate: float = 1e-5
    curvature: float = 0.05
    dropout: float = 0.1
    decay: float = 0.1
    orders: float = 0.0
    beta: float = 0.1
    final_beta: float = 0.01
    gamma: float = 0.01
    sigma_y: float = 0.1
    sigma_z: float = 0.2
    latent: int = 22
    hidden: int = 1024
    width: int = 512
    test: int = TEST
    validation: int = VALIDATION
    pairs: int = 100
    ends: str = molecule_paths.TEST


PAPER = Config()
REDUCED = replace(PAPER, epochs=30)
QUICK = replace(
    PAPER, table=molecule_tables.EMBEDDED, level=None, epochs=14, batch=64, hidden=384, width=96, rate=2e-3,
    beta=0.02, test=300, validation=100, pairs=20, ends=molecule_paths.EVERY,
)  # fmt: skip
CHOICES = (
    PAPER,
    replace(PAPER, orders=0.5),
    replace(PAPER, epochs=400),
    replace(PAPER, orders=0.5, epochs=400),
)
"""What was compared by the validation molecules; the page takes the best with three seeds."""


def configs(profile: str) -> list[Config]:
    """Three seeds of two choices, then the longer ones; two heads without a quadratic term last.

    At reduced scale fewer epochs.
    """
    if profile == "quick":
        return [QUICK]
    choices = CHOICES if profile == "paper" else (REDUCED, replace(REDUCED, orders=0.5))
    every = [replace(choice, seed=seed) for choice in choices for seed in range(3)]
    return every + [replace(choices[0], seed=seed, curvature=0.0) for seed in range(3)]


def reduced(config: Config) -> str:
    """What is reduced, in words."""
    return f"{config.epochs} epochs of {PAPER.epochs}"


def run(
    configs: Sequence[Config],
    *,
    device: str,
    folder: Path | None,
    progress: Callable[[str], None],
    keeper: Callable[[Config], Keeper] | None = None,
) -> Iterator[tuple[Config, Outcome]]:
    """Train one model after another and measure it: numbers, paths, walks and samples."""
    for config in configs:
        table = load(config.table, config.property, folder)
        parts = split(table, config)
        told = _told(progress, f"seed {config.seed}")
        start = time.perf_counter()
        model, fitted = fit(config, table, parts, device, told, keeper(config) if keeper else None)
        seconds = time.perf_counter() - start
        told("measuring")
        yield config, _outcome(config, table, parts, model, fitted, seconds)


@dataclass(frozen=True)
class Parts:
    """Which rows of a table are for what (indices), and the scale of the property in training."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    mean: float
    deviation: float

    def standard(self, values: Tensor) -> Tensor:
        """The property in standard deviations from the training mean."""
        return (values - self.mean) / self.deviation

    def natural(self, values: Tensor) -> Tensor:
        """Back in its unit."""
        return values * self.deviation + self.mean


@lru_cache(maxsize=1)
def load(table: str, property: str, folder: Path | None) -> MoleculeSet:
    """The table of a run."""
    return molecule_tables.load(table, property, folder)


def split(table: MoleculeSet, config: Config) -> Parts:
    """The first molecules with a known property in canonical order are for tests, the next for validation.

    All others are for training, those without the property too. The same for every seed. A small table gives
    at most a fifth of its known rows to each.
    """
    known = np.flatnonzero(table.known)
    test, validation = (min(n, len(known) // 5) for n in (config.test, config.validation))
    held = known[: test + validation]
    train = np.setdiff1d(np.arange(len(table.smiles)), held)
    values = table.values[train][table.known[train]]
    return Parts(train, held[test:], held[:test], float(values.mean()), float(values.std()) or 1.0)


def build(config: Config) -> GenerativeModel:
    """The untrained model of a config."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return molecule_model(
            GROUPS,
            latent=config.latent,
            hidden=(config.hidden,) * 2,
            widths=(config.width,) * 4,
            curvature=config.curvature,
            dropout=config.dropout,
            sigma_y=config.sigma_y,
            sigma_z=config.sigma_z,
        )


def fit(
    config: Config,
    table: MoleculeSet,
    parts: Parts,
    device: str = "cpu",
    progress: Callable[[str], None] = lambda text: None,
    keeper: Keeper | None = None,
) -> tuple[GenerativeModel, Fitted]:
    """Train on the table's training part; the model in float64 on the CPU, and the curve of each term."""
    model = build(config).to(device)
    codes, values = (torch.as_tensor(array[parts.train]).to(device) for array in (table.codes, table.values))
    held = [torch.as_tensor(array[parts.validation]).to(device) for array in (table.codes, table.values)]
    others = _others(table.codes[parts.train], config).to(device)
    fixed, graphs = math.log(config.sigma_y), cast(Categorical, model.observation).one_hot

    def loss(batch: tuple[Tensor, ...], moment: Moment) -> dict[str, Tensor]:
        draw_dropout_from(model, moment.generator)
        shown = graphs(_shown(batch[0], batch[2], config.orders, moment.generator))
        cycled = max(len(shown) // CYCLED, 1)
        terms = molecule_terms(model, shown, graphs(batch[0]), batch[1], cycled, moment.generator)
        beta = config.beta * (config.final_beta / config.beta) ** moment.share
        return {"loss": objective(terms, beta, config.gamma), **terms._asdict()}

    def after_step() -> None:
        project(model)
        model.log_sigma[1].fill_(fixed)  # not an assignment, which would copy from the CPU in a captured step

    def after_epoch(epoch: int) -> dict[str, Tensor]:
        model.eval()
        with torch.no_grad():
            error = parts.natural(model.predict(one_hot(held[0]))) - held[1]
        return {"validation": error.abs().mean()}

    fitted = training.fit(
        model,
        loss,
        (codes, parts.standard(values).float(), others),
        _optimiser(model, config),
        epochs=config.epochs,
        batch=config.batch,
        seed=config.seed,
        schedule=training.cosine(config.final_rate / config.rate),
        after_step=after_step,
        after_epoch=after_epoch,
        progress=progress,
        keeper=keeper,
        capture=True,
    )
    return model.eval().double().cpu(), fitted


def _others(codes: np.ndarray, config: Config) -> Tensor:
    """The graphs with their atoms in other orders, (n, OTHERS, 45); none where none are shown."""
    if config.orders == 0:
        return torch.zeros(len(codes), 0, codes.shape[1], dtype=torch.uint8)
    return torch.as_tensor(reordered(codes, OTHERS, config.seed))


def _shown(codes: Tensor, others: Tensor, share: float, generator: Generator) -> Tensor:
    """What the encoder is shown: canonical graphs (n, 45), a share of them in one of their other orders."""
    if share == 0:
        return codes
    draw = torch.rand(2, len(codes), generator=generator, device=codes.device)
    which = (draw[0] * others.shape[1]).long().clamp_max(others.shape[1] - 1)
    picked = others.gather(1, which[:, None, None].expand(-1, 1, codes.shape[1]))[:, 0]
    return torch.where(draw[1, :, None] < share, picked, codes)


def _optimiser(model: GenerativeModel, config: Config) -> torch.optim.Optimizer:
    """AdamW; the scales have no decay."""
    networks = [parameter for parameter in model.parameters() if parameter is not model.log_sigma]
    groups = [
        {"params": networks, "weight_decay": config.decay},
        {"params": [model.log_sigma], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.rate, fused=True)


def _outcome(
    config: Config, table: MoleculeSet, parts: Parts, model: GenerativeModel, fitted: Fitted, seconds: float
) -> Outcome:
    digest = table.digest + remark(table)
    curve = {"epoch": list(range(1, len(fitted.curve["loss"]) + 1)), **fitted.curve}
    if fitted.failed is not None:
        failed = f"loss not finite at step {fitted.failed}"
        return Outcome({"curve": curve}, {"seconds": seconds}, {table.name: digest}, failed)
    metrics, tensors = measure(model, table, parts)
    metrics |= {"seconds": seconds, "stretches": fitted.stretches}
    metrics |= {"validation_mae": fitted.curve["validation"][-1], "training": len(parts.train)}
    try:
        more, found = molecule_paths.explore(model, table, parts, config)
    except MinimumNotFound as error:
        more, found = {"attained": 0, "why": str(error)}, {}
    return Outcome({"curve": curve}, metrics | more, {table.name: digest}, tensors=tensors | found)


def remark(table: MoleculeSet) -> str:
    """What a table lacks of the source's, in brackets; nothing where it is whole or a reader's own."""
    if table.name != molecule_tables.QM9 or int(table.known.sum()) >= WHOLE:
        return ""
    known = int(table.known.sum())
    return f" ({len(table.smiles):,} of {WHOLE:,} molecules, {known:,} of them with the {table.quantity})"


@torch.no_grad()
def measure(
    model: GenerativeModel, table: MoleculeSet, parts: Parts
) -> tuple[dict[str, float | int | str], dict[str, Tensor]]:
    """The source's three numbers on the test molecules, and the predictions that they are made of.

    A graph counts as reconstructed where all 45 choices are right, in their order. The cycle's error is that
    of the prediction for the molecule against the one for its reconstruction.
    """
    codes = torch.as_tensor(table.codes[parts.test])
    true = torch.as_tensor(table.values[parts.test])
    z = model.encode(one_hot(codes).double())
    before, after = (parts.natural(value) for value in model.cycled(z))
    choices = most_likely(model, z)
    right = (choices == codes.long()).all(1)
    error = (before - true).abs()
    metrics: dict[str, float | int | str] = {
        "reconstruction": right.double().mean().item(),
        "places": (choices == codes.long()).double().mean().item(),
        "mae": error.mean().item(),
        "median_error": error.median().item(),
        "rmse": error.square().mean().sqrt().item(),
        "cycle_mae": (before - after).abs().mean().item(),
        "test": len(codes),
        "mean_baseline": (true - parts.mean).abs().mean().item(),
        "sigma_z": model.log_sigma[2].exp().item(),
        "property_mean": parts.mean,
        "property_deviation": parts.deviation,
    }
    tensors = {"test/true": true, "test/predicted": before, "test/cycle": after}
    return metrics, {n: t.float() for n, t in tensors.items()} | {"test/right": right.to(torch.uint8)}


def _told(progress: Callable[[str], None], what: str) -> Callable[[str], None]:
    return lambda text: progress(f"{what}: {text}")


def asked(profile: str, level: str, property: str, table: str, epochs: int, seed: int) -> Config | None:
    """What a reader's parameters ask for; None where it is what is recorded.

    Args:
        profile: `quick` trains on the enumerated molecules, unless a table is named.
        level: a number, or "auto": the source's for the gap of QM9, else the peak of the property's density.
        property: a column of the table.
        table: "", or the path of a CSV with columns smiles and the property.
        epochs: 0 takes those of the profile.
        seed: of the run.

    Raises:
        Refused: the level is no number.
    """
    if (level, property, table, epochs, seed) == ("auto", "gap", "", 0, 0):
        return None
    start = QUICK if profile == "quick" else REDUCED if profile == "recorded" else PAPER
    usual = LEVEL if (property, table, start.table) == ("gap", "", molecule_tables.QM9) else None
    try:
        chosen = usual if level == "auto" else float(level)
    except ValueError:
        chosen = math.nan
    if chosen is not None and not math.isfinite(chosen):
        raise Refused(f"level={level!r} is no number; give one in the property's unit, or auto")
    ends = molecule_paths.EVERY if table else start.ends
    return replace(
        start, level=chosen, property=property, table=table or start.table, epochs=epochs or start.epochs,
        seed=seed, ends=ends,
    )  # fmt: skip


def live(config: Config, profile: str, device: str) -> Record:
    """One run here and now, in the form of a record, from the usual folder of data."""
    ((_, outcome),) = run([config], device=device, folder=None, progress=lambda text: None)
    return record("molecules", config, profile, outcome, {})
