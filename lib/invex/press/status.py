"""The status page: what the site was made with, and what each chapter took."""

import platform
from importlib.metadata import version

from invex.press.book import Book
from invex.press.execute import load
from invex.press.fingerprint import PACKAGES


def markdown(book: Book, profile: str) -> str:
    """Return the time per chapter and the versions, as two tables."""
    times = [(chapter, load(book.artefacts / profile / chapter)) for chapter in book.chapters()]
    rows = [f"| {{doc}}`/{name}` | {run.profile} | {run.seconds:.0f} |" for name, run in times if run]
    packages = [f"| {name} | {version(name)} |" for name in PACKAGES]
    chapters = ["## Chapters", "", "| Chapter | Profile | Seconds |", "|:--|:--|--:|", *rows, ""]
    versions = [
        "## Versions",
        "",
        "| Package | Version |",
        "|:--|:--|",
        f"| Python | {platform.python_version()} |",
    ]
    return "\n".join([*chapters, *versions, *packages, ""])
