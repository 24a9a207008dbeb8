"""Invertible residual networks: blocks x + g(x) with a contractive g, and what stands between them.

Behrmann (2019), Sec. 4.2 and App. A. Every module here is a bijection onto its image with ``forward(x)`` and
``inverse(y)``, on vectors (n, d) or images (n, c, h, w); a chain of them is one again.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from invex.nn.inverse import Inversion, solve
from invex.nn.lipschitz import ContractiveConv2d, ContractiveLinear, certificate

Activation = Callable[[], nn.Module]


class InvertibleBlock(nn.Module):
    """F(x) = x + g(x); invertible if the branch g is contractive (Theorem 4.1).

    Args:
        branch: g, of equal input and output shape.
        name: by which an error names the block.
        tolerance, most: of `inverse`, see `invex.nn.inverse.solve`.
    """

    def __init__(
        self, branch: nn.Module, *, name: str = "", tolerance: float = 1e-6, most: int = 200
    ) -> None:
        super().__init__()
        self.branch, self.name, self.tolerance, self.most = branch, name, tolerance, most

    def forward(self, x: Tensor) -> Tensor:
        """x + g(x)."""
        return x + self.branch(x)

    def inverse(self, y: Tensor) -> Tensor:
        """x with x + g(x) = y, to the block's tolerance.

        Raises:
            InversionError: the iteration did not converge; `invert` gives its last value all the same.
        """
        found = self.invert(y)
        found.require(self.name or type(self).__name__)
        return found.x

    def invert(self, y: Tensor, *, method: str = "anderson", lipschitz: float | None = None) -> Inversion:
        """The inverse with what is known about its error, whether or not it converged."""
        return solve(
            self.branch, y, tolerance=self.tolerance, most=self.most, method=method, lipschitz=lipschitz
        )

    def lipschitz(self, *, exact: bool = False) -> float:
        """A bound of Lip(g) in evaluation, Eq. 4.6 (`invex.nn.lipschitz.certificate`)."""
        return certificate(self.branch, exact=exact)


class ActNorm(nn.Module):
    """y = (x - shift) exp(log_scale) per feature or channel, which starts by normalising its first batch.

    Kingma & Dhariwal (2018). Whether it has started is part of the state.

    Args:
        features: d or channels.
        floor: least standard deviation that is divided by, for channels that are constant at the start.
    """

    initialised: Tensor

    def __init__(self, features: int, floor: float = 1e-2) -> None:
        super().__init__()
        self.floor = floor
        self.shift = nn.Parameter(torch.zeros(features))
        self.log_scale = nn.Parameter(torch.zeros(features))
        self.register_buffer("initialised", torch.tensor(False))
        self._started = False  # the buffer without asking the device at each step; false until it is read

    @torch.no_grad()
    def start_(self, x: Tensor) -> None:
        """Mean 0 and deviation 1 on this batch, where the deviation is above the floor."""
        rows = x.detach().transpose(0, 1).flatten(1).to(self.shift.dtype)
        self.shift.copy_(rows.mean(1))
        self.log_scale.copy_(-rows.std(1, correction=0).clamp_min(self.floor).log())
        self.initialised.fill_(True)

    def _columns(self, x: Tensor) -> tuple[Tensor, Tensor]:
        shape = (1, -1, *[1] * (x.dim() - 2))
        return self.shift.view(shape), self.log_scale.view(shape)

    def forward(self, x: Tensor) -> Tensor:
        """Values of the shape (n, features, ...) of ``x``."""
        if not self._started and not bool(self.initialised):
            self.start_(x)
        self._started = True
        shift, log_scale = self._columns(x)
        scale = log_scale.exp()
        return torch.addcmul((-shift * scale).to(x.dtype), x, scale.to(x.dtype))

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y and log|det dy/dx| of shape (n,)."""
        y = self(x)
        return y, self.log_scale.sum().expand(len(x)) * x[0, 0].numel()

    def inverse(self, y: Tensor) -> Tensor:
        """x, exactly."""
        shift, log_scale = self._columns(y)
        return y * (-log_scale).exp() + shift


class Squeeze(nn.Module):
    """Squares of pixels become channels, (n, c, h, w) -> (n, c f^2, h / f, w / f); the layout is kept."""

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Squeezed images; h and w must be multiples of the factor."""
        return _as_laid(x, functional.pixel_unshuffle(x, self.factor))

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Squeezed images and zeros, as it only permutes."""
        return self(x), x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """The images."""
        return _as_laid(y, functional.pixel_shuffle(y, self.factor))


def _as_laid(before: Tensor, after: Tensor) -> Tensor:
    """Channels last where they were before, which convolutions of few channels are faster with."""
    last = before.is_contiguous(memory_format=torch.channels_last) and not before.is_contiguous()
    return after.contiguous(memory_format=torch.channels_last) if last else after


