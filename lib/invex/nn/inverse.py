"""The inverse of x + g(x): the fixed-point iteration, an accelerated one, and what is known of their error.

Behrmann (2019), Algorithm 1 and Lemma 4.5. Both stop at a tolerance, not after a number of iterations, and
say whether they reached it. One iteration is one evaluation of g.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

Branch = Callable[[Tensor], Tensor]
METHODS = ("anderson", "fixed-point")


class InversionError(RuntimeError):
    """The iteration for an inverse did not converge."""


@dataclass(frozen=True)
class Inversion:
    """An inverse and its error.

    Attributes:
        x: the last iterate, of the shape of y; where an example converged, its solution.
        iterations: evaluations of g.
        residuals: largest |y - g(x) - x| of an example, relative to 1 + |y|, before each iteration.
        converged: whether every example's residual is within the tolerance.
        bound: Lemma 4.5's bound of the relative error of the plain iteration after each iteration, if L < 1.
        error_bound: residual / (1 - L), the bound of the error as it is known at the end, if L < 1.
    """

    x: Tensor
    iterations: int
    residuals: list[float]
    converged: bool
    bound: list[float] = field(default_factory=list)
    error_bound: float | None = None

    def require(self, name: str) -> None:
        """Raise an error that names the block, unless the iteration converged.

        Raises:
            InversionError: it did not.
        """
        if not self.converged:
            raise InversionError(
                f"{name} was not inverted: after {self.iterations} iterations the residual is "
                f"{self.residuals[-1]:.3g}; its branch may not be contractive (see its `lipschitz()`): "
                "normalise its layers with c < 1, allow more iterations, or take the last iterate of `invert`"
            )


@torch.no_grad()
def solve(
    branch: Branch,
    y: Tensor,
    *,
    tolerance: float = 1e-6,
    most: int = 200,
    method: str = "anderson",
    lipschitz: float | None = None,
    memory: int = 4,
) -> Inversion:
    """Solve x + g(x) = y for each example.

    Args:
        branch: g; examples must not depend on each other (no batch normalisation in training).
        y: (n, ...).
        tolerance: of the residual |y - g(x) - x| / (1 + |y|) of each example; four roundings at least.
        most: evaluations of g.
        method: "fixed-point", Algorithm 1; or "anderson", which combines the last iterates by least squares.
        lipschitz: of g, for the bounds.
        memory: differences of iterates that Anderson's method combines.

    Raises:
        ValueError: an unknown method, or y that is not finite.
    """
    if method not in METHODS:
        raise ValueError(f"no method {method!r}; there are {', '.join(METHODS)}")
    if not bool(y.isfinite().all()):
        raise ValueError("y has values that are not finite (NaN or infinite); there is nothing to invert")
    tolerance = max(tolerance, 4 * torch.finfo(y.dtype).eps)
    step = _Anderson(memory) if method == "anderson" else _plain
    size = 1 + _norm(y)
    x, residuals = y, []
    for _ in range(most):
        image = y - branch(x)  # the next plain iterate
        difference = image - x
        residuals.append(float((_norm(difference) / size).max()))
        if residuals[-1] <= tolerance or not residuals[-1] < 1e12:
            break
        x = step(x, image, difference)
    converged = residuals[-1] <= tolerance
    bounds = _bounds(residuals, lipschitz)
    return Inversion(image if converged else x, len(residuals), residuals, converged, *bounds)


def _bounds(residuals: list[float], lipschitz: float | None) -> tuple[list[float], float | None]:
    if lipschitz is None or not lipschitz < 1:
        return [], None
    share = residuals[0] / (1 - lipschitz)
    return [share * lipschitz**k for k in range(1, len(residuals) + 1)], residuals[-1] / (1 - lipschitz)


def _norm(x: Tensor) -> Tensor:
    """Euclidean norm of each example."""
    return x.flatten(1).norm(dim=1)


def _plain(x: Tensor, image: Tensor, difference: Tensor) -> Tensor:
    return image


class _Anderson:
    """Anderson's acceleration of each example by itself (Walker & Ni, 2011), with a return to the plain step.

    Of the last iterates, the affine combination of least residual is taken. An example whose residual grew
    since its last step forgets its past and takes the plain step, which contracts.
    """

    def __init__(self, memory: int, damping: float = 1e-10) -> None:
        self.memory, self.damping = memory, damping
        self.steps: list[Tensor] = []  # differences of images, (n, d) each
        self.changes: list[Tensor] = []  # differences of residuals
        self.last: tuple[Tensor, Tensor] | None = None

    def __call__(self, x: Tensor, image: Tensor, difference: Tensor) -> Tensor:
        g, f = image.flatten(1), difference.flatten(1)
        if self.last is None:
            self.last = g, f
            return image
        grown = f.norm(dim=1) > self.last[1].norm(dim=1)
        self._remember(g - self.last[0], f - self.last[1], grown)
        self.last = g, f
        changes = torch.stack(self.changes, 1)  # (n, m, d)
        weights = self._weights(changes, f)
        steps = torch.stack(self.steps, 1)
        better = g - torch.bmm(weights[:, None], steps)[:, 0]
        return torch.where(grown[:, None], g, better).view_as(image)

    def _remember(self, step: Tensor, change: Tensor, grown: Tensor) -> None:
        for past, new in ((self.steps, step), (self.changes, change)):
            past[:] = [*past, new][-self.memory :]
            if bool(grown.any()):
                past[:] = [torch.where(grown[:, None], 0.0, part) for part in past]

    def _weights(self, changes: Tensor, f: Tensor) -> Tensor:
        """argmin |f - changes^T weights| for each example, (n, m), by damped normal equations in double."""
        wide = torch.float64 if changes.device.type != "mps" else torch.float32
        gram = torch.bmm(changes, changes.mT).to(wide)
        right = torch.bmm(changes, f[:, :, None]).to(wide)
        scale = gram.diagonal(dim1=1, dim2=2).amax(1).clamp_min(torch.finfo(changes.dtype).tiny)
        ridge = self.damping if changes.dtype == torch.float64 else 1e-6
        eye = torch.eye(len(gram[0]), dtype=wide, device=gram.device)
        return torch.linalg.solve(gram / scale[:, None, None] + ridge * eye, right / scale[:, None, None])[
            :, :, 0
        ].to(changes.dtype)
