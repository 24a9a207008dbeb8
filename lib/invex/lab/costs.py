"""What each profile costs, from the wall times that records and builds of chapters carry."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from invex.lab import experiments
from invex.lab.config import as_dict
from invex.lab.profiles import PROFILES, RECORDABLE
from invex.lab.provenance import hardware, resolve
from invex.lab.records import Store
from invex.lab.sweep import kind

TIMES = "chapter-times.json"


def note(folder: Path, measured: Iterable[tuple[str, str, float]]) -> None:
    """Note chapter, profile and seconds of what was executed, with this hardware, beside the records."""
    times, here = chapter_times(folder), hardware(resolve("auto"))
    for chapter, profile, seconds in measured:
        times.setdefault(chapter, {})[profile] = {"seconds": seconds, "measured on": here}
    (folder / TIMES).write_text(json.dumps(times, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def chapter_times(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Chapter -> profile -> seconds and hardware, as they were last noted."""
    path = folder / TIMES
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def chapters_cost(folder: Path) -> list[dict[str, Any]]:
    """One row a chapter and profile that was measured."""
    return [
        {"what": chapter, "profile": profile, "runs": 1, "cost": duration(entry["seconds"])} | entry
        for chapter, profiles in sorted(chapter_times(folder).items())
        for profile, entry in sorted(profiles.items())
    ]


def experiments_cost(store: Store) -> list[dict[str, Any]]:
    """One row an experiment and profile: its runs, how many are recorded, and what all would take in turn.

    A run is taken to last as long as those recorded that differ in the seed only; the others are counted as
    not measured.
    """
    rows = [_experiment(store, name, profile) for name in experiments.names() for profile in RECORDABLE]
    return [row for row in rows if row["runs"]]


def stated(store: Store, chapter: str, names: Sequence[str]) -> str:
    """What a rerun of a chapter costs at each profile, with its experiments under ``paper``, in one line."""
    times = chapter_times(store.folder).get(chapter, {})
    known = {name: duration(entry["seconds"]) for name, entry in times.items()}
    runs = [_experiment(store, name, "paper") for name in names]
    measured = [place for entry in [*times.values(), *runs] for place in entry["measured on"].split("; ")]
    places = set(filter(None, measured))
    line = ", ".join(f"{profile} {known.get(profile, 'not measured')}" for profile in PROFILES)
    line += "".join(f", and the runs of {row['what']}: {row['cost']}" for row in runs)
    return line + (f" (on {'; '.join(sorted(places))})" if places else "")


def duration(seconds: float) -> str:
    """Seconds in the unit that a reader would use: "40 s", "2.5 min", "3.1 h"."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def _experiment(store: Store, name: str, profile: str) -> dict[str, Any]:
    configs = experiments.find(name).configs(profile)
    there = [item for item in store.all(name) if item.profile == profile]
    times = {kind(item.config): item.provenance["wall_seconds"] for item in there}
    known = [times[k] for config in configs if (k := kind(as_dict(config))) in times]
    unknown = len(configs) - len(known)
    parts = [duration(sum(known))] * bool(known) + [f"{unknown} runs not measured"] * bool(unknown)
    return {
        "what": name,
        "profile": profile,
        "runs": len(configs),
        "recorded": len(there),
        "seconds": sum(known),
        "cost": ", ".join(parts),
        "measured on": "; ".join(sorted({item.provenance["device"] for item in there})),
    }
