"""The status page: what the site was made with, and what each chapter took."""

from collections.abc import Iterable

from invex.lab import provenance
from invex.press.book import Book
from invex.press.execute import load
from invex.press.fingerprint import PACKAGES


def markdown(book: Book, profile: str) -> str:
    """Return the time per chapter, the device and the versions, as two tables."""
    runs = {chapter: load(book.artefacts / profile / chapter) for chapter in book.chapters()}
    times = [(f"{{doc}}`/{name}`", run.profile, f"{run.seconds:.0f}") for name, run in runs.items() if run]
    made = {"processor": provenance.hardware("cpu"), **provenance.versions(PACKAGES)}
    return (
        f"## Chapters\n\n| Chapter | Profile | Seconds |\n|:--|:--|--:|\n{_rows(times)}\n"
        f"## Made with\n\n| What | Which |\n|:--|:--|\n{_rows(made.items())}"
    )


def _rows(rows: Iterable[tuple[str, ...]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
