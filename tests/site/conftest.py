"""The whole book built once per session, on stand-in data and as it is published."""

import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from invex.press.book import Book
from invex.press.inserts import MARK

ROOT = Path(__file__).parents[2]
PROFILES = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ("quick", "recorded")]
"""Each on one worker, so that the two sites are built beside each other, and each is looked at only there."""


@pytest.fixture(scope="session", params=PROFILES)
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def site(profile: str) -> Path:
    """Folder of the pages; chapters that did not change since the last session are not executed again."""
    root = ROOT / "_build" / "tests" / profile
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / "lock"):
        for name in ("_config.yml", "_toc.yml", "CITATION.cff", "benchmarks", "book", "static_vendor"):
            if not (root / name).is_symlink():
                (root / name).symlink_to(ROOT / name)
        command = [
            sys.executable,
            "-m",
            "invex.press.cli",
            "build",
            "--profile",
            profile,
            "--root",
            str(root),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "_build" / "html"


@pytest.fixture(scope="session")
def pages(site: Path) -> list[str]:
    """Addresses of all pages, relative to the site, the source listings among them."""
    return sorted(
        page.relative_to(site).as_posix() for page in site.rglob("*.html") if "_static" not in page.parts
    )


@pytest.fixture(scope="session")
def visited(site: Path, pages: list[str], profile: str) -> list[str]:
    """Pages to open in the browser: three stand for the source listings, which are all alike.

    Of the quick site only those that it does not share with the recorded one: made from results.
    """
    listings = sorted((page for page in pages if page.startswith("_modules/")), key=len)
    if profile == "recorded":
        return [page for page in pages if not page.startswith("_modules/")] + [listings[0], *listings[-2:]]
    book = Book(ROOT)
    own = [name for name in book.pages() if name in book.chapters() or MARK.search(book.text(name))]
    return [f"{name}.html" for name in own]
