"""The sweep runner: runs what has no record yet, most valuable first, inside a budget.

A run is claimed by a lock that the kernel drops when its process ends, however it ends, so there are no stale
claims and any number of sweeps share the work. Workers are such sweeps side by side in processes of their
own.
"""

import json
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from invex.lab.checkpoints import Checkpoint
from invex.lab.closure import CodeDigest
from invex.lab.config import as_dict, canonical, digest, dumps
from invex.lab.experiments import Experiment
from invex.lab.provenance import hardware, provenance, reset_peak
from invex.lab.records import Outcome, Record, RecordNotWritten, Store, record
from invex.lab.standing import STALE, replays

Say = Callable[[str], None]


class _OutOfTime(Exception):  # noqa: N818 - no error
    """The budget ended while a run was under way."""


@dataclass
class Report:
    """What a sweep did: the records it wrote (failed runs among them), and the runs that raised, with why."""

    recorded: list[Record] = field(default_factory=list)
    raised: dict[str, str] = field(default_factory=dict)

    def merge(self, other: "Report") -> None:
        """Add what another part of the sweep did."""
        self.recorded += other.recorded
        self.raised |= other.raised


@dataclass(frozen=True)
class Plan:
    """What to run and how; the same for every worker of a sweep.

    Attributes:
        deadline: `time.time()` after which nothing may still run; infinite without a budget.
        stale: run those again whose record was made by other code.
        states: where runs that continue leave their states; else beside the records, unknown to git.
    """

    experiment: Experiment
    configs: tuple[Any, ...]
    profile: str
    store: Store
    device: str = "cpu"
    data: Path | None = None
    deadline: float = float("inf")
    stale: bool = False
    states: Path | None = None

    def checkpoint(self, config: Any, code: CodeDigest) -> Checkpoint:
        """Where a run leaves its state, by config and code."""
        folder = self.states or self.store.work(self.experiment.name)
        return Checkpoint(folder / f"{digest(config)}-{code.digest}.state")


def missing(plan: Plan) -> list[Any]:
    """Configs of the plan without a record (with `stale`: without one that is not stale), in order."""
    done = _judge(plan, plan.experiment.code())
    return [config for config in plan.configs if not done(config)]


def sweep(plan: Plan, say: Say = lambda text: None, ended: Say | None = None) -> Report:
    """Run what is missing, in this process; resumable after any interruption.

    `say` is told of the progress of a run, `ended` (else `say`) of its end.

    A run that raises is named and the others go on. A run is not started where, going by the time measured
    for runs that differ in the seed only (else the slowest run of the experiment on this hardware), it would
    not end before the deadline; the very first has no prediction and is started, and so is one that continues
    (`Experiment.continues`). One that is still under way at the deadline is given up where it next tells of
    its progress; one that continues leaves its state there.

    Raises:
        RecordNotWritten: the disk is full or may not be written; the sweep cannot go on.
    """
    times, code = _measured(plan), plan.experiment.code()
    report, done = Report(), _judge(plan, code)
    together = plan.device.startswith("cuda")  # on a GPU all that the experiment can compute at once
    for group in plan.experiment.batches(plan.configs) if together else [[c] for c in plan.configs]:
        with _claims(plan, group) as claimed:
            waiting = [config for config in claimed if not done(config)]
            while configs := _next(times, waiting, plan.deadline - time.time(), plan.experiment.continues):
                made = _run(plan, configs, code, say, ended or say)
                times |= {kind(item.config): item.provenance["wall_seconds"] for item in made.recorded}
                report.merge(made)
                waiting = [config for config in waiting if config not in configs]
    return report


def label(config: Any) -> str:
    """A config in one line, for messages: its fields that are not at their default."""
    return " ".join(f"{name}={value}" for name, value in json.loads(canonical(config)).items()) or "defaults"


def _run(plan: Plan, configs: list[Any], code: CodeDigest, say: Say, ended: Say) -> Report:
    """One call of the experiment's `run`: what it finished is recorded at once, even if it raises later."""
    start, report = time.perf_counter(), Report()
    reset_peak(plan.device)
    kept = {config: plan.checkpoint(config, code) for config in configs if plan.experiment.continues}

    def keep(config: Any, outcome: Outcome, share: float) -> Record:
        before = kept[config].origin() if config in kept else {}
        share += before.pop("seconds", 0.0)
        origin = provenance(code, device=plan.device, wall_seconds=share, batch=len(configs)) | before
        item = record(plan.experiment.name, config, plan.profile, outcome, origin)
        plan.store.put(item)
        return item

    outcomes, reason = _compute(plan, configs, keep, kept, say)
    share = (time.perf_counter() - start) / len(configs)
    for config in configs:
        if config in outcomes:
            report.recorded.append(keep(config, outcomes[config], share))  # again: now its time is known
            if config in kept:
                kept[config].drop()
            ended(f"{label(config)}: {report.recorded[-1].failed or 'recorded'} ({share:.1f} s)")
        elif reason:
            report.raised[label(config)] = reason
            ended(f"{label(config)}: {reason}")
        else:
            state = config in kept and kept[config].path.exists()
            ended(f"{label(config)}: {'left its state' if state else 'given up'} at the end of the budget")
    return report


