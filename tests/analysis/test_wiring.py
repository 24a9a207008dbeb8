"""What networks are made of, read from their modules; which weights need a sign (Proposition 1)."""

import pytest
import torch
from invex.analysis.segments import ends
from invex.analysis.signs import signs
from invex.analysis.wiring import Arrow, Unit, Wiring, wiring
from invex.nn.convex import ConvexNetwork
from invex.nn.partially_convex import PartiallyConvexNetwork
from torch import nn
from torch.nn import functional


class Notes(nn.Module):
    """A network of linear layers with the square of its input added."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(1, 10), nn.Linear(10, 10), nn.Linear(10, 1)

    def forward(self, x):
        hidden = functional.softplus(self.fc1(x))
        hidden = functional.softplus(self.fc2(hidden))
        return self.fc3(hidden) + x**2


def by_name(found):
    return {arrow.name: arrow for arrow in found.arrows}


def test_a_convex_network_needs_signs_between_layers_only():
    found = wiring(ConvexNetwork(3, (4, 5)))
    arrows = by_name(found)
    assert {name for name, arrow in arrows.items() if arrow.signed} == {"W_1^{(z)}", "W_2^{(z)}"}
    assert [(u.name, u.size, u.level) for u in found.units.values()] == [
        ("y", 3, 0), ("z_1", 4, 1), ("z_2", 5, 2), ("f", 1, 3),
    ]  # fmt: skip
    assert found.counts() == (4 * 5 + 5, 3 * (4 + 5 + 1))
    assert found.faults == []


def test_without_skips_the_input_enters_once():
    arrows = wiring(ConvexNetwork(3, (4, 5), skips=False)).arrows
    assert [arrow.target for arrow in arrows if arrow.source == "y"] == ["z_1"]


def test_a_partially_convex_network_of_equation_3():
    found = wiring(PartiallyConvexNetwork(6, 2, (4, 5), context_widths=(7, 8)))
    arrows = by_name(found)
    assert len(arrows) == 2 + 3 + 3 + 2 + 3 + 2
    assert {name for name, arrow in arrows.items() if arrow.signed} == {"W_1^{(z)}", "W_2^{(z)}"}
    assert arrows["W_1^{(zu)}"].factor
    assert arrows["W_1^{(zu)}"].target == "W_1^{(z)}"
    assert arrows["W_2^{(u)}"].source == "u_2"
    assert arrows["W_2^{(u)}"].weight.shape == (1, 8)
    assert found.units["u_2"].path == "x"
    assert not found.units["u_2"].curved


def test_a_module_of_ones_own_is_followed():
    torch.manual_seed(0)
    found = wiring(Notes())
    arrows = by_name(found)
    assert [(a.source, a.target, a.signed) for a in found.arrows] == [
        ("y", "z_1", False), ("z_1", "z_2", True), ("z_2", "f", True), ("y", "f", False),
    ]  # fmt: skip
    assert f"fc2: {arrows['fc2'].negative} of 100 weights are negative" in found.faults
    mended = Notes()
    for layer in (mended.fc2, mended.fc3):
        layer.weight.data.abs_()
    assert wiring(mended).faults == []


@pytest.mark.parametrize(
    ("activation", "fault"), [(nn.Tanh(), "not convex"), (nn.GELU(), "not increasing|not convex")]
)
def test_an_activation_that_breaks_convexity_is_a_fault(activation, fault):
    import re

    network = nn.Sequential(nn.Linear(2, 4), activation, nn.Linear(4, 1))
    network[2].weight.data.abs_()
    assert len(wiring(network).faults) == 1
    assert re.search(fault, wiring(network).faults[0])


def test_a_concave_function_of_the_input_is_a_fault():
    class Hill(nn.Module):
        def forward(self, y):
            return torch.neg(y.square()) + y.square()

    assert wiring(nn.Sequential(nn.Linear(1, 1))).faults == []
    assert any("not" in fault for fault in wiring(Hill()).faults)


def test_an_operation_of_two_values_is_refused_by_name():
    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(2, 3), nn.Linear(2, 3)

        def forward(self, y):
            return self.a(y) * self.b(y)

    with pytest.raises(TypeError, match="register your class"):
        wiring(Product())


def test_a_class_can_be_registered():
    class Own(nn.Module):
        pass

    @wiring.register
    def _(network: Own, size: int = 1) -> Wiring:
        return Wiring({"y": Unit("y", size, 0)}, [Arrow("y", "y", "A", torch.ones(1, 1))])

    assert wiring(Own(), 4).units["y"].size == 4


def test_signs_every_matrix_between_layers_and_no_other_breaks_convexity():
    torch.manual_seed(0)
    a, b = ends(150, 2, scale=1.5)
    network = ConvexNetwork(2, (8, 8), positivity="projection").double()
    before = [parameter.clone() for parameter in network.parameters()]
    found = signs(network, a, a + 0.1 * b)
    assert ((found["violations"] > 0) == found["signed"]).all()
    assert all(torch.equal(old, new) for old, new in zip(before, network.parameters(), strict=True))


def test_signs_of_a_partially_convex_network():
    torch.manual_seed(0)
    a, b = ends(150, 2, scale=1.5)
    x = ends(150, 3, seed=1)[0]
    network = PartiallyConvexNetwork(3, 2, (6,), positivity="projection").double()
    found = signs(network, a, a + 0.1 * b, function=lambda f: f.at(x))
    assert ((found["violations"] > 0) == found["signed"]).all()
    assert found["factor"].sum() == 3


def test_signs_need_weights_that_are_parameters():
    a, b = ends(5, 2)
    with pytest.raises(ValueError, match="function of a parameter"):
        signs(ConvexNetwork(2, (4,)).double(), a, b)
