"""Benches: the files of `benchmarks/`, their rows, and the records kept of them.

A row is kept as it was printed, as JSON text. A record is named by bench, extent and hardware, so that
measuring again on the same machine replaces it, and other machines add theirs.
"""

import ast
import importlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from invex.lab import closure, provenance
from invex.lab.config import as_dict, sha256
from invex.lab.errors import one_of
from invex.lab.records import Outcome, Store, record
from invex.press.book import Book
from invex.press.records_view import Records


@dataclass(frozen=True)
class Bench:
    """What names a record of a bench."""

    bench: str
    full: bool
    hardware: str
    device: str
    seed: int = 0


def names(book: Book) -> dict[str, str]:
    """The benches of a book, each with the first sentence of its file."""
    found = {}
    for path in sorted((book.root / "benchmarks").glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        if any(isinstance(part, ast.FunctionDef) and part.name == "rows" for part in tree.body):
            found[path.stem.replace("_", "-")] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def rows(book: Book, name: str, *, full: bool = False) -> Iterator[dict[str, Any]]:
    """The rows of a bench, as they are measured.

    Raises:
        Refused: there is none of that name.
    """
    if str(book.root) not in sys.path:
        sys.path.insert(0, str(book.root))
    module = one_of(names(book), "bench", name).replace("-", "_")
    yield from importlib.import_module(f"benchmarks.{module}").rows(full)


def keep(
    book: Book, name: str, measured: list[dict[str, Any]], full: bool, device: str, wall_seconds: float
) -> Path:
    """Keep the rows of a bench as a record in `book/records/bench-<name>/`.

    Raises:
        ValueError: a row failed its check.
    """
    if failed := [row["case"] for row in measured if row["ours"] is None]:
        raise ValueError(f"bench {name}: rows failed their check: {'; '.join(failed)}")
    origin = provenance.provenance(code_of(book, name), device=device, wall_seconds=wall_seconds, batch=1)
    config = Bench(name, full, origin["device"], device)
    outcome = Outcome({"rows": {"row": [json.dumps(row) for row in measured]}}, {"rows": len(measured)}, {})
    return Store(book.records).put(record(f"bench-{name}", config, "paper", outcome, origin))


def _file(book: Book, name: str) -> Path:
    return book.root / "benchmarks" / f"{name.replace('-', '_')}.py"


def code_of(book: Book, name: str, python: tuple[int, int] = (3, 11)) -> closure.CodeDigest:
    """Digest of a bench's own statements and of the library code that it times.

    The statements count as `ast.dump` of one version of Python prints them, whichever version runs.
    """
    text = _file(book, name).read_text("utf-8")
    code = closure.source_digest(text, closure.SCOPE)
    whole = _dump(ast.parse(text), python) + code.digest
    return replace(code, digest=sha256(whole)[:16], functions={}, module=f"benchmarks.{name}")


def _dump(node: object, python: tuple[int, int]) -> str:
    if isinstance(node, list):
        return "[" + ", ".join(_dump(part, python) for part in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    given = [(key, value) for key, value in ast.iter_fields(node) if key != "type_params"]
    given = [(key, value) for key, value in given if value is not None or not hasattr(type(node), key)]
    fields = [f"{key}={_dump(value, python)}" for key, value in given]
    if python >= (3, 12) and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        fields.append("type_params=[]")
    return f"{type(node).__name__}({', '.join(fields)})"


def recorded(name: str, book: Book | None = None) -> Records:
    """The recorded rows of a bench, one run a machine; the full ones where a machine has both."""
    book = book or Book.find()
    items = sorted(Store(book.records).all(f"bench-{name}"), key=lambda item: item.config["full"])
    runs = list({item.config["hardware"]: item for item in items}.values())
    today = _today(book, name) if runs else set()
    changed = any(run.provenance["code"]["digest"] not in today for run in runs)
    expected = [as_dict(Bench(name, True, "any", "cpu"))]
    return Records(f"bench-{name}", runs, expected, [f"benchmarks.{name}"] if changed else [])


def stale(book: Book, store: Store, experiment: str = "*") -> dict[str, list[str]]:
    """Readable records of benches that other code than today's made: "bench-name/digest" -> its module."""
    found = {}
    folders = {path.parent.name for path in store.paths(experiment)}
    for folder in sorted(folder for folder in folders if folder.startswith("bench-")):
        name = folder.removeprefix("bench-")
        today = _today(book, name)
        for item in store.readable(folder):
            if item.provenance["code"]["digest"] not in today:
                found[f"{folder}/{item.digest}"] = [f"benchmarks.{name}"]
    return found


def _today(book: Book, name: str) -> set[str]:
    """Digests of a bench as it stands, none where it is gone; one for each version of Python it may be of."""
    versions = ((3, 11), (3, 12)) if _file(book, name).is_file() else ()
    return {code_of(book, name, version).digest for version in versions}


def all_recorded(*, measure: bool = False, device: str = "cpu") -> Records:
    """The recorded rows of all benches; with `measure`, those that this machine lacks are run first."""
    book = Book.find()
    for name in names(book) if measure else ():
        if all(run.config["hardware"] != provenance.hardware(device) for run in recorded(name, book).runs):
            start = time.perf_counter()
            if measured := list(rows(book, name, full=True)):  # none of a bench for another kind of device
                keep(book, name, measured, True, device, time.perf_counter() - start)
    parts = [recorded(name, book) for name in names(book)]
    runs = [run for part in parts for run in part.runs]
    return Records("bench-*", runs, [], [name for part in parts for name in part.stale])
