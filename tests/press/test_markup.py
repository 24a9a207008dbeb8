import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from invex.press.card import table
from invex.press.claims import Claim
from invex.press.markup import SPACE, TIMES, html, measured, number, supported_digits, typeset
from invex.press.verdict import VERDICTS

METHODS = pd.DataFrame(
    {"method": ["a", "b", "c"], "AUC": [80.57, 78.33, 78.29], "AUC low": [80.1, 78.0, 78.1],
     "AUC high": [80.9, 78.6, 78.5], "runs": [10, 10, 12000]}
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.5, None, "0.5"), (-1.5e-7, None, f"\N{MINUS SIGN}1.5{TIMES}10⁻⁷"), (13935, None, "13,935"),
        (2132.13, None, "2,132"), (0.4967, 2, "0.50"), (["a", ["b", "c"]], None, "a, then b & c"),
        (True, None, "yes"),
        (-0.004, 2, "0.00"), (6.07e14, 2, f"6.07{TIMES}10¹⁴"), (1584166.0, 0, "1,584,166"),
        ({"a": 1.0, "b": 2}, None, "a 1, b 2"), ("text", None, "text"), (float("nan"), None, "nan"),
    ],
)  # fmt: skip
def test_numbers_read_as_in_print(value: object, digits: int | None, text: str) -> None:
    assert number(value, digits) == text


def test_hyphens_and_ranges_are_no_minus() -> None:
    assert typeset("ICNN-3, 5-7, x-1, -.4") == "ICNN-3, 5-7, x-1, \N{MINUS SIGN}.4"


def test_a_number_and_its_per_cent_sign_stay_on_one_line() -> None:
    assert typeset("95 % of 12 %") == "95\N{NO-BREAK SPACE}% of 12\N{NO-BREAK SPACE}%"


@given(st.floats(1e-6, 1e3), st.floats(-1e3, 1e3))
def test_the_last_digit_is_within_the_interval(half: float, centre: float) -> None:
    digits = supported_digits(centre - half, centre + half)
    assert 10.0**-digits <= 1.01 * half or digits == 0
    assert digits == 0 or 10.0 ** -(digits - 1) >= 0.99 * half / 2


@pytest.mark.parametrize(
    ("low", "high", "digits"), [(0.491, 0.503, 3), (0.3, 0.9, 1), (0.4, 0.62, 2), (10, 90, 0)]
)
def test_digits_follow_the_interval(low: float, high: float, digits: int) -> None:
    assert supported_digits(low, high) == digits


def test_digits_follow_the_narrower_side_of_a_lopsided_interval() -> None:
    assert [supported_digits(0.038, 1.2, value) for value in (0.047, 0.7, 0.038, 0.038 + 1e-12)] == [
        3,
        1,
        1,
        1,
    ]


def test_every_verdict_has_a_sign_of_its_own_beside_the_word() -> None:
    chips = [BeautifulSoup(html("pieces", "chip", verdict), "html.parser") for verdict in VERDICTS]
    assert [found.get_text() for found in chips] == list(VERDICTS)
    assert len({str(found.svg) for found in chips}) == len(VERDICTS)


def cells(best: dict[str, str] | None, frame: pd.DataFrame = METHODS) -> BeautifulSoup:
    return BeautifulSoup(table(frame, None, best), "html.parser")


def test_a_tables_intervals_stand_in_the_cell_of_their_value() -> None:
    found = cells(None)
    assert [head.get_text() for head in found.select("th")] == ["method", "AUC", "runs"]
    assert found.select("tr")[1].get_text(" ", strip=True) == "a 80.6 80.1 to 80.9 10"
    assert found.select("tr")[3].select("td")[2].get_text() == "12,000"
    assert {cell.get_text() for cell in found.select("th.ix-num")} == {"AUC", "runs"}


def test_what_it_takes_to_name_a_row_stands_in_the_first_column_where_there_is_room_for_one() -> None:
    deep = pd.DataFrame({"data": ["a", "a"], "layers": [3, 5], "method": ["x", "x"], "loss": [0.1, 0.2]})
    rows = cells(None, deep).select("tr")
    assert [row.select_one(".ix-naming").get_text() for row in rows] == ["layers", "3", "5"]
    assert [row.select_one("[data-rest]")["data-rest"] for row in rows] == ["layers", "3", "5"]
    assert rows[1].select_one("td.ix-num.ix-naming").get_text() == "3"
    assert not cells(None).select(".ix-naming, [data-rest]")  # one column is enough
    twice = cells(None, pd.concat([deep, deep]))  # not even all are: a measured number names nothing
    assert twice.select_one("td[data-rest]")["data-rest"] == "3, x"


def test_a_value_near_the_end_of_its_interval_keeps_its_digits() -> None:
    lopsided = pd.DataFrame({"loss": [0.047], "loss low": [0.038], "loss high": [1.2]})
    assert cells(None, lopsided).select("tr")[1].get_text(" ", strip=True) == "0.047 0.038 to 1.200"
    claim, result = Claim("a", "a", "a", "bound", 1.0, relation="<"), {"low": 0.038, "high": 1.2, "n": None}
    assert measured(claim, result | {"value": 0.047}) == ("0.047", "[0.038, 1.200]")
    over_images = measured(claim, result | {"value": 0.047, "n": 1})[1]  # of one network, over something else
    assert over_images.startswith("[0.038")
    assert measured(claim, {"value": 0.047, "low": 0.047, "high": 0.047, "n": 1})[1] == f"n{SPACE}={SPACE}1"
    assert measured(claim, result | {"value": 0.047, "low": 0.047, "high": 0.047, "n": 1})[1].endswith(
        "=\u00a01"
    )


def test_what_was_not_measured_is_a_dash() -> None:
    shown = cells(None, pd.DataFrame({"x": [1.5, float("nan")]})).select("td")
    assert [cell.get_text(strip=True) for cell in shown] == ["1.5", "\N{EN DASH}"]


def test_a_single_run_has_no_interval_and_leaves_no_best() -> None:
    ends = {name: [None, *METHODS[name][1:]] for name in ("AUC low", "AUC high")}
    found = cells({"AUC": "max"}, METHODS.assign(**ends))
    assert found.select("tr")[1].get_text(" ", strip=True) == "a 80.6 10"
    assert " to " in found.select("tr")[2].get_text(" ", strip=True)
    assert found.select("strong") == []


def test_the_best_is_bold_only_where_its_interval_says_so() -> None:
    assert [cell.get_text() for cell in cells({"AUC": "max"}).select("strong")] == ["80.6"]
    assert cells({"AUC": "min"}).select("strong") == []
    overlapping = METHODS.assign(**{"AUC low": METHODS["AUC low"] - 3})
    assert cells({"AUC": "max"}, overlapping).select("strong") == []
    assert cells({"runs": "max"}).select("strong") == []  # no interval, no claim
