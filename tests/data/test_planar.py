"""Planar sets: their densities integrate to one and are those of their points."""

import pytest
import torch
from invex.data import planar


@pytest.mark.parametrize("name", planar.SETS)
def test_density_integrates_to_one_and_gives_the_shares_of_the_points(name):
    axis = (torch.arange(150) + 0.5) / 15 - 5
    grid = torch.cartesian_prod(axis, axis)
    fewer = {"nodes": 400} if name == "two spirals" else {}
    mass = planar.LOG_DENSITIES[name](grid, **fewer).exp().double() / 225
    assert float(mass.sum()) == pytest.approx(1, abs=5e-3)
    x = planar.draw(name, 20_000, 0)
    for inside in (lambda p: (p[:, 0] > 0) & (p[:, 1] > 0.5), lambda p: p.norm(dim=1) < 2):
        share, expected = inside(x).double().mean(), mass[inside(grid)].sum()
        assert abs(float(share - expected)) < 0.02


def test_draws_depend_on_the_seed_alone():
    first, again, other = (planar.draw("two spirals", 50, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_unknown_set_is_named():
    with pytest.raises(ValueError, match="eight Gaussians, two spirals, checkerboard"):
        planar.draw("moons", 3, 0)
