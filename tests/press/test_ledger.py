import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from bs4 import BeautifulSoup
from invex.press import inserts
from invex.press.book import Book
from invex.press.ledger import Ledger, ledger
from invex.press.verdict import (
    DIFFERS,
    FULL_SCALE,
    IN_PART,
    NOT_ATTEMPTED,
    QUICK,
    REPRODUCED,
    SAME_ORDER,
    SHOWN,
    UNDECIDED,
    VERDICTS,
)

HELD = {"placeholder": False, "quick": False, "partial": "", "stale": [], "size": [672, 300]}
RIGHT: dict[str, Any] = {
    "known2020-fig1/slope": 0.51,
    "known2020-tab1/order": ["b", "c", "a"],
    "known2020-tab1/auc": {"a": 78.0, "b": 80.5},
    "known2020-thm1/violations": 0,
}
ALL = ("known2020-fig1", "known2020-tab1")


def evaluate(
    book: Book,
    made: Path,
    results: dict[str, Any],
    shown: tuple[str, ...] = ALL,
    profile: str = "recorded",
    interval: dict[str, Any] | None = None,
    **more: Any,
) -> Ledger:
    """The ledger of a book whose chapter measured these values and shows these artefacts."""
    blank = {"low": None, "high": None, "n": None, "note": None} | (interval or {})
    entries = {name: {"value": value} | blank for name, value in results.items()}
    content = {"artefacts": dict.fromkeys(shown, HELD | more), "results": entries}
    content["artefacts"] |= {n: a | {"size": []} for n, a in content["artefacts"].items() if "tab" in n}
    path = made / profile / "part" / "tiny" / "results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return ledger(book.root, made, profile)


def verdicts(found: Ledger) -> dict[str, str]:
    return {entry.artefact.id.removeprefix("known2020-"): entry.verdict for entry in found.entries}


def test_what_was_never_executed_is_not_attempted(book: Book, made: Path) -> None:
    found = ledger(book.root, made, "recorded")
    assert set(verdicts(found).values()) == {NOT_ATTEMPTED}
    assert found.summary_line() == "4 artefacts: 4 not attempted"


def test_right_values_on_the_page_are_reproduced(book: Book, made: Path) -> None:
    found = evaluate(book, made, RIGHT)
    assert verdicts(found) == {
        "fig1": REPRODUCED, "tab1": REPRODUCED, "thm1": REPRODUCED, "fig2": NOT_ATTEMPTED,
        "own-cost": NOT_ATTEMPTED,
    }  # fmt: skip
    assert found.summary_line() == "4 artefacts: 3 reproduced, 1 not attempted"


@pytest.mark.parametrize(
    ("claim", "wrong", "artefact"),
    [
        ("known2020-fig1/slope", 0.53, "fig1"),
        ("known2020-tab1/order", ["a", "b", "c"], "tab1"),
        ("known2020-tab1/auc", {"a": 80.6, "b": 78.3}, "tab1"),
        ("known2020-thm1/violations", 1, "thm1"),
    ],
)
def test_a_wrong_value_differs(book: Book, made: Path, claim: str, wrong: Any, artefact: str) -> None:
    found = verdicts(evaluate(book, made, RIGHT | {claim: wrong}))
    expected = {"fig1": REPRODUCED, "tab1": REPRODUCED, "thm1": REPRODUCED} | {artefact: DIFFERS}
    if claim == "known2020-tab1/auc":  # the values are off, but the order claim beside them holds
        expected["tab1"] = SAME_ORDER
    assert {name: found[name] for name in expected} == expected


def test_missed_values_in_the_papers_ranking_are_of_the_same_order(book: Book, made: Path) -> None:
    found = evaluate(book, made, RIGHT | {"known2020-tab1/auc": {"a": 70.0, "b": 90.0}})
    assert verdicts(found)["tab1"] == SAME_ORDER


def test_a_right_value_without_its_figure_is_not_reproduced(book: Book, made: Path) -> None:
    found = verdicts(evaluate(book, made, RIGHT, shown=()))
    assert (found["fig1"], found["tab1"]) == (NOT_ATTEMPTED, NOT_ATTEMPTED)


def test_a_placeholder_is_not_attempted(book: Book, made: Path) -> None:
    assert verdicts(evaluate(book, made, {}, placeholder=True))["fig1"] == NOT_ATTEMPTED


