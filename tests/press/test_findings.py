from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from invex.press.book import Book
from invex.press.claims import load
from invex.press.findings import MOST, Candidate, candidates, chosen, first_sentence
from invex.press.ledger import Check, Entry, Ledger
from invex.press.verdict import DIFFERS, QUICK, REPRODUCED

ROOT = Path(__file__).parents[2]
SHOWN = {"placeholder": False, "quick": False, "partial": "", "size": [672, 300], "caption": "It rises. How."}
SHARE = Candidate(
    "known2020-fig1", "A share of {known2020-fig1/slope:%}.", {"known2020-fig1/slope": REPRODUCED}
)


def ledger(book: Book, verdict: str = REPRODUCED, **shown: Any) -> Ledger:
    """A ledger of the tiny book in which the first figure's only claim has this verdict, at 0.51."""
    catalogue = load(book)
    result = {"value": 0.51, "low": None, "high": None, "n": None}
    checks = [Check(catalogue.claims_of("known2020-fig1")[0], result, verdict)]
    return Ledger([Entry(catalogue.artefacts["known2020-fig1"], checks, SHOWN | shown)], "recorded")


def said(found: Ledger, *wanted: Candidate) -> list[str]:
    return [finding.sentence for finding in chosen(found, list(wanted))]


def test_a_sentence_is_said_with_its_number_where_its_condition_holds(book: Book) -> None:
    assert said(ledger(book), SHARE) == ["A share of 51 %."]
    assert said(ledger(book), replace(SHARE, say="{known2020-fig1/slope}.")) == ["0.51."]
    assert said(ledger(book, DIFFERS), SHARE) == []
    assert said(ledger(book), replace(SHARE, when={"unknown": REPRODUCED})) == []


def test_what_is_not_drawn_is_not_said(book: Book) -> None:
    assert said(ledger(book, placeholder=True), SHARE) == []
    assert said(ledger(book), Candidate("unknown")) == []


def test_without_a_sentence_or_from_stand_in_data_the_figure_speaks(book: Book) -> None:
    assert said(ledger(book), Candidate("known2020-fig1")) == ["It rises."]
    assert said(ledger(book, QUICK, quick=True), SHARE) == ["It rises."]


def test_there_are_only_so_many(book: Book) -> None:
    assert len(chosen(ledger(book), [SHARE] * 9)) == MOST


def test_each_leads_to_its_figure(book: Book) -> None:
    found = replace(ledger(book), candidates=[SHARE])
    page = BeautifulSoup(found.html("findings", "../"), "html.parser")
    assert page.select_one("a")["href"] == "../part/tiny.html#known2020-fig1"
    assert page.select_one("img.only-dark")["src"] == "../figures/known2020-fig1/known2020-fig1.dark.svg"
    assert page.select_one(".ix-finding").get_text() == "A share of 51\N{NO-BREAK SPACE}%."


@pytest.mark.parametrize("wanted", candidates(ROOT / "book"), ids=lambda wanted: wanted.figure)
def test_what_the_book_may_say_is_about_what_it_holds(wanted: Candidate) -> None:
    known = load(Book(ROOT))
    claims = {name for chapter in known.chapters.values() for name in chapter.claims}
    assert {wanted.figure, wanted.to or wanted.figure} <= {n for n, a in known.artefacts.items() if a.chapter}
    assert set(wanted.when) <= claims
    assert bool(wanted.say) == bool(wanted.when)  # a sentence of ours has a condition


def test_a_finding_is_the_first_sentence_of_a_caption() -> None:
    assert first_sentence("It falls to 0.5 at N = 1.2. Then the set-up.") == "It falls to 0.5 at N = 1.2."
    assert first_sentence("One sentence only") == "One sentence only"
