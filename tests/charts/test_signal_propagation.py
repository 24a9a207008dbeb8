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