def test_an_unchecked_claim_or_a_missing_seed_makes_it_in_part(book: Book, made: Path) -> None:
    some = {name: value for name, value in RIGHT.items() if name != "known2020-tab1/auc"}
    assert verdicts(evaluate(book, made, some))["tab1"] == IN_PART
    assert verdicts(evaluate(book, made, RIGHT, partial="3 of 10 seeds"))["fig1"] == IN_PART


def test_too_few_runs_to_decide_are_undecided_and_not_reproduced(book: Book, made: Path) -> None:
    slope = {"known2020-fig1/slope": 0.51}
    wide = {"low": 0.4, "high": 0.55}
    found = evaluate(book, made, slope, interval=wide)
    assert found.entries[0].checks[0].verdict == UNDECIDED
    assert verdicts(found)["fig1"] == UNDECIDED
    assert verdicts(evaluate(book, made, slope, interval={"low": 0.5, "high": 0.52}))["fig1"] == REPRODUCED


@pytest.mark.parametrize(("value", "verdict"), [(0.51, "met"), (0.6, "missed")])
def test_an_aim_of_our_own_is_met_or_missed_and_counts_for_nothing(
    book: Book, made: Path, rewrite: Any, value: float, verdict: str
) -> None:
    tiny = yaml.safe_load((book.source / "part" / "tiny.yml").read_text())
    slope, *others = tiny["claims"]
    rewrite(claims=[slope | {"source": "ours"}, *others])
    found = evaluate(book, made, RIGHT | {"known2020-fig1/slope": value})
    assert verdicts(found)["fig1"] == SHOWN
    assert found.entries[0].checks[0].verdict == verdict
    assert (found.aims, found.counts[SHOWN]) == ({verdict: 1}, 1)
    rows = BeautifulSoup(found.html("table"), "html.parser").select("#ledger-known2020-fig1 tr")
    assert rows[-1]["class"] == ["ix-aim"]
    assert "aim: 0.5" in rows[-1].get_text()


def test_a_drawing_without_claims_is_shown(book: Book, made: Path, rewrite: Any) -> None:
    rewrite(claims=[])
    found = verdicts(evaluate(book, made, {}))
    assert (found["fig1"], found["thm1"]) == (SHOWN, NOT_ATTEMPTED)


def test_what_was_judged_at_a_reduced_scale_says_so(book: Book, made: Path) -> None:
    words = "5 epochs of 200"
    found = evaluate(book, made, RIGHT, reduced=words, partial=f"reduced: {words}")
    assert found.entries[0].label == "reproduced, reduced scale"
    assert found.entries[0].checks[0].label == "reproduced, reduced scale"
    assert found.counts == {"reproduced": 1, "reproduced, reduced scale": 2, NOT_ATTEMPTED: 1}
    for part in ("scoreboard", "gallery", "table"):
        assert "reproduced, reduced scale" in BeautifulSoup(found.html(part), "html.parser").get_text()
    fewer = evaluate(book, made, RIGHT, reduced=words, partial=f"reduced: {words}; 1 of 3 seeds")
    assert fewer.entries[0].label == "in part, reduced scale"


def test_what_only_full_scale_can_show_is_not_judged_at_another(book: Book, made: Path, rewrite: Any) -> None:
    tiny = yaml.safe_load((book.source / "part" / "tiny.yml").read_text())
    slope, *others = tiny["claims"]
    rewrite(claims=[slope | {"full": "200 epochs, three hours on a GPU"}, *others])
    found = evaluate(book, made, RIGHT, reduced="5 epochs of 200")
    assert (found.entries[0].verdict, found.entries[0].checks[0].verdict) == (FULL_SCALE, FULL_SCALE)
    assert found.entries[0].checks[0].cause == "200 epochs, three hours on a GPU"
    assert evaluate(book, made, RIGHT).entries[0].checks[0].verdict == REPRODUCED


