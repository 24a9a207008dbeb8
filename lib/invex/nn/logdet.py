"""log det(I + J) of a residual block x + g(x): exact in few dimensions, estimated in many.

Behrmann (2019), Sec. 5.2: log det(I + J) = sum over k of (-1)^(k+1) tr(J^k) / k where |J| < 1 (Eq. 5.6), the
traces estimated by v^T J^k v with random probes v (Lemma 5.6). Cut off after n terms the estimate is biased,
by at most what Theorem 5.8 says; with a random number of terms, each divided by the probability that it is
reached, it is not (Chen et al., 2019, "Residual flows"). An estimator is called as
``estimator(branch, x, generator)`` and returns g(x) and log det(I + J), (n,), in nats; it takes any branch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Generator, Tensor

from invex.nn.probes import Probe, rademacher
from invex.nn.tangents import Branch, inner, linearise, push

GRADIENTS = ("neumann", "series")


class Estimator(Protocol):
    """What computes or estimates the log-determinant of a block."""

    def __call__(
        self, branch: Branch, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """g(x) of the shape (n, ...) of x, and log det(I + dg/dx), (n,)."""
        ...


# --- in few dimensions ------------------------------------------------------------------------------------


def jacobian(branch: Branch, x: Tensor) -> tuple[Tensor, Tensor]:
    """g(x) and dg/dx (n, d, d) of points (n, d), by forward mode, with a graph."""
    n, d = x.shape
    basis = torch.eye(d, dtype=x.dtype, device=x.device)[:, None].expand(d, n, d)
    value, columns = push(branch, x, basis)
    return value, columns.permute(1, 2, 0)


@dataclass(frozen=True)
class Exact:
    """The exact log-determinant by the whole Jacobian, d products a point; x of shape (n, d)."""

    def __call__(
        self, branch: Branch, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """g(x) and log det(I + J); -inf or nan where the determinant is not positive (Lemma 5.4)."""
        if x.dim() != 2:
            value, log_det = self(_flat(branch, x.shape[1:]), x.flatten(1))
            return value.view_as(x), log_det
        value, J = jacobian(branch, x)
        return value, log_det_of(J)


def _flat(branch: Branch, shape: torch.Size) -> Branch:
    return lambda x: branch(x.view(-1, *shape)).flatten(1)


def log_det_of(J: Tensor) -> Tensor:
    """log det(I + J), (n,), of matrices (n, d, d); nan where the determinant is negative."""
    if J.shape[-1] == 2:
        (a, b), (c, d) = (row.unbind(-1) for row in J.unbind(-2))
        return (a + d + (a * d - b * c)).log1p()
    sign, log_abs = torch.linalg.slogdet(J + torch.eye(J.shape[-1], dtype=J.dtype, device=J.device))
    return torch.where(sign > 0, log_abs, torch.nan)


# --- in many ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PowerSeries:
    """The series cut off after some terms, Eq. 5.12 with probes: biased, by at most `truncation_bound`.

    Attributes:
        terms: n.
        probes: per example and block, averaged.
        gradient: "neumann", of the same expectation, by sum over k < n of (-1)^k v^T J^k dJ v, for which
            only one product has a graph: memory does not grow with n (Chen et al., 2019, Theorem 2). Or
            "series": through all n products.
        probe: how they are drawn.
    """

    terms: int = 5
    probes: int = 1
    gradient: str = "neumann"
    probe: Probe = rademacher

    def __post_init__(self) -> None:
        if self.terms < 1 or self.probes < 1 or self.gradient not in GRADIENTS:
            raise ValueError(
                f"terms and probes must be at least 1 and gradient one of {', '.join(GRADIENTS)}; "
                f"got {self.terms}, {self.probes}, {self.gradient!r}"
            )

    def factors(self, generator: Generator | None) -> list[float]:
        """What the terms are multiplied by: one each."""
        return [1.0] * self.terms

    def __call__(
        self, branch: Branch, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """g(x) and the estimate."""
        v = self.probe(self.probes, x, generator)
        factors = self.factors(generator)
        if not torch.is_grad_enabled():
            return _series(branch, x, v, factors)
        return (_neumann if self.gradient == "neumann" else _through_series)(branch, x, v, factors)


@dataclass(frozen=True)
class RandomTruncation(PowerSeries):
    """The series with a random number of terms: unbiased (Chen et al., 2019, Theorem 1).

    `terms` always count; beyond them N more, "geometric" with success probability `parameter` or "poisson" of
    that mean, term k divided by P(N >= k - terms). N is drawn once a call, for all examples, on the CPU.
    """

    terms: int = 2
    law: str = "geometric"
    parameter: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.law not in LAWS or not 0 < self.parameter < (1 if self.law == "geometric" else math.inf):
            known = "geometric with a parameter in (0, 1), poisson with a positive one"
            raise ValueError(f"no law {self.law!r} with parameter {self.parameter}; there are {known}")

    def factors(self, generator: Generator | None) -> list[float]:
        """One for those that always count, then 1 / P(N >= j) up to the N drawn."""
        reached = LAWS[self.law](self.parameter)
        uniform = torch.rand((), generator=_host(generator), dtype=torch.float64).item()
        found = [1.0] * self.terms
        for j in range(1, 1000):
            probability = reached(j)
            if uniform >= probability:
                break
            found.append(1 / probability)
        return found


def _geometric(p: float) -> Callable[[int], float]:
    return lambda j: (1 - p) ** (j - 1)


def _poisson(mean: float) -> Callable[[int], float]:
    def reached(j: int) -> float:
        return 1 - math.exp(-mean) * math.fsum(mean**i / math.factorial(i) for i in range(j))

    return lambda j: reached(j) if j < 4 * mean + 12 else 0.0


LAWS: dict[str, Callable[[float], Callable[[int], float]]] = {"geometric": _geometric, "poisson": _poisson}
"""P(N >= j) of the number N of additional terms, j = 1, 2, ...; the geometric law counts from one."""


def _host(generator: Generator | None) -> Generator | None:
    """A generator for numbers that decide what is computed next; another device's would make it wait."""
    return generator if generator is None or generator.device.type == "cpu" else None


