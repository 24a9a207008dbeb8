"""The ledger: the verdict on every artefact of the sources, from what the chapters measured."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invex.press import claims
from invex.press.book import Book
from invex.press.claims import Artefact, Claim
from invex.press.markup import html
from invex.press.verdict import (
    DIFFERS,
    IN_PART,
    NOT_ATTEMPTED,
    QUICK,
    REPRODUCED,
    SAME_ORDER,
    UNDECIDED,
    VERDICTS,
    verdict,
)


@dataclass(frozen=True)
class Check:
    """A claim, what was measured for it (None: nothing), and the verdict."""

    claim: Claim
    result: Mapping[str, Any] | None
    verdict: str

    @property
    def cause(self) -> str:
        """Why it differs, as far as the chapter says."""
        said = (self.result or {}).get("note") or self.claim.cause
        return said or "cause not found yet" if self.verdict in (DIFFERS, SAME_ORDER) else ""


@dataclass(frozen=True)
class Entry:
    """An artefact with its checks; ``shown`` is the manifest of what the page holds, or empty."""

    artefact: Artefact
    checks: list[Check]
    shown: Mapping[str, Any]

    @property
    def drawn(self) -> bool:
        """Whether the page holds it, not only a placeholder."""
        return bool(self.shown) and not self.shown["placeholder"]

    @property
    def judged(self) -> bool:
        """Whether it has a verdict: figures of our own without a check of their own have none."""
        return self.artefact.listed or bool(self.checks)

    @property
    def on_page(self) -> bool:
        """Whether its address leads somewhere: to it, to its placeholder, or to a check's result."""
        measured = any(check.result for check in self.checks)
        return bool(self.shown) or (self.artefact.kind == "claim" and measured)

    @property
    def verdict(self) -> str:
        """The verdict that follows from those on the claims.

        It is reproduced only if the book shows it, with all its runs, and every claim about it was checked
        and holds. It is of the same order if only values are missed, while their ranking, or another order or
        trend, holds. It is reproduced in part where all that was decided holds, but not all was checked or
        decided; undecided where nothing was.
        """
        verdicts = {check.verdict for check in self.checks}
        if not self.drawn and (self.artefact.kind != "claim" or verdicts <= {NOT_ATTEMPTED}):
            return NOT_ATTEMPTED
        if QUICK in verdicts or self.shown.get("quick"):
            return QUICK
        if verdicts & {DIFFERS, SAME_ORDER}:
            return SAME_ORDER if self._order_holds else DIFFERS
        if verdicts == {REPRODUCED} and not self.shown.get("partial"):
            return REPRODUCED
        return UNDECIDED if UNDECIDED in verdicts and REPRODUCED not in verdicts else IN_PART

    @property
    def _order_holds(self) -> bool:
        ranked = [c.verdict for c in self.checks if c.claim.kind in ("order", "trend")]
        missed = [c.claim.kind for c in self.checks if c.verdict == DIFFERS]
        return set(missed) <= {"value"} and (REPRODUCED in ranked or not missed)

    def plain(self) -> dict[str, Any]:
        """Return the entry as plain data."""
        known = vars(self.artefact) | {"label": self.artefact.label, "verdict": self.verdict}
        runs = {"partial": self.shown.get("partial", ""), "stale": self.shown.get("stale", [])}
        checks = [
            vars(c.claim) | dict(c.result or {}) | {"verdict": c.verdict, "cause": c.cause}
            for c in self.checks
        ]
        return known | runs | {"claims": checks}


@dataclass(frozen=True)
class Ledger:
    """Every artefact of the sources with its verdict, then the book's own figures."""

    entries: list[Entry]
    profile: str

    @property
    def groups(self) -> dict[str, list[Entry]]:
        """The entries by source, in its order, after them what else is checked of it; last the book's own."""
        found = self.works
        for entry in [entry for entry in self.entries if not entry.artefact.listed]:
            of_source = entry.checks and entry.artefact.source
            found.setdefault(entry.artefact.work if of_source else "own", []).append(entry)
        return found

    @property
    def works(self) -> dict[str, list[Entry]]:
        """The artefacts of each source, in its order: what is counted."""
        found: dict[str, list[Entry]] = {}
        for entry in [entry for entry in self.entries if entry.artefact.listed]:
            found.setdefault(entry.artefact.work, []).append(entry)
        return found

    @property
    def figures(self) -> list[Entry]:
        """The figures that are drawn, in the order of their numbers."""
        drawn = [entry for entry in self.entries if entry.drawn and entry.shown["size"]]
        return sorted(drawn, key=lambda entry: [int(part) for part in entry.artefact.number.split(".")])

    @property
    def counts(self) -> dict[str, int]:
        """How many artefacts of the sources have each verdict, in the order of `VERDICTS`."""
        counted = Counter(entry.verdict for group in self.works.values() for entry in group)
        return {verdict: counted[verdict] for verdict in VERDICTS if counted[verdict]}

    def summary_line(self) -> str:
        """Return the state in a line: ``73 artefacts: 6 reproduced, 1 differs, 66 not attempted``."""
        parts = ", ".join(f"{count} {verdict}" for verdict, count in self.counts.items())
        return f"{sum(self.counts.values())} artefacts: {parts}"

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data, for ``invex ledger --json``."""
        entries = [entry.plain() for entry in self.entries]
        return {"profile": self.profile, "counts": self.counts, "artefacts": entries}

    def html(self, part: str, prefix: str = "") -> str:
        """Return ``scoreboard``, ``gallery``, ``verdicts`` or ``table``; ``prefix`` leads to the root."""
        return html("ledger", part, self, prefix)


def ledger(root: Path, artefacts_dir: Path, profile: str) -> Ledger:
    """Evaluate every claim against the ``results.json`` below ``artefacts_dir/profile``."""
    catalogue = claims.load(Book(root))
    shown: dict[str, Mapping[str, Any]] = {}
    results: dict[str, Mapping[str, Any]] = {}
    for slug in catalogue.chapters:
        path = artefacts_dir / profile / slug / "results.json"
        if path.is_file():
            found = json.loads(path.read_text(encoding="utf-8"))
            shown |= found["artefacts"]
            results |= found["results"]
    entries = []
    for name, artefact in catalogue.artefacts.items():
        checks = [check(claim, results.get(claim.id), profile) for claim in catalogue.claims_of(name)]
        entries.append(Entry(artefact, checks, shown.get(name, {})))
    return Ledger(entries, profile)


def check(claim: Claim, result: Mapping[str, Any] | None, profile: str) -> Check:
    """Compare what was measured for a claim with it; what was measured at ``quick`` is not compared."""
    if result is None:
        return Check(claim, None, NOT_ATTEMPTED)
    if profile == "quick":
        return Check(claim, result, QUICK)
    ends = (result["low"], result["high"])
    interval = None if None in ends or result.get("extremes") else ends
    return Check(claim, result, verdict(claim, result["value"], interval))
