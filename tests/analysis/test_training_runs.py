"""When a curve leaves its plateau."""

import pandas as pd
from invex.analysis.training_runs import departure


def test_departure_is_the_first_of_enough_points_below() -> None:
    losses = [2.3, 1.0, 2.3, 1.1, 1.0, 0.9, 2.0]
    assert departure(range(0, 350, 50), losses, 1.15) == 150
    assert departure(range(0, 350, 50), losses, 1.15, points=1) == 50


def test_a_curve_that_stays_up_or_is_lost_has_none() -> None:
    assert departure([0, 1, 2, 3], [2.3, 2.3, 2.3, 2.3], 1.15) is None
    assert departure([0, 1, 2, 3], [2.3, float("nan"), float("nan"), float("nan")], 1.15) is None


def test_columns_of_a_frame_count_by_place_whatever_their_index() -> None:
    curve = pd.DataFrame({"step": [0, 50, 100, 150], "loss": [2.3, 1.0, 1.0, 1.0]}, index=[7, 8, 9, 10])
    assert departure(curve["step"], curve["loss"], 1.15) == 50
