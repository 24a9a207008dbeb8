"""The level before a head: known inverses, and heads that have none."""

import math
from collections.abc import Callable

import pytest
import torch
from invex.analysis.level_sets import LevelNotReached, LevelSetError, level_before
from torch import Tensor

Head = Callable[[Tensor], Tensor]


@pytest.mark.parametrize(
    ("head", "level", "expected"),
    [
        (torch.tanh, 0.5, math.atanh(0.5)),
        (torch.tanh, 1 - 1e-9, math.atanh(1 - 1e-9)),
        (torch.sigmoid, 0.25, -math.log(3)),
        (lambda y: y**3, 0.0, 0.0),
        (lambda y: -(y**3), 27.0, -3.0),
        (torch.relu, 2.0, 2.0),
        (lambda y: torch.tanh(1e6 * y), 0.5, math.atanh(0.5) / 1e6),
        (torch.log, -0.1, math.exp(-0.1)),
        (torch.log, 1.0, math.e),
        (torch.log, -20.0, math.exp(-20)),
        (torch.sqrt, 3.0, 9.0),
        (lambda y: y**0.25, 0.1, 1e-4),
    ],
)
def test_the_inverse_of_a_head(head: Head, level: float, expected: float) -> None:
    assert level_before(head, level) == pytest.approx(expected, rel=1e-6, abs=1e-13)


def test_a_head_in_float32() -> None:
    like = torch.empty(0, dtype=torch.float32)
    assert level_before(torch.tanh, 0.5, like=like) == pytest.approx(math.atanh(0.5), rel=1e-6)
    assert level_before(torch.log, 1.0, like=like) == pytest.approx(math.e, rel=1e-6)


@pytest.mark.parametrize(
    ("head", "level"), [(torch.tanh, 1.0), (torch.exp, 0.0), (torch.exp, -1.0), (torch.sigmoid, 1.0)]
)
def test_a_level_that_is_only_approached_is_not_reached(head: Head, level: float) -> None:
    with pytest.raises(LevelNotReached, match="the head"):
        level_before(head, level)


@pytest.mark.parametrize(
    ("head", "level", "why"),
    [
        (torch.relu, 0.0, r"flat at -1"),
        (torch.square, 4.0, "not strictly monotone between -2 and 2"),
        (torch.square, 3.0, "not strictly monotone between -2 and 2"),
        (torch.square, 0.0, "does not reach 0|not strictly monotone|turns back"),
        (torch.sign, 0.5, r"jumps at "),
        (lambda y: y + 3 * (y > 1), 2.5, r"jumps at 1, past 2.5"),
        (lambda y: torch.log(y - 5), 1.0, "not a number at"),
    ],
)
def test_a_head_without_an_inverse_is_refused(head: Head, level: float, why: str) -> None:
    with pytest.raises(LevelSetError, match=why):
        level_before(head, level)