def test_a_median_whose_extremes_hold_both_answers_does_not_meet_its_aim(
    book: Book, made: Path, rewrite: Any
) -> None:
    claim = {"id": "own-cost/ratio", "artefact": "own-cost", "what": "Ratio", "kind": "bound"}
    own = {"id": "own-cost", "kind": "figure", "title": "Cost"}
    rewrite(work="", artefacts=[own], claims=[claim | {"relation": ">=", "paper": 1.3}])
    found = evaluate(book, made, {"own-cost/ratio": 1.4}, interval={"low": 1.19, "high": 1.57})
    check = next(entry for entry in found.entries if entry.artefact.id == "own-cost").checks[0]
    assert check.verdict == UNDECIDED


def test_a_quick_result_is_never_compared(book: Book, made: Path) -> None:
    found = evaluate(book, made, RIGHT, profile="quick", quick=True)
    assert {entry.verdict for entry in found.entries if entry.shown} == {QUICK}
    assert {check.verdict for entry in found.entries for check in entry.checks} == {QUICK}


def test_a_difference_without_a_note_says_that_its_cause_is_not_found(book: Book, made: Path) -> None:
    found = evaluate(book, made, RIGHT | {"known2020-fig1/slope": 9.0})
    assert found.entries[0].checks[0].cause == "cause not found yet"
    assert found.entries[1].checks[0].cause == ""


def test_the_json_can_be_read_by_a_program(book: Book, made: Path) -> None:
    content = json.loads(json.dumps(evaluate(book, made, RIGHT, partial="1 of 2 seeds").to_json()))
    first = content["artefacts"][0]
    assert (first["id"], first["label"], first["partial"]) == ("known2020-fig1", "Figure 1.1", "1 of 2 seeds")
    claim = first["claims"][0]
    assert (claim["value"], claim["paper"], claim["verdict"]) == (0.51, 0.5, REPRODUCED)


def test_the_pages_lead_to_every_artefact_that_is_shown(book: Book, made: Path) -> None:
    found = evaluate(book, made, RIGHT, shown=(*ALL, "own-cost"))
    board = BeautifulSoup(found.html("scoreboard", "../"), "html.parser")
    there = (*ALL, "known2020-thm1")  # a check has its address before the first of its results
    assert [a["href"] for a in board.select(".ix-signs a")] == [f"../part/tiny.html#{name}" for name in there]
    counted = [str(a["href"]) for a in board.select(".ix-key a")]  # to the ledger, filtered
    assert counted == ["../ledger.html?verdict=reproduced", "../ledger.html?verdict=not%20attempted"]
    assert len(board.select(".ix-signs li")) == 4
    gallery = BeautifulSoup(found.html("gallery"), "html.parser")
    figures = [f"part/tiny.html#{name}" for name in ("known2020-fig1", "own-cost")]
    assert [a["href"] for a in gallery.select("a")] == figures
    assert gallery.select_one("img.only-dark")["src"] == "figures/known2020-fig1/known2020-fig1.dark.svg"
    table = BeautifulSoup(found.html("table"), "html.parser").get_text(" ")
    assert "Figure 2" in table  # not in the book yet, named from its id
    for text in (
        "0.5; allowed ± 0.02",
        "0.51",
        "b, then a & c",
        "b, then c, then a",
        "holds if ≤\N{NO-BREAK SPACE}0",
        "The book's own figures",
    ):
        assert text in table


def test_what_other_code_recorded_is_called_stale(book: Book, made: Path) -> None:
    fresh, stale = (evaluate(book, made, RIGHT, stale=names) for names in ([], ["invex.nn.stack.Stack"]))
    for part in ("gallery", "table"):
        counts = [
            len(BeautifulSoup(x.html(part), "html.parser").select(".ix-badge-stale")) for x in (fresh, stale)
        ]
        assert counts[0] == 0 < counts[1], part


def test_the_ledger_is_found_by_verdict_work_and_kind(book: Book, made: Path, rewrite: Any) -> None:
    tiny = yaml.safe_load((book.source / "part" / "tiny.yml").read_text())
    own = {"id": "own-cost/aim", "artefact": "own-cost", "what": "Cost", "kind": "bound", "relation": "<"}
    rewrite(claims=[*tiny["claims"], own | {"paper": 1, "source": "ours"}])
    found = evaluate(book, made, RIGHT | {"own-cost/aim": 2.0}, shown=(*ALL, "own-cost"))
    contents = BeautifulSoup(found.html("contents"), "html.parser")
    choices = {each["data-key"]: each.select("option")[1:] for each in contents.select("select")}
    rows = BeautifulSoup(found.html("table"), "html.parser").select("tbody")
    for key, options in choices.items():
        present = {mark for row in rows for mark in str(row[f"data-{key}"]).split("|") if mark}
        assert present <= {str(option["value"]) for option in options}, key
    verdicts = [str(option["value"]) for option in choices["verdict"]]
    assert verdicts == [REPRODUCED, NOT_ATTEMPTED, "aim missed"]
    assert "1 missed." in contents.select_one(".ix-aims").get_text()
    assert "3 of 4 reproduced" in contents.select_one(".ix-contents").get_text(" ")
    assert contents.select_one(".ix-filters").has_attr("hidden")  # a script shows it


