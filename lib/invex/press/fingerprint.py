"""What a chapter's outputs depend on, as digests by cause: an unchanged chapter is not executed again."""

import ast
import hashlib
import json
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from invex.lab.closure import source_digest
from invex.press.book import Book
from invex.press.parameters import notebook

PACKAGES = (
    "torch", "numpy", "scipy", "pandas", "matplotlib", "seaborn", "scikit-learn", "papermill", "jupytext",
)  # fmt: skip


def fingerprint(book: Book, chapter: str, parameters: dict[str, Any]) -> dict[str, str]:
    """Return cause -> digest; the causes are kinds of input, and each library function that is reached."""
    code, names = _code(book, chapter)
    records = [path for name in names for path in _record_files(book.records, name)]
    return {
        "text": _digest([book.text(chapter)]),
        "claims": _digest(_read([book.source / f"{chapter}.yml", book.source / "artefacts.yml"])),
        "references": _digest(_read([book.source / "references.bib"])),
        "number": str(book.chapters().index(chapter)),
        "records": _digest(_read(records)),
        "parameters": _digest([json.dumps(parameters, sort_keys=True)]),
        "versions": _digest([sys.version, *map(_version, PACKAGES)]),
        **source_digest(code).functions,
    }


def changed(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return the causes that differ, came or went."""
    return [cause for cause in {**before, **now} if before.get(cause) != now.get(cause)]


def _code(book: Book, chapter: str) -> tuple[str, list[str]]:
    """Return a chapter's code, with the experiments that it names, and every name that is a string in it."""
    cells = [cell.source for cell in notebook(book.text(chapter)).cells if cell.cell_type == "code"]
    lines = [line for cell in cells for line in cell.splitlines() if not line.lstrip().startswith(("%", "!"))]
    code = "\n".join(lines)
    strings = {node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)}
    names = sorted(
        text for text in strings if isinstance(text, str) and text.replace("-", "_").isidentifier()
    )
    uses = [
        "from invex.press.chapter import Chapter\nChapter"
    ]  # which invex.press imports when it is asked to
    for name in filter(str.isidentifier, names):
        uses.append(f"from invex.experiments import {name}\n{name}.configs, {name}.run")
    return "\n".join([code, *uses]), names


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
