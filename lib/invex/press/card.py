"""An artefact as it stands in the page: picture or table, numbered caption, and the quiet card that opens."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invex.press.artefact import QUICK_LABEL, Manifest, plain
from invex.press.markup import badge, copyable, definitions, number, supported_digits, typeset

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Html:
    """Something that a notebook shows as HTML."""

    text: str

    def _repr_html_(self) -> str:
        return self.text


@dataclass(frozen=True)
class Interactive:
    """A script of ``book/_static/interactives`` and its data; where it does not run, the static figure stays.

    The script is a classic one, loaded by this page alone, that calls
    ``invex.interactive("pointer.js", (stage, data, theme) => {...})`` with its own file name: ``stage`` is an
    empty element to fill, ``data`` is the object given here, ``theme()`` gives the page's colours, anew
    after the document's event ``invex:theme``. If it throws, the static figure stays.
    """

    script: str
    data: Mapping[str, Any]


def picture(manifest: Manifest, address: str) -> str:
    """Return the light and the dark picture, with their size so that nothing moves while the page loads."""
    size = 'width="{}" height="{}"'.format(*manifest.size)
    images = "".join(
        f'<img class="only-{theme}" src="{address}.{theme}.svg" {size} alt="{escape(manifest.alt)}">'
        for theme in ("light", "dark")
    )
    return f'<div class="ix-picture">{images}</div>'


def embedded(manifest: Manifest, folder: Path) -> str:
    """Return the picture inside the page itself, for a notebook that runs outside the book."""
    data = base64.b64encode((folder / f"{manifest.id}.png").read_bytes()).decode()
    return f'<img src="data:image/png;base64,{data}" width="{manifest.size[0]}" alt="{escape(manifest.alt)}">'


def interactive(element: Interactive, static: str, name: str, prefix: str) -> str:
    """Return the static picture with the script that replaces it where it can."""
    data = json.dumps(plain(element.data), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    script = escape(element.script)
    return (
        f'<div class="ix-interactive" data-script="{script}" data-json="{name}-data">'
        f'<div class="ix-static">{static}</div><div class="ix-stage"></div></div>'
        f'<script type="application/json" id="{name}-data">{data}</script>'
        f'<script src="{prefix}interactives/{script}"></script>'
    )


def artefact(manifest: Manifest, body: str, bibtex: str, address: str, *, wide: bool = False) -> Html:
    """Return the whole under its permanent anchor: body, caption, and the card, which a placeholder lacks."""
    stale = f"stale: {', '.join(manifest.stale)} changed since" if manifest.stale else ""
    labels = (
        (QUICK_LABEL if manifest.quick else "", "quick"),
        (manifest.partial, "partial"),
        (stale, "stale"),
    )
    anchor = f'<a class="ix-number" href="#{manifest.id}">{manifest.label}</a>'
    text = typeset(escape(manifest.caption, quote=False)) + "".join(badge(*label) for label in labels)
    caption = f"<figcaption>{anchor} {text}</figcaption>"
    inner = caption + body if manifest.kind == "table" else body + caption
    card = "" if manifest.placeholder else _card(manifest, bibtex, address)
    classes = "ix-artefact full-width" if wide else "ix-artefact"
    return Html(f'<div class="{classes}" id="{manifest.id}"><figure>{inner}</figure>{card}</div>')


def _card(manifest: Manifest, bibtex: str, address: str) -> str:
    """Return the one line that opens on files, command, citation and provenance."""
    links = "".join(
        f'<a href="{address}{name.removeprefix(manifest.id)}" download>{_file_label(name, manifest.id)}</a>'
        for name in sorted(manifest.files, key=lambda name: (not name.endswith(".csv"), name))
        if not name.endswith((".dark.svg", ".bib"))
    )
    command = copyable(manifest.command, f"the command for {manifest.label}", f"{manifest.id}-command")
    rows = [
        ("Files", links),
        ("Redraw", command),
        ("Cite", copyable(bibtex, f"the BibTeX of {manifest.label}", f"{manifest.id}-bibtex")),
        *((name.capitalize(), escape(text)) for name, text in manifest.provenance.items()),
    ]
    summary = f'Data, files, citation, provenance<span class="ix-hidden"> of {manifest.label}</span>'
    return f'<details class="ix-card"><summary>{summary}</summary>{definitions(rows)}</details>'


def _file_label(file: str, name: str) -> str:
    """Return ``SVG``, or ``CSV (epoch)`` for one of several tables."""
    stem, _, kind = file.rpartition(".")
    part = stem.removesuffix(".light").removeprefix(name).strip("-")
    return kind.upper() + (f" ({part})" if part else "")


def placeholder(command: str) -> str:
    """Return what stands where no record exists: that it is missing, and the command that makes it."""
    return (
        '<div class="ix-placeholder"><p>Not recorded yet: nothing is drawn in its place.</p>'
        f"<p><code>{escape(command)}</code></p></div>"
    )


def table(frame: pd.DataFrame, digits: int | Mapping[str, int] | None, best: Mapping[str, str] | None) -> str:
    """Return a table, numbers right-aligned; columns ``x low`` and ``x high`` become the interval of ``x``.

    ``digits`` (of all columns, or by column) None shows as many as the interval supports. ``best`` (column ->
    "min" or "max") is set in bold only where its interval lies clear of every other row's.
    """
    bounds = {f"{c} {end}" for c in frame.columns for end in ("low", "high")}
    shown = [c for c in frame.columns if c not in bounds]
    right = {c: ' class="ix-num"' if frame[c].dtype.kind in "iuf" else "" for c in shown}
    head = "".join(f'<th scope="col"{right[c]}>{escape(c)}</th>' if c else "<td></td>" for c in shown)
    places = {c: digits.get(c) if isinstance(digits, Mapping) else digits for c in shown}
    bold = {(_winner(frame, column, how), column) for column, how in (best or {}).items()}
    body = ""
    for row in range(len(frame)):
        cells = [f"<td{right[c]}>{_cell(frame, row, c, places[c], (row, c) in bold)}</td>" for c in shown]
        body += f"<tr>{''.join(cells)}</tr>"
    rows = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="ix-scroll"><table class="ix-table">{rows}</table></div>'


def _cell(frame: pd.DataFrame, row: int, column: str, digits: int | None, bold: bool) -> str:
    value, aside = plain(frame[column].iloc[row]), ""
    if f"{column} low" in frame:
        low, high = (plain(frame[f"{column} {end}"].iloc[row]) for end in ("low", "high"))
        digits = supported_digits(low, high, value) if digits is None else digits
        aside = f' <span class="ix-aside">{number(low, digits)} to {number(high, digits)}</span>'
    text = escape(number(value, digits if isinstance(value, float) else None))
    return (f"<strong>{text}</strong>" if bold else text) + aside


def _winner(frame: pd.DataFrame, column: str, how: str) -> int | None:
    """Return the row whose interval lies clear of all others in the direction wanted, or None."""
    if f"{column} low" not in frame:
        return None
    low, high = (frame[f"{column} {end}"].to_numpy() for end in ("low", "high"))
    inner, outer = (low, high) if how == "max" else (-high, -low)
    first = int(inner.argmax())
    return first if all(inner[first] > outer[i] for i in range(len(frame)) if i != first) else None
