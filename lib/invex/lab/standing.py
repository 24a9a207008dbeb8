"""What a record is worth today: made by today's code, vouched for by replays, or stale.

A replay leads from the code that made a record to the code that made it again. A record is vouched for where
such steps lead from its code to today's, and no run that today's code made again differs.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from invex.lab import attestations
from invex.lab.attestations import DIFFERS, DISTRIBUTION, IDENTICAL, ROUNDING, Again, on_gpu
from invex.lab.closure import CodeDigest, changed, code_digest
from invex.lab.records import Record, Store

CURRENT, VOUCHED, STALE = "current", "vouched for", "stale"
FEW = 5
"""Runs that an agreement in distribution takes: fewer say little of a spread."""
WORST = (IDENTICAL, ROUNDING, DISTRIBUTION, DIFFERS)


@dataclass(frozen=True)
class Evidence:
    """A run made again, as an attestation has it: its grade, and whether that was on a GPU."""

    run: Again
    grade: str
    gpu: bool


@dataclass(frozen=True)
class Standing:
    """What a record is worth.

    Attributes:
        state: `CURRENT`, `VOUCHED` or `STALE`.
        changed: functions that changed since it was recorded.
        steps: the runs that vouch for it, a list for each step from its code to today's.
        reason: why it is stale although runs were made again; empty where none were.
        gpu: whether it was recorded on a GPU.
    """

    state: str
    changed: Sequence[str] = ()
    steps: Sequence[Sequence[Evidence]] = ()
    reason: str = ""
    gpu: bool = False


@dataclass(frozen=True)
class Replays:
    """The attested runs of an experiment, those of each later code together."""

    by_code: dict[str, list[Evidence]] = field(default_factory=dict)

    def standing(self, item: Record, today: CodeDigest | None) -> Standing:
        """What a record of the experiment is worth under today's code, None where that is gone."""
        code, gpu = item.provenance["code"], on_gpu(item.provenance.get("device", ""))
        names = changed(code["functions"], today.functions if today else {})
        if not names:
            return Standing(CURRENT)
        target = today.digest if today else ""
        if reason := self.failure(target):
            return Standing(STALE, names, reason=reason, gpu=gpu)
        steps = self._steps(code["digest"], target, gpu)
        return Standing(VOUCHED if steps else STALE, names, steps, gpu=gpu)

    def failure(self, code: str) -> str:
        """Why replays by a code vouch for nothing, by run and number; empty where they may."""
        found = self.by_code.get(code, [])
        for each in found:
            if each.grade == DIFFERS:
                why = each.run.outside or each.run.where
                return f"a run made again differs ({each.run.label}): {why}"
        spread = [each for each in found if each.grade == DISTRIBUTION]
        if spread and len(found) < FEW:
            most = spread[0].run
            few = f"{len(found)} runs made again are too few to judge by their spread, which takes {FEW}"
            return f"{few} ({most.label}: {most.where})"
        return ""

    def _steps(self, before: str, after: str, gpu: bool) -> list[list[Evidence]]:
        """The shortest chain of replays from one code to another; empty where it has a gap."""
        ways: dict[str, list[list[Evidence]]] = {before: []}
        waiting = [before]
        while waiting and after not in ways:
            here = waiting.pop(0)
            for code, found in self.by_code.items():
                step = [each for each in found if each.run.code == here]
                if step and code not in ways and not self.failure(code):
                    ways[code] = [*ways[here], _best(step, gpu)]
                    waiting.append(code)
        return ways.get(after, [])


def _best(step: list[Evidence], gpu: bool) -> list[Evidence]:
    """For a record made on a GPU the runs made again on one, where there are any."""
    return [each for each in step if each.gpu] or step if gpu else step


def replays(store: Store, experiment: str) -> Replays:
    """What the attestations of an experiment say.

    Of a run that one code made again several times the last counts. One that agrees counts while its record
    is there, unchanged; one that differs counts whatever became of its record.
    """
    latest: dict[tuple[str, str, str], Evidence] = {}
    for item in attestations.readable(store, experiment):
        for run in item.runs:
            grade = run.grade(item.tolerance)
            if grade == DIFFERS or attestations.stands(store, experiment, run):
                latest[item.code, run.run, run.code] = Evidence(run, grade, on_gpu(item.device))
    found: dict[str, list[Evidence]] = {}
    for (code, _, _), each in latest.items():
        found.setdefault(code, []).append(each)
    return Replays(found)


def standings(store: Store, experiment: str = "*") -> Iterator[tuple[Record, Standing]]:
    """Each readable record with what it is worth."""
    known, today = cache(lambda name: replays(store, name)), cache(_today)
    for item in store.readable(experiment):
        yield item, known(item.experiment).standing(item, today(item.provenance["code"]["module"]))


def in_words(found: Iterable[Standing]) -> str:
    """What vouches for the records of a figure that earlier code made, in a sentence; empty where none is."""
    found = list(found)
    vouched = [each for each in found if each.state == VOUCHED]
    if not vouched:
        return ""
    which = "" if len(vouched) == len(found) else f"{len(vouched)} of {len(found)} runs "
    unique = {id(each): each for standing in vouched for step in standing.steps for each in step}
    runs, steps = list(unique.values()), max(len(standing.steps) for standing in vouched)
    device = " on a CPU" if any(each.gpu for each in vouched) and not all(each.gpu for each in runs) else ""
    whose = "today's" if steps == 1 else f"later code, in {steps} steps to today's,"
    count = f"{len(runs)} run{'s' if len(runs) > 1 else ''} made again{device} by {whose} {agreement(runs)}"
    return f"{which}recorded by earlier code; {count}"


def agreement(runs: Sequence[Evidence]) -> str:
    """How well runs agree with their records: "are identical", "agree to 1e-7"."""
    worst, one = max((each.grade for each in runs), key=WORST.index), len(runs) == 1
    if worst == IDENTICAL:
        return f"{'is' if one else 'are'} identical"
    if worst == ROUNDING:
        return f"agree{'s' if one else ''} to {max(each.run.deviation or 0 for each in runs):.0e}"
    return f"{'lies' if one else 'lie'} within the spread of the recorded seeds"


def _today(module: str) -> CodeDigest | None:
    """The code that an experiment depends on today: none where it is gone."""
    try:
        return code_digest(module)
    except LookupError:
        return None
