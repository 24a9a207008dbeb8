import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invex.press.book import Book
from invex.press.claims import DIFFERS, REPRODUCED, SAME_ORDER, UNDECIDED, Claim, ClaimsError, load, verdict

ROOT = Path(__file__).parents[2]
NUMBERS = st.floats(-1e6, 1e6)
FIGURE = {"id": "known2020-fig1", "kind": "figure", "title": "A line"}


def value_claim(paper: object, tolerance: float = 0.0) -> Claim:
    return Claim("a/b", "a", "what", "value", paper, tolerance, "reason")


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
        ({"kind": "feeling"}, "unknown kind 'feeling', not of value, order, trend, bound"),
        ({"tolerance": None}, "a value needs a tolerance"),
        ({"reason": ""}, "a tolerance needs its reason"),
        ({"tolerence": 1.0}, "unknown field tolerence"),
        ({"kind": "bound"}, "relation is one of"),
        ({"kind": "trend"}, "paper value is true"),
        ({"kind": "order"}, "paper value is a list"),
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


@given(NUMBERS, st.floats(0, 1e3), st.floats(-1, 1))
def test_a_value_is_reproduced_exactly_within_its_tolerance(
    paper: float, tolerance: float, share: float
) -> None:
    assert verdict(value_claim(paper, tolerance), paper + share * tolerance) == REPRODUCED
    beyond = (tolerance + 1e-6 * (1 + abs(paper))) * math.copysign(1.001, share)
    assert verdict(value_claim(paper, tolerance), paper + beyond) == DIFFERS


@given(NUMBERS, NUMBERS, st.floats(0, 1e3))
def test_a_verdict_on_a_value_is_symmetric(paper: float, measured: float, tolerance: float) -> None:
    gap = abs(paper - measured)
    if abs(gap - tolerance) > 1e-4:
        assert verdict(value_claim(paper, tolerance), measured) == verdict(
            value_claim(measured, tolerance), paper
        )


@pytest.mark.parametrize("measured", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_differs(measured: float) -> None:
    bound = Claim("a/b", "a", "what", "bound", 1e300, relation=">=")
    assert verdict(value_claim(0.0, 1e300), measured) == DIFFERS
    assert verdict(bound, measured) == DIFFERS
    assert verdict(value_claim({"a": 0.0}, 1e300), {"a": measured}) == DIFFERS


@given(st.dictionaries(st.text(min_size=1), st.integers(-50, 50), min_size=2, max_size=5))
def test_several_values_are_at_least_ranked_as_in_the_paper(paper: dict[str, float]) -> None:
    claim = value_claim(paper, 0.25)
    assert verdict(claim, {name: value + 0.2 for name, value in paper.items()}) == REPRODUCED
    assert verdict(claim, {name: 3.0 * value + 500 for name, value in paper.items()}) == SAME_ORDER
    if len(set(paper.values())) > 1:
        assert verdict(claim, {name: -value for name, value in paper.items()}) == DIFFERS
    assert verdict(claim, dict(list(paper.items())[1:])) == DIFFERS


@given(st.permutations(["a", "b", "c", "d"]))
def test_an_order_holds_up_to_its_ties(measured: list[str]) -> None:
    claim = Claim("a/b", "a", "what", "order", [["a", "b"], "c", "d"])
    holds = set(measured[:2]) == {"a", "b"} and measured[2:] == ["c", "d"]
    assert verdict(claim, measured) == (REPRODUCED if holds else DIFFERS)
    assert verdict(claim, measured[:3]) == DIFFERS
    assert verdict(claim, [*measured, "e"]) == DIFFERS


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (0.9, (0.8, 0.95), REPRODUCED),
        (0.9, (0.8, 56.0), UNDECIDED),
        (1.2, (0.9, 1.5), UNDECIDED),
        (1.2, (1.1, 1.5), DIFFERS),
        (0.9, (0.8, float("nan")), UNDECIDED),
    ],
)
def test_an_interval_with_both_answers_decides_nothing(
    value: float, interval: tuple[float, float], expected: str
) -> None:
    bound = Claim("a", "b", "c", "bound", 1.0, relation="<=")
    assert verdict(bound, value, interval) == expected


def test_an_interval_around_all_that_agrees_decides_nothing() -> None:
    assert verdict(value_claim(1.0, 0.1), 2.0, (0.5, 3.0)) == UNDECIDED
    assert verdict(value_claim(1.0, 0.1), 2.0, (1.5, 3.0)) == DIFFERS
    assert verdict(value_claim(1.0, 0.1), 1.05, (0.95, 1.1)) == REPRODUCED


@pytest.mark.parametrize(
    ("relation", "holding"), [("<=", [1.0, 2.0]), ("<", [1.0]), (">=", [2.0, 3.0]), (">", [3.0])]
)
def test_a_bound_holds_on_its_side(relation: str, holding: list[float]) -> None:
    claim = Claim("a/b", "a", "what", "bound", 2.0, relation=relation)
    assert [v for v in (1.0, 2.0, 3.0) if verdict(claim, v) == REPRODUCED] == holding


def test_a_trend_holds_only_if_it_is_true() -> None:
    claim = Claim("a/b", "a", "what", "trend", True)
    assert [verdict(claim, value) for value in (True, False, 1, "yes")] == [
        REPRODUCED,
        DIFFERS,
        DIFFERS,
        DIFFERS,
    ]


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
