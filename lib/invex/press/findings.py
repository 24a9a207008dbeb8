"""What the front page says first: a few findings, each a sentence with its figure, chosen by the data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from invex.press.markup import measured, number

if TYPE_CHECKING:
    from invex.press.ledger import Check, Entry, Ledger

MOST = 5
"""Findings that a reader takes in at a glance."""


@dataclass(frozen=True)
class Candidate:
    """What may be said, in the order of ``book/findings.yml``.

    Attributes:
        figure: the artefact that shows it.
        say: the sentence; ``{claim}`` is what was measured for a claim, ``{claim:%}`` a share as per cent.
            Without it the first sentence of the figure's caption is said.
        when: the verdict that each claim must have for the sentence to hold.
        to: the artefact that the sentence leads to, by default the figure.
    """

    figure: str
    say: str = ""
    when: Mapping[str, str] = field(default_factory=dict)
    to: str = ""


@dataclass(frozen=True)
class Finding:
    """A sentence, the figure that shows it, where it leads, and the verdict with its scale (or empty)."""

    sentence: str
    entry: "Entry"
    to: "Entry"
    label: str = ""


def candidates(source: Path) -> list[Candidate]:
    """Return the candidates of a book's source folder, in their order; none where it lists none."""
    path = source / "findings.yml"
    listed = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else []
    return [Candidate(**entry) for entry in listed]


def chosen(ledger: "Ledger", candidates: list[Candidate]) -> list[Finding]:
    """Return the first `MOST` of the candidates whose figure is drawn and whose conditions the data meet."""
    entries = {entry.artefact.id: entry for entry in ledger.entries}
    checks = {check.claim.id: check for entry in ledger.entries for check in entry.checks}
    from_first = (_finding(each, entries, checks) for each in candidates)
    return [found for found in from_first if found][:MOST]


def _finding(wanted: Candidate, entries: Mapping[str, Any], checks: Mapping[str, "Check"]) -> Finding | None:
    entry = entries.get(wanted.figure)
    if entry is None or not entry.drawn:
        return None
    to = entries.get(wanted.to) or entry
    if not wanted.say or entry.shown.get("quick"):  # what is drawn from stand-in data says only what it shows
        return Finding(first_sentence(entry.shown["caption"]), entry, to)
    held = [checks[name] for name in wanted.when if name in checks]
    if [check.verdict for check in held] != list(wanted.when.values()):
        return None
    return Finding(_filled(wanted.say, checks), entry, to, next((check.label for check in held), ""))


def _filled(text: str, checks: Mapping[str, "Check"]) -> str:
    """Return a sentence with what was measured in the place of each ``{claim}``."""

    def value(match: re.Match[str]) -> str:
        check = checks[match[1]]
        assert check.result is not None  # it has the verdict that was asked for
        if match[2]:
            return f"{number(100 * check.result['value'], 0)} %"
        return measured(check.claim, check.result)[0]

    return re.sub(r"\{([^{}:]+)(:%)?\}", value, text)


def first_sentence(text: str) -> str:
    """Return a caption's first sentence, which says the finding; a full stop within a number ends none."""
    return re.split(r"(?<=[.!?])\s+(?=[A-Z])", text.strip(), maxsplit=1)[0]
