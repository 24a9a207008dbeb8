"""The recorded runs of an experiment as a chapter sees them: tidy tables, what is missing, what is stale."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pandas as pd

from invex.lab import experiments, standing, sweep
from invex.lab.config import as_dict
from invex.lab.profiles import SCALES
from invex.lab.records import Record, Store, record


@dataclass(frozen=True)
class Records:
    """The runs of one experiment that match a selection.

    Attributes:
        experiment: its name.
        runs: what was found, in the order of ``expected``.
        expected: the full configurations of the profile that match.
        stale: names of the functions that changed since a run was recorded that no replay vouches for.
        reduced: what the runs that are not at full scale have less of, in words; empty if all are.
        vouched: what vouches for runs that earlier code recorded, in words.
        differs: which run came out otherwise when it was made again, so that they are stale.
    """

    experiment: str
    runs: Sequence[Record]
    expected: Sequence[Mapping[str, Any]]
    stale: Sequence[str] = ()
    reduced: str = ""
    vouched: str = ""
    differs: str = ""

    @property
    def command(self) -> str:
        """The command that makes what is missing."""
        if self.experiment.startswith("bench-"):
            return f"invex bench {self.experiment.removeprefix('bench-')} --full --record"
        return f"invex record {self.experiment} --profile paper"

    @property
    def empty(self) -> bool:
        """Whether there is no run that can be drawn."""
        return _failed(self.runs)

    def frame(self, table: str = "curve") -> pd.DataFrame:
        """Return one table of all runs below each other; columns beside it: configuration, ``profile``.

        A column of the table goes before a field of its name: the number of terms that a row was measured
        with, say, before the number that the run trained with.
        """
        found = [run for run in self.runs if table in run.tables]
        parts = [
            _beside(run.tables[table], {**_columns(run.config), "profile": run.profile}) for run in found
        ]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def metrics(self) -> pd.DataFrame:
        """Return one row a run: configuration, metrics, ``profile``, ``failed`` (empty, or the reason)."""
        rows = [
            {**_columns(r.config), **r.metrics, "profile": r.profile, "failed": r.failed or ""}
            for r in self.runs
        ]
        return pd.DataFrame(rows)

    def drawn(self, frame: pd.DataFrame, by: Sequence[str]) -> "Records":
        """Return these runs without those whose fields ``by`` are in no row of what is drawn."""
        there = set(frame[list(by)].itertuples(index=False, name=None)) if len(frame) else set()
        runs = [run for run in self.runs if tuple(run.config[name] for name in by) in there]
        return replace(self, runs=runs)

    @property
    def replays(self) -> dict[str, str]:
        """What a card says of the replays of these runs; empty where there are none."""
        said = {"replayed": self.vouched, "stale": self.differs}
        return {name: text for name, text in said.items() if text}

    def count(self, name: str = "seed") -> int:
        """Return the number of distinct values of a field among the runs."""
        return len({str(run.config[name]) for run in self.runs})

    @property
    def partial(self) -> str:
        """Return what is short of full scale: runs, and data of which some run saw a part; else empty."""
        less = f"reduced: {self.reduced}" if self.reduced else ""
        return "; ".join(filter(None, [less, self._runs_there, *self._subsets]))

    @property
    def _runs_there(self) -> str:
        """Return ``3 of 10 seeds``, or ``24 of 120 runs`` if a seed lacks some; empty if all are there."""
        if len(self.runs) >= len(self.expected):
            return ""
        seeds, of = self.count("seed"), len({entry["seed"] for entry in self.expected})
        if len(self.runs) * of == seeds * len(self.expected):
            return f"{seeds} of {of} seeds"
        return f"{len(self.runs)} of {len(self.expected)} runs"

    @property
    def _subsets(self) -> list[str]:
        """Return ``CIFAR100: 200 of 500 train images a class`` for each data set that is not whole."""
        remarks = {
            (name.partition(" ")[0].upper(), text.partition(" (")[2].partition(" (")[0].removesuffix(")"))
            for run in self.runs
            for name, text in run.provenance.get("data", {}).items()
        }
        return [f"{name}: {remark}" for name, remark in sorted(remarks) if remark]


def described(seeds: Iterable[int], origins: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return what the provenances of runs say, in the words of a card; distinct values are joined."""

    def named(key: str) -> Iterable[str]:
        return (f"{name} {value}".strip() for entry in origins for name, value in entry.get(key, {}).items())

    found = {
        "seeds": ", ".join(map(str, sorted(set(seeds)))),
        "data": _joined(named("data")),
        "device": _joined(entry.get("device", "") for entry in origins),
        "recorded": _joined(entry.get("when", "")[:10] for entry in origins),
        "commit": _joined((entry.get("commit") or "")[:12] for entry in origins),
        "code": _joined(entry.get("code", {}).get("digest", "") for entry in origins),
        "versions": _joined(named("versions")),
    }
    return {name: text for name, text in found.items() if text}


