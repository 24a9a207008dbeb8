"""A tiny book in a temporary folder: two works' artefacts, one chapter, one experiment."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from invex.press.book import Book
from invex.press.chapter import Chapter

FAKES = Path(__file__).parents[1] / "fakes"
ARTEFACTS = {
    "known2020": [
        {"id": "known2020-fig1", "kind": "figure", "run": "live", "page": "part/tiny", "what": "A line"},
        {"id": "known2020-tab1", "kind": "table", "run": "live", "page": "part/tiny", "what": "A table"},
        {"id": "known2020-thm1", "kind": "claim", "run": "live", "page": "part/tiny", "what": "A theorem"},
        {"id": "known2020-fig2", "kind": "figure", "run": "record", "page": "part/later", "what": "Later"},
    ]
}
CHAPTER = {
    "title": "A tiny chapter",
    "work": "known2020",
    "data": ["digits"],
    "artefacts": [
        {"id": "known2020-fig1", "kind": "figure", "source": "Figure 1", "title": "A line that rises"},
        {"id": "known2020-tab1", "kind": "table", "source": "Table 1", "title": "Three methods"},
        {"id": "known2020-thm1", "kind": "claim", "source": "Theorem 1", "title": "A theorem"},
        {"id": "own-cost", "kind": "figure", "title": "Cost of a step"},
    ],
    "claims": [
        {"id": "known2020-fig1/slope", "artefact": "known2020-fig1", "what": "Slope", "kind": "value",
         "paper": 0.5, "tolerance": 0.02, "reason": "error of 1,000 draws"},
        {"id": "known2020-tab1/order", "artefact": "known2020-tab1", "what": "Ranking", "kind": "order",
         "paper": ["b", ["a", "c"]]},
        {"id": "known2020-tab1/auc", "artefact": "known2020-tab1", "what": "AUC", "kind": "value",
         "unit": "%", "paper": {"a": 78.3, "b": 80.6}, "tolerance": 0.5, "reason": "spread of ten runs"},
        {"id": "known2020-thm1/violations", "artefact": "known2020-thm1", "what": "Violations",
         "kind": "bound", "relation": "<=", "paper": 0, "source": "theory"},
    ],
}  # fmt: skip
TEXT = """---
kernelspec: {name: python3, display_name: Python 3}
---
# A tiny chapter

```{code-cell} ipython3
:tags: [parameters]
profile = "recorded"
```
"""
BIBLIOGRAPHY = """
@article{known2020,
  author = {Known, Ada and M{\\"u}ller, Bo},
  title = {A {Known} Work},
  year = {2020},
}

@misc{digits1998,
  title = {Digits},
  dataset = {digits, patches},
}
"""


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    root = tmp_path / "book"
    (root / "book" / "part").mkdir(parents=True)
    (root / "_toc.yml").write_text("{format: jb-book, root: index, chapters: [{file: part/tiny}]}")
    (root / "book" / "references.bib").write_text(BIBLIOGRAPHY)
    (root / "book" / "part" / "tiny.md").write_text(TEXT)
    write(Book(root))
    monkeypatch.setenv("INVEX_ROOT", str(root))
    monkeypatch.setenv("INVEX_ARTEFACTS", str(tmp_path / "made"))
    return Book(root)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Folder that the chapters of `book` write to."""
    return tmp_path / "made"


@pytest.fixture
def chapter(book: Book) -> Chapter:
    return Chapter("part/tiny", device="cpu")


@pytest.fixture
def line() -> pd.DataFrame:
    return pd.DataFrame({"step": range(20), "loss": [0.1 / 3 * step for step in range(20)]})


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a copy of the six-run experiment (two methods, three seeds), in a package of its own."""
    package = f"runs_of_{tmp_path.name}"
    shutil.copytree(FAKES / "fake_runs", tmp_path / package)
    monkeypatch.syspath_prepend(str(tmp_path))
    return f"{package}.steady"


@pytest.fixture
def rewrite(book: Book) -> Callable[..., None]:
    """Change the tiny chapter's data: keywords replace its top-level keys."""
    return lambda **changes: write(book, CHAPTER | changes)


def write(book: Book, chapter: dict = CHAPTER, artefacts: dict = ARTEFACTS) -> None:
    (book.source / "artefacts.yml").write_text(yaml.safe_dump(artefacts))
    (book.source / "part" / "tiny.yml").write_text(yaml.safe_dump(chapter, sort_keys=False))
