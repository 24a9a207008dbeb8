"""What the sources claim, as data: the book's artefacts, and each chapter's claims.

``book/artefacts.yml`` lists every figure, table and headline number of the sources. Beside each chapter,
``book/<part>/<slug>.yml`` says which of them it holds, in which order, and what is checked of each.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from invex.lab.errors import Failed
from invex.press.book import Book

ARTEFACT_KINDS = ("figure", "table", "claim")
CLAIM_KINDS = ("value", "order", "similar", "trend", "bound")
SOURCES = {
    "text": "text", "figure": "figure", "table": "table", "code": "released code", "theory": "theory",
    "ours": "aim",
}  # fmt: skip
RELATIONS = {"<=": operator.le, "<": operator.lt, ">=": operator.ge, ">": operator.gt}


class ClaimsError(Failed):
    """A mistake in the book's own data; the message names the file and the id."""


@dataclass(frozen=True)
class Artefact:
    """A figure, table or claim; ``number`` ("2.1") and ``chapter`` are those of the chapter that holds it."""

    id: str
    kind: str
    title: str
    work: str
    source: str = ""
    expects: str = ""
    page: str = ""
    chapter: str = ""
    number: str = ""
    listed: bool = True

    @property
    def label(self) -> str:
        """``Figure 2.1``; claims are called checks, because that is what the chapter does with them."""
        return f"{'Check' if self.kind == 'claim' else self.kind.capitalize()} {self.number}".strip()


@dataclass(frozen=True)
class Claim:
    """A checkable statement about an artefact; ``paper`` is what the source reports, see `verdict`.

    Attributes:
        source: where it stands in the work (a key of `SOURCES`); ``ours`` is an aim of the book's own.
        limits: of a ratio that is called similar; they are ours, as a tolerance is.
        best: which end of an order comes first, ``min`` or ``max``.
        training: whether it speaks of what training does, of which one network or one seed says nothing.
        full: what it would take to judge it, if only the full scale can show it.
    """

    id: str
    artefact: str
    what: str
    kind: str
    paper: Any
    tolerance: float | None = None
    reason: str = ""
    unit: str = ""
    relation: str = ""
    cause: str = ""
    source: str = ""
    limits: tuple[float, float] | None = None
    best: str = "min"
    training: bool = False
    full: str = ""

    @property
    def own(self) -> bool:
        """Whether it is an aim of the book's, and no claim of the work."""
        return self.source == "ours"

    @property
    def side(self) -> str:
        """What stands before ``paper``: where the work says it, or that it is an aim."""
        return SOURCES[self.source]


@dataclass(frozen=True)
class ChapterData:
    """The data beside one chapter, in the order in which its artefacts are numbered.

    Its card on the front page has its `question` and the figure `cover`, by default its first.
    """

    title: str
    work: str
    artefacts: dict[str, Artefact]
    claims: dict[str, Claim]
    data: tuple[str, ...] = ()
    experiments: tuple[str, ...] = ()
    question: str = ""
    cover: str = ""


@dataclass(frozen=True)
class Catalogue:
    """All chapters' data, and ``artefacts``: every one of the sources in their order, then the book's own."""

    book: Book
    chapters: dict[str, ChapterData]
    artefacts: dict[str, Artefact]

    def claims_of(self, artefact: str) -> list[Claim]:
        """Return the claims made about one artefact, in the order of its chapter."""
        chapter = self.chapters.get(self.artefacts[artefact].chapter)
        return [c for c in chapter.claims.values() if c.artefact == artefact] if chapter else []


def load(book: Book) -> Catalogue:
    """Read and validate the data of the whole book; chapters are numbered in the order of its contents.

    Raises:
        ClaimsError: on an unknown kind or field, a duplicate id, a claim about an undeclared artefact, a
            value without tolerance, or a tolerance without a reason.
    """
    wanted = _listed(book.source / "artefacts.yml")
    paths = [path for page in book.pages() if (path := book.source / f"{page}.yml").is_file()]
    chapters: dict[str, ChapterData] = {}
    held: dict[str, Artefact] = {}
    for number, path in enumerate(paths, start=1):
        slug = path.relative_to(book.source).with_suffix("").as_posix()
        chapters[slug] = chapter = _chapter(path, slug, number, wanted)
        for name in held.keys() & chapter.artefacts.keys():
            raise ClaimsError(f"{path}: {name}: duplicate id, also in {held[name].chapter}.yml")
        held |= chapter.artefacts
    return Catalogue(book, chapters, wanted | held)


def _listed(path: Path) -> dict[str, Artefact]:
    works = _content(path) if path.is_file() else {}
    entries = [entry | {"work": work} for work, group in works.items() for entry in group]
    return _each(path, entries, _listed_one)


def _listed_one(entry: dict[str, str]) -> Artefact:
    kind, expects = _one_of(entry, ARTEFACT_KINDS), entry.get("expects", "")
    source = _source(entry["id"].partition("-")[2])
    return Artefact(entry["id"], kind, entry["what"], entry["work"], source, expects, entry["page"])


