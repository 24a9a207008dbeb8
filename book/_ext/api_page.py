"""The API pages, made from the library's source without importing it: one anchor for every public name."""

import ast
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import invex
from sphinx.pycode import ModuleAnalyzer

SECTIONS = {name: f"**{name}**" for name in ("Args", "Returns", "Yields", "Raises", "Attributes", "Example")}
LIBRARY = Path(invex.__file__).parent
MARK = re.compile(r"^<!-- insert: api (\S+) -->$", re.MULTILINE)
PACKAGES = (
    "nn", "data", "analysis", "analysis.level_sets", "analysis.argmin", "analysis.signal", "experiments",
    "charts", "lab", "press",
)  # fmt: skip
"""Those with a page of their own; a module stands on the page of the innermost one that holds it."""


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("config-inited", rank)
    app.connect("source-read", fill)
    if "sphinx.ext.viewcode" in app.extensions:  # quick sites have no listings
        app.connect("viewcode-find-source", find_source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def rank(app: Any, config: Any) -> None:
    """Let the search find chapters first; Sphinx looks for a relative path where it was started."""
    config.html_search_scorer = str(Path(__file__).with_name("scorer.js"))


def fill(app: Any, page: str, source: list[str]) -> None:
    """Write the entries of a package into the page that asks for them."""
    source[0] = MARK.sub(lambda mark: markdown(mark[1].removeprefix("invex.")), source[0])


def find_source(app: Any, module: str) -> tuple[str, dict[str, Any]] | None:
    """Return a module's code and where each name stands in it, or None if it is not ours."""
    base = LIBRARY.parent.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            analyser = ModuleAnalyzer.for_file(str(path), module)
            analyser.find_tags()
            return analyser.code, analyser.tags
    return None


def markdown(package: str) -> str:
    """Return the functions and classes of each public module of a package with their docstrings, as MyST."""
    return "\n".join(line for path in modules(package) for line in _module(path))


def modules(package: str) -> list[Path]:
    """Return the files of the public modules that stand on a package's page."""
    found = sorted((LIBRARY / package.replace(".", "/")).rglob("*.py"))
    return [path for path in found if _package(path) == package and not path.name.startswith("_")]


def _package(path: Path) -> str:
    """Return the innermost of `PACKAGES` that holds a module; the commands are not for import."""
    name = ".".join(path.relative_to(LIBRARY).parent.parts)
    inside = [package for package in PACKAGES if f"{name}.".startswith(f"{package}.")]
    return max(inside, key=len) if "cli" not in path.parts else ""


def _module(path: Path) -> Iterator[str]:
    name = ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from (
        f"## {name}",
        "",
        f"```{{py:module}} {name}",
        "```",
        "",
        plain(ast.get_docstring(tree) or ""),
        "",
    )
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield from _entry(node, "class" if isinstance(node, ast.ClassDef) else "function", 5)


def _entry(node: ast.FunctionDef | ast.ClassDef, kind: str, fence: int) -> Iterator[str]:
    """Yield the directive of a function, or of a class with its public methods inside."""
    colons = ":" * fence
    yield from (
        f"{colons}{{py:{kind}}} {node.name}{_signature(node)}",
        "",
        plain(ast.get_docstring(node) or ""),
        "",
    )
    for inner in node.body if isinstance(node, ast.ClassDef) else []:
        if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_"):
            yield from _entry(inner, _kind(inner), fence - 1)
    yield from (colons, "")


def _kind(method: ast.FunctionDef) -> str:
    names = {ast.unparse(decorator) for decorator in method.decorator_list}
    kinds = {"property": "property", "classmethod": "method", "staticmethod": "method"}
    return next((kinds[name] for name in names if name in kinds), "method")


def _signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    """Return a function's parameters, or those of a class: its `__init__`, else its fields."""
    if isinstance(node, ast.FunctionDef):
        if _kind(node) == "property":
            return ""
        result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        return f"({_arguments(node)}){result}"
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef) and inner.name == "__init__":
            return f"({_arguments(inner)})"
    fields = [inner for inner in node.body if isinstance(inner, ast.AnnAssign)]
    public = [ast.unparse(each) for each in fields if not ast.unparse(each.target).startswith("_")]
    return f"({', '.join(public)})" if node.decorator_list else ""


def _arguments(node: ast.FunctionDef) -> str:
    text = ast.unparse(node.args)
    return re.sub(r"^(self|cls)\b(: [^,]+)?(, )?", "", text)


def plain(docstring: str) -> str:
    """Return a docstring as Markdown: sections such as `Args:` as lists, code as code, the rest as text."""
    return "\n\n".join(_paragraph(text) for text in re.split(r"\n\s*\n", docstring))


def _paragraph(text: str) -> str:
    head, _, body = text.partition("\n")
    if head.rstrip(":") not in SECTIONS or not head.endswith(":"):
        return _escape(text)
    entries = re.split(r"\n(?=\S)", textwrap.dedent(body))
    lines = [SECTIONS[head[:-1]]]
    for entry in entries:
        name, colon, meaning = entry.partition(":")
        known = colon and re.fullmatch(r"[\w.*, ]+(\(.*\))?", name)
        said = f"`{name}`: {_escape(meaning.strip())}" if known else _escape(entry)
        lines.append("- " + re.sub(r"\s*\n\s*", " ", said))
    return lines[0] + "\n\n" + "\n".join(lines[1:])


def _escape(text: str) -> str:
    """Return text with everything that Markdown would read as markup escaped, except code."""
    parts = re.split(r"(``.+?``|`[^`\n]+`)", text)
    return "".join(
        part if i % 2 else re.sub(r"([\\*_#<>\[\]|{}$~!+\-^=@])", r"\\\1", part)
        for i, part in enumerate(parts)
    )
