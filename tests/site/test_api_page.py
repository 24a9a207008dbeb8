"""The API pages are made from the sources as they are written."""

import ast
import re
import runpy
from pathlib import Path

import pytest
from invex.press.book import Book

ROOT = Path(__file__).parents[2]
API = runpy.run_path(str(ROOT / "book" / "_ext" / "api_page.py"))
PAGES = sorted((ROOT / "book" / "api").glob("*.md"))


def test_docstrings_become_markdown_that_shows_them_as_written() -> None:
    text = API["plain"](
        "W_ij >= 0 and |f - a| < 1, see `f(x)`.\n\nArgs:\n    x: of shape (n, d),\n        on any device."
    )
    assert "W\\_ij" in text
    assert "`f(x)`" in text
    assert "- `x`: of shape (n, d), on any device." in text


def test_every_public_function_has_its_address() -> None:
    text = API["markdown"]("nn")
    assert "{py:module} invex.nn.initialise" in text
    assert "{py:function} principled(" in text


def test_every_module_stands_on_one_page_and_every_page_is_in_the_contents() -> None:
    shown = [path for package in API["PACKAGES"] for path in API["modules"](package)]
    public = {path for path in API["LIBRARY"].rglob("*.py") if not path.name.startswith("_")}
    left = {path.relative_to(API["LIBRARY"]).as_posix() for path in public - set(shown)}
    assert len(shown) == len(set(shown))
    assert {name for name in left if not name.startswith("press/cli/")} == {"command.py"}
    marks = [API["MARK"].search(path.read_text()) for path in PAGES]
    assert sorted(mark[1] for mark in marks) == sorted(f"invex.{package}" for package in API["PACKAGES"])
    listed = set(Book(ROOT).pages())
    assert {f"api/{path.stem}" for path in PAGES} <= listed


@pytest.mark.parametrize("page", [*PAGES, ROOT / "book" / "api.md"], ids=lambda page: page.stem)
def test_what_a_page_opens_with_exists(page: Path) -> None:
    named = re.findall(r"\{py:(?:func|class|mod)\}`~?([\w.]+)`", page.read_text())
    assert named
    assert not [name for name in named if not exists(name)]
    assert not exists("invex.nn.convex.Absent")


def exists(name: str) -> bool:
    """Whether a module, or a name that a module defines, is on one of the pages."""
    modules = {module(path): path for package in API["PACKAGES"] for path in API["modules"](package)}
    owner, _, own = name.rpartition(".")
    if name in modules:
        return True
    body = ast.parse(modules[owner].read_text()).body if owner in modules else []
    return own in {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def module(path: Path) -> str:
    return ".".join(path.relative_to(API["LIBRARY"].parent).with_suffix("").parts)


def test_sources_are_shown_without_importing_the_library() -> None:
    code, tags = API["find_source"](None, "invex.nn.initialise")
    kind, first, last = tags["principled"]
    assert kind == "def"
    assert code.splitlines()[first - 1].startswith("def principled(")
    assert last > first
    assert API["find_source"](None, "numpy") is None
