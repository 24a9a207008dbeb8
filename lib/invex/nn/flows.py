"""A density: a chain of bijections to a latent space, a prior there, and bits per dimension of 8-bit data.

log p(x) = log p_Z(F(x)) + log|det J_F(x)| (Behrmann, 2019, Lemma 5.2). The log-determinants of residual
blocks come from an estimator (`invex.nn.logdet`), those of all other parts from themselves.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor, nn

from invex.nn.lipschitz import Contractive, certificate
from invex.nn.logdet import Estimator, Exact, ToTolerance
from invex.nn.probes import Probe, coloured
from invex.nn.residual import InvertibleBlock, MultiScale

Estimators = Estimator | Mapping[nn.Module, Estimator]


class DiagonalGaussian(nn.Module):
    """A Gaussian with independent coordinates, whose means and deviations are learnt or stay standard.

    Args:
        dimension: of the latent space.
        learned: whether mean and log-scale are parameters.
        floor: least deviation that `start_` sets.
    """

    mean: Tensor
    log_scale: Tensor

    def __init__(self, dimension: int, *, learned: bool = False, floor: float = 1e-3) -> None:
        super().__init__()
        self.floor = floor
        for name in ("mean", "log_scale"):
            zeros = torch.zeros(dimension)
            self.register_parameter(name, nn.Parameter(zeros)) if learned else self.register_buffer(
                name, zeros
            )

    @torch.no_grad()
    def start_(self, z: Tensor) -> None:
        """Take mean and deviation of these latent points."""
        self.mean.copy_(z.mean(0))
        self.log_scale.copy_(z.std(0).clamp_min(self.floor).log())

    def log_prob(self, z: Tensor) -> Tensor:
        """(n,) of latent points (n, d)."""
        scaled = (z - self.mean) * (-self.log_scale).exp()
        return -0.5 * (scaled.square() + math.log(2 * math.pi)).sum(1) - self.log_scale.sum()

    def sample(self, n: int, generator: Generator | None = None, temperature: float = 1.0) -> Tensor:
        """(n, d), deviations multiplied by the temperature."""
        noise = torch.randn(
            n, len(self.mean), generator=generator, device=self.mean.device, dtype=self.mean.dtype
        )
        return self.mean + temperature * noise * self.log_scale.exp()


class Logit(nn.Module):
    """y = logit(a + (1 - 2 a) x), x in [0, 1]: stretches both ends of the grey scale (Dinh et al., 2017)."""

    def __init__(self, margin: float = 1e-6) -> None:
        super().__init__()
        if not 0 < margin < 0.5:
            raise ValueError(f"the margin must be in (0, 0.5), got {margin}")
        self.margin = margin

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y and its log-determinant."""
        inside = self.margin + (1 - 2 * self.margin) * x
        low, high = inside.log(), torch.log1p(-inside)
        each = math.log(1 - 2 * self.margin) - low - high
        return low - high, each.flatten(1).sum(1)

    def forward(self, x: Tensor) -> Tensor:
        """y of the shape of ``x``."""
        return self.forward_and_log_det(x)[0]

    def inverse(self, y: Tensor) -> Tensor:
        """x."""
        return (y.sigmoid() - self.margin) / (1 - 2 * self.margin)


