from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from invex.lab.errors import Refused
from invex.press.book import Book
from invex.press.cite import bibtex, entries, reading
from invex.press.claims import load
from pybtex.database import parse_string

ROOT = Path(__file__).parents[2]


def test_source_figure_and_data_are_cited(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("INVEX_SITE_URL", "INVEX_REPOSITORY_URL"):
        monkeypatch.delenv(name, raising=False)
    found = parse_string(bibtex(load(book), "known2020-fig1"), "bibtex").entries
    assert list(found) == ["known2020", "invex-known2020-fig1", "digits1998"]
    assert found["invex-known2020-fig1"].fields["title"] == "Figure 1.1: A line that rises"
    assert found["invex-known2020-fig1"].fields["note"] == r"part/tiny.html\#known2020-fig1"
    assert "dataset" not in found["digits1998"].fields


def test_a_figure_has_author_year_and_address(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    def own(version: str = "") -> Any:
        found = parse_string(bibtex(load(book), "known2020-fig1", version=version), "bibtex").entries
        return found["invex-known2020-fig1"]

    year = datetime.now(UTC).year
    for name in ("INVEX_SITE_URL", "INVEX_REPOSITORY_URL"):
        monkeypatch.delenv(name, raising=False)
    (author,) = own().persons["author"]
    assert str(author) == "{The authors of Convex, Invertible, Invariant}"
    assert own().fields["year"] in (str(year - 1), str(year))
    assert "url" not in own().fields
    (book.root / "CITATION.cff").write_text("authors: [{family-names: Known, given-names: Ada}]")
    monkeypatch.setenv("INVEX_REPOSITORY_URL", "https://github.com/someone/book")
    assert str(own().persons["author"][0]) == "Known, Ada"
    assert own("profile quick").fields["note"] == "profile quick"
    assert own().fields["url"] == "https://someone.github.io/book/part/tiny.html#known2020-fig1"
    monkeypatch.setenv("INVEX_SITE_URL", "https://book.example")
    assert own().fields["url"] == "https://book.example/part/tiny.html#known2020-fig1"


def test_data_are_those_that_were_drawn(book: Book) -> None:
    assert (
        list(parse_string(bibtex(load(book), "known2020-fig1", ["none"]), "bibtex").entries)[-1][:5]
        == "invex"
    )
    assert "digits1998" in bibtex(load(book), "known2020-fig1", ["Patches"])


def test_an_unknown_figure_is_refused_with_those_that_exist(book: Book) -> None:
    with pytest.raises(Refused, match="no figure or table 'fig9'; there are known2020-fig1"):
        bibtex(load(book), "fig9")
    with pytest.raises(Refused, match="known2020-fig2"):  # listed, but no chapter holds it
        bibtex(load(book), "known2020-fig2")


def test_the_books_bibliography_holds_its_four_works() -> None:
    known = entries(Book(ROOT))
    works = {artefact.work for artefact in load(Book(ROOT)).artefacts.values() if artefact.listed}
    assert works - {"beyond"} <= set(known)
    assert reading(known["hoedt2023"]).startswith("Hoedt, Klambauer: Principled Weight Initialisation")