def recorded(folder: Path, experiment: str, selection: Mapping[str, Any], per: Sequence[str] = ()) -> Records:
    """Return the runs that lie in the store, at the largest scale that is recorded.

    Args:
        folder: of the store.
        experiment: name of a module of `invex.experiments`.
        selection: fields of the configuration that must have these values (a list: one of them).
        per: fields for each of whose values the scale is chosen by itself (the panels of a figure).
    """
    found = experiments.find(experiment)
    expected, items = list[Any](), list[Record]()
    for configs, there in _largest(found, Store(folder), selection, per):
        expected += configs
        items += there
    worth = _worth(Store(folder), found, items)
    return Records(
        experiment, items, [as_dict(config) for config in expected], reduced=_less(found, items), **worth
    )


def _largest(
    found: experiments.Experiment, store: Store, selection: Mapping[str, Any], per: Sequence[str]
) -> list[tuple[list[Any], list[Record]]]:
    """Return configurations and records of the largest scale with a run that can be drawn, a pair a group.

    A group without any has those of the full scale.
    """
    groups: dict[tuple[Any, ...], list[tuple[list[Any], list[Record]]]] = {}
    for scale in SCALES:
        of_scale: dict[tuple[Any, ...], list[Any]] = {}
        for config in experiments.select(found, found.configs(scale), selection):
            of_scale.setdefault(tuple(getattr(config, name) for name in per), []).append(config)
        for group, configs in of_scale.items():
            there = [item for config in configs if (item := store.get(found.name, config))]
            groups.setdefault(group, []).append((configs, [r for r in there if r.profile == scale]))
    drawn = {group: [pair for pair in pairs if not _failed(pair[1])] for group, pairs in groups.items()}
    return [(drawn[group] or pairs)[0] for group, pairs in groups.items()]


def _failed(runs: Sequence[Record]) -> bool:
    """Say whether there is nothing that can be drawn."""
    return all(run.failed for run in runs)


def _less(found: experiments.Experiment, runs: Sequence[Record]) -> str:
    """Return the words of the experiment on what the reduced ones of some runs have less of."""
    config = found.module.Config
    names = {field.name: field for field in fields(config)}
    words: dict[str, None] = {}
    for run in [run for run in runs if run.profile == "reduced"]:
        known = {n: tuple(v) if isinstance(v, list) else v for n, v in run.config.items() if n in names}
        words[found.reduced(config(**known))] = None
    return "; ".join(words)


def _worth(store: Store, found: experiments.Experiment, items: Sequence[Record]) -> dict[str, Any]:
    """Return what `Records` says of the code that made its runs: stale, vouched and differs."""
    known, code = standing.replays(store, found.name), found.code()
    worth = [known.standing(item, code) for item in items]
    stale = [each for each in worth if each.state == standing.STALE]
    names = sorted({name for each in stale for name in each.changed})
    differs = next((each.reason for each in stale if each.reason), "")
    return {"stale": names, "vouched": standing.in_words(worth), "differs": differs}


def live(experiment: str, selection: Mapping[str, Any], device: str) -> Records:
    """Run the ``quick`` configurations that match, here and now; nothing is stored."""
    found = experiments.find(experiment)
    expected = experiments.select(found, found.configs("quick"), selection)
    runs = [
        record(found.name, config, "quick", outcome, {})
        for batch in found.batches(expected)
        for config, outcome in found.module.run(batch, device=device, folder=None, progress=lambda text: None)
    ]
    return Records(experiment, runs, [as_dict(config) for config in expected])


def complete(folder: Path, experiment: str, selection: Mapping[str, Any], device: str) -> None:
    """Run and record those ``paper`` configurations that match and have no record yet."""
    found = experiments.find(experiment)
    configs = tuple(experiments.select(found, found.configs("paper"), selection))
    report = sweep.sweep(sweep.Plan(found, configs, "paper", Store(folder), device))
    if report.raised:
        raise RuntimeError("; ".join(f"{name}: {reason}" for name, reason in report.raised.items()))


def _columns(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration as columns: a list becomes text, so that it can be grouped by."""
    return {name: ", ".join(map(str, v)) if isinstance(v, list) else v for name, v in config.items()}


def _beside(table: Mapping[str, Any], more: Mapping[str, Any]) -> pd.DataFrame:
    """Return a table with further columns of one value each, where it has none of that name."""
    return pd.DataFrame(table).assign(**{name: value for name, value in more.items() if name not in table})


def _joined(values: Iterable[str]) -> str:
    return ", ".join(sorted({value for value in values if value}))
