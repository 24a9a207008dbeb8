"""Random landscapes: standardised, repeatable, and with the minima that their family promises."""

import numpy as np
import pytest
import torch
from invex.analysis.basins import basins
from invex.data.landscapes import FAMILIES, landscape


def values(family, seed, side=81, reach=1.0):
    axis = torch.linspace(-reach, reach, side, dtype=torch.float64)
    return landscape(family, seed)(torch.cartesian_prod(axis, axis)).view(side, side)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_landscape_is_standardised_and_the_seed_decides(family):
    found = values(family, 3)
    assert found.mean().item() == pytest.approx(0, abs=1e-9)
    assert found.std().item() == pytest.approx(1)
    assert torch.equal(found, values(family, 3))
    assert not torch.equal(found, values(family, 4))


@pytest.mark.parametrize("seed", range(6))
def test_a_bowl_has_one_minimum_in_the_plane(seed):
    """Also where its valley leaves the square and comes back: looked at from further away it is one."""
    found = values("bowl", seed, 241, 2.5).numpy()
    assert len(basins(found, 0.05 * np.ptp(found))) == 1


def test_wells_and_double_bowls_have_one_or_several():
    counts = {
        family: {len(basins(values(family, seed).numpy(), 0.05)) for seed in range(12)}
        for family in ("double bowl", "wells")
    }
    assert all(1 in found and 2 in found for found in counts.values())


def test_an_unknown_family_is_refused():
    with pytest.raises(KeyError, match="hill"):
        landscape("hill", 0)
