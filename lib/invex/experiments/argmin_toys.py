"""Two classes in the plane by argmin over one label: FICNN and PICNN (Amos et al., 2017, Sec. 6.1)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from invex.analysis.argmin import SPACE, gradient, implicit
from invex.analysis.argmin.problem import Energy
from invex.nn.convex import ConvexNetwork
from invex.nn.fit import Moment, cosine, fit
from invex.nn.partially_convex import PartiallyConvexNetwork

SETS = ("moons", "circles", "linear")
MODELS = ("FICNN", "PICNN")


@dataclass(frozen=True)
class Toy:
    """How a toy is trained: the source's network and inference, all hundred points in each update.

    Attributes:
        epochs, rate: of Adam, with half a cosine down to a tenth.
        widths: hidden units.
        steps: of gradient descent on the label, from 1/2.
    """

    epochs: int = 100
    rate: float = 5e-3
    widths: tuple[int, ...] = (200, 200)
    steps: int = 30


QUICK = Toy(epochs=40, rate=1e-2, widths=(32, 32), steps=15)


class Joint(nn.Module):
    """A FICNN of (x, y) together, with the interface of a PICNN: convex in x as well."""

    def __init__(self, dimension: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.network = ConvexNetwork(
            dimension + 1, widths, activation=functional.relu, positivity="projection"
        )

    def project_(self) -> None:
        """Put the constrained weights back on the non-negative orthant."""
        self.network.project_()

    def at(self, x: Tensor) -> Energy:
        """The function y -> f(x, y), (..., n, 1) -> (..., n)."""
        return lambda y: self.network(torch.cat([x.expand(*y.shape[:-1], -1), y], -1))


def points(name: str, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A hundred standardised points (100, 2) and labels (100, 1), 0 or 1, as in the source.

    Raises:
        ValueError: no such set.
    """
    from sklearn import datasets

    if name == "moons":
        x, y = datasets.make_moons(100, noise=0.3, random_state=seed)
    elif name == "circles":
        x, y = datasets.make_circles(100, noise=0.2, factor=0.5, random_state=seed)
        y = 1 - y
    elif name == "linear":
        kinds = {"n_features": 2, "n_redundant": 0, "n_informative": 2, "n_clusters_per_class": 1}
        x, y = datasets.make_classification(100, **kinds, random_state=seed + 1)
        x = x + 2 * np.random.default_rng(seed).uniform(size=x.shape)
    else:
        raise ValueError(f"no toy set {name!r}; there are {', '.join(SETS)}")
    x = (x - x.mean(0)) / x.std(0)
    return torch.from_numpy(x).float(), torch.from_numpy(y).float()[:, None]


def train(model: str, x: Tensor, y: Tensor, toy: Toy, seed: int = 0) -> nn.Module:
    """A trained energy of two-dimensional x and a label y in [0, 1]."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if model == "FICNN":
            net: nn.Module = Joint(2, toy.widths)
        else:
            net = PartiallyConvexNetwork(
                2, 1, toy.widths, activation=functional.relu, positivity="projection"
            )

    def objective(batch: tuple[Tensor, ...], moment: Moment) -> Tensor:
        return (labels(net, batch[0], toy, learn=True) - batch[1]).square().mean()

    optimiser = torch.optim.Adam(net.parameters(), toy.rate)
    fit(
        net, objective, (x, y), optimiser, epochs=toy.epochs, batch=len(x), seed=seed, schedule=cosine(0.1),
        after_step=net.project_,  # type: ignore[arg-type]
    )  # fmt: skip
    return net.eval().requires_grad_(False)


def labels(net: nn.Module, x: Tensor, toy: Toy, *, learn: bool = False) -> Tensor:
    """The labels (n, 1) of least energy, by the source's gradient descent."""
    energy: Energy = net.at(x)  # type: ignore[operator]
    start = x.new_full((len(x), 1), 0.5)
    return gradient.descend(energy, start, steps=toy.steps, box=SPACE, unroll=learn)


@torch.no_grad()
def lowest(net: nn.Module, x: Tensor, side: int = 401) -> Tensor:
    """The labels (n, 1) of least energy in [0, 1], on a grid: where descent would end, not where it stops."""
    y = torch.linspace(0, 1, side)
    values = net.at(x)(y[:, None, None].expand(side, len(x), 1))  # type: ignore[operator]
    return y[values.argmin(0)][:, None]


