from pathlib import Path

import pytest
from invex.lab.errors import Refused
from invex.press.book import Book
from invex.press.cite import bibtex, entries, reading
from invex.press.claims import load
from pybtex.database import parse_string

ROOT = Path(__file__).parents[2]


def test_source_figure_and_data_are_cited(book: Book) -> None:
    found = parse_string(bibtex(load(book), "known2020-fig1"), "bibtex").entries
    assert list(found) == ["known2020", "invex-known2020-fig1", "digits1998"]
    assert found["invex-known2020-fig1"].fields["title"] == "Figure 1.1: A line that rises"
    assert found["invex-known2020-fig1"].fields["note"] == r"part/tiny.html\#known2020-fig1"
    assert "dataset" not in found["digits1998"].fields


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
