"""Where things lie in a book, and what its table of contents holds; everything is relative to one root."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from invex.lab.errors import Refused


class BookNotFoundError(Refused):
    """No `_toc.yml` beside a `book/` folder was found where one was looked for."""


@dataclass(frozen=True)
class Book:
    """The folders of one book: sources in `book/`, everything that is made under `_build/`."""

    root: Path

    @classmethod
    def find(cls, root: str | Path | None = None) -> "Book":
        """Return the book at `root`, else at `$INVEX_ROOT`, else at or above the working directory.

        Raises:
            BookNotFoundError: if there is none, naming the folder where the search began.
        """
        given = root or os.environ.get("INVEX_ROOT")
        start = Path(given or Path.cwd()).resolve()
        for folder in [start] if given else [start, *start.parents]:
            if (folder / "_toc.yml").is_file() and (folder / "book").is_dir():
                return cls(folder)
        raise BookNotFoundError(
            f"no _toc.yml beside a book/ folder in {start}; give --root or set INVEX_ROOT"
        )

    @property
    def source(self) -> Path:
        """Folder of the chapters' sources."""
        return self.root / "book"

    @property
    def records(self) -> Path:
        """Folder of the recorded runs."""
        return self.source / "records"

    @property
    def build(self) -> Path:
        """Folder of everything that is made; safe to delete."""
        return self.root / "_build"

    @property
    def html(self) -> Path:
        """Folder of the finished site."""
        return self.build / "html"

    @property
    def artefacts(self) -> Path:
        """Folder of the figures, tables and results, by profile and chapter."""
        return self.build / "artefacts"

    def pages(self) -> list[str]:
        """Return the pages of the table of contents in order, the front page first."""
        path = self.root / "_toc.yml"
        try:
            toc = yaml.safe_load(path.read_text(encoding="utf-8"))
            return [toc["root"], *_files(toc)]
        except (yaml.YAMLError, TypeError, KeyError) as error:
            raise Refused(f"{path} is no table of contents: {' '.join(str(error).split())}") from error

    def chapters(self) -> list[str]:
        """Return the pages that are notebooks (their header names a kernel), in order."""
        return [page for page in self.pages() if "\nkernelspec:" in self.text(page)[:2000]]

    def text(self, page: str) -> str:
        """Return the source of a page, empty if the page is made only at build time."""
        path = self.source / f"{page}.md"
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def _files(node: Any) -> list[str]:
    """Return the `file:` entries below a node of the table of contents, in order."""
    if isinstance(node, dict):
        own = [node["file"]] if "file" in node else []
        return own + _files(list(node.values()))
    return [name for item in node for name in _files(item)] if isinstance(node, list) else []
