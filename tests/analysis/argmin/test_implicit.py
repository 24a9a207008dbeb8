"""The derivative of an argmin by the implicit function theorem: against unrolling, and its memory."""

import pytest
import torch
from invex.analysis.argmin import SPACE, UNIT, gradient, implicit
from invex.nn.partially_convex import PartiallyConvexNetwork

STEPS = 600


def problem(p: int = 4):
    """A smooth, strictly convex energy at three contexts, with its parameters, and a target."""
    torch.manual_seed(0)
    net = PartiallyConvexNetwork(3, p, (8, 8)).double()
    with torch.no_grad():
        for layer in net.inputs:
            layer.weight.mul_(3)
    x, target = torch.randn(3, 3, dtype=torch.float64), torch.randn(3, p, dtype=torch.float64)

    def energy(y):
        return net.at(x)(y) + 0.5 * (y - 0.5).square().sum(-1)

    return net, energy, target


@pytest.mark.parametrize("box", [SPACE, UNIT], ids=["free", "cube"])
def test_it_agrees_with_unrolling_to_1e_5(box):
    net, energy, target = problem()
    parameters = list(net.parameters())
    start = torch.full((3, 4), 0.5, dtype=torch.float64)
    long = gradient.descend(energy, start, steps=STEPS, rate=0.05, momentum=0.8, box=box, unroll=True)
    unrolled = torch.autograd.grad((long * target).sum(), parameters, allow_unused=True)
    point = gradient.minimise(energy, start, box=box, tolerance=1e-10, steps=5000).point
    torch.testing.assert_close(long, point, atol=1e-7, rtol=0)
    if box is UNIT:
        assert ((point == 0) | (point == 1)).any()  # an edge is pressed on
        assert ((point > 0) & (point < 1)).any()
    ours = implicit.differentiable(energy, point, box=box)
    found = torch.autograd.grad((ours * target).sum(), parameters, allow_unused=True)
    for one, other in zip(found, unrolled, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_memory_is_flat_in_the_number_of_steps_where_unrolling_grows_with_it():
    _, energy, _ = problem()
    start = torch.full((3, 4), 0.5, dtype=torch.float64)

    def kept(steps: int, unroll: bool) -> int:
        def make():
            found = gradient.descend(energy, start, steps=steps, box=SPACE, unroll=unroll)
            return found if unroll else implicit.differentiable(energy, found, box=SPACE)

        return implicit.saved_bytes(make)

    assert kept(40, True) > 3.5 * kept(10, True)
    assert kept(40, False) == kept(10, False) < kept(10, True)


def test_conjugate_gradients_solve_each_row_and_name_a_flat_direction():
    draw = torch.Generator().manual_seed(0)
    root = torch.randn(4, 6, 6, generator=draw, dtype=torch.float64)
    H, right = root @ root.mT + torch.eye(6), torch.randn(4, 6, generator=draw, dtype=torch.float64)
    apply = lambda v: (H @ v[..., None])[..., 0]  # noqa: E731
    found = implicit.conjugate_gradients(apply, right, tolerance=1e-10, steps=100)
    torch.testing.assert_close(apply(found), right, atol=1e-8, rtol=0)
    H[2] = 0
    with pytest.raises(implicit.Singular, match="example 2 has a direction of curvature 0"):
        implicit.conjugate_gradients(apply, right, tolerance=1e-10, steps=100)


def test_control_far_from_the_minimum_the_derivative_is_another():
    net, energy, target = problem()
    near = gradient.minimise(
        energy, torch.full((3, 4), 0.5, dtype=torch.float64), tolerance=1e-10, steps=5000
    )
    weight = net.inputs[0].weight

    def derivative(point):
        out = implicit.differentiable(energy, point, box=SPACE)
        return torch.autograd.grad((out * target).sum(), weight)[0]

    right, wrong = derivative(near.point), derivative(near.point + 0.3)
    assert (right - wrong).abs().max() > 1e-3