def plane(
    toy: Toy, seed: int = 0, side: int = 61, progress: Callable[[str], None] = lambda text: None
) -> tuple[pd.DataFrame, pd.DataFrame, dict[tuple[str, str], nn.Module]]:
    """Labels over the plane, the points, and the trained networks, for every set and model.

    The frames have columns set, model, x1, x2, y, and for the points also `predicted`
    (where descent stops) and `lowest` (where the energy is least).
    """
    axis = torch.linspace(-2.6, 2.6, side)
    grid = torch.cartesian_prod(axis, axis)
    over, seen, nets = [], [], {}
    for name in SETS:
        x, y = points(name, seed)
        for model in MODELS:
            progress(f"{model} on {name}")
            net = nets[name, model] = train(model, x, y, toy, seed)
            over.append(_frame(name, model, grid, labels(net, grid, toy)))
            stops, ends = labels(net, x, toy)[:, 0].numpy(), lowest(net, x)[:, 0].numpy()
            seen.append(_frame(name, model, x, y).assign(predicted=stops, lowest=ends))
    return pd.concat(over, ignore_index=True), pd.concat(seen, ignore_index=True), nets


def slices(nets: dict[tuple[str, str], nn.Module], name: str = "moons", side: int = 61) -> pd.DataFrame:
    """Energy f((x1, 0), y) of both models over x1 and y: columns model, x1, y, energy."""
    x1, y = torch.linspace(-2.6, 2.6, side), torch.linspace(0, 1, side)
    x = torch.stack([x1, torch.zeros(side)], 1)
    frames = []
    for model in MODELS:
        energy: Energy = nets[name, model].at(x)  # type: ignore[operator]
        values = energy(y[:, None, None].expand(side, side, 1))
        rows = {"x1": x1.repeat(side), "y": y.repeat_interleave(side), "energy": values.flatten()}
        columns = {key: value.numpy() for key, value in rows.items()}
        frames.append(pd.DataFrame(columns).assign(model=model))
    return pd.concat(frames, ignore_index=True)


def bends(nets: dict[tuple[str, str], nn.Module], draws: int = 2000, seed: int = 0) -> pd.DataFrame:
    """Largest f at a midpoint less the mean at the ends: columns set, model, in_y (x held), jointly.

    At or below rounding where f is convex; in float64 over random segments.
    """
    draw = torch.Generator().manual_seed(seed)
    rows = []
    for (name, model), net in nets.items():
        f = net.double()
        x = 2 * torch.randn(2, draws, 2, generator=draw).double()
        y = torch.rand(2, draws, 1, generator=draw).double()
        values = {}
        for kind, ends in (("in_y", x[[0, 0]]), ("jointly", x)):
            at = [f.at(end)(label) for end, label in zip(ends, y, strict=True)]  # type: ignore[operator]
            middle = f.at(ends.mean(0))(y.mean(0))  # type: ignore[operator]
            values[kind] = float((middle - (at[0] + at[1]) / 2).max())
        net.float()
        rows.append({"set": name, "model": model, **values})
    return pd.DataFrame(rows)


def derivative_study(
    steps: Sequence[int] = (5, 10, 20, 50, 100, 200), seed: int = 0, n: int = 32, p: int = 8
) -> pd.DataFrame:
    """Memory and error of the gradient of a loss on the argmin, by unrolling and by the implicit theorem.

    The energy is a smooth PICNN with a quadratic term, in float64, over the whole space; the loss is linear
    in the argmin, and the error relative to the gradient at an argmin solved to 1e-12. Columns steps, way,
    kilobytes (kept for the backward pass), error.
    """
    torch.manual_seed(seed)
    net = PartiallyConvexNetwork(4, p, (32, 32)).double()
    x, weight = torch.randn(n, 4).double(), torch.randn(n, p).double()
    start = torch.full((n, p), 0.5, dtype=torch.float64)

    def energy(y: Tensor) -> Tensor:
        return net.at(x)(y) + 0.5 * (y - 0.5).square().sum(-1)

    def slope(y: Tensor) -> Tensor:
        found = torch.autograd.grad((y * weight).sum(), list(net.parameters()), allow_unused=True)
        return torch.cat([part.flatten() for part in found if part is not None])

    def solved(count: int, unroll: bool) -> Tensor:
        inner = {"rate": 0.05, "momentum": 0.8}
        y = gradient.descend(energy, start, steps=count, box=SPACE, unroll=unroll, **inner)
        return y if unroll else implicit.differentiable(energy, y, box=SPACE)

    best = gradient.minimise(energy, start, box=SPACE, tolerance=1e-12, steps=5000).point
    exact = slope(implicit.differentiable(energy, best, box=SPACE, tolerance=1e-12))
    rows = []
    for count, way in product(steps, ("unrolling", "implicit")):
        make = partial(solved, count, way == "unrolling")
        error = float((slope(make()) - exact).norm() / exact.norm())
        kilobytes = implicit.saved_bytes(make) / 1000
        rows.append({"steps": count, "way": way, "kilobytes": kilobytes, "error": error})
    return pd.DataFrame(rows)


def _frame(name: str, model: str, x: Tensor, y: Tensor) -> pd.DataFrame:
    columns = {"x1": x[:, 0].numpy(), "x2": x[:, 1].numpy(), "y": y[:, 0].numpy()}
    return pd.DataFrame(columns).assign(set=name, model=model)
