"""Records: one JSON file a run, written atomically, named by its config's digest, with its own hash.

A column whose values are all exactly float32 numbers is written with the shortest digits that give the same
float32 back; other floats are written by `repr`. A value that is not finite is written as null.
"""

import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from invex.lab.closure import changed, code_digest
from invex.lab.config import as_dict, digest, dumps, sha256
from invex.lab.errors import Failed

Tables = Mapping[str, Mapping[str, Any]]
WAY_OUT = "restore the file, or delete it and record its run again"


class CorruptRecord(Failed):
    """A record's file cannot be read, or does not hash to what it says; the message names it."""


class RecordNotWritten(Failed):
    """A record could not be written (a full disk, say); nothing of it is left behind."""


@dataclass(frozen=True)
class Outcome:
    """What one run gives back.

    Attributes:
        tables: name -> column -> values (lists, arrays or tensors of one length).
        metrics: name -> a number or a text.
        data: data set -> digest, with the remark on a subset where it is one.
        failed: None, or why the run's numbers are not to be used ("loss not finite at step 120").

    Raises:
        ValueError: the columns of a table differ in length.
    """

    tables: Tables
    metrics: Mapping[str, float | int | str]
    data: Mapping[str, str]
    failed: str | None = None

    def __post_init__(self) -> None:
        for name, table in self.tables.items():
            if len(lengths := {len(values) for values in table.values()}) > 1:
                raise ValueError(f"table {name}: columns of {sorted(lengths)} rows")


@dataclass(frozen=True)
class Record:
    """An outcome with its config (every field) and provenance, as it stands in its file."""

    experiment: str
    config: dict[str, Any]
    digest: str
    profile: str
    tables: Tables
    metrics: dict[str, float | int | str | None]
    failed: str | None
    provenance: dict[str, Any]

    def text(self) -> str:
        """The file's text: one key a line, and the SHA-256 over the canonical JSON of all other keys."""
        content = asdict(self)
        content["sha256"] = sha256(dumps(content))
        return "{\n" + ",\n".join(f"{dumps(key)}:{dumps(content[key])}" for key in content) + "\n}\n"


def record(experiment: str, config: Any, profile: str, outcome: Outcome, origin: dict[str, Any]) -> Record:
    """The record of a run, its numbers in the form they are stored in; `origin` is its provenance."""
    tables = {
        name: {key: _column(values) for key, values in table.items()}
        for name, table in outcome.tables.items()
    }
    metrics = {name: _plain(value) for name, value in outcome.metrics.items()}
    failed = outcome.failed or _not_finite(tables, metrics)
    origin = origin | {"data": outcome.data}
    return Record(experiment, as_dict(config), digest(config), profile, tables, metrics, failed, origin)


class Store:
    """The records in a folder: `folder/<experiment>/<digest>.json`.

    Safe with any number of writers: a file appears whole or not at all, and two writers of one run write the
    same run. `verify()` is the audit.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def path(self, experiment: str, key: str) -> Path:
        """File of the run with the config digest `key`."""
        return self.folder / experiment / f"{key}.json"

    def work(self, experiment: str) -> Path:
        """Folder beside an experiment's records, unknown to git, for claims and unfinished files."""
        folder = self.folder / experiment / ".work"
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / ".gitignore").exists():
            (folder / ".gitignore").write_text("*\n")
        return folder

    def get(self, experiment: str, config: Any) -> Record | None:
        """The record of a config; None where there is none, or it was made under another default.

        Raises:
            CorruptRecord: there is a file, but it is damaged or was edited.
        """
        path = self.path(experiment, digest(config))
        if not path.exists():
            return None
        found, asked = read(path), as_dict(config)
        return found if all(asked.get(name) == value for name, value in found.config.items()) else None

    def put(self, item: Record) -> Path:
        """Write a record: to a temporary file in its folder's `.work`, synced, then moved into place.

        Raises:
            RecordNotWritten: the system refused, for want of space or of rights.
        """
        path = self.path(item.experiment, item.digest)
        try:
            _write(path, self.work(item.experiment), item.text())
        except OSError as error:
            raise RecordNotWritten(f"cannot write {path}: {error.strerror or error}") from error
        return path

    def paths(self, experiment: str = "*") -> list[Path]:
        """Files of the records of an experiment, or of all, in the order of their names."""
        return sorted(self.folder.glob(f"{experiment}/*.json"))

    def all(self, experiment: str = "*") -> Iterator[Record]:
        """Every record of an experiment, or of all.

        Raises:
            CorruptRecord: at the first file that is damaged, edited or misnamed.
        """
        return (read(path) for path in self.paths(experiment))

    def readable(self, experiment: str = "*") -> Iterator[Record]:
        """As `all`, without the files that cannot be read."""
        for path in self.paths(experiment):
            with suppress(CorruptRecord):
                yield read(path)

    def stale(self, experiment: str = "*") -> dict[str, list[str]]:
        """Readable records that other code than today's made: "experiment/digest" -> what changed since."""
        found = {}
        today = cache(_today)
        for item in self.readable(experiment):
            code = item.provenance["code"]
            if names := changed(code["functions"], today(code["module"])):
                found[f"{item.experiment}/{item.digest}"] = names
        return found

    def verify(self, experiment: str = "*") -> list[str]:
        """What is wrong with the files, a sentence each; empty where every record hashes to what it says."""
        problems = []
        for path in self.paths(experiment):
            try:
                read(path)
            except CorruptRecord as error:
                problems.append(str(error))
        return problems


def read(path: Path) -> Record:
    """Read one record and check it.

    Raises:
        CorruptRecord: damaged, edited, or not the run that the file's name says.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        seal = content.pop("sha256")
        found = Record(**content)
        sealed = sha256(dumps(content))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        why = f"not a readable record ({type(error).__name__}: {error})"
        raise CorruptRecord(f"{path}: {why}; {WAY_OUT}") from error
    if seal != sealed:
        why = "edited since it was written (its content does not hash to its sha256)"
        raise CorruptRecord(f"{path}: {why}; {WAY_OUT}")
    if path.stem != found.digest or path.parent.name != found.experiment:
        raise CorruptRecord(f"{path}: misnamed, it is {found.experiment}/{found.digest}.json")
    return found


def _today(module: str) -> dict[str, str]:
    """Definitions that an experiment depends on today: none where it is gone."""
    with suppress(LookupError):
        return code_digest(module).functions
    return {}


def _write(path: Path, work: Path, text: str) -> None:
    with tempfile.TemporaryDirectory(dir=work, prefix=f"{path.stem}-", suffix=".tmp") as folder:
        whole = Path(folder) / path.name
        with whole.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(whole, path)


def _column(values: Any) -> list[Any]:
    items = [_plain(value) for value in (values.tolist() if hasattr(values, "tolist") else values)]
    with np.errstate(over="ignore"):
        if not all(float(np.float32(value)) == value for value in items if type(value) is float):
            return items
    return [float(str(np.float32(value))) if type(value) is float else value for value in items]


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if type(value) is float and not math.isfinite(value) else value


def _not_finite(tables: Tables, metrics: dict[str, Any]) -> str | None:
    for name, value in metrics.items():
        if value is None:
            return f"metric {name} is not finite"
    for name, table in tables.items():
        for column, values in table.items():
            if None in values:
                return f"{name}.{column} is not finite at row {values.index(None)}"
    return None
