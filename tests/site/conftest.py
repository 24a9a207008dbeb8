"""The whole book built once per session, on stand-in data and as it is published."""

import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", params=["quick", "recorded"])
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def site(profile: str) -> Path:
    """Folder of the pages; chapters that did not change since the last session are not executed again."""
    root = ROOT / "_build" / "tests" / profile
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / "lock"):
        for name in ("_config.yml", "_toc.yml", "benchmarks", "book", "static_vendor"):
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
def visited(site: Path, pages: list[str]) -> list[str]:
    """Pages to open in the browser; the source listings are all alike, so three stand for them."""
    listings = sorted((page for page in pages if page.startswith("_modules/")), key=len)
    return [page for page in pages if not page.startswith("_modules/")] + [listings[0], *listings[-2:]]
