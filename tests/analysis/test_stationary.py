"""Hessians, and descent that stops at the first stationary point."""

import torch
from invex.analysis.stationary import descend, hessians
from invex.data.synthetic import grid
from torch import Tensor, nn

STARTS = grid(9, 2.0, dtype=torch.float64)


def two_wells(x: Tensor) -> Tensor:
    """Minima at (-1, 0) and (1, 0), a saddle at the origin."""
    return (x[..., 0] ** 2 - 1) ** 2 + x[..., 1] ** 2


def test_hessians_are_known_and_autograds() -> None:
    expected = torch.diag(torch.tensor([2.0, 50.0], dtype=torch.float64)).expand(len(STARTS), 2, 2)
    scale = torch.tensor([1.0, 5.0], dtype=torch.float64)
    torch.testing.assert_close(hessians(lambda x: ((x - 1) * scale).square().sum(-1), STARTS), expected)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 16), nn.Softplus(), nn.Linear(16, 1), nn.Flatten(0)).double()
    single = torch.stack(
        [torch.autograd.functional.hessian(lambda x: network(x)[0], row) for row in STARTS[:5]]
    )
    torch.testing.assert_close(hessians(network, STARTS[:5]), single)


def test_an_affine_function_has_no_curvature() -> None:
    for affine in (lambda x: x.sum(-1), nn.Linear(2, 1).double(), lambda x: x.sum(-1).relu()):
        assert torch.equal(hessians(affine, STARTS), torch.zeros(len(STARTS), 2, 2).double())


def test_descent_stays_on_its_side_of_a_ridge() -> None:
    ends = descend(two_wells, STARTS + 0.01)
    torch.testing.assert_close(ends[:, 0].abs(), torch.ones(len(ends)).double())
    assert torch.equal(ends[:, 0].sign(), (STARTS[:, 0] + 0.01).sign())