def _content(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ClaimsError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(found, dict):
        raise ClaimsError(f"{path}: names and values are expected, not {type(found).__name__}")
    return found


def _source(name: str) -> str:
    """Return where a source has it, from the id: ``fig3.1`` is ``Figure 3.1``; empty if it has no number."""
    known = {"fig": "Figure", "tab": "Table", "prop": "Proposition", "thm": "Theorem", "eq": "Eq."}
    found = re.fullmatch(rf"({'|'.join(known)})([a-z]?[\d.-]+)", name)
    return f"{known[found[1]]} {found[2].upper()}" if found else ""


def _chapter(path: Path, slug: str, number: int, wanted: Mapping[str, Artefact]) -> ChapterData:
    raw = _content(path)
    if not raw.get("title"):
        raise ClaimsError(f"{path}: {slug}: a chapter's data needs a title")
    work = raw.get("work", "")
    artefacts = _each(path, raw.get("artefacts", []), lambda entry: _artefact(slug, entry, work, wanted))
    for kind in ARTEFACT_KINDS:
        for count, name in enumerate([n for n, a in artefacts.items() if a.kind == kind], start=1):
            artefacts[name] = replace(artefacts[name], number=f"{number}.{count}")
    claims = _each(path, raw.get("claims", []), lambda entry: _claim(entry, artefacts, work))
    data, experiments = (tuple(raw.get(name, ())) for name in ("data", "experiments"))
    cover = raw.get("cover", "")
    if cover and cover not in artefacts:
        raise ClaimsError(f"{path}: {cover}: the cover is not one of the chapter's artefacts")
    card = raw.get("question", ""), cover
    return ChapterData(raw["title"], work, artefacts, claims, data, experiments, *card)


def _artefact(slug: str, entry: dict[str, str], work: str, wanted: Mapping[str, Artefact]) -> Artefact:
    """Return one artefact; an id of a source's family is in the list, or one of the list and ``-...``."""
    _require({"id", "kind", "title"} <= entry.keys(), "an artefact needs id, kind and title")
    name = entry["id"]
    family = name.split("-")[0]
    known = any(name == other or name.startswith(f"{other}-") for other in wanted)
    ours = family not in {artefact.work for artefact in wanted.values()}
    _require(known or ours, f"not in artefacts.yml, although {family} is one of the sources")
    kind, title, source = _one_of(entry, ARTEFACT_KINDS), entry["title"], entry.get("source", "")
    listed = wanted.get(name, Artefact(name, kind, title, work, listed=False))
    return replace(listed, kind=kind, title=title, source=source, page=slug, chapter=slug)


def _claim(entry: dict[str, Any], artefacts: Mapping[str, Artefact], work: str) -> Claim:
    unknown = entry.keys() - Claim.__dataclass_fields__.keys()
    _require(not unknown, f"unknown field {', '.join(sorted(unknown))}")
    kind = _one_of(entry, CLAIM_KINDS) if "kind" in entry else ""
    given = {"paper": "similar"} | entry if kind == "similar" else entry
    missing = {"id", "artefact", "what", "kind", "paper"} - given.keys()
    _require(not missing, f"missing field {', '.join(sorted(missing))}")
    claim = Claim(**given)
    claim = replace(claim, source=claim.source or ("ours" if kind == "bound" or not work else "text"))
    _require(claim.source in SOURCES, f"source is one of {', '.join(SOURCES)}, not {claim.source!r}")
    _require(claim.artefact in artefacts, f"its artefact {claim.artefact} is not in this file")
    _require(kind != "value" or claim.tolerance is not None, "a value needs a tolerance")
    _require(claim.tolerance is None or bool(claim.reason), "a tolerance needs its reason")
    _require(kind != "bound" or claim.relation in RELATIONS, f"relation is one of {list(RELATIONS)}")
    _require(kind != "trend" or claim.paper is True, "a trend's paper value is true")
    _require(kind != "order" or isinstance(claim.paper, list), "an order's paper value is a list")
    _require(claim.best in ("min", "max"), "best is min or max")
    return replace(claim, limits=_limits(claim)) if kind == "similar" else claim


def _limits(claim: Claim) -> tuple[float, float]:
    """Return the limits of what is called similar, which are declared with their reason."""
    low, high = claim.limits if claim.limits and len(claim.limits) == 2 else (1.0, 1.0)
    _require(low < 1 < high, "what is similar needs limits around 1: [low, high]")
    _require(bool(claim.reason), "limits need their reason")
    return low, high


def _one_of(entry: dict[str, Any], kinds: tuple[str, ...]) -> str:
    _require(entry["kind"] in kinds, f"unknown kind {entry['kind']!r}, not of {', '.join(kinds)}")
    return str(entry["kind"])


def _each(path: Path, entries: Iterable[dict[str, Any]], make: Callable[[Any], Any]) -> dict[str, Any]:
    """Return what is made of each entry, by id; a complaint is raised with the file and the id before it."""
    found: dict[str, Any] = {}
    for entry in entries:
        name = entry.get("id", "?") if isinstance(entry, dict) else str(entry)
        try:
            _require(isinstance(entry, dict), "not an entry with an id")
            _require(name not in found, "duplicate id")
            found[name] = make(entry)
        except ClaimsError as error:
            raise ClaimsError(f"{path}: {name}: {error}") from None
    return found


def _require(holds: bool, complaint: str) -> None:
    if not holds:
        raise ClaimsError(complaint)
