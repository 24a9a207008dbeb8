"""The runs of `molecules` and `molecules_xtb` as the chapter needs them: which to draw, and what is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from invex.analysis.bootstrap import interval
from invex.data.archives import DataError
from invex.experiments import molecule_reading as reading
from invex.experiments import molecules, molecules_xtb
from invex.experiments.molecules_xtb import EMBEDDED
from invex.lab.records import record


@dataclass(frozen=True)
class Study:
    """What is drawn.

    Attributes:
        runs: the recorded runs of the choice with the least error on held-out molecules.
        first: the first of them, whose paths are drawn; None where there is none.
        known: SMILES -> property, NaN where it is not known, of every molecule of the table.
        calibration: runs of tight binding, the one that is used first.
        method, structures: how gaps that are not known are computed; "" where they are not.
        coefficients: of their calibration.
        source_data: whether table and property are the source's.
        quantity, unit: of the property.
    """

    runs: Any
    first: Any
    known: Mapping[str, float]
    calibration: Any
    method: str
    structures: str
    coefficients: Sequence[float]
    source_data: bool
    quantity: str
    unit: str

    @property
    def seeds(self) -> int:
        """How many networks there are."""
        return len([run for run in self.runs.runs if not run.failed])

    @property
    def stand_in(self) -> str:
        """What a computed gap is called."""
        return "xTB" if self.source_data else "computed"

    def stand_ins(self, smiles: Sequence[str]) -> dict[str, float]:
        """Computed gaps of molecules whose gap is not known."""
        if not self.method:
            return {}
        return molecules_xtb.stand_ins(smiles, self.method, self.structures, self.coefficients)

    def words(self, frame: pd.DataFrame, others: Mapping[str, float]) -> dict[str, str]:
        """What is said of each molecule beside its prediction."""
        error = f" ± {self.calibration.runs[0].metrics['mae']:.0f}" if self.source_data and others else ""
        said = {}
        for row in frame[frame["smiles"] != ""].drop_duplicates("smiles").itertuples():
            if np.isfinite(row.true):
                said[row.smiles] = f"true {row.true:.1f} (in the data)"
            elif row.smiles in others:
                said[row.smiles] = f"{self.stand_in} {others[row.smiles]:.0f}{error} (not in the data)"
            else:
                said[row.smiles] = "in the data, not known" if row.known else "not in the data"
        return said

    def numbers(self) -> pd.DataFrame:
        """The source's three numbers beside ours: mean over seeds, and the interval or the extremes."""
        metrics = self.runs.metrics()
        metrics = metrics[metrics["failed"] == ""]
        rows = [
            ("graphs reconstructed (%)", 97.0, 100 * metrics["reconstruction"]),
            (f"error of the {self.quantity} ({self.unit})", 4.5, metrics["mae"]),
            (f"error of the cycle ({self.unit})", 0.4, metrics["cycle_mae"]),
        ]
        lines = []
        for what, paper, values in rows:
            value, low, high = _spread(values.tolist())
            source = {"paper": paper} if self.source_data else {}
            lines.append(
                {"on test molecules": what, **source, "here": value, "here low": low, "here high": high}
            )
        return pd.DataFrame(lines)

    @property
    def fitted(self) -> Sequence[float]:
        """Coefficients of the calibration that is drawn."""
        return molecules_xtb.coefficients(self.calibration.runs[0].metrics)

    @property
    def methods(self) -> tuple[str, str]:
        """Names of what is calibrated, and on what."""
        return self.calibration.runs[0].config["method"], "B3LYP" if self.source_data else "GFN2-xTB"

    def test(self) -> pd.DataFrame:
        """True and predicted property of the test molecules of the first run."""
        tensors = self.first.tensors()
        return pd.DataFrame(
            {name: tensors[f"test/{name}"].numpy() for name in ("true", "predicted", "cycle")}
        )

    def curves(self) -> pd.DataFrame:
        """Error on the validation molecules by seed and epoch."""
        runs = [run for run in self.runs.runs if not run.failed]
        parts = [pd.DataFrame(run.tables["curve"]).assign(seed=run.config["seed"]) for run in runs]
        return pd.concat(parts, ignore_index=True)

    def calibrations(self) -> pd.DataFrame:
        """Every calibration recorded, with its error on molecules left out of the fit."""
        return self.calibration.metrics()

    @staticmethod
    def attained(every: Any) -> tuple[int, int]:
        """How many of the trained networks without their bowl have a minimum, and of how many."""
        found = [run.metrics for run in every.runs if not run.failed]
        own = [m.get("network_attained", m["attained"]) for m in found if "attained" in m]
        return int(sum(own)), len(own)


def study(every: Any, calibration: Any = None) -> Study:
    """Choose what is drawn.

    Args:
        every: runs of `molecules` (`invex.press.records_view.Records`).
        calibration: runs of `molecules_xtb`; None makes a stand-in where the molecules are enumerated ones.
    """
    if every.empty or all(run.failed or "level" not in run.metrics for run in every.runs):
        none = replace(every, runs=[])
        return Study(none, None, {}, calibration or none, "", "", (), False, "gap", "kcal/mol")
    chosen = _chosen(every)
    first = next(run for run in chosen.runs if not run.failed)
    config = first.config
    plain = config["table"] == "qm9" and config["property"] == "gap"
    if calibration is not None and not calibration.empty:
        known = molecules_xtb.known(calibration.runs[0].tensors()["reference"])
        best = _best(calibration)
        used = best.runs[0].config["method"], best.runs[0].config["structures"]
        coefficients = molecules_xtb.coefficients(best.runs[0].metrics)
        return Study(chosen, first, known, best, *used, coefficients, plain, "gap", "kcal/mol")
    try:
        table = molecules.load(config["table"], config["property"], None)
    except DataError:  # recorded where the data were: without a calibration nobody knows what is in them
        none = replace(every, runs=[])
        return Study(none, None, {}, calibration or none, "", "", (), False, "gap", "kcal/mol")
    known = dict(zip(table.smiles, table.values.tolist(), strict=True))
    if table.name == "enumerated":
        own = molecules_xtb.Config(count=30)
        outcome = molecules_xtb.among_themselves(table, own.count)
        made = record("molecules_xtb", own, "quick", outcome, {})
        calibration = replace(every, experiment="molecules_xtb", runs=[made], expected=[])
        return Study(
            chosen, first, known, calibration, "GFN2-xTB", EMBEDDED, (0.0, 1.0), False, "gap", table.unit
        )
    none = calibration if calibration is not None else replace(every, experiment="molecules_xtb", runs=[])
    return Study(chosen, first, known, none, "", "", (), plain, table.quantity, table.unit)


def _chosen(every: Any) -> Any:
    fields = reading.best(every.metrics())
    kept = [
        run for run in every.runs
        if run.config["curvature"] > 0 and all(run.config[name] == value for name, value in fields.items())
    ]  # fmt: skip
    wanted = [
        config for config in every.expected
        if config["curvature"] > 0 and all(config[name] == value for name, value in fields.items())
    ]  # fmt: skip
    return replace(every, runs=kept, expected=wanted)


def _best(calibration: Any) -> Any:
    """The same runs, the one with the least error first."""
    fine = [run for run in calibration.runs if not run.failed]
    return replace(calibration, runs=sorted(fine, key=lambda run: run.metrics["mae"])[:1], expected=[])


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean with its interval over networks; with fewer than three, the extremes."""
    if len(values) < 2:
        return values[0], np.nan, np.nan
    if len(values) < 3:
        return float(np.mean(values)), min(values), max(values)
    return interval(lambda a: a.mean(-1), values)
