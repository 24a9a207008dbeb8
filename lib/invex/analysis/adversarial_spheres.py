"""A slightly misaligned classifier on two spheres, and the two attacks on it (Behrmann, 2019, Example 6.6).

Indices: the unused coordinates are the last n of d, from d - n + 1 on; the thesis prints d - n, which the
classifier uses.
"""

import math
from dataclasses import dataclass

import torch
from scipy import stats
from torch import Generator, Tensor

SPHERES, ATTACKS = ("inner", "outer"), ("perturbation", "invariance")


@dataclass(frozen=True)
class Spheres:
    """Two concentric spheres in d dimensions, of which a classifier leaves the last n coordinates out.

    Attributes:
        dimension, unused: d and n, 0 < n < d.
        inner, outer: radii R1 < R2.

    Raises:
        ValueError: radii or dimensions out of order.
    """

    dimension: int = 500
    unused: int = 10
    inner: float = 1.0
    outer: float = 1.3

    def __post_init__(self) -> None:
        if not 0 < self.unused < self.dimension:
            raise ValueError(
                f"{self.unused} unused of {self.dimension} dimensions: one at least must be used"
            )
        if not 0 < self.inner < self.outer:
            raise ValueError(f"radii {self.inner} and {self.outer}: 0 < inner < outer is needed")

    def radius(self, sphere: str) -> float:
        """R1 of the "inner", R2 of the "outer" sphere."""
        if sphere not in SPHERES:
            raise ValueError(f"no sphere {sphere!r}; there are {SPHERES}")
        return self.inner if sphere == "inner" else self.outer

    def sample(self, sphere: str, n: int, generator: Generator) -> Tensor:
        """Uniform points (n, d) in double precision."""
        x = torch.randn(n, self.dimension, generator=generator, dtype=torch.float64)
        return self.radius(sphere) * x / x.norm(dim=1, keepdim=True)

    def used_norm(self, x: Tensor) -> Tensor:
        """|x_1..d-n|, (n,)."""
        return x[:, : self.dimension - self.unused].norm(dim=1)

    def bias(self, points: int, generator: Generator) -> float:
        """b, halfway between the classes of a training set with so many points of each sphere.

        Raises:
            ValueError: that the classes overlap there, so that no b separates them.
        """
        low = float(self.used_norm(self.sample("inner", points, generator)).max())
        high = float(self.used_norm(self.sample("outer", points, generator)).min())
        if low > high:
            raise ValueError(f"not separable: inner points up to {low:.3f}, outer ones from {high:.3f}")
        return low + (high - low) / 2

    def decide(self, x: Tensor, bias: float) -> Tensor:
        """D(x), (n,): -1 for inner, +1 for outer."""
        return (self.used_norm(x) - bias).sign()


def attacked(spheres: Spheres, x: Tensor, sphere: str, attack: str, bias: float) -> Tensor:
    """x* (n, d) of the analytic attack of Example 6.6; rows of NaN where there is none.

    "perturbation": the decision is moved to its boundary while x* stays on its own sphere. "invariance": the
    used coordinates stay, and x* ends on the other sphere.
    """
    if attack not in ATTACKS:
        raise ValueError(f"no attack {attack!r}; there are {ATTACKS}")
    used, unused = x.split([spheres.dimension - spheres.unused, spheres.unused], dim=1)
    if attack == "perturbation":
        end = spheres.radius(sphere)
        used = used * (bias / used.norm(dim=1, keepdim=True))
    else:
        end = spheres.radius("outer" if sphere == "inner" else "inner")
    left = (end**2 - used.square().sum(1, keepdim=True)).clamp_min(-1).sqrt()  # NaN where nothing is left
    return torch.cat([used, unused * (left / unused.norm(dim=1, keepdim=True))], dim=1)


def attack_norms(spheres: Spheres, x: Tensor, sphere: str, attack: str, bias: float) -> Tensor:
    """|x* - x| (n,) of the attack; infinite where it is impossible, zero where x is misclassified already."""
    distance = (attacked(spheres, x, sphere, attack, bias) - x).norm(dim=1).nan_to_num(nan=math.inf)
    side = -1 if sphere == "inner" else 1
    return torch.where(spheres.decide(x, bias) == side, distance, torch.zeros_like(distance))


def accuracy(norms: Tensor, limits: Tensor) -> Tensor:
    """Share of points (k,) whose attack needs a norm above each limit (k,)."""
    return (norms[None] > limits[:, None]).double().mean(1)


def norm_of(spheres: Spheres, used: Tensor, sphere: str, attack: str, bias: float) -> Tensor:
    """The attack's norm as a function of |x_1..d-n| alone, (k,); infinite where there is no attack."""
    own = spheres.radius(sphere)
    rest = (own**2 - used.square()).clamp_min(0).sqrt()
    to = torch.full_like(used, bias) if attack == "perturbation" else used
    other = own if attack == "perturbation" else spheres.radius("outer" if sphere == "inner" else "inner")
    left = other**2 - to.square()
    moved = ((used - to).square() + (left.clamp_min(0).sqrt() - rest).square()).sqrt()
    return torch.where(left < 0, math.inf, moved)


def theory(spheres: Spheres, sphere: str, attack: str, bias: float, limits: Tensor) -> Tensor:
    """The exact accuracy (k,) over the whole sphere: |x_1..d-n|^2 / R^2 is Beta((d - n)/2, n/2).

    Of that law's quantiles, 20,001 evenly spaced levels.
    """
    levels = (torch.arange(20_001, dtype=torch.float64) + 0.5) / 20_001
    law = stats.beta((spheres.dimension - spheres.unused) / 2, spheres.unused / 2)
    used = spheres.radius(sphere) * torch.from_numpy(law.ppf(levels.numpy())).sqrt()
    right = used < bias if sphere == "inner" else used > bias
    norms = torch.where(right, norm_of(spheres, used, sphere, attack, bias), 0.0)
    return accuracy(norms, limits)


def thresholds(spheres: Spheres, bias: float) -> dict[str, tuple[float, float]]:
    """Between which norms the accuracy under each successful attack falls from one to zero.

    "perturbation" of the outer sphere: from no change, for a point on the boundary, to
    sqrt(2 R2 (R2 - b)), for one with nothing in the unused coordinates.
    "invariance" of the inner one: from R2 - R1 to sqrt(R2^2 - R1^2).
    """
    low, high = spheres.inner, spheres.outer
    return {
        "perturbation": (0.0, math.sqrt(2 * high * (high - bias))),
        "invariance": (high - low, math.sqrt(high**2 - low**2)),
    }
