import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invex.press.claims import Claim
from invex.press.verdict import DIFFERS, REPRODUCED, SAME_ORDER, UNDECIDED, verdict

NUMBERS = st.floats(-1e6, 1e6)


def value_claim(paper: object, tolerance: float = 0.0) -> Claim:
    return Claim("a/b", "a", "what", "value", paper, tolerance, "reason")


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
