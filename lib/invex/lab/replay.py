"""Replays: a sample of recorded runs made again by today's code, compared, and attested."""

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from invex.lab import attestations
from invex.lab.attestations import DISTRIBUTION, IDENTICAL, ROUNDING, Again, Attestation, on_gpu, tolerance_of
from invex.lab.checkpoints import Checkpoint
from invex.lab.closure import CodeDigest, changed
from invex.lab.compare import largest_deviation, outside
from invex.lab.config import as_dict, digest, sha256
from invex.lab.errors import Refused
from invex.lab.experiments import Experiment
from invex.lab.profiles import RECORDABLE
from invex.lab.provenance import commit, hardware, versions
from invex.lab.records import Outcome, Record, Store, record
from invex.lab.sweep import Say, kind, label

Pair = tuple[Any, Record]
"""A config and its record."""


class _OutOfTime(Exception):  # noqa: N818 - no error
    """The budget ended while a run was under way."""


@dataclass(frozen=True)
class Task:
    """What to replay and how; `runs` None is one of each kind, with a deadline as many as it lets."""

    experiment: Experiment
    store: Store
    device: str = "cpu"
    data: Path | None = None
    runs: int | None = None
    deadline: float = float("inf")


@dataclass
class Replayed:
    """What a replay did: its attestation (None where no run was finished), its file, and what raised."""

    attestation: Attestation | None = None
    path: Path | None = None
    raised: dict[str, str] = field(default_factory=dict)


def candidates(task: Task, code: CodeDigest) -> list[Pair]:
    """Runs that other code than today's recorded, in the order in which they are drawn.

    A hash that depends on today's code draws among them, so that nobody chooses the sample: first one of each
    code, then one of each kind, then the others. They are those recorded on the kind of device at hand, or
    all where there is none; runs that failed are left out.
    """
    known = {digest(c): c for profile in RECORDABLE for c in task.experiment.configs(profile)}
    found = [
        (known[item.digest], item)
        for item in task.store.readable(task.experiment.name)
        if item.digest in known and not item.failed
        if changed(item.provenance["code"]["functions"], code.functions)
        if as_dict(known[item.digest]) | item.config == as_dict(known[item.digest])
    ]
    gpu = task.device.startswith("cuda")
    there = [pair for pair in found if on_gpu(pair[1].provenance["device"]) == gpu] or found
    drawn = sorted(there, key=lambda pair: sha256(f"{code.digest} {pair[1].digest}"))
    return _one_of_each(_code, _one_of_each(_kind, drawn))


def _kind(pair: Pair) -> str:
    return kind(pair[1].config)


def _code(pair: Pair) -> str:
    return str(pair[1].provenance["code"]["digest"])


def _one_of_each(stratum: Callable[[Pair], str], pairs: list[Pair]) -> list[Pair]:
    """The first pair of each stratum, then the others."""
    first: dict[str, Pair] = {}
    for pair in pairs:
        first.setdefault(stratum(pair), pair)
    ahead = {pair[1].digest for pair in first.values()}
    return [*first.values(), *(pair for pair in pairs if pair[1].digest not in ahead)]


def sample(task: Task, code: CodeDigest) -> list[Pair]:
    """The runs to make again: as many as asked for, else one of each kind, or whatever the budget lets.

    Raises:
        Refused: there is none.
    """
    drawn = candidates(task, code)
    if not drawn:
        raise Refused(
            f"no run of {task.experiment.name} to make again: none that did not fail was recorded by other "
            "code than today's"
        )
    if task.runs is not None:
        return drawn[: task.runs]
    kinds = max(len(set(map(stratum, drawn))) for stratum in (_kind, _code))
    return drawn if task.deadline < float("inf") else drawn[:kinds]


