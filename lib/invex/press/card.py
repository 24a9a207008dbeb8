"""An artefact as it stands in the page: picture or table, numbered caption, and the quiet card that opens."""

import base64
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from invex.press.artefact import Manifest, plain
from invex.press.markup import html, number, supported_digits


@dataclass(frozen=True)
class Html:
    """Something that a notebook shows as HTML."""

    text: str

    def _repr_html_(self) -> str:
        return self.text


@dataclass(frozen=True)
class Interactive:
    """A script of ``book/interactives`` and its data; where it does not run, the static figure stays.

    The script is a classic one, loaded by this page alone, that calls
    ``invex.interactive("pointer.js", (stage, data, theme) => {...})`` with its own file name: ``stage`` is an
    empty element to fill, ``data`` is the object given here, ``theme()`` gives the page's colours, anew
    after the document's event ``invex:theme``. If it throws, the static figure stays.
    """

    script: str
    data: Mapping[str, Any]


def embedded(manifest: Manifest, folder: Path) -> str:
    """Return the picture inside the page itself, for a notebook that runs outside the book."""
    png = base64.b64encode((folder / f"{manifest.id}.png").read_bytes()).decode()
    return html("card", "embedded", manifest, png)


def interactive(element: Interactive, static: str, name: str, prefix: str) -> str:
    """Return the static picture with the script that replaces it where it can."""
    data = json.dumps(plain(element.data), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return html("card", "interactive", element.script, Markup(data), static, name, prefix)


def artefact(manifest: Manifest, body: str, bibtex: str, address: str, *, wide: bool = False) -> Html:
    """Return the whole under its permanent anchor: body, caption, and the card, which a placeholder lacks."""
    names = sorted(manifest.files, key=lambda name: (not name.endswith(".csv"), name))
    endings = [
        name.removeprefix(manifest.id)
        for name in names
        if not name.endswith((".dark.svg", ".bib", ".narrow.light.svg"))
    ]
    links = [(ending, _file_label(ending)) for ending in endings]
    return Html(html("card", "artefact", manifest, body, bibtex, address, wide, links))


def _file_label(ending: str) -> str:
    """Return ``SVG``, or ``CSV (epoch)`` for one of several tables."""
    stem, _, kind = ending.rpartition(".")
    part = stem.removesuffix(".light").strip("-")
    return kind.upper() + (f" ({part})" if part else "")


def table(frame: pd.DataFrame, digits: int | Mapping[str, int] | None, best: Mapping[str, str] | None) -> str:
    """Return a table, numbers right-aligned; columns ``x low`` and ``x high`` become the interval of ``x``.

    Where it takes several columns to name a row, a narrow page shows their contents in the first.

    ``digits`` (of all columns, or by column) None shows as many as the interval supports. ``best`` (column ->
    "min" or "max") is set in bold only where its interval lies clear of every other row's.
    """
    bounds = {f"{c} {end}" for c in frame.columns for end in ("low", "high")}
    shown = [c for c in frame.columns if c not in bounds]
    places = {c: digits.get(c) if isinstance(digits, Mapping) else digits for c in shown}
    bold = {(_winner(frame, column, how), column) for column, how in (best or {}).items()}
    columns = [(c, frame[c].dtype.kind in "iuf") for c in shown]
    rows = [
        [(*_cell(frame, row, c, places[c]), (row, c) in bold) for c in shown] for row in range(len(frame))
    ]
    return html("card", "table", columns, rows, _naming(frame[shown]))


def _naming(frame: pd.DataFrame) -> int:
    """Return how many columns, from the left, tell the rows apart; at most those before any float."""
    floats = [dtype.kind == "f" for dtype in frame.dtypes]
    most = max([*floats, True].index(True), 1)
    return next((k for k in range(1, most) if not frame.iloc[:, :k].duplicated().any()), most)


def _cell(frame: pd.DataFrame, row: int, column: str, digits: int | None) -> tuple[str, str]:
    """Return the text of a cell, and its interval."""
    value, aside = plain(frame[column].iloc[row]), ""
    if f"{column} low" in frame and pd.notna(frame[f"{column} low"].iloc[row]):
        low, high = (plain(frame[f"{column} {end}"].iloc[row]) for end in ("low", "high"))
        digits = supported_digits(low, high, value) if digits is None else digits
        aside = f"{number(low, digits)} to {number(high, digits)}"
    if isinstance(value, float) and math.isnan(value):
        return "\N{EN DASH}", aside  # was not measured
    return number(value, digits if isinstance(value, float) else None), aside


def _winner(frame: pd.DataFrame, column: str, how: str) -> int | None:
    """Return the row whose interval lies clear of all others in the direction wanted, or None."""
    if f"{column} low" not in frame or frame[f"{column} low"].isna().any():
        return None
    low, high = (frame[f"{column} {end}"].to_numpy() for end in ("low", "high"))
    inner, outer = (low, high) if how == "max" else (-high, -low)
    first = int(inner.argmax())
    return first if all(inner[first] > outer[i] for i in range(len(frame)) if i != first) else None
