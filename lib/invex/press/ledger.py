"""The ledger: the verdict on every artefact of the sources, from what the chapters measured."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from invex.press import claims, findings
from invex.press.book import Book
from invex.press.claims import Artefact, ChapterData, Claim
from invex.press.findings import Candidate, Finding, first_sentence
from invex.press.markup import html
from invex.press.verdict import (
    DIFFERS,
    FULL_SCALE,
    IN_PART,
    JUDGED,
    MISSED,
    NOT_ATTEMPTED,
    QUICK,
    REPRODUCED,
    SAME_ORDER,
    SHOWN,
    UNDECIDED,
    VERDICTS,
    verdict,
)

NAMES = {
    "amos2017": "Amos, Xu & Kolter 2017",
    "hoedt2023": "Hoedt & Klambauer 2023",
    "nesterov2022": "Nesterov et al. 2022",
    "behrmann2019": "Behrmann 2019",
    "beyond": "Beyond the four",
    "own": "The book's own figures",
}
"""What a work is called in headings."""


@dataclass(frozen=True)
class Check:
    """A claim, what was measured for it (None: nothing), the verdict, and what is reduced of its runs."""

    claim: Claim
    result: Mapping[str, Any] | None
    verdict: str
    reduced: str = ""

    @property
    def label(self) -> str:
        """The verdict with the scale at which it was found: ``reproduced, reduced scale``."""
        return _at_scale(self.verdict, self.reduced)

    @property
    def cause(self) -> str:
        """Why it differs, as far as the chapter says, or what would decide it."""
        if self.verdict == FULL_SCALE:
            return self.claim.full
        said = (self.result or {}).get("note") or self.claim.cause
        if self.verdict == MISSED:
            return said
        return said or "cause not found yet" if self.verdict in (DIFFERS, SAME_ORDER) else ""


def _at_scale(verdict: str, reduced: str) -> str:
    return f"{verdict}, reduced scale" if reduced and verdict in JUDGED else verdict


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
    def claims(self) -> list[Check]:
        """The checks of what the work claims, from which the verdict follows."""
        return [check for check in self.checks if not check.claim.own]

    @property
    def aims(self) -> list[Check]:
        """The checks of aims of our own, which are listed below and count for nothing."""
        return [check for check in self.checks if check.claim.own]

    @property
    def judged(self) -> bool:
        """Whether it has a verdict: figures of our own without a claim of a work have none."""
        return self.artefact.listed or bool(self.claims)

    @property
    def reduced(self) -> str:
        """What the runs behind it have less of than the work's, in words."""
        return str(self.shown.get("reduced", "")) or next((c.reduced for c in self.checks if c.reduced), "")

    @property
    def label(self) -> str:
        """The verdict with the scale at which it was found."""
        return _at_scale(self.verdict, self.reduced)

    @property
    def finding(self) -> str:
        """The first sentence of its caption."""
        return first_sentence(self.shown["caption"])

    @property
    def on_page(self) -> bool:
        """Whether its address leads somewhere: to it, to its placeholder, or to a check's result."""
        measured = any(check.result for check in self.checks)
        return bool(self.shown) or (self.artefact.kind == "claim" and measured)

    @property
    def verdict(self) -> str:
        """The verdict that follows from those on the claims of the work.

        It is reproduced only if the book shows it, with all its runs, and every claim about it was checked
        and holds. It is of the same order if only values are missed, while their ranking, or another order or
        trend, holds. It is reproduced in part where all that was decided holds, but not all was checked or
        decided; undecided where nothing was. Without a claim it is shown.
        """
        verdicts = {check.verdict for check in self.claims}
        measured = any(check.result for check in self.checks)
        if not self.drawn and (self.artefact.kind != "claim" or not measured):
            return NOT_ATTEMPTED
        if self.shown.get("quick") or QUICK in {check.verdict for check in self.checks}:
            return QUICK
        if not verdicts:
            return SHOWN
        if verdicts & {DIFFERS, SAME_ORDER}:
            return SAME_ORDER if self._order_holds else DIFFERS
        if verdicts == {REPRODUCED} and not self._short:
            return REPRODUCED
        return IN_PART if REPRODUCED in verdicts else self._open(verdicts)

    @staticmethod
    def _open(verdicts: set[str]) -> str:
        """Return what is said of an artefact of which nothing was decided."""
        return next((each for each in (UNDECIDED, FULL_SCALE) if each in verdicts), IN_PART)

    @property
    def _short(self) -> bool:
        """Whether runs or data are missing at the scale that is shown."""
        words = f"reduced: {self.shown.get('reduced', '')}"
        return self.shown.get("partial", "") not in ("", words)

    @property
    def _order_holds(self) -> bool:
        ranked = [c.verdict for c in self.claims if c.claim.kind in ("order", "trend")]
        missed = [c.claim.kind for c in self.claims if c.verdict == DIFFERS]
        return set(missed) <= {"value"} and (REPRODUCED in ranked or not missed)

    @property
    def marks(self) -> list[str]:
        """What the ledger finds it by: its verdict, and those of the aims that stand below it."""
        own = [f"aim {check.verdict}" for check in self.aims]
        return list(dict.fromkeys([*([self.label] if self.judged else []), *own]))

    def plain(self) -> dict[str, Any]:
        """Return the entry as plain data."""
        known = vars(self.artefact) | {"label": self.artefact.label, "verdict": self.verdict}
        known |= {"reduced": self.reduced}
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
    chapters: Mapping[str, ChapterData] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)

    @property
    def findings(self) -> list[Finding]:
        """What the front page says first."""
        return findings.chosen(self, self.candidates)

    @property
    def cards(self) -> list[dict[str, Any]]:
        """One a chapter: its address, title and question, and its cover with the finding of its caption."""
        found = []
        for slug, data in self.chapters.items():
            drawn = [entry for entry in self.figures if entry.artefact.chapter == slug]
            covers = [entry for entry in drawn if entry.artefact.id == data.cover] or drawn
            if data.work and covers:
                card = {"slug": slug, "title": data.title, "question": data.question}
                found.append(card | {"finding": covers[0].finding, "cover": covers[0]})
        return found

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
        """How many artefacts of the sources have each verdict, in the order of `VERDICTS`, scales apart."""
        counted = Counter(entry.label for group in self.works.values() for entry in group)
        known = [label for verdict in VERDICTS for label in (verdict, f"{verdict}, reduced scale")]
        return {label: counted[label] for label in known if counted[label]}

    @property
    def aims(self) -> dict[str, int]:
        """How many aims of our own have each verdict."""
        counted = Counter(check.verdict for entry in self.entries for check in entry.aims)
        return {verdict: counted[verdict] for verdict in VERDICTS if counted[verdict]}

    @property
    def marks(self) -> list[str]:
        """What entries can be found by, in the order of `VERDICTS`, aims last."""
        present = {mark for entry in self.entries for mark in entry.marks}
        known = [label for verdict in VERDICTS for label in (verdict, f"{verdict}, reduced scale")]
        return [mark for mark in [*known, *(f"aim {verdict}" for verdict in VERDICTS)] if mark in present]

    @staticmethod
    def name(work: str) -> str:
        """Return what a work is called, the key itself where it has no name."""
        return NAMES.get(work, work)

    def summary_line(self) -> str:
        """Return the state in a line: ``73 artefacts: 6 reproduced, 1 differs, 66 not attempted``."""
        parts = ", ".join(f"{count} {verdict}" for verdict, count in self.counts.items())
        return f"{sum(self.counts.values())} artefacts: {parts}"

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data, for ``invex ledger --json``."""
        entries = [entry.plain() for entry in self.entries]
        counts = {"counts": self.counts, "aims": self.aims}
        return {"profile": self.profile, **counts, "artefacts": entries}

    def html(self, part: str, prefix: str = "", *more: Any) -> str:
        """Return a part of `templates/ledger.html` by name; ``prefix`` leads to the root of the site."""
        return html("ledger", part, self, prefix, *more)


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
        held = shown.get(name, {})
        reduced = str(held.get("reduced", ""))
        checks = [check(c, results.get(c.id), profile, reduced) for c in catalogue.claims_of(name)]
        entries.append(Entry(artefact, checks, held))
    return Ledger(entries, profile, catalogue.chapters, findings.candidates(catalogue.book.source))


def check(claim: Claim, result: Mapping[str, Any] | None, profile: str, reduced: str = "") -> Check:
    """Compare what was measured for a claim with it; what was measured at ``quick`` is not compared.

    ``reduced`` says what the runs of its artefact have less of (else the result does); what only the full
    scale can show is not judged at another.
    """
    if result is None:
        return Check(claim, None, NOT_ATTEMPTED)
    if profile == "quick":
        return Check(claim, result, QUICK)
    reduced = reduced or str(result.get("reduced", ""))
    if claim.full and reduced:
        return Check(claim, result, FULL_SCALE, reduced)
    ends = (result["low"], result["high"])
    interval = None if None in ends else ends
    return Check(claim, result, verdict(claim, result["value"], interval, result.get("n")), reduced)
