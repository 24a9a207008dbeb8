"""Drawings of the chapter on signal propagation: what is written in them can be read."""

import pandas as pd
from invex.analysis.signal import convolution as signal_convolution
from invex.charts import signal_propagation as charts
from invex.charts.style import house


def test_no_label_of_the_convolution_lies_on_a_point():
    rows = [signal_convolution.covariance_rows(spread, networks=100, seed=0) for spread in (1, 4)]
    lagged = pd.DataFrame(row for part in rows for row in part)
    smooth = pd.DataFrame(signal_convolution.smoothness_rows((1, 2, 4)))
    with house():
        figure = charts.convolution(lagged, smooth)
        figure.draw_without_rendering()
        left = figure.axes[0]
        places = left.transData.transform(lagged[["lag", "expected"]])
        boxes = [text.get_window_extent().padded(8) for text in left.texts]
        assert boxes
        assert not any(box.contains(*place) for box in boxes for place in places)


def test_the_axis_of_a_row_follows_its_method() -> None:
    low, high = -3.0, 9.9
    counts = {"clamped": [0] * 100 + [1000] + [0] * 39, "ρ = 0.5": [0] * 25 + [1000] + [0] * 114}
    runs = {name: {"histograms": [row, row]} for name, row in counts.items()}
    with house():
        figure = charts.ridges(runs, {"clamped": charts.ORANGE, "ρ = 0.5": charts.BLUE}, low, high)
        far, near = figure.axes[0].get_xlim(), figure.axes[2].get_xlim()
    assert far[0] > near[1]
    assert near[0] <= low + 25 * (high - low) / 140 < near[1]