def replay(task: Task, say: Say = lambda text: None, ended: Say | None = None) -> Replayed:
    """Make a sample of recorded runs again, compare each with its record, and attest to it.

    The attestation is written after every run, so that what was finished counts whatever happens next. A run
    is not begun where it would not end within the budget, going by its record's time; on a GPU those that go
    together are made together.

    Raises:
        Refused: there is nothing to make again.
        RecordNotWritten: the attestation could not be written.
    """
    code, done, told = task.experiment.code(), Replayed(), ended or say
    records = list(task.store.readable(task.experiment.name))
    for group in _groups(task, sample(task, code)):
        begun = {config: item for config, item in group if _fits(task, item)}
        try:
            for config, outcome in _made(task, list(begun), code, say):
                run = _compared(task, config, begun[config], outcome, records)
                _keep(task, done, code, run)
                told(f"{run.label}: {in_words(run, tolerance_of(task.experiment.module))}")
        except _OutOfTime:
            break
        except Exception as error:
            ours = type(error).__module__.startswith("invex.") and str(error)
            reason = ours or "".join(traceback.format_exception(error)).rstrip()
            done.raised |= {label(config): reason for config in begun}
            told(f"{label(next(iter(begun)))}: {reason.splitlines()[-1]}")
    return done


def in_words(run: Again, tolerance: attestations.Tolerance) -> str:
    """How a run came out, with the number that differs most."""
    grade = run.grade(tolerance)
    if grade == IDENTICAL:
        return grade
    if grade == ROUNDING:
        return f"agrees to {run.deviation:.0e} ({run.where})"
    if grade == DISTRIBUTION:
        return f"within the spread of the recorded seeds ({run.where})"
    return f"differs: {run.outside or run.where}"


def _groups(task: Task, chosen: list[Pair]) -> list[list[Pair]]:
    if not task.device.startswith("cuda"):
        return [[pair] for pair in chosen]
    items = dict(chosen)
    return [[(c, items[c]) for c in group] for group in task.experiment.batches(list(items))]


def _fits(task: Task, item: Record) -> bool:
    """Whether a run would end within the budget; one that continues leaves its state there."""
    lasts = 0.0 if task.experiment.continues else float(item.provenance["wall_seconds"])
    return time.time() + lasts < task.deadline


def _made(task: Task, configs: Sequence[Any], code: CodeDigest, say: Say) -> Iterator[tuple[Any, Outcome]]:
    """What today's code gives for the configs."""

    def told(text: str) -> None:
        if time.time() > task.deadline:
            raise _OutOfTime
        say(text)

    more: dict[str, Any] = {"device": task.device, "folder": task.data, "progress": told}
    states: dict[Any, Checkpoint] = {}
    if task.experiment.continues:
        work = task.store.work(task.experiment.name)
        states = {c: Checkpoint(work / f"{digest(c)}-{code.digest}.replay") for c in configs}
        more["keeper"] = states.__getitem__
    for config, outcome in task.experiment.module.run(tuple(configs), **more) if configs else ():
        yield config, outcome
        if config in states:
            states[config].drop()


def _compared(task: Task, config: Any, before: Record, outcome: Outcome, records: Sequence[Record]) -> Again:
    """A run that was made again beside its record, and beside the records of its kind.

    Raises:
        Refused: it was made from other data.
    """
    if (data := before.provenance["data"]) != dict(outcome.data):
        raise Refused(f"made from other data than the record: {dict(outcome.data)}, recorded {data}")
    tolerance = tolerance_of(task.experiment.module)
    item = record(before.experiment, config, before.profile, outcome, {})
    deviation, where = largest_deviation(before, item, tolerance)
    alike = [each for each in records if not each.failed and kind(each.config) == kind(before.config)]
    spread = outside(item, alike, tolerance) if tolerance.chaotic and deviation != 0 else None
    made_by, device = _code((config, before)), before.provenance["device"]
    sealed = attestations.seal(before)
    return Again(before.digest, label(config), sealed, made_by, device, deviation, where, spread)


def _keep(task: Task, done: Replayed, code: CodeDigest, run: Again) -> None:
    """Write the attestation with one run more."""
    item = done.attestation or Attestation(
        experiment=task.experiment.name,
        code=code.digest,
        commit=commit(code.files),
        device=hardware(task.device),
        when=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        versions=versions(),
        tolerance=tolerance_of(task.experiment.module),
    )
    done.attestation = replace(item, runs=[*item.runs, run])
    done.path = attestations.put(task.store, done.attestation)
