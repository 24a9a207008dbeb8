"""What each profile costs, from the wall times that records and builds of chapters carry."""

import json
from pathlib import Path
from typing import Any

from invex.lab import experiments
from invex.lab.config import as_dict
from invex.lab.profiles import RECORDABLE
from invex.lab.records import Store
from invex.lab.sweep import kind


def experiments_cost(store: Store) -> list[dict[str, Any]]:
    """One row an experiment and profile: its runs, how many are recorded, and what all would take in turn.

    A run is taken to last as long as those recorded that differ in the seed only; the others are counted as
    not measured.
    """
    return [_experiment(store, name, profile) for name in experiments.names() for profile in RECORDABLE]


def chapters_cost(folder: Path) -> list[dict[str, Any]]:
    """One row a chapter and profile, from `chapter-times.json` in the folder of records where it is."""
    path = folder / "chapter-times.json"
    times = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return [
        {"what": chapter, "profile": profile, "runs": 1, "seconds": seconds, "cost": duration(seconds)}
        for chapter, profiles in sorted(times.items())
        for profile, seconds in sorted(profiles.items())
    ]


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
        "measured on": ", ".join(sorted({item.provenance["device"] for item in there})),
    }
