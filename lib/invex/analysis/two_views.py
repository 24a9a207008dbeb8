"""One adversarial example reached from two sides, on a problem in the plane (Behrmann, 2019, Fig. 6.2).

Two half circles are the classes; the oracle knows them exactly. A linear classifier, fitted to samples, gets
the ends of both wrong: these points are its adversarial examples.
"""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional


def arc(label: int, angle: Tensor) -> Tensor:
    """Points (k, 2) of a class: 0, the upper half circle; 1, the lower one, shifted by (1, 1/2)."""
    upper = torch.stack([angle.cos(), angle.sin()], -1)
    return upper if label == 0 else torch.tensor([1.0, 0.5], dtype=angle.dtype) - upper


@dataclass(frozen=True)
class Linear:
    """D(x) = [w.x + b > 0], whose logit F(x) = w.x + b the two views compare."""

    weight: Tensor
    bias: float

    def logit(self, x: Tensor) -> Tensor:
        """F(x), (n,)."""
        return x @ self.weight + self.bias


def fitted(points: int = 400, noise: float = 0.1, seed: int = 0) -> tuple[Linear, Tensor, Tensor]:
    """Logistic regression on noisy samples of both classes, with them, (n, 2) and (n,)."""
    generator = Generator().manual_seed(seed)
    angle = math.pi * torch.rand(points, generator=generator, dtype=torch.float64)
    labels = torch.arange(points) % 2
    x = torch.where(labels[:, None] == 0, arc(0, angle), arc(1, angle))
    x = x + noise * torch.randn(x.shape, generator=generator, dtype=x.dtype)
    weight = torch.zeros(3, dtype=x.dtype, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = functional.binary_cross_entropy_with_logits(x @ weight[:2] + weight[2], labels.to(x.dtype))
        value.backward()
        return value

    optimiser.step(loss)
    return Linear(weight[:2].detach(), float(weight[2].detach())), x, labels


@dataclass(frozen=True)
class TwoViews:
    """x* with D(x*) wrong, and two correctly classified points that lead to it (Eqs. 6.1 and 6.2).

    Attributes:
        adversarial: x*, of class 0 for the oracle.
        perturbed: x_1 of class 0, the nearest that is classified right: F changes on the way, O does not.
        invariant: x_2 of class 1 with F(x_2) = F(x*): O changes on the way, F does not.
    """

    adversarial: Tensor
    perturbed: Tensor
    invariant: Tensor


def two_views(classifier: Linear, depth: float = 0.5) -> TwoViews:
    """The two views of the point at a share `depth` of the way into the misclassified end of class 0.

    Raises:
        ValueError: no point of class 0 is misclassified, or none of class 1 has the same logit.
    """
    angle = torch.linspace(0, math.pi, 20_001, dtype=torch.float64)
    wrong = classifier.logit(arc(0, angle)) > 0
    count = int(wrong.logical_not().to(torch.int8).argmax())  # of wrong points in a row from angle zero on
    if not (wrong[0] and count):
        raise ValueError("the classifier gets the end of class 0 right: there is no adversarial example")
    edge = float(angle[count - 1])
    at = edge * (1 - depth)
    star = arc(0, torch.tensor([at], dtype=torch.float64))[0]
    step = math.pi / 20_000
    right = arc(0, torch.tensor([edge + step], dtype=torch.float64))[0]
    partner = same_logit(classifier, star)
    if partner is None:
        raise ValueError(f"no point of class 1 has the logit of {star.tolist()}")
    return TwoViews(star, right, partner)


def same_logit(classifier: Linear, x: Tensor, label: int = 1) -> Tensor | None:
    """A point of the class with the logit of ``x``, to rounding, by bisection on the arc; None without one.

    Of several the one furthest away.
    """
    angle = torch.linspace(0, math.pi, 2001, dtype=torch.float64)
    value = classifier.logit(arc(label, angle)) - classifier.logit(x)
    found = []
    for place in ((value[:-1] * value[1:]) <= 0).nonzero()[:, 0].tolist():
        low, high = float(angle[place]), float(angle[place + 1])
        rising = bool(value[place + 1] > value[place])
        for _ in range(60):
            middle = (low + high) / 2
            point = arc(label, torch.tensor([middle], dtype=torch.float64))[0]
            above = bool(classifier.logit(point) > classifier.logit(x))
            low, high = (low, middle) if above == rising else (middle, high)
        found.append(arc(label, torch.tensor([(low + high) / 2], dtype=torch.float64))[0])
    return max(found, key=lambda point: float((point - x).norm()), default=None)


def reachable(classifier: Linear, points: int = 200) -> tuple[float, float]:
    """Share of the adversarial points of class 0 that have a partner of class 1 with equal logit, and number.

    All of them have a neighbour of their own class across the boundary; whether the other view leads to each
    without any change of the logit is what is counted here.
    """
    angle = torch.linspace(0, math.pi, points * 10 + 1, dtype=torch.float64)
    on = arc(0, angle)
    wrong = on[classifier.logit(on) > 0]
    reached = [same_logit(classifier, point) is not None for point in wrong]
    return sum(reached) / max(1, len(reached)), len(reached)