def test_each_work_has_a_heading_that_the_contents_lead_to(book: Book, made: Path) -> None:
    evaluate(book, book.artefacts, RIGHT, shown=(*ALL, "own-cost"))
    (book.source / "ledger.md").write_text("<!-- insert: contents -->\n\n<!-- insert: table -->\n")
    page = inserts.fill(book, "recorded", "ledger")
    targets = re.findall(r"^\((ledger-\w+)\)=\n## .+$", page, re.MULTILINE)
    assert targets == ["ledger-known2020", "ledger-own"]
    links = BeautifulSoup(page, "html.parser").select(".ix-contents a")
    assert [str(link["href"]) for link in links] == [f"#{target}" for target in targets]


def test_each_verdict_is_explained(book: Book, made: Path) -> None:
    page = BeautifulSoup(evaluate(book, made, RIGHT).html("verdicts"), "html.parser")
    said = zip(page.select("dt"), page.select("dd"), strict=True)
    assert {term.get_text(): meaning.get_text() for term, meaning in said} == VERDICTS


def test_what_else_is_checked_of_a_source_stands_with_it_and_is_not_counted(
    book: Book, made: Path, rewrite: Any
) -> None:
    further = {"id": "known2020-fig1-equation", "kind": "claim", "source": "Eq. 1", "title": "As printed"}
    claim = {
        "id": "known2020-fig1-equation/printed",
        "artefact": "known2020-fig1-equation",
        "what": "It holds",
        "kind": "trend",
    }
    tiny = yaml.safe_load((book.source / "part" / "tiny.yml").read_text())
    rewrite(artefacts=[*tiny["artefacts"], further], claims=[*tiny["claims"], claim | {"paper": True}])
    found = evaluate(book, made, RIGHT | {"known2020-fig1-equation/printed": False})
    assert [entry.artefact.id for entry in found.groups["known2020"]][-1] == "known2020-fig1-equation"
    assert [entry.artefact.id for entry in found.groups["own"]] == ["own-cost"]
    assert found.summary_line() == "4 artefacts: 3 reproduced, 1 not attempted"


def test_a_figure_without_a_check_of_its_own_has_no_verdict(book: Book, made: Path, rewrite: Any) -> None:
    further = {"id": "known2020-fig1-detail", "kind": "figure", "title": "Closer"}
    figure = {"id": "known2020-fig1", "kind": "figure", "title": "A line"}
    own = {"id": "own-cost", "kind": "figure", "title": "Cost"}
    claim = {
        "id": "x",
        "artefact": "known2020-fig1",
        "what": "x",
        "kind": "bound",
        "relation": "<",
        "paper": 1,
        "source": "text",
    }
    rewrite(artefacts=[further, figure, own], claims=[claim])
    found = evaluate(book, made, {"x": 2}, shown=("known2020-fig1-detail", "known2020-fig1", "own-cost"))
    items = BeautifulSoup(found.html("gallery"), "html.parser").select("li")
    assert [item.get_text(" ", strip=True) for item in items] == [
        "Figure 1.1 Closer", "Figure 1.2 A line differs", "Figure 1.3 Cost"
    ]  # fmt: skip


def test_text_from_the_data_is_escaped(book: Book, made: Path, rewrite: Any) -> None:
    rewrite(artefacts=[{"id": "known2020-fig1", "kind": "figure", "title": "<b>&"}], claims=[])
    found = evaluate(book, made, {}, shown=("known2020-fig1",))
    for html in (found.html("scoreboard"), found.html("gallery"), found.html("table")):
        assert "<b>" not in html
        assert "&lt;b&gt;&amp;" in html
