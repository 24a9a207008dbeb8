"""Paths in one dimension (Behrmann, 2019, Fig. 4.1) and the four norms of a convolution."""

import torch
from invex.analysis.convolution_norms import four_norms
from invex.experiments import residual_dynamics
from invex.nn.operator_norm import Convolution


def test_theorem_4_1_paths_of_an_invertible_chain_never_cross_and_free_ones_do():
    starts = torch.linspace(-2.5, 2.5, 41, dtype=torch.float64)
    free, kept = (residual_dynamics.paths(residual_dynamics.learn(c, steps=80), starts) for c in (None, 0.9))
    assert free.shape == (9, 41)
    assert residual_dynamics.folds(kept) == 0
    assert 0 < residual_dynamics.narrowest(kept) < 1
    assert residual_dynamics.folds(free) > 0
    assert residual_dynamics.narrowest(free) <= 0


def test_only_the_larger_torus_bounds_the_norm():
    signs = torch.tensor([[[[0.0, 0, 0], [1, -1, 1], [0, 0, 0]]]])
    row = four_norms("signs", signs, Convolution((7, 7), padding=(1, 1)))
    assert row["as a matrix"] < row["own torus"] < row["exact"] <= row["larger torus"]