def _series(branch: Branch, x: Tensor, v: Tensor, factors: Sequence[float]) -> tuple[Tensor, Tensor]:
    """g(x) and the estimate, without a graph."""
    linear, w, total = linearise(branch, x), v, 0.0
    for k, factor in enumerate(factors, start=1):
        w = linear.pullback(w)
        total = total + (-1) ** (k + 1) / k * factor * inner(w, v)
    return linear.value, _mean(total, x)


def _neumann(branch: Branch, x: Tensor, v: Tensor, factors: Sequence[float]) -> tuple[Tensor, Tensor]:
    linear = linearise(branch, x, v)
    with torch.no_grad():
        w, total, weighted = v, torch.zeros((), dtype=x.dtype, device=x.device), factors[0] * v
        for k, factor in enumerate(factors, start=1):
            w = linear.pullback(w)
            total = total + (-1) ** (k + 1) / k * factor * inner(w, v)
            if k < len(factors):
                weighted = weighted + (-1) ** k * factors[k] * w
    slope = linear.product(weighted)  # its value is that of another series; its gradient is what is wanted
    return linear.value, (total + slope - slope.detach()).mean(0)


def _through_series(branch: Branch, x: Tensor, v: Tensor, factors: Sequence[float]) -> tuple[Tensor, Tensor]:
    x = x if x.requires_grad else x.detach().requires_grad_()
    value, total, w = branch(x), torch.zeros((), dtype=x.dtype, device=x.device), v
    for k, factor in enumerate(factors, start=1):
        rows = [torch.autograd.grad(value, x, row, create_graph=True)[0] for row in w]
        w = torch.stack(rows)
        total = total + (-1) ** (k + 1) / k * factor * inner(w, v)
    return value, total.mean(0)


def _mean(total: Tensor | float, x: Tensor) -> Tensor:
    return total.mean(0) if isinstance(total, Tensor) else x.new_zeros(len(x))


@torch.no_grad()
def powers(branch: Branch, x: Tensor, terms: int, v: Tensor) -> Tensor:
    """v^T J^k v for k = 1 ... terms, (terms, m, n), of probes v (m, n, ...): what an estimate is made of."""
    linear, w, found = linearise(branch, x), v, []
    for _ in range(terms):
        w = linear.pullback(w)
        found.append(inner(w, v))
    return torch.stack(found)


