"""The API page is made from the sources as they are written."""

import runpy
from pathlib import Path

API = runpy.run_path(str(Path(__file__).parents[2] / "book" / "_ext" / "api_page.py"))


def test_docstrings_become_markdown_that_shows_them_as_written() -> None:
    text = API["plain"](
        "W_ij >= 0 and |f - a| < 1, see `f(x)`.\n\nArgs:\n    x: of shape (n, d),\n        on any device."
    )
    assert "W\\_ij" in text
    assert "`f(x)`" in text
    assert "- `x`: of shape (n, d), on any device." in text


def test_every_public_function_has_its_address() -> None:
    text = API["markdown"]()
    assert "{py:module} invex.nn.initialise" in text
    assert "{py:function} principled(" in text


def test_sources_are_shown_without_importing_the_library() -> None:
    code, tags = API["find_source"](None, "invex.nn.initialise")
    kind, first, last = tags["principled"]
    assert kind == "def"
    assert code.splitlines()[first - 1].startswith("def principled(")
    assert last > first
    assert API["find_source"](None, "numpy") is None
