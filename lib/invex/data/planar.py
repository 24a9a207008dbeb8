"""Two-dimensional distributions to fit densities to: eight Gaussians, two spirals, a checkerboard.

Each draws (n, 2) float32 points, and its density is known, so that a model's is compared with the truth: no
mean log-likelihood can exceed E[log p].
"""

import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

RADIUS, DEVIATION, THICKNESS = 2.8, 0.35, 0.1
LIMIT, SIDE = 4.4, 120  # of the grid on which densities are drawn: half its width, and points along an axis


def eight_gaussians(n: int, generator: Generator) -> Tensor:
    """Equal Gaussians on a circle."""
    device = generator.device
    which = torch.randint(0, 8, (n,), generator=generator, device=device)
    return _centres(which)[which] + DEVIATION * torch.randn(n, 2, generator=generator, device=device)


def _centres(like: Tensor) -> Tensor:
    angle = torch.arange(8, device=like.device) * (math.pi / 4)
    return RADIUS * torch.stack([angle.cos(), angle.sin()], 1)


def eight_gaussians_log_density(x: Tensor) -> Tensor:
    """(n,) in nats."""
    square = (x[:, None] - _centres(x).to(x.dtype)).square().sum(2) / (2 * DEVIATION**2)
    return torch.logsumexp(-square, 1) - math.log(8 * 2 * math.pi * DEVIATION**2)


def two_spirals(n: int, generator: Generator) -> Tensor:
    """Two arms of one and a half turns, with noise."""
    device = generator.device
    side = torch.where(torch.rand(n, generator=generator, device=device) < 0.5, -1.0, 1.0)
    arm = side[:, None] * _arm(torch.rand(n, generator=generator, device=device))
    return arm + THICKNESS * torch.randn(n, 2, generator=generator, device=device)


def _arm(share: Tensor) -> Tensor:
    """The points (n, 2) of one arm, in proportion to area."""
    turn = 3 * math.pi * share.sqrt()
    return torch.stack([-turn.cos() * turn, turn.sin() * turn], 1) / 3


def two_spirals_log_density(x: Tensor, nodes: int = 2000) -> Tensor:
    """(n,) in nats; the arms as Gaussians around `nodes` points each, closer than the noise is wide."""
    arm = _arm((torch.arange(nodes, dtype=x.dtype, device=x.device) + 0.5) / nodes)
    centres = torch.cat([arm, -arm])
    scaled = [torch.cdist(part, centres).square() / (2 * THICKNESS**2) for part in x.split(500)]
    log_sum = torch.cat([torch.logsumexp(-part, 1) for part in scaled])
    return log_sum - math.log(2 * nodes * 2 * math.pi * THICKNESS**2)


def checkerboard(n: int, generator: Generator) -> Tensor:
    """Uniform on the black squares of a 4 x 4 board of side 8."""
    device = generator.device
    x = 4 * torch.rand(n, generator=generator, device=device) - 2
    y = torch.rand(n, generator=generator, device=device) - 2
    row = 2 * torch.randint(0, 2, (n,), generator=generator, device=device)
    return 2 * torch.stack([x, y + row + x.floor() % 2], 1)


def checkerboard_log_density(x: Tensor) -> Tensor:
    """(n,) in nats: -log 32 on the black squares, else -inf."""
    half = x / 2
    black = (half.floor().sum(1) % 2 == 0) & (half.abs().amax(1) < 2)
    return torch.where(black, -math.log(32), -math.inf)


SETS: dict[str, Callable[[int, Generator], Tensor]] = {
    "eight Gaussians": eight_gaussians,
    "two spirals": two_spirals,
    "checkerboard": checkerboard,
}
LOG_DENSITIES: dict[str, Callable[[Tensor], Tensor]] = {
    "eight Gaussians": eight_gaussians_log_density,
    "two spirals": two_spirals_log_density,
    "checkerboard": checkerboard_log_density,
}


def draw(name: str, n: int, seed: int) -> Tensor:
    """n points of a set by name, (n, 2) float32.

    Raises:
        ValueError: there is no such set.
    """
    if name not in SETS:
        raise ValueError(f"no planar set {name!r}; there are {', '.join(SETS)}")
    return SETS[name](n, Generator().manual_seed(seed))
