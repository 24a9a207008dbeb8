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
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from invex.lab import tensorfile
from invex.lab.config import as_dict, digest, dumps, sha256
from invex.lab.errors import WAY_OUT, CorruptRecord, RecordNotWritten

Tables = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Outcome:
    """What one run gives back.

    Attributes:
        tables: name -> column -> values (lists, arrays or tensors of one length).
        metrics: name -> a number or a text.
        data: data set -> digest, with the remark on a subset where it is one.
        failed: None, or why the run's numbers are not to be used ("loss not finite at step 120").
        tensors: name -> tensor, what is no table (images, small weights): one safetensors file beside the
            record, at most 3 MB.

    Raises:
        ValueError: the columns of a table differ in length, or the tensors are too large.
    """

    tables: Tables
    metrics: Mapping[str, float | int | str]
    data: Mapping[str, str]
    failed: str | None = None
    tensors: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        tensorfile.check_size(self.tensors)
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
    attached: dict[str, Any] = field(default_factory=dict)
    blob: bytes = field(default=b"", repr=False, compare=False)
    place: Path | None = field(default=None, repr=False, compare=False)

    def tensors(self) -> dict[str, Any]:
        """The tensors beside the record, on the CPU; none where it has no such file.

        Raises:
            CorruptRecord: the file is missing, damaged or another one.
        """
        if not self.attached:
            return {}
        beside = self.place and self.place.with_suffix(tensorfile.SUFFIX)
        return tensorfile.decode(self.blob or tensorfile.read(beside, self.attached["sha256"]))

    def text(self) -> str:
        """The file's text: one key a line, and the SHA-256 over the canonical JSON of all other keys."""
        content = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("blob", "place")}
        if not self.attached:
            del content["attached"]
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
    blob = tensorfile.encode(outcome.tensors)
    attached = {"sha256": tensorfile.digest(blob), "names": sorted(outcome.tensors)} if blob else {}
    named = experiment, as_dict(config), digest(config), profile
    return Record(*named, tables, metrics, failed, origin, attached, blob)


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
        """Write a record, and its tensors: to temporary files in its folder's `.work`, synced, then moved.

        Raises:
            RecordNotWritten: the system refused, for want of space or of rights, or the tensors of all
                records would be over their limit.
        """
        path, work = self.path(item.experiment, item.digest), self.work(item.experiment)
        try:
            if item.blob:  # first, as a record without its file would be damaged
                beside = path.with_suffix(tensorfile.SUFFIX)
                tensorfile.check_room(self.folder, beside, len(item.blob))
                write(beside, work, item.blob)
            write(path, work, item.text().encode())
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

    def verify(self, experiment: str = "*") -> list[str]:
        """What is wrong with the files, a sentence each; empty where every record hashes to what it says."""
        problems = []
        for path in self.paths(experiment):
            try:
                found = read(path)
                if found.attached:
                    tensorfile.read(path.with_suffix(tensorfile.SUFFIX), found.attached["sha256"])
            except CorruptRecord as error:
                problems.append(str(error))
        return problems + tensorfile.strays(self.folder, experiment)


def read(path: Path) -> Record:
    """Read one record and check it.

    Raises:
        CorruptRecord: damaged, edited, or not the run that the file's name says.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        seal = content.pop("sha256")
        found = Record(**content, place=path)
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


def write(path: Path, work: Path, content: bytes) -> None:
    """Write a file whole or not at all, by way of a folder on the same disk."""
    with tempfile.TemporaryDirectory(dir=work, prefix=f"{path.stem}-", suffix=".tmp") as folder:
        whole = Path(folder) / path.name
        with whole.open("wb") as file:
            file.write(content)
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
