"""What the front door refuses, in whose words; and that what is as it should be passes."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from convex_functions import seeded, square
from invex.analysis.level_sets import LevelNotReached, LevelSet, LevelSetError, arguments, minimum, radius
from torch import Tensor, nn

CENTRE = torch.zeros(3, dtype=torch.float64)
EYE = torch.eye(3, dtype=torch.float64)


class Dropping(nn.Module):
    """A convex function with a layer that draws random numbers in training."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, z: Tensor) -> Tensor:
        return self.drop(z + 1).square().sum(1)


def noisy(z: Tensor) -> Tensor:
    return square(z) + torch.rand(len(z), generator=NOISE, dtype=z.dtype)


NOISE = torch.Generator().manual_seed(0)


def unit(**changes: Any) -> LevelSet:
    return LevelSet(**{"f": square, "level": 1.0, "centre": CENTRE} | changes)


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"level": 0.0}, LevelNotReached, r"the level 0 is not above f at the centre, .* choose a higher"),
        ({"level": float("nan")}, LevelSetError, "the level is nan: it has to be a finite number"),
        ({"level": "high"}, TypeError, "the level must be one number, not str"),
        ({"level": torch.ones(2)}, TypeError, "the level must be one number, not Tensor: one set has one"),
        ({"centre": [0.0, 0.0]}, TypeError, r"the centre must be a tensor \(d,\), not list"),
        ({"centre": CENTRE.int()}, TypeError, r"float32 or float64, not torch\.int32: convert the centre"),
        ({"centre": CENTRE[None]}, ValueError, r"the centre must have the shape \(d,\), d > 0, not \(1, 3\)"),
        ({"centre": CENTRE + torch.nan}, LevelSetError, "f is nan at the centre"),
        ({"box": 2.0}, ValueError, "a box is a pair, its lower and its upper corner"),
        ({"box": (1.0, -1.0)}, ValueError, r"in coordinate 0 the box goes from 1 to -1: .* the lower first"),
        (
            {"box": (-1.0, torch.ones(2))},
            ValueError,
            r"the upper corner of the box must be a number or \(3,\)",
        ),
        ({"box": (-1.0, float("nan"))}, ValueError, "in coordinate 0 the box goes from -1 to nan"),
        ({"chunk": 2.5}, TypeError, "chunk must be a whole number, got 2.5"),
        ({"limit": -1.0}, ValueError, "limit must be positive, got -1"),
        (
            {"f": nn.Linear(3, 1)},
            TypeError,
            r"the centre is torch\.float64, the parameters of f torch\.float32",
        ),
        (
            {"f": Dropping()},
            ValueError,
            r"in training mode and holds a Dropout \(drop\): call its \.eval\(\)",
        ),
        ({"f": noisy}, ValueError, r"f is not the same twice: at the centre, .* and then"),
        ({"f": lambda z: z}, ValueError, r"f gives values of shape \(1, 3\); one a point is needed"),
        ({"f": lambda z: 1.0}, TypeError, "f gives a float, not a tensor"),
        ({"f": 1.0}, TypeError, r"f must be a function of points \(n, d\), not float"),
    ],
)
def test_a_set_that_cannot_be_is_refused_by_name(
    changes: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        unit(**changes)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda s: s.points(EYE[0]), ValueError, r"directions must have the shape \(n, 3\), not \(3,\)"),
        (
            lambda s: s.points(EYE[:, :2]),
            ValueError,
            r"directions must have the shape \(n, 3\), not \(3, 2\)",
        ),
        (lambda s: s.points(EYE.float()), TypeError, r"directions are torch\.float32, the centre is"),
        (
            lambda s: s.points(EYE, torch.ones(2).double()),
            ValueError,
            r"start from must have the shape \(3,\)",
        ),
        (
            lambda s: s.points(EYE.to("meta")),
            ValueError,
            "directions are on meta, the centre is on cpu: move",
        ),
        (lambda s: s.grid(-1, 4), ValueError, "a count of the grid must be 0 or more, got -1"),
        (lambda s: s.sample(1.5), TypeError, "n must be a whole number, got 1.5"),
        (lambda s: s.sample(5, steps=-1), ValueError, "steps must be 0 or more, got -1"),
        (lambda s: s.retract(EYE[0]), ValueError, r"points must have the shape \(n, 3\)"),
        (lambda s: s.check(EYE.float()), TypeError, r"points are torch\.float32"),
        (lambda s: s.interpolate(EYE[0].float(), EYE[1], 5), TypeError, r"ends a are torch\.float32"),
        (lambda s: s.geodesic(EYE[0], EYE[1], 1), ValueError, "n must be 2 or more, got 1"),
        (lambda s: s.walk(EYE, -1, 0.1), ValueError, "steps must be 0 or more, got -1"),
        (lambda s: s.walk(EYE, 1, float("inf")), ValueError, "size must be a finite number, got inf"),
        (
            lambda s: s.walk(EYE, 1, 0.1, direction=EYE[0]),
            ValueError,
            r"directions must have the shape \(3, 3\)",
        ),
    ],
)
def test_what_a_set_is_asked_for_is_checked(
    call: Callable[[LevelSet], object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        call(unit())


@pytest.mark.parametrize(
    ("start", "options", "error", "said"),
    [
        ([0.0], {}, TypeError, r"the start must be a tensor \(d,\), not list"),
        (CENTRE.int(), {}, TypeError, "convert the start and f"),
        (CENTRE.bfloat16(), {}, TypeError, r"not torch\.bfloat16"),
        (EYE, {}, ValueError, r"the start must have the shape \(d,\), d > 0, not \(3, 3\)"),
        (CENTRE, {"box": (1.0, -1.0)}, ValueError, "the box goes from 1 to -1"),
        (CENTRE, {"limit": 0.0}, ValueError, "limit must be positive"),
        (CENTRE, {"tolerance": -1.0}, ValueError, "tolerance must be positive"),
    ],
)
def test_a_search_for_a_minimum_checks_alike(
    start: Any, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        minimum(square, start, **options)


def test_a_minimum_of_what_is_not_the_same_twice_is_refused() -> None:
    for f, said in ((noisy, "not the same twice"), (Dropping(), r"call its \.eval\(\)")):
        with pytest.raises(ValueError, match=said):
            minimum(f, CENTRE)
    assert minimum(Dropping().eval(), CENTRE).value == pytest.approx(0, abs=1e-12)


def test_radii_check_their_directions_and_centres() -> None:
    with pytest.raises(TypeError, match=r"directions are torch\.float32"):
        radius(square, CENTRE, EYE.float(), 1.0)
    with pytest.raises(ValueError, match=r"centres must have the shape \(3, 3\), not \(2, 3\)"):
        radius(square, EYE[:2] / 2, EYE, 1.0)
    with pytest.raises(ValueError, match="chunk must be positive, got 0"):
        radius(square, CENTRE, EYE, 1.0, chunk=0)


def test_what_is_as_it_should_be_passes() -> None:
    """Open sides of a box, a level and sides that are tensors, one row, a dropout in evaluation mode."""
    level_set = unit(level=torch.tensor(1.0), box=(-torch.inf, torch.tensor([0.5, 2.0, torch.inf])))
    assert level_set.level == 1.0
    assert isinstance(level_set.level, float)
    assert unit(f=Dropping().eval(), level=9.0).points(EYE).shape == (3, 3)
    assert (
        unit(f=nn.Sequential(nn.Identity(), nn.Dropout(0.0), nn.Linear(3, 1)).double(), level=99.0).level
        == 99
    )
    assert level_set.sample(3, generator=seeded()).shape == (3, 3)


def test_rounding_is_not_taken_for_another_value() -> None:
    """As f in parts that are summed in another order would give it; a control, ten thousand times that."""
    calls: list[int] = []

    def f(z: Tensor) -> Tensor:
        calls.append(len(calls))
        return square(z) + 1.0 + len(calls) * size

    size = 1e-15
    assert arguments.steady(f, CENTRE, "centre") == pytest.approx(1.0)
    size = 1e-11
    with pytest.raises(ValueError, match="not the same twice"):
        arguments.steady(f, CENTRE, "centre")
