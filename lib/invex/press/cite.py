"""BibTeX of a figure: the work it comes from, the figure itself, and the data behind it."""

import codecs
import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime

import yaml

from invex.lab.errors import one_of
from invex.press.book import Book
from invex.press.claims import Artefact, Catalogue

TITLE = "Convex, Invertible, Invariant: an executable companion to four works"


def entries(book: Book) -> dict[str, str]:
    """Return the entries of the book's bibliography by key, as they are written."""
    path = book.source / "references.bib"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return {key: entry for entry, key in re.findall(r"^(@\w+\{([^,\s]+),.*?^\})", text, flags=re.M | re.S)}


def reading(entry: str) -> str:
    """Return an entry as a line to read: the authors' family names, the title, the year."""
    import latexcodec  # noqa: F401  registers the codec

    authors, title, year = (_field(entry, name) for name in ("author", "title", "year"))
    names = [author.split(",")[0] for author in authors.split(" and ")]
    line = str(codecs.decode(f"{', '.join(names)}: {title} ({year})".encode(), "latex"))
    return re.sub(r"[{}]", "", line)


def bibtex(
    catalogue: Catalogue, figure_id: str, sources: Iterable[str] | None = None, *, version: str = ""
) -> str:
    """Return the BibTeX of an artefact's source, of the artefact, and of its data.

    Args:
        catalogue: the book's data.
        figure_id: id of an artefact that a chapter holds.
        sources: names of the data sets drawn; None takes those that the chapter declares.
        version: what identifies this rendering: profile, commit.

    Raises:
        Refused: no chapter holds the artefact.
    """
    held = {name: artefact for name, artefact in catalogue.artefacts.items() if artefact.chapter}
    artefact, known = held[one_of(held, "figure or table", figure_id)], entries(catalogue.book)
    names = {_plain(n) for n in (catalogue.chapters[artefact.chapter].data if sources is None else sources)}
    data = [
        entry for entry in known.values() if names & set(map(_plain, _field(entry, "dataset").split(",")))
    ]
    parts = [known.get(artefact.work, ""), _own(catalogue.book, artefact, version), *data]
    return "\n\n".join(re.sub(r"^  dataset = .*\n", "", part, flags=re.M) for part in parts if part) + "\n"


def address() -> str:
    """Return where the site is published, ending in ``/``; empty where nothing says so.

    ``INVEX_SITE_URL`` says it; else it follows from a repository on GitHub in ``INVEX_REPOSITORY_URL``.
    """
    given = os.environ.get("INVEX_SITE_URL", "")
    if hosted := re.fullmatch(
        r"https://github\.com/([^/]+)/([^/]+?)(\.git)?/?", os.environ.get("INVEX_REPOSITORY_URL", "")
    ):
        given = given or f"https://{hosted[1]}.github.io/{hosted[2]}/"
    return f"{given.rstrip('/')}/" if given else ""


def _own(book: Book, artefact: Artefact, version: str) -> str:
    """Return the entry of an artefact as it is rendered now; its address is within a site that is unknown."""
    title = f"{artefact.label}: {artefact.title}".replace("&", r"\&").replace("_", r"\_")
    place = f"{artefact.chapter}.html#{artefact.id}"
    notes = [version] if address() else [place.replace("#", r"\#"), version]
    fields = {"author": _authors(book), "title": title, "howpublished": TITLE}
    fields |= {"year": str(datetime.now(UTC).year), "note": ", ".join(filter(None, notes))}
    fields |= {"url": f"{address()}{place}" if address() else ""}
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@misc{{invex-{artefact.id},\n{body}}}"


def _authors(book: Book) -> str:
    """Return the book's authors as its citation file names them; a name that is no person's is kept whole."""
    path = book.root / "CITATION.cff"
    known = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    authors = known.get("authors", [{"name": f"The authors of {TITLE.partition(':')[0]}"}])
    names = [
        f"{each['family-names']}, {each['given-names']}" if "family-names" in each else f"{{{each['name']}}}"
        for each in authors
    ]
    return " and ".join(names)


def _field(entry: str, name: str) -> str:
    found = re.search(rf"^\s*{name}\s*=\s*\{{(.*)\}},?$", entry, re.M)
    return found[1] if found else ""


def _plain(name: str) -> str:
    """Return a data set's name without case and signs: ``fashion_mnist`` is ``Fashion-MNIST``."""
    return re.sub(r"\W|_", "", name).lower()
