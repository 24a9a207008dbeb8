"""Attestations: what became of recorded runs that later code made again, one JSON file a replay.

They lie in `attestations/` beside an experiment's records, and hold numbers alone: for each run how far it
came out from its record. What these numbers are worth is judged anew whenever they are read (`standing`).
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from invex.lab.config import dumps, sha256
from invex.lab.errors import CorruptRecord, Failed
from invex.lab.records import Record, Store, read, write

IDENTICAL, ROUNDING, DISTRIBUTION, DIFFERS = "identical", "to rounding", "in distribution", "differs"
WAY_OUT = "restore the file, or delete it and replay the experiment"


class CorruptAttestation(Failed):
    """An attestation cannot be read, or does not hash to what it says; the message names it."""


@dataclass(frozen=True)
class Tolerance:
    """How far a run made again may come out from its record, as an experiment declares it in `REPLAY`.

    Attributes:
        relative: largest difference of a metric, or of a column, over the largest size of its numbers.
        reason: why so much is to be expected where nothing changed.
        floor: numbers below are compared by their difference over this.
        times: metrics that are measured times, which are not compared.
        chaotic: whether training amplifies rounding, so that a run that is further off may be judged by the
            spread of the recorded seeds.
    """

    relative: float = 0.0
    reason: str = "the same numbers are expected"
    floor: float = 0.0
    times: tuple[str, ...] = ()
    chaotic: bool = False


@dataclass(frozen=True)
class Again:
    """A run that was made again.

    Attributes:
        run: digest of its config.
        label: its config in a line.
        record: hash of the record it was compared with (`seal`).
        code: digest of the code that made the record.
        device: what the record was made on.
        deviation: the largest relative difference; None where there is nothing to compare with.
        where: the number that differs most: "metric rmse: 0.11, recorded 0.12".
        outside: what lies outside the spread of the recorded seeds, empty where nothing does; None where
            there are too few of them, or the experiment does not go by it.
    """

    run: str
    label: str
    record: str
    code: str
    device: str
    deviation: float | None
    where: str = ""
    outside: str | None = None

    def grade(self, tolerance: Tolerance) -> str:
        """How well it agrees, on its own."""
        if self.deviation is not None and self.deviation <= tolerance.relative:
            return ROUNDING if self.deviation else IDENTICAL
        return DISTRIBUTION if tolerance.chaotic and self.outside == "" else DIFFERS


@dataclass(frozen=True)
class Attestation:
    """A replay: the code that made the runs again, on what, under which tolerance, and each run."""

    experiment: str
    code: str
    commit: str | None
    device: str
    when: str
    versions: Mapping[str, str]
    tolerance: Tolerance
    runs: list[Again] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of its file: unchanged while runs are added."""
        return f"{self.code}-{sha256(dumps([self.when, self.device]))[:8]}"

    def text(self) -> str:
        """The file's text, a run a line, with the SHA-256 over the canonical JSON of all else."""
        content = asdict(self)
        content["sha256"] = sha256(dumps(content))
        runs = ",\n ".join(dumps(run) for run in content.pop("runs"))
        lines = [f"{dumps(key)}:{dumps(value)}" for key, value in content.items()]
        return "{\n" + ",\n".join([*lines, f'"runs":[\n {runs}]']) + "\n}\n"


def folder(store: Store, experiment: str) -> Path:
    """Where an experiment's attestations lie."""
    return store.folder / experiment / "attestations"


def put(store: Store, item: Attestation) -> Path:
    """Write an attestation whole, in the place of the one that it goes on from."""
    place = folder(store, item.experiment)
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{item.name}.json"
    write(path, store.work(item.experiment), item.text().encode())
    return path


def paths(store: Store, experiment: str = "*") -> list[Path]:
    """Files of the attestations of an experiment, or of all."""
    return sorted(store.folder.glob(f"{experiment}/attestations/*.json"))


def load(path: Path) -> Attestation:
    """Read one attestation and check it.

    Raises:
        CorruptAttestation: damaged, edited, or not the one that the file's name says.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        seal = content.pop("sha256")
        sealed = sha256(dumps(content))
        tolerance = content["tolerance"] | {"times": tuple(content["tolerance"]["times"])}
        runs = [Again(**run) for run in content["runs"]]
        found = Attestation(**content | {"tolerance": Tolerance(**tolerance), "runs": runs})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        why = f"not a readable attestation ({type(error).__name__}: {error})"
        raise CorruptAttestation(f"{path}: {why}; {WAY_OUT}") from error
    if seal != sealed:
        why = "edited since it was written (its content does not hash to its sha256)"
        raise CorruptAttestation(f"{path}: {why}; {WAY_OUT}")
    if (path.parent.parent.name, path.stem) != (found.experiment, found.name):
        raise CorruptAttestation(f"{path}: misnamed, it is {found.experiment}/attestations/{found.name}.json")
    return found


def readable(store: Store, experiment: str) -> list[Attestation]:
    """The attestations of an experiment, the oldest first, without those that cannot be read."""
    found = []
    for path in paths(store, experiment):
        with suppress(CorruptAttestation):
            found.append(load(path))
    return sorted(found, key=lambda item: item.when)


def seal(item: Record) -> str:
    """The hash of a record, as its file has it."""
    return str(json.loads(item.text())["sha256"])


def verify(store: Store, experiment: str = "*") -> list[str]:
    """What is wrong with the attestations: damaged or edited, or of records that are not there any more."""
    problems = []
    for path in paths(store, experiment):
        try:
            problems += [f"{path}: {lost}" for lost in _lost(store, load(path))]
        except CorruptAttestation as error:
            problems.append(str(error))
    return problems


def _lost(store: Store, item: Attestation) -> list[str]:
    gone = [run for run in item.runs if not stands(store, item.experiment, run)]
    if not gone:
        return []
    names = ", ".join(run.run for run in gone)
    rest = len(item.runs) - len(gone)
    return [f"{len(gone)} of its {len(item.runs)} runs have no record as attested ({names}); {rest} count"]


def stands(store: Store, experiment: str, run: Again) -> bool:
    """Whether the record that a run was compared with is there, unchanged."""
    path = store.path(experiment, run.run)
    with suppress(CorruptRecord, OSError):
        return seal(read(path)) == run.record
    return False


def on_gpu(device: str) -> bool:
    """Whether the model that a record names is no processor's: "AMD EPYC, 2 cores" ends in cores."""
    return not device.endswith((" core", " cores"))


def tolerance_of(module: Any) -> Tolerance:
    """What an experiment's module declares, else that its runs come out the same."""
    found = getattr(module, "REPLAY", Tolerance())
    if not isinstance(found, Tolerance):
        raise TypeError(f"{module.__name__}.REPLAY is a Tolerance, not {type(found).__name__}")
    return found
