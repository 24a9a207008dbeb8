from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from invex.press.book import Book
from invex.press.claims import ClaimsError, load

ROOT = Path(__file__).parents[2]
FIGURE = {"id": "known2020-fig1", "kind": "figure", "title": "A line"}


def test_artefacts_are_numbered_by_chapter_and_kind(book: Book) -> None:
    catalogue = load(book)
    labels = {name: artefact.label for name, artefact in catalogue.artefacts.items()}
    assert labels == {
        "known2020-fig1": "Figure 1.1", "known2020-tab1": "Table 1.1", "known2020-thm1": "Check 1.1",
        "known2020-fig2": "Figure", "own-cost": "Figure 1.2",
    }  # fmt: skip
    assert [c.id for c in catalogue.claims_of("known2020-tab1")] == [
        "known2020-tab1/order",
        "known2020-tab1/auc",
    ]
    assert [name for name, artefact in catalogue.artefacts.items() if not artefact.listed] == ["own-cost"]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"title": ""}, "needs a title"),
        ({"artefacts": [FIGURE | {"kind": "film"}]}, "known2020-fig1: unknown kind 'film'"),
        ({"artefacts": [FIGURE, FIGURE]}, "known2020-fig1: duplicate id"),
        ({"artefacts": [{"id": "known2020-fig1", "kind": "figure"}]}, "needs id, kind and title"),
        ({"artefacts": [FIGURE | {"id": "known2020-fig9"}]}, "known2020-fig9: not in artefacts.yml"),
    ],
)
def test_a_mistake_in_an_artefact_is_named(
    book: Book, rewrite: Callable[..., None], changes: dict[str, object], complaint: str
) -> None:
    rewrite(**{"claims": []} | changes)
    with pytest.raises(ClaimsError, match=complaint):
        load(book)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("title: [", "tiny.yml: not YAML: .* line 1"),
        ("", "tiny.yml: names and values are expected, not NoneType"),
        ("title: T\nartefacts: {id: a}", "tiny.yml: id: not an entry with an id"),
    ],
)
def test_a_file_that_is_no_data_of_a_chapter_is_named(book: Book, text: str, complaint: str) -> None:
    (book.source / "part" / "tiny.yml").write_text(text)
    with pytest.raises(ClaimsError, match=complaint):
        load(book)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"artefact": "known2020-fig2"}, "its artefact known2020-fig2 is not in this file"),
        ({"kind": "feeling"}, "unknown kind 'feeling', not of value, order, similar, trend, bound"),
        ({"tolerance": None}, "a value needs a tolerance"),
        ({"reason": ""}, "a tolerance needs its reason"),
        ({"tolerence": 1.0}, "unknown field tolerence"),
        ({"kind": "bound"}, "relation is one of"),
        ({"kind": "trend"}, "paper value is true"),
        ({"kind": "order"}, "paper value is a list"),
        ({"source": "hearsay"}, "source is one of text, figure, table, code, theory, ours, not 'hearsay'"),
        ({"kind": "order", "paper": ["a", "b"], "best": "least"}, "best is min or max"),
        ({"kind": "similar"}, "needs limits around 1"),
        ({"kind": "similar", "limits": [1.1, 2]}, "needs limits around 1"),
        ({"kind": "similar", "limits": [0.5, 2], "reason": ""}, "a tolerance needs its reason"),
    ],
)
def test_a_mistake_in_a_claim_is_named(
    book: Book, rewrite: Callable[..., None], changes: dict[str, object], complaint: str
) -> None:
    claim = {
        "id": "known2020-fig1/x",
        "artefact": "known2020-fig1",
        "what": "x",
        "kind": "value",
        "paper": 1.0,
    }
    rewrite(artefacts=[FIGURE], claims=[claim | {"tolerance": 0.1, "reason": "why"}])
    load(book)
    rewrite(artefacts=[FIGURE], claims=[claim | {"tolerance": 0.1, "reason": "why"} | changes])
    with pytest.raises(ClaimsError, match=rf"tiny\.yml: known2020-fig1/x: .*{complaint}"):
        load(book)


def test_a_claim_without_a_paper_value_is_refused(book: Book, rewrite: Callable[..., None]) -> None:
    rewrite(artefacts=[FIGURE], claims=[{"id": "x", "artefact": "known2020-fig1", "kind": "value"}])
    with pytest.raises(ClaimsError, match="x: missing field paper, what"):
        load(book)


def test_the_books_own_data_are_valid() -> None:
    catalogue = load(Book(ROOT))
    listed = [artefact for artefact in catalogue.artefacts.values() if artefact.listed]
    assert {artefact.work for artefact in listed} == {
        "amos2017",
        "hoedt2023",
        "nesterov2022",
        "behrmann2019",
        "beyond",
    }
    assert len(listed) == 73


def test_no_published_address_disappears() -> None:
    """An id in the list was once on a public page; links to it must keep working."""
    published = (Path(__file__).parent / "published_ids.txt").read_text().split()
    held = {name for name, artefact in load(Book(ROOT)).artefacts.items() if artefact.chapter}
    assert set(published) <= held


def test_every_claim_of_the_book_says_where_it_stands() -> None:
    """Without `source` a claim is taken for one of the text, or for an aim: nothing is left to that."""
    catalogue = load(Book(ROOT))
    silent = []
    for slug in catalogue.chapters:
        raw = yaml.safe_load((ROOT / "book" / f"{slug}.yml").read_text(encoding="utf-8"))
        silent += [claim["id"] for claim in raw.get("claims", []) if not claim.get("source")]
    assert silent == []
