"""Classifiers whose logits are the first C coordinates of a bijection, and losses that know of the others.

Behrmann (2019), Definition 6.7 (simplified read-out), Definition 6.14 (independence cross-entropy), Eq. 6.13.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from invex.nn.coupling import dense_network
from invex.nn.flows import DiagonalGaussian, forward_and_log_det
from invex.nn.logdet import Exact
from invex.nn.residual import ActNorm, InvertibleChain, Squeeze


class AdditiveCoupling(nn.Module):
    """Half of the features stays, a function of it is added to the others: y_rest = x_rest + m(x_kept).

    Dinh, Krueger & Bengio (2015), "NICE". Its log-determinant is zero and its inverse subtracts.

    Args:
        network: m, (n, kept) -> (n, features - kept).
        kept: how many features stay.
        flipped: whether the last ones stay rather than the first.
    """

    def __init__(self, network: nn.Module, kept: int, *, flipped: bool = False) -> None:
        super().__init__()
        self.network, self.kept, self.flipped = network, kept, flipped

    def _moved(self, x: Tensor, sign: int) -> Tensor:
        if self.flipped:
            rest, kept = x[:, : -self.kept], x[:, -self.kept :]
            return torch.cat([rest + sign * self.network(kept), kept], dim=1)
        kept, rest = x[:, : self.kept], x[:, self.kept :]
        return torch.cat([kept, rest + sign * self.network(kept)], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """y of the shape (n, features) of ``x``."""
        return self._moved(x, 1)

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y and zeros (n,)."""
        return self(x), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """x, by the same network."""
        return self._moved(y, -1)


class Rotation(nn.Module):
    """A fixed random orthogonal matrix: no logit starts as a pixel, each looks at the whole image."""

    matrix: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        drawn = torch.randn(features, features, dtype=torch.float64)
        self.register_buffer("matrix", torch.linalg.qr(drawn).Q.to(torch.get_default_dtype()))

    def forward(self, x: Tensor) -> Tensor:
        """Q x of (n, features)."""
        return x @ self.matrix.T

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Q x and zeros (n,)."""
        return self(x), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """Q^-1 y, solved for: the rounded Q is not quite orthogonal."""
        return torch.linalg.solve(self.matrix, y.T).T


class Flat(nn.Module):
    """Images (n, c, h, w) as vectors (n, c h w)."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c h w)."""
        return x.flatten(1)

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(n, c h w) and zeros (n,)."""
        return self(x), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """(n, c, h, w)."""
        return y.view(len(y), *self.shape)


def additive_network(
    shape: tuple[int, int, int], couplings: int = 6, hidden: Sequence[int] = (256, 256)
) -> InvertibleChain:
    """Additive couplings between the even and the odd rows of an image, a rotation, and a learned scale.

    Args:
        shape: (channels, height, width), height and width even.
        couplings: their number; the rows that stay alternate.
        hidden: units of each coupling's network.

    Raises:
        ValueError: sides that cannot be halved, or no coupling.
    """
    channels, high, wide = shape
    if high % 2 or wide % 2 or couplings < 1:
        raise ValueError(f"images {shape} with {couplings} couplings: even sides and a coupling are needed")
    features = channels * high * wide
    half = features // 2
    parts: list[nn.Module] = [Squeeze(), Flat((4 * channels, high // 2, wide // 2))]
    for number in range(couplings):
        network = dense_network(half, hidden, features - half)
        parts.append(AdditiveCoupling(network, half, flipped=bool(number % 2)))
    return InvertibleChain([*parts, Rotation(features), ActNorm(features, floor=1e-2)])


class BijectiveClassifier(nn.Module):
    """A bijection whose first C outputs are the logits, without further transformation (Definition 6.7).

    Args:
        chain: a bijection of (n, ...) to vectors (n, d) with ``inverse``; `additive_network`, or an i-ResNet
            that ends in `Flat`.
        classes: C, at most d.

    z_s = F(x)_1..C are the logits (semantic variables), z_n = F(x)_C+1..d the nuisance variables.
    """

    def __init__(self, chain: nn.Module, classes: int) -> None:
        super().__init__()
        if classes < 2:
            raise ValueError(f"a classifier has two classes at the least, got {classes}")
        self.chain, self.classes = chain, classes

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, C)."""
        return self.split(x)[0]

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """z_s (n, C) and z_n (n, d - C)."""
        z = self.chain(x)
        if z.dim() != 2 or z.shape[1] <= self.classes:
            raise ValueError(
                f"the bijection gives {tuple(z.shape)}: vectors of more than {self.classes} values are needed"
            )
        return z[:, : self.classes], z[:, self.classes :]

    def merge(self, semantic: Tensor, nuisance: Tensor) -> Tensor:
        """F^-1(z_s, z_n), the input that has these logits and nuisances."""
        return self.chain.inverse(torch.cat([semantic, nuisance], dim=1))


