"""What a chapter's outputs depend on, as digests by cause: an unchanged chapter is not executed again."""

import ast
import json
from pathlib import Path
from typing import Any

from invex.lab import costs, provenance
from invex.lab.closure import source_digest
from invex.lab.config import sha256
from invex.lab.errors import Failed
from invex.press.book import Book
from invex.press.parameters import code

PACKAGES = (
    "torch", "numpy", "scipy", "pandas", "matplotlib", "seaborn", "scikit-learn", "papermill", "jupytext",
)  # fmt: skip


def fingerprint(book: Book, chapter: str, parameters: dict[str, Any]) -> dict[str, str]:
    """Return cause -> digest; the causes are kinds of input, and each library function that is reached.

    Raises:
        Failed: the chapter's code is not Python, naming the line.
    """
    cells, names = _code(book, chapter)
    folders = [book.records / f"{kind}{name}" for name in names for kind in ("", "bench-")]
    kept = ("*.json", "attestations/*.json")
    records = [path for folder in folders for glob in kept for path in sorted(folder.glob(glob))]
    return {
        "text": digest(book.text(chapter)),
        "claims": digest(_read(book.source / f"{chapter}.yml", book.source / "artefacts.yml")),
        "references": digest(_read(book.source / "references.bib")),
        "number": str(book.chapters().index(chapter)),
        "records": digest(_read(*records)),
        "cost": digest(costs.chapter_times(book.records).get(chapter)),
        "parameters": digest(parameters),
        "versions": digest(provenance.versions(PACKAGES)),
        "templates": digest(_read(*sorted((Path(__file__).parent / "templates").iterdir()))),
        **source_digest(cells).functions,
    }


def changed(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return the causes that differ, came or went."""
    return [cause for cause in {**before, **now} if before.get(cause) != now.get(cause)]


def _code(book: Book, chapter: str) -> tuple[str, list[str]]:
    """Return a chapter's code, with the experiments that it names, and every name that is a string in it."""
    own = code(book.text(chapter))
    try:
        tree = ast.parse(own)
    except SyntaxError as error:
        raise Failed(f"{chapter}: `{(error.text or '').strip()}`: SyntaxError: {error.msg}") from error
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    names = sorted({s for s in strings if isinstance(s, str) and s.replace("-", "_").isidentifier()})
    uses = ["from invex.press.chapter import Chapter\nChapter"]  # which invex.press imports when asked to
    for name in filter(str.isidentifier, names):
        uses.append(f"from invex.experiments import {name}\n{name}.configs, {name}.run")
    return "\n".join([own, *uses]), names


def _read(*paths: Path) -> dict[str, str]:
    return {f"{p.parent.name}/{p.name}": p.read_text(encoding="utf-8") for p in paths if p.is_file()}


def digest(content: Any) -> str:
    """Return 16 hex digits of the SHA-256 of plain data."""
    return sha256(json.dumps(content, sort_keys=True))[:16]
