import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invex.press.claims import Claim
from invex.press.verdict import DIFFERS, MET, MISSED, REPRODUCED, SAME_ORDER, UNDECIDED, verdict

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


@pytest.mark.parametrize(
    ("intervals", "expected"),
    [
        ({"a": (1, 0.9, 1.1), "b": (2, 1.9, 2.1), "c": (1.05, 0.8, 1.2)}, REPRODUCED),  # a and c: one group
        ({"a": (1, 0.9, 1.95), "b": (2, 1.9, 2.1), "c": (1, 0.8, 1.2)}, UNDECIDED),
        ({"a": (3, 2.9, 3.1), "b": (2, 1.9, 2.1), "c": (1, 0.8, 1.2)}, DIFFERS),
        ({"a": (1, 0.9, math.inf), "b": (2, 1.9, 2.1), "c": (1, 0.8, 1.2)}, DIFFERS),
        ({"a": (1, 0.9, 1.1), "b": (2, 1.9, 2.1)}, DIFFERS),
    ],
)
def test_an_order_holds_where_the_intervals_are_apart(intervals: dict, expected: str) -> None:
    smallest = Claim("a/b", "a", "what", "order", [["a", "c"], "b"])
    assert verdict(smallest, intervals) == expected
    largest = Claim("a/b", "a", "what", "order", [["a", "c"], "b"], best="max")
    turned = {name: tuple(-number for number in numbers) for name, numbers in intervals.items()}
    assert verdict(largest, turned) == expected


def test_names_alone_rank_nothing_that_was_trained() -> None:
    trained = Claim("a/b", "a", "what", "order", ["a", "b"], training=True)
    assert verdict(trained, ["a", "b"], n=10) == UNDECIDED
    assert verdict(trained, {"a": (1, 0.9, 1.1), "b": (2, 1.9, 2.1)}, n=10) == REPRODUCED


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((0.9, 1.3), REPRODUCED), ((0.4, 1.3), UNDECIDED), ((1.9, 2.3), UNDECIDED), ((0.1, 5.0), UNDECIDED),
        ((2.1, 2.3), DIFFERS), ((0.1, 0.4), DIFFERS), (None, UNDECIDED), ((math.nan, 1.0), UNDECIDED),
    ],
)  # fmt: skip
def test_similar_is_an_interval_within_the_limits_and_not_a_median(
    interval: tuple[float, float] | None, expected: str
) -> None:
    claim = Claim("a/b", "a", "what", "similar", "similar", limits=(0.5, 2.0), reason="ours")
    assert verdict(claim, 1.0, interval) == expected


@pytest.mark.parametrize("n", [None, 1])
def test_one_network_decides_nothing_about_training(n: int | None) -> None:
    for claim, value in [
        (Claim("a", "b", "c", "trend", True, training=True), True),
        (Claim("a", "b", "c", "bound", 1.0, relation="<", training=True), 0.5),
        (Claim("a", "b", "c", "bound", 1.0, relation="<", training=True), 2.0),
    ]:
        assert verdict(claim, value, n=n) == UNDECIDED
        assert verdict(claim, value, n=2) != UNDECIDED


def test_an_aim_of_our_own_is_met_or_missed() -> None:
    aim = Claim("a", "b", "c", "bound", 1.0, relation=">=", source="ours")
    assert [verdict(aim, value) for value in (1.0, 0.5)] == [MET, MISSED]
    assert verdict(aim, 1.4, (0.9, 1.5)) == UNDECIDED
