"""The one training loop of everything that is not a stack of classifiers: any module, any loss.

Batches are drawn on the device and nothing leaves it within an epoch but at its end. A run can be interrupted
at any update and continued to the same numbers (`Keeper`); on a GPU a step can be captured and replayed
(`capture`), which is what small networks there are bound by.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from invex.nn.capture import Captured, prepared
from invex.nn.precision import flushed_denormals

Batch = tuple[Tensor, ...]
Terms = Tensor | Mapping[str, Tensor]
State = dict[str, Tensor]
Say = Callable[[str], None]
TOLD_EVERY = 25  # updates between two words on progress, where an epoch is longer


class Keeper(Protocol):
    """Where a run leaves its state, to go on from there: `invex.lab.checkpoints` has one on disk."""

    def load(self) -> State | None:
        """The state that was saved last; None for a run that begins."""

    def save(self, state: Callable[[], State], *, now: bool = False) -> None:
        """Take the state if one is due, or at once."""


@dataclass(frozen=True)
class Moment:
    """Where training stands when the loss is asked.

    Attributes:
        share: of all updates that are done, in [0, 1); a scalar on the device, so that a captured step
            sees it change.
        epoch, step: counted from 0; a captured step sees those of its capture.
        generator: of the device, from which the loss draws its noise.
    """

    share: Tensor
    epoch: int
    step: int
    generator: Generator


@dataclass
class Fitted:
    """What training leaves behind.

    Attributes:
        curve: name of a term -> its mean over the batches of each epoch, and what `after_epoch` gave.
        failed: None, or the update (from 0) whose loss was not finite; training stopped after its epoch.
        stretches: in how many sittings it ran.
    """

    curve: dict[str, list[float]] = field(default_factory=dict)
    failed: int | None = None
    stretches: int = 1


def constant(share: float) -> float:
    """The rate as it is."""
    return 1.0


def cosine(final: float = 0.0) -> Callable[[float], float]:
    """Half a cosine from 1 to `final`."""
    return lambda share: final + (1 - final) * 0.5 * (1 + math.cos(math.pi * share))


def geometric(final: float) -> Callable[[float], float]:
    """By a constant factor an update, from 1 to `final`."""
    return lambda share: float(final**share)


def one_cycle(warm_up: float = 0.3, start: float = 0.04, final: float = 1e-3) -> Callable[[float], float]:
    """Half a cosine from `start` up to 1 over the share `warm_up`, then one down to `final`."""

    def factor(share: float) -> float:
        if share < warm_up:
            return start + (1 - start) * 0.5 * (1 - math.cos(math.pi * share / warm_up))
        return cosine(final)((share - warm_up) / (1 - warm_up))

    return factor


def steps(factors: Mapping[float, float]) -> Callable[[float], float]:
    """Multiplied by each factor from its share of training on: ``steps({0.3: 0.2, 0.6: 0.2})``."""
    return lambda share: math.prod(factor for at, factor in factors.items() if share >= at)


def fit(
    module: nn.Module,
    loss: Callable[[Batch, Moment], Terms],
    data: Sequence[Tensor] | int,
    optimiser: Optimizer,
    *,
    epochs: int,
    batch: int,
    seed: int = 0,
    schedule: Callable[[float], float] | None = None,
    clip: float = math.inf,
    after_step: Callable[[], None] | None = None,
    after_epoch: Callable[[int], Mapping[str, float | Tensor]] | None = None,
    progress: Say = lambda text: None,
    keeper: Keeper | None = None,
    capture: bool = False,
) -> Fitted:
    """Minimise a loss over the parameters that the optimiser holds, in place.

    Args:
        module: whose parameters and buffers are the state of the run; it is put into training mode.
        loss: of a batch and the `Moment`: a scalar, or named scalars of which "loss" is minimised.
        data: tensors with one row an example, on the device; or the number of examples in an epoch, for a
            loss that makes its own: it is then given their numbers.
        optimiser: with the rates that `schedule`, a factor by share of training, is applied to.
        epochs: passes over the data, in an order drawn on the device for each.
        batch: examples in an update; the last of an epoch may have fewer.
        seed: of order and noise.
        clip: largest norm of the gradient.
        after_step: called after every update: projections, norms.
        after_epoch: called with the epoch's number; what it measures joins the curve.
        progress: told where training stands; it may raise to end the run, whose state is then kept.
        keeper: makes the run one that continues.
        capture: replay one captured step (CUDA only; loss and `after_step` do the same work in every update
            and take nothing from `Moment` but `share` and `generator`).

    Raises:
        ValueError: no data, data of different lengths or on several devices.
    """
    with flushed_denormals():
        run = _Run(module, loss, _rows(module, data), optimiser, epochs, batch, seed, schedule or constant)
        run.clip, run.after_step, run.capture = clip, after_step, capture and run.device.type == "cuda"
        if keeper is not None and (state := keeper.load()) is not None:
            run.restore(state)
        module.train()
        while run.epoch < epochs and run.fitted.failed is None:
            _epoch(run, progress, keeper)
            run.end_of_epoch(after_epoch(run.epoch) if after_epoch else {})
            module.train()
            _tell(run, progress, keeper, f"epoch {run.epoch}/{epochs}")
    return run.fitted


def _rows(module: nn.Module, data: Sequence[Tensor] | int) -> Batch:
    if isinstance(data, int):
        place = next(module.parameters(), torch.empty(0)).device
        return (torch.arange(data, device=place),)
    if not data or not len(data[0]) or len({len(tensor) for tensor in data}) > 1:
        shapes = [tuple(tensor.shape) for tensor in data]
        raise ValueError(f"data of shapes {shapes}: every tensor needs one row an example, at least one")
    if len({tensor.device for tensor in data}) > 1:
        raise ValueError(f"data on several devices: {sorted({str(tensor.device) for tensor in data})}")
    return tuple(data)


def _epoch(run: "_Run", progress: Say, keeper: Keeper | None) -> None:
    while run.position < run.batches:
        run.update()
        if run.position % TOLD_EVERY == 0 and run.position < run.batches:
            where = f"epoch {run.epoch + 1}/{run.epochs}, update {run.position}/{run.batches}"
            _tell(run, progress, keeper, where)


def _tell(run: "_Run", progress: Say, keeper: Keeper | None, text: str) -> None:
    try:
        progress(text)
    except BaseException:
        if keeper is not None:
            keeper.save(run.state, now=True)
        raise
    if keeper is not None:
        keeper.save(run.state)


class _Run:
    """A run between two updates: all that an interruption must not lose."""

    clip: float = math.inf
    after_step: Callable[[], None] | None = None
    capture: bool = False

    def __init__(
        self,
        module: nn.Module,
        loss: Callable[[Batch, Moment], Terms],
        data: Batch,
        optimiser: Optimizer,
        epochs: int,
        batch: int,
        seed: int,
        schedule: Callable[[float], float],
    ) -> None:
        self.module, self.loss, self.data, self.optimiser = module, loss, data, optimiser
        self.epochs, self.batch, self.schedule = epochs, batch, schedule
        self.device = data[0].device
        self.batches = math.ceil(len(data[0]) / batch)
        self.generator = Generator(self.device).manual_seed(seed)
        self.rates = [float(group["lr"]) for group in optimiser.param_groups]
        self.epoch = self.position = 0
        self.order: Tensor | None = None
        self.names: list[str] = []
        self.total = self.bad = torch.empty(0)
        self.share = torch.zeros((), device=self.device)
        self.fitted = Fitted()
        self.captured: Captured | None = None

    def update(self) -> None:
        """One update: the next batch of the epoch, whose order is drawn at its first."""
        if self.order is None:
            self.order = torch.randperm(len(self.data[0]), generator=self.generator, device=self.device)
        index = self.order[self.position * self.batch : (self.position + 1) * self.batch]
        step = self.epoch * self.batches + self.position
        share = step / (self.epochs * self.batches)
        self.share.fill_(share)
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            _set(group, rate * self.schedule(share))
        terms = self._replayed(index, step) if self._whole(index) else self._step(index, step)
        self._note(terms, step)
        self.position += 1

    def _whole(self, index: Tensor) -> bool:
        return self.capture and len(index) == self.batch

    def _step(self, index: Tensor, step: int) -> Tensor:
        """The terms of the batch at `index`, after an update; "loss" first, as one tensor (k,)."""
        moment = Moment(self.share, self.epoch, step, self.generator)
        found = self.loss(tuple(tensor[index] for tensor in self.data), moment)
        named = found if isinstance(found, Mapping) else {"loss": found}
        self.optimiser.zero_grad(set_to_none=True)
        named["loss"].backward()
        if self.clip < math.inf:
            nn.utils.clip_grad_norm_(self._parameters(), self.clip)
        self.optimiser.step()
        if self.after_step is not None:
            with torch.no_grad():
                self.after_step()
        self.names = sorted(named, key=lambda name: name != "loss")
        return torch.stack([named[name].detach().to(torch.float32) for name in self.names])

    def _replayed(self, index: Tensor, step: int) -> Tensor:
        if self.captured is None:
            prepared(self.optimiser, self.device)
            self.captured = Captured(lambda static: self._step(static, step), self.generator)
        return self.captured(index)

    def _note(self, terms: Tensor, step: int) -> None:
        if self.total.numel() != terms.numel():
            self.total = torch.zeros_like(terms)
            self.bad = torch.full((), -1, dtype=torch.int64, device=self.device)
        self.total += terms
        self.bad = torch.where((self.bad < 0) & ~terms[0].isfinite(), step, self.bad)

    def _parameters(self) -> list[Tensor]:
        return [parameter for group in self.optimiser.param_groups for parameter in group["params"]]

    def end_of_epoch(self, measured: Mapping[str, float | Tensor]) -> None:
        """Read the epoch's means, the only time at which anything leaves the device."""
        means = (self.total / self.batches).tolist()
        for name, value in [*zip(self.names, means, strict=True), *measured.items()]:
            self.fitted.curve.setdefault(name, []).append(float(value))
        failed = int(self.bad)
        self.fitted.failed = failed if failed >= 0 else None
        self.epoch, self.position, self.order = self.epoch + 1, 0, None
        self.total = torch.zeros_like(self.total)

    def state(self) -> State:
        """Everything that decides how the run goes on, as tensors on the CPU."""
        found: State = {f"module.{name}": tensor for name, tensor in _tensors(self.module).items()}
        for number, entries in self.optimiser.state_dict()["state"].items():
            found |= {f"optimiser.{number}.{key}": torch.as_tensor(value) for key, value in entries.items()}
        found |= {f"curve.{n}": torch.tensor(v, dtype=torch.float64) for n, v in self.fitted.curve.items()}
        found |= {f"total.{name}": self.total[i] for i, name in enumerate(self.names)}
        found["generator"] = self.generator.get_state()
        if self.order is not None:
            found["order"] = self.order
        at = [self.epoch, self.position, self.fitted.stretches, int(self.bad) if self.bad.numel() else -1]
        found["at"] = torch.tensor(at)
        return {name: tensor.detach().cpu().clone() for name, tensor in found.items()}

    @torch.no_grad()
    def restore(self, state: State) -> None:
        """Go on from a state."""
        for name, tensor in _tensors(self.module).items():
            tensor.copy_(state[f"module.{name}"])
        self._restore_optimiser(state)
        self.fitted.curve = {n: v.tolist() for n, v in _under("curve.", state).items()}
        totals = _under("total.", state)
        self.names = sorted(totals, key=lambda name: name != "loss")
        self.epoch, self.position, stretches, bad = state["at"].tolist()
        if self.names:
            self.total = torch.stack([totals[name] for name in self.names]).to(self.device)
            self.bad = torch.tensor(bad, device=self.device)
        self.fitted.stretches = stretches + 1
        self.generator.set_state(state["generator"])
        self.order = state["order"].to(self.device) if "order" in state else None

    def _restore_optimiser(self, state: State) -> None:
        content = self.optimiser.state_dict()
        entries: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under("optimiser.", state).items():
            number, _, key = name.partition(".")
            entries.setdefault(int(number), {})[key] = tensor
        self.optimiser.load_state_dict({"state": entries, "param_groups": content["param_groups"]})


def _set(group: dict[str, object], rate: float) -> None:
    """The rate of a group; in place where a captured step reads it."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers, those that a state_dict leaves out among them."""
    return dict(module.named_parameters()) | dict(module.named_buffers())


def _under(prefix: str, state: State) -> State:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