class InjectivePadding(nn.Module):
    """Appends channels (or features) of zeros: injective, so invertible on its image (App. A.1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """(n, c + channels, ...)."""
        return functional.pad(x, (0, 0) * (x.dim() - 2) + (0, self.channels))

    def inverse(self, y: Tensor) -> Tensor:
        """The channels that were there before; what stands in the others is dropped."""
        return y[:, : y.shape[1] - self.channels]


class InvertibleChain(nn.ModuleList):
    """The composition of bijections, first one first."""

    def forward(self, x: Tensor) -> Tensor:
        """The image of ``x``."""
        for part in self:
            x = part(x)
        return x

    def inverse(self, y: Tensor) -> Tensor:
        """The preimage: the inverses, last one first.

        Raises:
            InversionError: a block's iteration did not converge; the block is named.
        """
        for place, part in reversed(list(enumerate(self))):
            if isinstance(part, InvertibleBlock) and not part.name:
                found = part.invert(y)
                found.require(f"block {place} of the chain")
                y = found.x
            else:
                y = part.inverse(y)
        return y

    @property
    def blocks(self) -> list[InvertibleBlock]:
        """Its residual blocks in order, those of chains within it included."""
        return [part for part in self.modules() if isinstance(part, InvertibleBlock)]


class MultiScale(nn.Module):
    """Chains after each of which but the last half of the channels leave, as part of the latent vector.

    Dinh et al. (2017), Sec. 3.6. ``forward`` gives vectors (n, d), in which what left first stands first.

    Args:
        scales: a chain each; each but the last must end with an even number of channels.
        shape: (channels, height, width) of the images.
    """

    def __init__(self, scales: Iterable[nn.Module], shape: Sequence[int]) -> None:
        super().__init__()
        self.scales, self.shape = nn.ModuleList(scales), tuple(shape)
        self._shapes: list[tuple[int, ...]] = []

    def pieces(self, x: Tensor) -> list[Tensor]:
        """What leaves after each scale, as images."""
        left = []
        for scale in self.scales[:-1]:
            kept, out = scale(x).chunk(2, dim=1)
            left.append(out)
            x = kept
        left.append(self.scales[-1](x))
        self._shapes = [tuple(piece.shape[1:]) for piece in left]
        return left

    def forward(self, x: Tensor) -> Tensor:
        """(n, d) from images (n, c, h, w)."""
        return torch.cat([piece.flatten(1) for piece in self.pieces(x)], dim=1)

    def inverse(self, z: Tensor) -> Tensor:
        """Images (n, c, h, w) from vectors (n, d)."""
        if not self._shapes:
            with torch.no_grad():
                self.pieces(z.new_zeros(1, *self.shape))
        sizes = [torch.Size(shape).numel() for shape in self._shapes]
        pieces = [part.view(-1, *shape) for part, shape in zip(z.split(sizes, 1), self._shapes, strict=True)]
        x = self.scales[-1].inverse(pieces[-1])
        for scale, out in zip(reversed(self.scales[:-1]), reversed(pieces[:-1]), strict=True):
            x = scale.inverse(torch.cat([x, out], dim=1))
        return x

    @property
    def blocks(self) -> list[InvertibleBlock]:
        """Its residual blocks in order."""
        return [part for part in self.modules() if isinstance(part, InvertibleBlock)]


def convolutional_branch(
    channels: int,
    hidden: int,
    size: int,
    *,
    c: float | None = 0.9,
    activation: Activation = nn.ELU,
    first: bool = True,
    batch_norm: bool = False,
    iterations: int = 1,
) -> nn.Sequential:
    """g of Eq. 4.5: convolutions 3 x 3, 1 x 1, 3 x 3, an activation before each.

    Args:
        channels, hidden: of the outer and the inner images.
        size: height and width.
        c: largest norm of each convolution; None: free (vanilla).
        first: whether an activation stands before the first convolution.
        batch_norm: put a batch normalisation before each activation (c must be None).
        iterations: of the power iteration a step.
    """
    if batch_norm and c is not None:
        raise ValueError(
            "batch normalisation rescales as it likes, so that no c can be kept; use ActNorm or c=None"
        )
    layers: list[nn.Module] = []
    for place, (inputs, outputs, kernel) in enumerate(_bottleneck(channels, hidden)):
        if place or first:
            layers += [nn.BatchNorm2d(inputs)] if batch_norm else []
            layers.append(activation())
        layers.append(_convolution(inputs, outputs, kernel, size, c, iterations))
    return nn.Sequential(*layers)


def _bottleneck(channels: int, hidden: int) -> Iterator[tuple[int, int, int]]:
    yield from ((channels, hidden, 3), (hidden, hidden, 1), (hidden, channels, 3))


def _convolution(
    inputs: int, outputs: int, kernel: int, size: int, c: float | None, iterations: int
) -> nn.Module:
    if c is not None:
        return ContractiveConv2d(inputs, outputs, kernel, size=size, c=c, iterations=iterations)
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    layer.size = (size, size)  # type: ignore[assignment]
    return layer


def dense_branch(
    dimension: int,
    hidden: Sequence[int] = (128, 128, 128, 128),
    *,
    c: float | None = 0.9,
    activation: Activation = nn.ELU,
    first: bool = False,
    iterations: int = 1,
) -> nn.Sequential:
    """g on vectors: linear layers with an activation between them; arguments as of `convolutional_branch`."""
    sizes = [dimension, *hidden, dimension]
    layers: list[nn.Module] = []
    for place, (inputs, outputs) in enumerate(pairwise(sizes)):
        if place or first:
            layers.append(activation())
        free = c is None
        layers.append(
            nn.Linear(inputs, outputs)
            if free
            else ContractiveLinear(inputs, outputs, c=c, iterations=iterations)
        )
    return nn.Sequential(*layers)
