"""What kinds of invertible layers can do, decided by checks (Behrmann, 2019, Table 5.2)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn

from invex.nn.coupling import AffineCoupling, Mixing, dense_network
from invex.nn.flows import aligned_, forward_and_log_det
from invex.nn.logdet import Exact, PowerSeries, RandomTruncation
from invex.nn.residual import InvertibleBlock, InvertibleChain, dense_branch

DIMENSION = 6
ROUNDING = 1e-9
PROPERTIES = (
    "free-form Jacobian",
    "analytic forward",
    "analytic inverse",
    "changes volume",
    "exact likelihood",
    "unbiased estimate",
)


class Additive(nn.Module):
    """NICE's coupling (Dinh et al., 2014): one half stays, the other is shifted by a function of it."""

    def __init__(self, network: nn.Module, kept: int) -> None:
        super().__init__()
        self.network, self.kept = network, kept

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y, and zero."""
        kept, rest = x[:, : self.kept], x[:, self.kept :]
        return torch.cat([kept, rest + self.network(kept)], dim=1), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """x."""
        kept, rest = y[:, : self.kept], y[:, self.kept :]
        return torch.cat([kept, rest - self.network(kept)], dim=1)


@dataclass(frozen=True)
class Facts:
    """What was measured of a layer at random points, in double precision.

    Attributes:
        zeros: share of entries of the Jacobian of the part with the network that vanish at all points.
        evaluations: of its network in one inverse.
        round_trip: largest |F^-1(F(x)) - x|.
        volume: standard deviation of log|det J| over points, by autograd.
        likelihood: largest error of the log-determinant that the layer is trained with.
        unbiased: mean error of its estimates in standard errors, truncated and randomly so; or nan.
    """

    zeros: float
    evaluations: int
    round_trip: float
    volume: float
    likelihood: float
    unbiased: tuple[float, float] = (math.nan, math.nan)

    @property
    def ticks(self) -> dict[str, bool | None]:
        """Each property of Table 5.2; None where it does not apply."""
        stochastic = not math.isnan(self.unbiased[1])
        return {
            "free-form Jacobian": self.zeros == 0,
            "analytic forward": True,  # one pass through the network, for each layer here
            "analytic inverse": self.evaluations == 1 and self.round_trip < ROUNDING,
            "changes volume": self.volume > ROUNDING,
            "exact likelihood": self.likelihood < ROUNDING,
            "unbiased estimate": self.unbiased[1] < 4 if stochastic else None,
        }


def layers(seed: int = 0) -> dict[str, tuple[nn.Module, nn.Module]]:
    """Each layer with its part that holds the network, in double precision."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        half = DIMENSION // 2
        nice = Additive(_network(half, half), half)
        real_nvp = AffineCoupling(_network(half, 2 * half), half)
        step = AffineCoupling(_network(half, 2 * half), half)
        residual = dense_branch(DIMENSION, (32, 32), c=0.9)
        aligned_(residual)
        found: dict[str, tuple[nn.Module, nn.Module]] = {
            "NICE": (nice, nice),
            "Real NVP": (real_nvp, real_nvp),
            "Glow": (InvertibleChain([Mixing(DIMENSION), step]), step),
            "i-ResNet": ((block := InvertibleBlock(residual, tolerance=1e-12)), block),
        }
    return {name: (layer.double().eval(), part) for name, (layer, part) in found.items()}


def _network(inputs: int, outputs: int) -> nn.Sequential:
    network = dense_network(inputs, (32, 32), outputs)
    last = network[-1]
    assert isinstance(last, nn.Linear)
    nn.init.normal_(last.weight, std=0.2)  # it starts at zero, as an identity
    return network


def examine(layer: nn.Module, part: nn.Module, seed: int = 0, points: int = 60) -> Facts:
    """Measure a layer; `part` is its piece with the network, whose calls and Jacobian are looked at."""
    x = torch.randn(points, DIMENSION, generator=Generator().manual_seed(seed), dtype=torch.float64)
    network = part.branch if isinstance(part, InvertibleBlock) else part.network
    assert isinstance(network, nn.Module)
    assert callable(layer.inverse)
    network(x if isinstance(part, InvertibleBlock) else x[:, : DIMENSION // 2])  # norms are computed once
    J = _jacobian(lambda one: forward_and_log_det(part, one, Exact())[0], x)
    whole = _jacobian(lambda one: forward_and_log_det(layer, one, Exact())[0], x)
    truth = torch.linalg.slogdet(whole).logabsdet
    calls: list[int] = []
    handle = network.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        y = forward_and_log_det(layer, x, Exact())[0]
        calls.clear()
        back = layer.inverse(y)
        evaluations = len(calls)
        given = forward_and_log_det(layer, x, PowerSeries(5), Generator().manual_seed(seed))[1]
    handle.remove()
    return Facts(
        zeros=float((J.abs().amax(0) < 1e-12).double().mean()),
        evaluations=evaluations,
        round_trip=float((back - x).abs().max()),
        volume=float(truth.std()),
        likelihood=float((given - truth).abs().max()),
        unbiased=_scores(layer, x[:1], truth[:1], seed)
        if isinstance(part, InvertibleBlock)
        else (math.nan,) * 2,
    )


def _jacobian(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """(n, d, d), row by row by reverse mode."""
    x = x.detach().requires_grad_()
    y = function(x)
    rows = [torch.autograd.grad(y[:, i].sum(), x, retain_graph=True)[0] for i in range(y.shape[1])]
    return torch.stack(rows, 1).detach()


@torch.no_grad()
def _scores(layer: nn.Module, x: Tensor, truth: Tensor, seed: int) -> tuple[float, float]:
    """Mean error in standard errors of the series of two terms, and of two terms and a random number more."""
    found = []
    for estimator in (PowerSeries(2), RandomTruncation(2)):
        generator = Generator().manual_seed(seed)
        many = x.expand(500, -1)  # one number of terms is drawn for all of them
        means = [forward_and_log_det(layer, many, estimator, generator)[1].mean() for _ in range(300)]
        drawn = torch.stack(means) - truth
        found.append(float(drawn.mean().abs() / (drawn.std() / math.sqrt(len(drawn)))))
    return found[0], found[1]