def partial_sums(traces: Tensor) -> Tensor:
    """PS(J, n) for n = 1 ... terms from (estimates of) tr J^k along the first dimension, Eq. 5.12."""
    k = torch.arange(1, len(traces) + 1, dtype=traces.dtype, device=traces.device)
    weights = (1 - 2 * ((k + 1) % 2)) / k
    return (traces * weights.view(-1, *[1] * (traces.dim() - 1))).cumsum(0)


# --- bounds -----------------------------------------------------------------------------------------------


def truncation_bound(lipschitz: float, terms: int, dimension: int = 1) -> float:
    """Theorem 5.8: |PS(J, n) - log det(I + J)| <= -d (log(1 - L) + sum over k <= n of L^k / k), in nats.

    Summed from its small end (the difference as printed cancels).

    Raises:
        ValueError: L is not in [0, 1), where the series need not converge.
    """
    if not 0 <= lipschitz < 1:
        raise ValueError(f"Theorem 5.8 needs a Lipschitz constant in [0, 1), got {lipschitz}")
    tail, k, power = [], terms + 1, lipschitz ** (terms + 1)
    while power > 1e-18 * lipschitz ** (terms + 1) and power > 0:
        tail.append(power / k)
        k, power = k + 1, power * lipschitz
    return dimension * math.fsum(tail)


def terms_for(bound: float, lipschitz: float, dimension: int = 1) -> int:
    """The least number of terms for which `truncation_bound` is at most `bound`."""
    if not bound > 0:
        raise ValueError(f"the bound must be positive, got {bound}")
    low, high = 0, 1
    while truncation_bound(lipschitz, high, dimension) > bound:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        enough = truncation_bound(lipschitz, middle, dimension) <= bound
        low, high = (low, middle) if enough else (middle, high)
    return high


def log_det_limits(lipschitz: Sequence[float], dimension: int) -> tuple[float, float]:
    """Lemma 5.5: log det of blocks with these constants lies in [d sum log(1 - L), d sum log(1 + L)]."""
    low = math.fsum(math.log1p(-value) for value in lipschitz)
    return dimension * low, dimension * math.fsum(math.log1p(value) for value in lipschitz)


@dataclass(frozen=True)
class ToTolerance:
    """The series until what is left of it is certainly small: for evaluation, without gradients.

    It ends at the least n with Theorem 5.8's bound <= `tolerance` (in nats an example), or sooner, where the
    products themselves show it: with w = v^T J^n and |J| <= L,

        |sum over k > n of (-1)^(k+1) v^T J^k v / k|  <=  |w| |v| L / ((1 - L) (n + 1)),

    on average over examples and probes. Each estimate is then within the tolerance, on average, of one that
    went on for ever, which is unbiased.

    Attributes:
        lipschitz: L, a certain bound (`lipschitz.certificate`), in [0, 1).
        probes, probe: as of `PowerSeries`.
        every: terms between two looks at the products.
    """

    lipschitz: float
    tolerance: float
    probes: int = 1
    probe: Probe = rademacher
    every: int = 4

    @torch.no_grad()
    def __call__(
        self, branch: Branch, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """g(x) and the estimate."""
        value, log_det, _, _ = self.with_bound(branch, x, generator)
        return value, log_det

    @torch.no_grad()
    def with_bound(
        self, branch: Branch, x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor, float, int]:
        """As the call, and the bound that was reached and the number of terms."""
        v = self.probe(self.probes, x, generator)
        linear, w, total = linearise(branch, x), v, x.new_zeros(v.shape[:2])
        d, most = x[0].numel(), terms_for(self.tolerance, self.lipschitz, x[0].numel())
        size, left = v.flatten(2).norm(dim=2), self.lipschitz / (1 - self.lipschitz)
        for k in range(1, most + 1):
            w = linear.pullback(w)
            total += (-1) ** (k + 1) / k * inner(w, v)
            if k % self.every == 0 and k < most:
                bound = (w.flatten(2).norm(dim=2) * size).mean().item() * left / (k + 1)
                if bound <= self.tolerance:
                    return linear.value, total.mean(0), bound, k
        return linear.value, total.mean(0), truncation_bound(self.lipschitz, most, d), most
