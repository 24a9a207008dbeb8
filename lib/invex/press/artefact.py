"""The files of one artefact: pictures, data, citation, manifest; the same data give the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invex.press.markup import QUICK_LABEL

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


TIGHT: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.04}


@dataclass(frozen=True)
class Manifest:
    """All that the page, the gallery and a reader's program need to know of an artefact."""

    id: str
    kind: str
    label: str
    title: str
    chapter: str
    profile: str
    command: str
    quick: bool
    caption: str = ""
    alt: str = ""
    sources: list[str] = field(default_factory=list)
    partial: str = ""
    reduced: str = ""
    stale: list[str] = field(default_factory=list)
    differs: str = ""
    placeholder: bool = False
    size: list[int] = field(default_factory=list)  # CSS pixels: width, height
    narrow: list[int] = field(default_factory=list)  # likewise, of the drawing for a phone; empty: none
    provenance: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)  # name -> SHA-256


def fresh(folder: Path) -> Path:
    """Return the folder, made anew and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def swap(made: Path, place: Path) -> None:
    """Put a finished folder in the place of an old one, which comes back if that fails."""
    old = place.with_name(f"{place.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    try:
        made.rename(place)
    except OSError:
        if old.exists():
            old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def save_json(path: Path, content: Any) -> None:
    """Write plain data to read and to compare."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file below the folder by its path in it, without Python's own."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def save_figure(figure: Figure, folder: Path, name: str, *, quick: bool) -> list[int]:
    """Write ``name.{light.svg,dark.svg,png,pdf}``; return width and height in CSS pixels.

    A quick figure carries `QUICK_LABEL` in the picture itself, where no copy of it can lose it.
    """
    size = _save_svg(figure, folder, name, quick)
    figure.savefig(folder / f"{name}.png", metadata={"Software": None}, facecolor="white", **TIGHT)
    undated = {"CreationDate": None, "Producer": None, "Creator": None}
    figure.savefig(folder / f"{name}.pdf", metadata=undated, facecolor="white", **TIGHT)
    return size


def save_narrow(figure: Figure, folder: Path, name: str, *, quick: bool) -> list[int]:
    """Write ``name.narrow.{light,dark}.svg`` of a figure drawn for a phone; return its size in CSS pixels.

    A chart that keeps a width of its own has no such drawing: the page shows the wide one, and the size is
    empty.
    """
    from invex.charts import style

    if figure.get_size_inches()[0] > 1.05 * style.NARROW:
        return []
    return _save_svg(figure, folder, f"{name}.narrow", quick)


def _save_svg(figure: Figure, folder: Path, name: str, quick: bool) -> list[int]:
    from invex.charts import style

    if quick:
        _label(figure)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, **TIGHT)
    svg = _shorten(text.getvalue())
    (folder / f"{name}.light.svg").write_text(svg, encoding="utf-8")
    (folder / f"{name}.dark.svg").write_text(style.darken(svg), encoding="utf-8")
    sizes = re.findall(r'(?:width|height)="([\d.]+)pt"', svg[: svg.index("viewBox")])
    return [round(float(points) * 4 / 3) for points in sizes]


def _label(figure: Figure) -> None:
    """Say in the picture that it is a quick one: below, as a legend above would follow the edge into it."""
    from invex.charts import style

    figure.draw_without_rendering()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()  # both in inches
    text = QUICK_LABEL if width > style.NARROW else QUICK_LABEL.replace(", not", ",\nnot")
    place = {"x": box.x0 / width, "y": (box.y0 - 0.06) / height, "va": "top"}
    figure.text(**place, s=text, fontsize="small", style="italic", color=style.MUTED)


def _shorten(svg: str) -> str:
    """Round path coordinates to a hundredth of a point: half the file, nothing that can be seen."""

    def rounded(path: re.Match[str]) -> str:
        return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", path[0])

    return re.sub(r' d="[^"]*"', rounded, svg)


def save_data(data: pd.DataFrame | Mapping[str, pd.DataFrame], folder: Path, name: str) -> None:
    """Write the data as CSV, one file a table: ``name.csv``, or ``name-<table>.csv`` of several."""
    for key, frame in data.items() if isinstance(data, Mapping) else [("", data)]:
        path = folder / (f"{name}-{key}.csv" if key else f"{name}.csv")
        frame.to_csv(path, index=any(frame.index.names), float_format="%.9g", lineterminator="\n")


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: scalars of NumPy and torch become numbers."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value.item() if hasattr(value, "item") else value
