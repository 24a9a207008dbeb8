"""How well tight binding knows the gaps of QM9: a calibration, for molecules whose gap is not known."""

import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.polynomial import Polynomial

from invex.data import geometry, molecule_tables
from invex.data.archives import DataError
from invex.data.geometry import NoGeometry
from invex.data.images import default_folder
from invex.data.molecule_tables import MoleculeSet
from invex.experiments.molecules import remark
from invex.lab.records import Outcome

FOLDS = 10
EMBEDDED, RELAXED = "embedded", "relaxed"


@dataclass(frozen=True)
class Config:
    """One calibration.

    Attributes:
        count: molecules whose gap is known, at random by `seed`.
        method: "GFN1-xTB" or "GFN2-xTB".
        structures: "embedded" by distance geometry and MMFF94, which a new molecule has too; or "relaxed"
            from there in the energy of the method.
        degree: of the polynomial that takes tight-binding gaps to those of B3LYP.
    """

    seed: int = 0
    count: int = 600
    method: str = "GFN1-xTB"
    structures: str = EMBEDDED
    degree: int = 2


def configs(profile: str) -> list[Config]:
    """The page takes the one with the least error."""
    if profile == "quick":
        return [Config(count=30)]
    both = [Config(), Config(method="GFN2-xTB")]
    return [*both, replace(both[0], structures=RELAXED)]


def run(
    configs: Sequence[Config], *, device: str, folder: Path | None, progress: Callable[[str], None]
) -> Iterator[tuple[Config, Outcome]]:
    """Tight-binding gaps of known molecules beside their true ones; and the whole table, to look others up.

    Errors are out of sample: each molecule's by the fit to the other nine tenths.
    """
    table = molecule_tables.load("qm9", "gap", folder or default_folder())
    for config in configs:
        rows = np.random.default_rng(config.seed).permutation(np.flatnonzero(table.known))[: config.count]
        kept, gaps = labelled([table.smiles[row] for row in rows], config, progress)
        true = table.values[rows][kept]
        predicted = out_of_sample(gaps, true, config.degree)
        fit = Polynomial.fit(gaps, true, config.degree).convert()
        columns = {"xtb": gaps, "true": true, "calibrated": predicted}
        metrics = {"mae": float(np.abs(predicted - true).mean()), "lost": len(rows) - len(kept)}
        metrics |= {"rmse": float(np.sqrt(np.square(predicted - true).mean())), "n": len(kept)}
        metrics |= {f"c{i}": float(value) for i, value in enumerate(fit.coef)}
        data = {"qm9": table.digest + remark(table)}
        yield config, Outcome({"molecules": columns}, metrics, data, tensors=reference(table))


def labelled(
    smiles: Sequence[str], config: Config, progress: Callable[[str], None] = lambda text: None
) -> tuple[np.ndarray, np.ndarray]:
    """Which molecules (indices) have a structure and a gap, and their gaps in kcal/mol."""
    kept, gaps = [], []
    for i, text in enumerate(smiles):
        try:
            gaps.append(gap(text, config.method, config.structures))
        except NoGeometry:
            continue
        kept.append(i)
        if i % 50 == 0:
            progress(f"{config.method}, {config.structures}: {i}/{len(smiles)}")
    return np.array(kept, dtype=int), np.array(gaps)


def gap(smiles: str, method: str, structures: str) -> float:
    """The gap in kcal/mol of a molecule that need not be known.

    Raises:
        NoGeometry: no structure, or no converged energy.
    """
    found = geometry.embedded(smiles)
    return geometry.gap(geometry.relaxed(found, method) if structures == RELAXED else found, method)


def out_of_sample(gaps: np.ndarray, true: np.ndarray, degree: int) -> np.ndarray:
    """Calibrated gaps (n,), each by the polynomial fitted without its fold."""
    predicted = np.empty(len(gaps))
    for fold in range(FOLDS):
        held = np.arange(len(gaps)) % FOLDS == fold
        predicted[held] = Polynomial.fit(gaps[~held], true[~held], degree)(gaps[held])
    return predicted


def reference(table: MoleculeSet) -> dict[str, torch.Tensor]:
    """The whole table, by which a page without the data recognises a molecule: a compressed text."""
    pairs = zip(table.smiles, table.values, strict=True)
    lines = "\n".join(f"{text},{value:.2f}" for text, value in pairs)
    packed = gzip.compress(lines.encode(), mtime=0)
    return {"reference": torch.from_numpy(np.frombuffer(packed, np.uint8).copy())}


def known(reference: torch.Tensor) -> dict[str, float]:
    """SMILES -> property (NaN where unknown) from what `reference` left."""
    lines = gzip.decompress(reference.numpy().tobytes()).decode().splitlines()
    pairs = (line.rsplit(",", 1) for line in lines)
    return {text: float(value) for text, value in pairs}


def stand_ins(
    smiles: Sequence[str], method: str, structures: str, coefficients: Sequence[float] = (0.0, 1.0)
) -> dict[str, float]:
    """Calibrated tight-binding gaps of molecules whose gap is not known; those that have none are left out.

    Without tblite there are none at all.
    """
    found = {}
    for text in smiles:
        with suppress(DataError):
            found[text] = float(Polynomial(coefficients)(gap(text, method, structures)))
    return found


def coefficients(metrics: Mapping[str, Any]) -> list[float]:
    """The calibration that a run left, constant first."""
    return [float(metrics[f"c{i}"]) for i in range(len(metrics)) if f"c{i}" in metrics]


def among_themselves(table: MoleculeSet, count: int = 60) -> Outcome:
    """A stand-in without QM9: one tight-binding method calibrated on the other's gaps of a table."""
    config = Config(count=count, structures=EMBEDDED)
    kept, gaps = labelled(table.smiles[:count], config)
    true = table.values[:count][kept]
    predicted = out_of_sample(gaps, true, config.degree)
    metrics = {"mae": float(np.abs(predicted - true).mean()), "n": len(kept)}
    fit = Polynomial.fit(gaps, true, config.degree).convert()
    metrics |= {f"c{i}": float(value) for i, value in enumerate(fit.coef)}
    columns = {"xtb": gaps, "true": true, "calibrated": predicted}
    return Outcome({"molecules": columns}, metrics, {table.name: table.digest})