def nuisance_classifier(nuisances: int, classes: int, hidden: Sequence[int] = (256,)) -> nn.Sequential:
    """D_nc: guesses the class from z_n (n, nuisances), normalised; starts with equal probabilities."""
    network = dense_network(nuisances, hidden, classes)
    return nn.Sequential(nn.BatchNorm1d(nuisances, affine=False), *network)


def independence_cross_entropy(
    semantic: Tensor,
    nuisance: Tensor,
    labels: Tensor,
    classifier: nn.Module,
    weight: float | Tensor = 1.0,
    *,
    capped: bool = False,
) -> dict[str, Tensor]:
    """Both terms of Definition 6.14 on a batch, and what one optimiser minimises for its minimax.

    The gradient of "loss" in the encoder is that of L_sCE + weight L_nCE, that in D_nc the one of -L_nCE:
    both players of the minimax move at once.

    Args:
        semantic, nuisance: z_s (n, C) and z_n (n, d - C).
        labels: (n,) int64.
        classifier: D_nc.
        weight: of the nuisance term in the gradient of the encoder; the definition has 1.
        capped: whether an example that D_nc gets worse than a guess (log C nats) moves the encoder no
            further. Without, L_nCE has no lower end: the encoder is rewarded for a D_nc that is confident
            and wrong, though the information that it stands for cannot be less than zero.

    Returns:
        "loss" for the optimiser; "semantic" = L_sCE, "nuisance" = -L_nCE, both per example in nats.
    """
    first = functional.cross_entropy(semantic, labels)
    second = functional.cross_entropy(classifier(nuisance.detach()), labels)
    state = {name: value.detach().clone() for name, value in _state(classifier).items()}
    seen = torch.func.functional_call(classifier, state, (nuisance,))
    fooled = functional.cross_entropy(seen, labels, reduction="none")
    if capped:
        fooled = fooled.clamp(max=math.log(semantic.shape[1]))
    fooled = fooled.mean()
    against = weight * (fooled - fooled.detach())  # nothing in value, the encoder's gradient
    return {"loss": first + second - against, "semantic": first, "nuisance": second}


def _state(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters()) | dict(module.named_buffers())


class NuisanceLikelihood(nn.Module):
    """-log(p(z_n) |det J_F|) for each nuisance coordinate, p a product of learned Gaussians (Eq. 6.13).

    The equation as printed has the determinant inside the sum over coordinates, that is d - C times; change
    of variables has it once, and so has this. In nats divided by d - C, a mean over the batch.
    """

    def __init__(self, nuisances: int) -> None:
        super().__init__()
        self.prior = DiagonalGaussian(nuisances, learned=True)

    def forward(self, nuisance: Tensor, log_det: Tensor) -> Tensor:
        """A scalar, of z_n (n, d - C) and log|det J_F| (n,)."""
        return -(self.prior.log_prob(nuisance) + log_det).mean() / nuisance.shape[1]


def split_with_log_det(model: BijectiveClassifier, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """z_s, z_n and log|det J_F(x)| (n,)."""
    z, log_det = forward_and_log_det(model.chain, x, Exact())
    return z[:, : model.classes], z[:, model.classes :], log_det


def terms(
    model: BijectiveClassifier,
    parts: Mapping[str, nn.Module],
    x: Tensor,
    labels: Tensor,
    *,
    nuisance: float | Tensor = 0.0,
    likelihood: float = 0.0,
    capped: bool = False,
) -> dict[str, Tensor]:
    """The loss on a batch: cross-entropy, with the terms whose part is there.

    Args:
        parts: "nuisance" -> D_nc and "likelihood" -> `NuisanceLikelihood`; without either: cross-entropy.
        nuisance, likelihood: their weights.
        capped: see `independence_cross_entropy`.
    """
    semantic, other, log_det = split_with_log_det(model, x)
    if "nuisance" in parts:
        found = independence_cross_entropy(
            semantic, other, labels, parts["nuisance"], nuisance, capped=capped
        )
    else:
        first = functional.cross_entropy(semantic, labels)
        found = {"loss": first, "semantic": first}
    if "likelihood" in parts:
        found["likelihood"] = parts["likelihood"](other, log_det)
        found["loss"] = found["loss"] + likelihood * found["likelihood"]
    return found
