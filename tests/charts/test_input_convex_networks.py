"""The figures of the chapter on input-convex networks."""

import numpy as np
import pandas as pd
import pytest
import torch
from invex.analysis import convexity_studies as studies
from invex.analysis.wiring import wiring
from invex.charts import input_convex_networks as charts
from invex.charts import style
from invex.charts.network_diagram import SIGNED, diagram
from invex.data import sketches
from invex.nn.convex import ConvexNetwork
from invex.nn.partially_convex import PartiallyConvexNetwork
from torch import nn


def own_network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 6), nn.Softplus(), nn.Linear(6, 1))


@pytest.fixture(params=[style.WIDTH, style.NARROW])
def drawn(request):
    with style.house(request.param):
        yield


NETWORKS = {
    "convex": lambda: ConvexNetwork(2, (4, 5, 6)),
    "one layer": lambda: ConvexNetwork(2, (4,)),
    "deep": lambda: ConvexNetwork(2, (4,) * 7),
    "partially": lambda: PartiallyConvexNetwork(3, 2, (4, 5)),
    "own": own_network,
}


def words(figure):
    return " ".join(text.get_text() for text in figure.axes[0].texts)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_diagram_names_every_layer_and_counts_weights(drawn, name):
    found = wiring(NETWORKS[name]())
    figure = diagram(found)
    figure.canvas.draw()
    said = words(figure)
    assert all(f"${unit}$" in said for unit in found.units)
    signed, free = found.counts()
    assert f"non-negative: {signed:,}" in said
    assert f"any sign: {free:,}" in said
    width, height = figure.get_size_inches()
    assert width >= style.width() - 1e-6
    assert height > 1


def test_a_diagram_says_where_a_sign_is_missing(drawn):
    found = wiring(own_network())
    assert "< 0" in words(diagram(found))
    assert "< 0" not in words(diagram(wiring(ConvexNetwork(2, (4,)))))


def test_a_diagram_in_other_letters(drawn):
    said = words(diagram(wiring(ConvexNetwork(2, (4, 4))), letters={"y": "z", "z": "c", "f": "y"}))
    assert all(f"${name}$" in said for name in ("c_1", "W_1^{(c)}", "W_0^{(z)}", "y"))


def test_boxes_of_curved_layers_have_the_colour_of_the_constraint(drawn):
    axes = diagram(wiring(ConvexNetwork(2, (4, 4)))).axes[0]
    edges = [patch.get_edgecolor() for patch in axes.patches if hasattr(patch, "get_boxstyle")]
    from matplotlib.colors import to_rgba

    assert edges.count(to_rgba(SIGNED)) == 3


def test_figures_are_drawn(drawn):
    y, values = sketches.two_valleys()
    x = np.linspace(-2, 2, 30)
    points = pd.DataFrame({"x": y[:, 0], "y": values, "best": values})
    charts.line(points, pd.DataFrame({"x": x, "plain": x, "convex": x**2})).canvas.draw()
    spots, side = sketches.crescent()
    marks = pd.DataFrame({"y1": spots[:, 0], "y2": spots[:, 1], "sign": side})
    network = ConvexNetwork(2, (4,), positivity="projection")
    field = charts.field(network, charts.PLANE_FRAME, side=11)
    assert field.shape == (11, 11)
    torch.testing.assert_close(
        float(field[0, -1]), network(torch.tensor([2.6, -2.6])).item(), rtol=1e-5, atol=1e-5
    )
    charts.plane(marks, {"plain": field, "convex": field}, charts.PLANE_FRAME).canvas.draw()
    names = ("weights let go", "weights kept", "first layer constrained", "first layer free")
    data = pd.DataFrame({"x": x, "valleys": x, "vee": x})
    charts.faults(data, pd.DataFrame({"x": x} | dict.fromkeys(names, x))).canvas.draw()


def test_gaps_keep_their_sign_and_are_drawn(drawn):
    frame = charts.gap_frame(studies._controls(200, 5, 0), keep=50)
    assert (frame.groupby("network").size() == 50).all()
    assert frame["gap"].min() < 0
    charts.gaps(pd.concat([frame, frame.assign(kind="constrained")])).canvas.draw()


def test_signs_by_kind_gathers_layers():
    rows = [("W_1^{(z)}", 4, True, 50), ("W_2^{(z)}", 2, True, 10), ("W_0^{(yu)}", 3, False, 0)]
    found = pd.DataFrame(rows, columns=["name", "weights", "signed", "violations"])
    table = charts.signs_by_kind({"PICNN": found}, n=100)
    assert table["matrices"].tolist() == ["from layer to layer", "factor on y"]
    assert table.iloc[0][["weights", "most violations (%)", "least (%)"]].tolist() == [6, 50, 10]


def test_interactive_data_hold_the_networks_weights():
    network = ConvexNetwork(1, (3, 3), positivity="projection")
    y, values = sketches.two_valleys()
    data = charts.interactive("line", y, values, {"convex": network}, charts.LINE_FRAME)
    own = data["networks"]["convex"]
    assert [np.shape(entry) for entry in own["S"]] == [(3, 1), (3, 1), (1, 1)]
    assert [np.shape(entry) for entry in own["W"]] == [(3, 3), (1, 3)]
    np.testing.assert_allclose(own["b"][0], network.inputs[0].bias.detach().numpy(), rtol=1e-4)