def _compute(
    plan: Plan,
    configs: list[Any],
    keep: Callable[[Any, Outcome, float], Record],
    kept: dict[Any, Checkpoint],
    say: Say,
) -> tuple[dict[Any, Outcome], str]:
    """What the experiment gives, kept as it comes, and why there is no more ("": for want of time)."""
    start, outcomes = time.perf_counter(), dict[Any, Outcome]()

    def told(text: str) -> None:
        if time.time() > plan.deadline:
            raise _OutOfTime
        say(text)

    run = plan.experiment.module.run
    more: dict[str, Any] = {"device": plan.device, "folder": plan.data, "progress": told}
    more |= {"keeper": kept.__getitem__} if kept else {}
    try:
        for config, outcome in run(tuple(configs), **more):
            if config not in configs:
                raise ValueError(f"the run gave a configuration that it was not asked for: {label(config)}")
            keep(config, outcome, (time.perf_counter() - start) / (len(outcomes) + 1))
            outcomes[config] = outcome
    except RecordNotWritten:
        raise
    except _OutOfTime:
        return outcomes, ""
    except Exception as error:
        ours = type(error).__module__.startswith("invex.") and str(error)  # says itself what to do
        return outcomes, ours or "".join(traceback.format_exception(error)).rstrip()
    return outcomes, "the run gave no outcome"


def _judge(plan: Plan, code: CodeDigest) -> Callable[[Any], bool]:
    """Whether a config has the record that the plan asks for."""
    known = replays(plan.store, plan.experiment.name) if plan.stale else None

    def done(config: Any) -> bool:
        found = plan.store.get(plan.experiment.name, config)
        return found is not None and (known is None or known.standing(found, code).state != STALE)

    return done


@contextmanager
def _claims(plan: Plan, configs: Sequence[Any]) -> Iterator[list[Any]]:
    """Those of the configs that no other process is running, held until the end of the block."""
    try:
        folder = plan.store.work(plan.experiment.name)
    except OSError as error:
        raise RecordNotWritten(f"cannot write {plan.store.folder}: {error.strerror}") from error
    claimed = []
    with ExitStack() as held:
        for config in configs:
            path = folder / digest(config)
            with suppress(Timeout):
                held.enter_context(FileLock(path).acquire(timeout=0))
                claimed.append(config)
                for left in folder.glob(f"{path.name}-*.tmp"):
                    shutil.rmtree(left, ignore_errors=True)  # of a run killed while its record was written
        yield claimed


def _measured(plan: Plan) -> dict[str, float]:
    """Seconds of the slowest recorded run of each kind on hardware like this."""
    here = hardware(plan.device)
    times: dict[str, float] = {}
    for item in plan.store.all(plan.experiment.name):
        if item.provenance["device"] == here and item.profile == plan.profile:
            name, wall = kind(item.config), item.provenance["wall_seconds"]
            times[name] = max(times.get(name, 0.0), wall)
    return times


def _next(
    times: dict[str, float], configs: Sequence[Any], seconds: float, continues: bool = False
) -> list[Any]:
    """Those of the configs to run next: from the first on, all that are predicted to end within the time.

    One that continues is begun while there is any time.

    Where the time is limited, runs of kinds that were not measured are tried first, one of each: all of a
    group at once might be lost at the end.
    """
    if continues:
        return list(configs) if seconds > 0 else []
    kinds = {config: kind(as_dict(config)) for config in configs}
    if seconds < float("inf"):
        first: dict[str, Any] = {}
        for config, name in kinds.items():
            first.setdefault(name, config)
        configs = [config for name, config in first.items() if name not in times] or configs
    slowest = max(times.values(), default=0.0)
    ends = accumulate(times.get(kinds[config], slowest) for config in configs)
    return list(configs[: sum(end <= seconds for end in ends)])


def kind(config: dict[str, Any]) -> str:
    """What a run has in common with those that differ in the seed only, for predicting its time."""
    return dumps({name: value for name, value in config.items() if name != "seed"})
