"""What is written into pages when the book is built: scoreboard, gallery, ledger, verdicts, status."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from invex.lab import provenance
from invex.press import execute, ledger
from invex.press.book import Book
from invex.press.fingerprint import PACKAGES

PARTS = ("idea", "findings", "scoreboard", "cards", "gallery", "table", "verdicts", "contents", "status")
MARK = re.compile(rf"^<!-- insert: ({'|'.join(PARTS)}) -->$", re.MULTILINE)


def fill(book: Book, profile: str, page: str) -> str:
    """Return a page's source with every `<!-- insert: NAME -->` line replaced by what NAME stands for."""

    def part(match: re.Match[str]) -> str:
        if match[1] == "status":
            return _status(book, profile)
        found, prefix = ledger.ledger(book.root, book.artefacts, profile), "../" * page.count("/")
        return _table(found, prefix) if match[1] == "table" else _raw(found.html(match[1], prefix))

    return MARK.sub(part, book.text(page))


def _raw(html: str) -> str:
    return f"````{{raw}} html\n{html}\n````\n"


def _table(found: ledger.Ledger, prefix: str) -> str:
    """Return the ledger's tables, a heading above each: headings of the page are in its contents."""
    works = (
        f"(ledger-{work})=\n## {found.name(work)}\n\n{_raw(found.html('work', prefix, work))}"
        for work in found.groups
    )
    return "\n".join(works)


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
