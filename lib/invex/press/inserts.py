"""What is written into pages when the book is built: scoreboard, gallery, ledger, verdicts, status."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from invex.lab import provenance
from invex.press import execute, ledger
from invex.press.book import Book
from invex.press.fingerprint import PACKAGES

MARK = re.compile(r"^<!-- insert: (scoreboard|cards|gallery|table|verdicts|status) -->$", re.MULTILINE)


def fill(book: Book, profile: str, page: str) -> str:
    """Return a page's source with every `<!-- insert: NAME -->` line replaced by what NAME stands for."""

    def part(match: re.Match[str]) -> str:
        if match[1] == "status":
            return _status(book, profile)
        found = ledger.ledger(book.root, book.artefacts, profile)
        return f"````{{raw}} html\n{found.html(match[1], '../' * page.count('/'))}\n````\n"

    return MARK.sub(part, book.text(page))


def _status(book: Book, profile: str) -> str:
    """Return profile, device and time of each chapter, and the versions, as two tables."""
    times = []
    for name in book.chapters():
        folder = book.artefacts / profile / name
        if run := execute.load(folder):
            times.append((f"{{doc}}`/{name}`", run.profile, _device(folder), f"{run.seconds:.0f}"))
    made = provenance.versions(PACKAGES)
    return (
        f"## Chapters\n\n| Chapter | Profile | Device | Seconds |\n|:--|:--|:--|--:|\n{_rows(times)}\n"
        f"## Made with\n\n| What | Which |\n|:--|:--|\n{_rows(made.items())}"
    )


def _device(made: Path) -> str:
    """Return what a chapter was computed on; nothing where it shows no result."""
    shown = made / "results.json"
    return str(json.loads(shown.read_text(encoding="utf-8"))["device"]) if shown.is_file() else ""


def _rows(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
