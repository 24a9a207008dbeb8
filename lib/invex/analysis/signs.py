"""Which weights need their sign: convexity is attacked through each matrix of a network alone."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from invex.analysis.segments import Function, midpoints
from invex.analysis.wiring import wiring

if TYPE_CHECKING:
    import pandas as pd


def signs(
    network: nn.Module,
    a: Tensor,
    b: Tensor,
    *,
    function: Callable[[nn.Module], Function] = lambda network: network,
    steps: int = 60,
    rate: float = 0.1,
) -> "pd.DataFrame":
    """Change one matrix at a time, to any sign, so that the network rises above its chords; count where.

    The attack descends the mean of the lowest tenth of the gaps. Where Proposition 1 leaves a matrix free, it
    can only make the network less curved; where it asks for a sign, a few steps should break convexity.

    Args:
        network: with weights that it uses as they are (positivity "projection"); left as it was.
        a, b: ends of n segments, (n, d); short ones show local curvature.
        function: y -> f(y) of the network; for a partially convex one, at contexts of your choice.
        steps, rate: updates of the attack, by Adam, and their size.

    Returns a frame with one row a matrix: name, source, target, weights, signed (whether the wiring says that
    it needs a sign), factor, and violations, of n segments, after the attack.

    Raises:
        ValueError: the network's weights are functions of its parameters, so that no sign can be tried.
    """
    import pandas as pd

    own = {parameter.data_ptr(): parameter for parameter in network.parameters()}
    rows = []
    for arrow in wiring(network).arrows:
        if arrow.weight.data_ptr() not in own:
            raise ValueError(f'{arrow.name} is a function of a parameter: use positivity="projection"')
        found = _attacked(network, own[arrow.weight.data_ptr()], a, b, function, steps, rate)
        size = arrow.weight.numel()
        rows.append((arrow.name, arrow.source, arrow.target, size, arrow.signed, arrow.factor, found))
    columns = ["name", "source", "target", "weights", "signed", "factor", "violations"]
    return pd.DataFrame(rows, columns=columns)


def _attacked(
    network: nn.Module,
    matrix: nn.Parameter,
    a: Tensor,
    b: Tensor,
    function: Callable[[nn.Module], Function],
    steps: int,
    rate: float,
) -> int:
    """Violations after an attack through one matrix, which is then put back."""
    kept, optimiser = matrix.detach().clone(), torch.optim.Adam([matrix], lr=rate)
    for _ in range(steps):
        f = function(network)
        gaps = (f(a) + f(b)) / 2 - f((a + b) / 2)
        optimiser.zero_grad(set_to_none=True)
        gaps.sort().values[: max(len(gaps) // 10, 1)].mean().backward()
        optimiser.step()
    violations = midpoints(function(network), a, b).violations
    with torch.no_grad():
        matrix.copy_(kept)
    network.zero_grad(set_to_none=True)
    return violations