class Affine(nn.Module):
    """y = (x - shift) scale, fixed."""

    def __init__(self, shift: float, scale: float = 1.0) -> None:
        super().__init__()
        self.shift, self.scale = shift, scale

    def forward_and_log_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y and its log-determinant."""
        return self(x), x.new_full((len(x),), x[0].numel() * math.log(self.scale))

    def forward(self, x: Tensor) -> Tensor:
        """y of the shape of ``x``."""
        return (x - self.shift) * self.scale

    def inverse(self, y: Tensor) -> Tensor:
        """x."""
        return y / self.scale + self.shift


def forward_and_log_det(
    part: nn.Module, x: Tensor, estimators: Estimators, generator: Generator | None = None
) -> tuple[Tensor, Tensor]:
    """The image of x and the log-determinant (n,) of a bijection, however it is put together.

    Args:
        part: residual blocks, chains of bijections, several scales, or what has ``forward_and_log_det``.
        x: (n, ...).
        estimators: one for all residual blocks, or one for each.
        generator: of their probes.
    """
    if isinstance(part, InvertibleBlock):
        one = estimators[part] if isinstance(estimators, Mapping) else estimators
        value, log_det = one(part.branch, x, generator)
        return x + value, log_det
    if isinstance(part, nn.ModuleList):
        total = x.new_zeros(len(x))
        for each in part:
            x, log_det = forward_and_log_det(each, x, estimators, generator)
            total = total + log_det
        return x, total
    if isinstance(part, MultiScale):
        return _scales(part, x, estimators, generator)
    return part.forward_and_log_det(x)


def _scales(
    part: MultiScale, x: Tensor, estimators: Estimators, generator: Generator | None
) -> tuple[Tensor, Tensor]:
    total, left = x.new_zeros(len(x)), []
    for place, scale in enumerate(part.scales, start=1):
        x, log_det = forward_and_log_det(scale, x, estimators, generator)
        total = total + log_det
        if place < len(part.scales):
            x, out = x.chunk(2, dim=1)
            left.append(out.flatten(1))
    return torch.cat([*left, x.flatten(1)], dim=1), total


class Flow(nn.Module):
    """A density on R^d or on images: a chain and a prior.

    Args:
        chain: a bijection to vectors (n, d), or to images, which are flattened.
        prior: on the latent space, (n, d) -> (n,) by its ``log_prob``.
        log_det: estimator of the residual blocks.
        shape: of one latent point, where it is not a vector.
    """

    def __init__(
        self,
        chain: nn.Module,
        prior: DiagonalGaussian,
        log_det: Estimator = Exact(),  # noqa: B008 - frozen
        shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.chain, self.prior, self.log_det, self.shape = chain, prior, log_det, shape

    def latent(
        self, x: Tensor, generator: Generator | None = None, estimators: Estimators | None = None
    ) -> tuple[Tensor, Tensor]:
        """F(x) as (n, d) and log|det J_F(x)|, (n,)."""
        z, log_det = forward_and_log_det(self.chain, x, estimators or self.log_det, generator)
        return z.flatten(1), log_det

    def log_prob(
        self, x: Tensor, generator: Generator | None = None, estimators: Estimators | None = None
    ) -> Tensor:
        """log p(x) in nats, (n,); an estimate where that of the log-determinants is one."""
        z, log_det = self.latent(x, generator, estimators)
        return self.prior.log_prob(z) + log_det

    @torch.no_grad()
    def start_(self, x: Tensor) -> None:
        """Let normalisations begin with these examples, and a learned prior where the examples end."""
        z = self.chain(x).flatten(1)
        if isinstance(self.prior.mean, nn.Parameter):
            self.prior.start_(z)

    @torch.no_grad()
    def sample(self, n: int, generator: Generator | None = None, temperature: float = 1.0) -> Tensor:
        """n examples: latent ones through the inverse of the chain."""
        return self.preimage(self.prior.sample(n, generator, temperature))

    @torch.no_grad()
    def preimage(self, z: Tensor) -> Tensor:
        """F^-1 of latent points (n, d).

        Raises:
            InversionError: a residual block did not converge; it is named.
        """
        return self.chain.inverse(z if self.shape is None else z.view(len(z), *self.shape))

    @property
    def blocks(self) -> list[InvertibleBlock]:
        """The residual blocks, in order."""
        return [part for part in self.modules() if isinstance(part, InvertibleBlock)]

    def lipschitz(self, *, exact: bool = True) -> list[float]:
        """A bound of the Lipschitz constant of each residual branch, in evaluation.

        By the exact norms of its layers; or, without `exact`, by bounds that rest on no iteration at all,
        which on small images can exceed one where the norms do not.
        """
        return [certificate(block.branch, exact=exact) for block in self.blocks]


def dequantised(images: Tensor, generator: Generator | None = None) -> Tensor:
    """(image + u) / 256 in [0, 1), u uniform on [0, 1) (Lemma 5.10).

    Raises:
        ValueError: the images are not 8-bit.
    """
    if images.dtype != torch.uint8:
        raise ValueError(
            f"bits per dimension are of 8-bit data, uint8 from 0 to 255; got {images.dtype}: "
            "round and convert with `.to(torch.uint8)`, and do not scale"
        )
    u = torch.rand(images.shape, generator=generator, device=images.device)
    return ((images + u) / 256).clamp_(max=1 - 2**-24)  # 255 + u may round up to 256


def bits_per_dimension(log_prob: Tensor, dimension: int) -> Tensor:
    """-log p / (D ln 2) + 8, of a density in nats on [0, 1)^D."""
    return 8 - log_prob / (dimension * math.log(2))


@dataclass
class Bits:
    """Bits per dimension of 8-bit data, and how well they are known.

    Attributes:
        value: mean over images, dequantisations and probes.
        bias: largest truncation error of a pass, by its bound; 0 without residual blocks, None if unknown.
        probe_error: standard error that the probes leave in the mean.
        image_error: standard error over images, as a sample of all images.
        passes: over the data, each with fresh probes; the first two share their dequantisation.
        terms: largest number of terms used in each residual block.
        images, dimension: of the data.
    """

    value: float
    bias: float | None
    probe_error: float
    image_error: float
    passes: int
    terms: list[int] = field(default_factory=list)
    images: int = 0
    dimension: int = 0


LogProb = Callable[[Tensor, Generator], Tensor]


@torch.no_grad()
def evaluate_bits(
    flow: nn.Module | LogProb,
    images: Tensor,
    *,
    bias: float = 1e-4,
    error: float = 1e-4,
    most: int = 20,
    probes: int = 16,
    probe: Probe = coloured,
    batch: int = 100,
    seed: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> Bits:
    """Bits per dimension by Behrmann's (2019) protocol, App. A.2: truncation and probe error below limits.

    Args:
        flow: a `Flow`, or your own ``log_prob(x, generator) -> (n,)`` in nats on [0, 1)^D.
        images: (n, ...) uint8.
        bias: limit of the truncation error, bits per dimension.
        error: limit of the standard error by the probes: after two passes as many follow as it takes.
        most: passes at the most, whether or not the error is below its limit by then.
        probes, probe: in each pass, example and block; of a `Flow`.
        batch: images at once.
        seed: of dequantisation and probes.

    Raises:
        ValueError: images that are not 8-bit, none at all, or a log-likelihood that is not finite, named.
    """
    if not len(images):
        raise ValueError("there are no images to evaluate")
    ask, record = _asked(flow, images[0].numel(), bias, probes, probe)
    with _evaluation(flow):
        return _passes(ask, record, images, error, max(2, most), batch, seed, progress)


def _passes(
    ask: LogProb, record: "_Record", images: Tensor, error: float, most: int, batch: int, seed: int,
    progress: Callable[[str], None],
) -> Bits:  # fmt: skip
    n, dimension = len(images), images[0].numel()
    total, difference = torch.zeros(n, dtype=torch.float64), torch.zeros(n, dtype=torch.float64)
    passes, wanted, probe_error = 0, 2, math.inf
    while passes < wanted:
        for at, part in _batches(images, batch):
            noise = Generator(images.device).manual_seed(_seed(seed, at, max(passes, 1)))
            probes = Generator(images.device).manual_seed(_seed(seed, at, -1 - passes))
            found = bits_per_dimension(ask(dequantised(part, noise), probes).double().cpu(), dimension)
            if not bool(found.isfinite().all()):
                where = at + int((~found.isfinite()).nonzero()[0])
                what = f"the log-likelihood of image {where} is {float(found[where - at])}"
                raise ValueError(f"{what}: the flow's weights or inputs leave the range of their type")
            total[at : at + len(part)] += found
            difference[at : at + len(part)] += found if passes == 0 else -found if passes == 1 else 0
            progress(f"pass {passes + 1}/{wanted}, image {at + len(part)}/{n}")
        passes += 1
        if passes == 2:
            variance = float(difference.square().mean()) / 2
            wanted = min(most, max(2, math.ceil(variance / (n * error**2))))
        if passes >= 2:
            probe_error = math.sqrt(variance / (n * passes))
    each = total / passes
    spread = float(each.std()) / math.sqrt(n) if n > 1 else math.inf
    value = float(each.mean())
    return Bits(value, record.bias(dimension), probe_error, spread, passes, record.terms, n, dimension)


def _seed(seed: int, at: int, draw: int) -> int:
    return (seed * 1_000_003 + at) * 2_003 + (draw % 2_003)


def _batches(images: Tensor, batch: int) -> Iterator[tuple[int, Tensor]]:
    return ((at, images[at : at + batch]) for at in range(0, len(images), batch))


@dataclass
class _Record:
    """The truncation bounds of each batch, in nats, and the numbers of terms."""

    known: bool
    terms: list[int] = field(default_factory=list)
    worst: float = 0.0

    def bias(self, dimension: int) -> float | None:
        return self.worst / (dimension * math.log(2)) if self.known else None


def _asked(flow: Any, dimension: int, bias: float, probes: int, probe: Probe) -> tuple[LogProb, _Record]:
    """The log-likelihood as a function of points and generator, and what is noted of its truncation."""
    if not isinstance(flow, Flow):
        return (flow.log_prob if isinstance(flow, nn.Module) else flow), _Record(known=False)
    blocks = flow.blocks
    record = _Record(known=True, terms=[0] * len(blocks))
    share = bias * dimension * math.log(2) / max(1, len(blocks))

    def ask(x: Tensor, generator: Generator) -> Tensor:
        m = min(probes, dimension)
        noted = [_Noted(ToTolerance(limit, share, m, probe)) for limit in limits]
        found = flow.log_prob(x, generator, dict(zip(blocks, noted, strict=True)))
        record.worst = max(record.worst, math.fsum(each.bound for each in noted))
        record.terms = [max(a, each.terms) for a, each in zip(record.terms, noted, strict=True)]
        return found

    with _evaluation(flow):
        limits = flow.lipschitz()
    return ask, record


@dataclass
class _Noted:
    """An estimator that remembers what it needed."""

    inner: ToTolerance
    bound: float = 0.0
    terms: int = 0

    def __call__(
        self, branch: Callable[[Tensor], Tensor], x: Tensor, generator: Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        value, log_det, self.bound, self.terms = self.inner.with_bound(branch, x, generator)
        return value, log_det


@contextmanager
def full_precision() -> Iterator[None]:
    """Within it a GPU does not round the factors of products and convolutions (no TF32)."""
    backends: list[Any] = [torch.backends.cuda.matmul, torch.backends.cudnn]
    allowed = [backend.allow_tf32 for backend in backends]
    for backend in backends:
        backend.allow_tf32 = False
    try:
        yield
    finally:
        for backend, before in zip(backends, allowed, strict=True):
            backend.allow_tf32 = before


@contextmanager
def _evaluation(flow: Any) -> Iterator[None]:
    """Evaluation mode, in full precision."""
    training = isinstance(flow, nn.Module) and flow.training
    if isinstance(flow, nn.Module):
        flow.eval()
    try:
        with full_precision():
            yield
    finally:
        if training:
            flow.train()


@torch.no_grad()
def aligned_(branch: nn.Sequential) -> None:
    """Start a branch of linear layers away from zero: its Jacobian near a rotation times c^layers and slopes.

    Orthogonal weights keep the norms of all directions in the hidden layers, but a last layer that projects
    128 units onto two sees almost nothing of what the first put in, and the block starts as the identity,
    which it is slow to leave. Here the last layer looks at just those directions, turned at random.
    """
    linear = [layer for layer in branch if isinstance(layer, nn.Linear)]
    for each in linear:
        nn.init.orthogonal_(each.weight)
    through = linear[0].weight
    for each in linear[1:-1]:
        through = each.weight @ through
    seen = torch.linalg.qr(through).Q
    turn = torch.linalg.qr(torch.randn(seen.shape[1], seen.shape[1])).Q
    linear[-1].weight.copy_(turn @ seen.T)
    for layer in branch:
        if isinstance(layer, Contractive):
            layer.update_(20)
