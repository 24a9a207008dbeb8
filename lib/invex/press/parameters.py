"""The parameters of a chapter: what its cell declares, and values typed by a reader checked against it."""

import ast
import re
import tokenize
from io import StringIO
from typing import Any

import jupytext
from nbformat import NotebookNode

from invex.lab.errors import Refused, one_of
from invex.lab.profiles import PROFILES
from invex.lab.provenance import DEVICES

CHOICES = {"profile": PROFILES, "device": DEVICES}
LEAST, MOST = (re.compile(rf"\bat {word} (-?\d+(?:\.\d+)?)") for word in ("least", "most"))
"""How the comment beside a parameter says between which numbers it lies."""


class ParameterError(Refused):
    """A parameter that the chapter does not have, or a value of another type than its default."""


def notebook(text: str) -> NotebookNode:
    """Return the notebook that a MyST chapter describes, without outputs."""
    return jupytext.reads(text, fmt="md:myst")


def code(text: str) -> str:
    """Return the code of a chapter's cells, without IPython's own commands."""
    cells = [cell.source for cell in notebook(text).cells if cell.cell_type == "code"]
    lines = [line for cell in cells for line in cell.splitlines()]
    return "\n".join(line for line in lines if not line.lstrip().startswith(("%", "!")))


def declared(text: str) -> dict[str, Any]:
    """Return name -> default of the chapter's cell tagged `parameters`.

    Raises:
        ParameterError: if there is no such cell, or a default is not a literal.
    """
    return dict(_assignment(statement) for statement in ast.parse(_cell(text)).body)


def remarks(text: str) -> dict[str, str]:
    """Return name -> comment beside it, for the parameters that have one ("layers, at least 4")."""
    source = _cell(text)
    tokens = tokenize.generate_tokens(StringIO(source).readline)
    comments = {
        token.start[0]: token.string.lstrip("# ") for token in tokens if token.type == tokenize.COMMENT
    }
    ends = {statement.end_lineno: _assignment(statement)[0] for statement in ast.parse(source).body}
    return {name: comments[line] for line, name in ends.items() if line in comments}


def _cell(text: str) -> str:
    """Return the source of the cell tagged `parameters`."""
    for cell in notebook(text).cells:
        if "parameters" in cell.metadata.get("tags", []):
            return str(cell.source)
    raise ParameterError("the chapter has no cell tagged `parameters`")


def _assignment(statement: ast.stmt) -> tuple[str, Any]:
    match statement:
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=value)
            | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
        ):
            try:
                return name, ast.literal_eval(value)
            except ValueError:
                pass
    raise ParameterError(f"not a plain `name = literal` in the parameters cell: {ast.unparse(statement)}")


def parse(
    pairs: list[str], defaults: dict[str, Any], remarks: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return the values of `name=value` pairs, read as the type of each default.

    A remark on a parameter that says "at least 4" or "at most 10" bounds it.

    Raises:
        Refused: naming the unknown parameter or the wrong value, and listing what exists.
    """
    listing = ", ".join(f"{name}={default!r}" for name, default in defaults.items())
    values = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or name not in defaults:
            raise ParameterError(f"no parameter {name!r}; the chapter has: {listing}")
        try:
            values[name] = _typed(name, text, defaults[name])
        except TypeError as error:
            raise ParameterError(f"{error}; the chapter has: {listing}") from None
        _refuse_outside(name, values[name], defaults[name], (remarks or {}).get(name, ""))
    return values


def described(name: str, value: Any, default: Any, remark: str) -> str:
    """Return a value that was given, the default, and the chapter's remark on it, for messages."""
    return f"{name}={value!r} (default {default!r}{'; ' if remark else ''}{remark})"


def _refuse_outside(name: str, value: Any, default: Any, remark: str) -> None:
    """Refuse a number outside the bounds that the remark on it names."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    least, most = LEAST.search(remark), MOST.search(remark)
    if (least and not value >= float(least[1])) or (most and not value <= float(most[1])):
        bounds = " and ".join(found[0] for found in (least, most) if found)
        raise ParameterError(f"{described(name, value, default, remark)}: it must be {bounds}")


def _typed(name: str, text: str, default: Any) -> Any:
    """Return `text` as the type of `default`; a whole number is a float where a float is the default."""
    if isinstance(default, str):
        return one_of(CHOICES[name], name, text) if name in CHOICES else text
    try:
        value = ast.literal_eval({"true": "True", "false": "False"}.get(text, text))
    except (ValueError, SyntaxError):
        value = text
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if default is not None and type(value) is not type(default):
        raise TypeError(f"{name}={text!r} is not of type {type(default).__name__}")
    return value
