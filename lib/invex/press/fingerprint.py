"""What a chapter's outputs depend on, as digests by cause: an unchanged chapter is not executed again."""

import ast
import hashlib
import json
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from invex.lab import costs
from invex.lab.closure import source_digest
from invex.press.book import Book
from invex.press.parameters import code

PACKAGES = (
    "torch", "numpy", "scipy", "pandas", "matplotlib", "seaborn", "scikit-learn", "papermill", "jupytext",
)  # fmt: skip


def fingerprint(book: Book, chapter: str, parameters: dict[str, Any]) -> dict[str, str]:
    """Return cause -> digest; the causes are kinds of input, and each library function that is reached."""
    cells, names = _code(book, chapter)
    records = [path for name in names for path in _record_files(book.records, name)]
    return {
        "text": _digest([book.text(chapter)]),
        "claims": _digest(_read([book.source / f"{chapter}.yml", book.source / "artefacts.yml"])),
        "references": _digest(_read([book.source / "references.bib"])),
        "number": str(book.chapters().index(chapter)),
        "records": _digest(_read(records)),
        "cost": _digest([json.dumps(costs.chapter_times(book.records).get(chapter))]),
        "parameters": _digest([json.dumps(parameters, sort_keys=True)]),
        "versions": _digest([sys.version, *map(_version, PACKAGES)]),
        **source_digest(cells).functions,
    }


def changed(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return the causes that differ, came or went."""
    return [cause for cause in {**before, **now} if before.get(cause) != now.get(cause)]


def _code(book: Book, chapter: str) -> tuple[str, list[str]]:
    """Return a chapter's code, with the experiments that it names, and every name that is a string in it."""
    own = code(book.text(chapter))
    strings = [node.value for node in ast.walk(ast.parse(own)) if isinstance(node, ast.Constant)]
    names = sorted({s for s in strings if isinstance(s, str) and s.replace("-", "_").isidentifier()})
    uses = ["from invex.press.chapter import Chapter\nChapter"]  # which invex.press imports when asked to
    for name in filter(str.isidentifier, names):
        uses.append(f"from invex.experiments import {name}\n{name}.configs, {name}.run")
    return "\n".join([own, *uses]), names


def _record_files(records: Path, name: str) -> list[Path]:
    """Return the recorded files under a name: those of a folder, or one file."""
    return [*sorted((records / name).glob("**/*.json")), *sorted(records.glob(f"{name}.json"))]


def _read(paths: Iterable[Path]) -> list[str]:
    return [f"{path.name}\n{path.read_text(encoding='utf-8')}" for path in paths if path.is_file()]


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} missing"


def _digest(texts: Iterable[str]) -> str:
    total = hashlib.sha256()
    for text in texts:
        total.update(hashlib.sha256(text.encode()).digest())
    return total.hexdigest()[:16]
