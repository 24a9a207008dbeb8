"""Which weights need their sign: each matrix of a network is tried with any, and convexity looked for."""

from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor, nn

from invex.analysis.segments import Function, midpoints
from invex.analysis.wiring import wiring


@torch.no_grad()
def signs(
    network: nn.Module,
    a: Tensor,
    b: Tensor,
    *,
    function: Callable[[nn.Module], Function] = lambda network: network,
    draws: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Put random numbers of either sign in place of each matrix in turn, and count chords that are violated.

    Args:
        network: with weights that it uses as they are (positivity "projection"); left as it was.
        a, b: ends of n segments, (n, d).
        function: y -> f(y) of the network; for a partially convex one, at contexts of your choice.
        draws: how often each matrix is replaced by standard normal numbers.

    Returns a frame with one row a matrix: name, source, target, weights, signed (whether the wiring says that
    it needs a sign), factor, violations (of draws * n segments).

    Raises:
        ValueError: the network's weights are functions of its parameters, so that no sign can be tried.
    """
    generator = torch.Generator().manual_seed(seed)
    own = {parameter.data_ptr() for parameter in network.parameters()}
    rows = []
    for arrow in wiring(network).arrows:
        if arrow.weight.data_ptr() not in own:
            raise ValueError(f'{arrow.name} is a function of a parameter: use positivity="projection"')
        kept, violations = arrow.weight.clone(), 0
        for _ in range(draws):
            arrow.weight.copy_(torch.randn(arrow.weight.shape, generator=generator))
            violations += midpoints(function(network), a, b).violations
        arrow.weight.copy_(kept)
        rows.append(
            (arrow.name, arrow.source, arrow.target, kept.numel(), arrow.signed, arrow.factor, violations)
        )
    columns = ["name", "source", "target", "weights", "signed", "factor", "violations"]
    return pd.DataFrame(rows, columns=columns)
