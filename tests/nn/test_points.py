"""Networks fitted to a handful of points."""

import torch
from invex.nn.convex import ConvexNetwork
from invex.nn.points import fit_points, squared_error, squared_hinge


def test_losses():
    value, target = torch.tensor([1.0, -2.0]), torch.tensor([1.0, -1.0])
    assert squared_error(value, target) == 0.5
    assert squared_hinge(value, target) == 0
    assert squared_hinge(-value, target) == (4 + 9) / 2


def test_fit_lowers_the_error_and_keeps_what_is_put_back():
    torch.manual_seed(0)
    network = ConvexNetwork(1, (8, 8), positivity="projection")
    x = torch.linspace(-1, 1, 9)[:, None]
    fitted = fit_points(network, x, -x[:, 0].square(), steps=80, after_step=network.project_)
    assert fitted.failed is None
    assert fitted.curve["loss"][-1] < fitted.curve["loss"][0]
    assert all((weight >= 0).all() for weight in network.weights())


def test_negative_control_without_putting_back_weights_turn_negative():
    torch.manual_seed(0)
    network = ConvexNetwork(1, (8, 8), positivity="projection")
    x = torch.linspace(-1, 1, 9)[:, None]
    fit_points(network, x, -x[:, 0].square(), steps=80)
    assert any((weight < 0).any() for weight in network.weights())
