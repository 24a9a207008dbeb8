"""Shared by all tests: one thread a worker, derandomised property tests, a browser for pages."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run"]  # fmt: skip


@pytest.hookimpl(tryfirst=True)  # xdist names the groups after
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a set-up of their module run on one worker: on two, each would make it."""
    for item in items:
        fixtures = item._fixtureinfo.name2fixturedefs.values() if isinstance(item, pytest.Function) else []
        shared = any(found[-1].scope == "module" for found in fixtures)
        if shared and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


@pytest.fixture(scope="session")
def chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.skip("Chromium is not installed")


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def node_modules() -> Path:
    folder = Path(__file__).with_name("site") / "node_modules"
    if not shutil.which("node"):
        pytest.skip("Node is not installed")
    if not (folder / "html-validate").is_dir() or not (folder / "axe-core").is_dir():
        pytest.skip("axe-core and html-validate are not installed: run `npm ci` in tests/site")
    return folder


@pytest.fixture(scope="session")
def axe(node_modules: Path) -> str:
    """The script of axe-core."""
    return (node_modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
