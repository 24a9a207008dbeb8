"""BibTeX of a figure: the work it comes from, the figure itself, and the data behind it."""

import codecs
import re
from collections.abc import Iterable

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
    parts = [known.get(artefact.work, ""), _own(artefact, version), *data]
    return "\n\n".join(re.sub(r"^  dataset = .*\n", "", part, flags=re.M) for part in parts if part) + "\n"


def _own(artefact: Artefact, version: str) -> str:
    title = f"{artefact.label}: {artefact.title}".replace("&", r"\&").replace("_", r"\_")
    note = f"{artefact.chapter}.html\\#{artefact.id}" + (f", {version}" if version else "")
    fields = {"title": title, "howpublished": TITLE, "note": note}
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@misc{{invex-{artefact.id},\n{body}}}"


def _field(entry: str, name: str) -> str:
    found = re.search(rf"^\s*{name}\s*=\s*\{{(.*)\}},?$", entry, re.M)
    return found[1] if found else ""


def _plain(name: str) -> str:
    """Return a data set's name without case and signs: ``fashion_mnist`` is ``Fashion-MNIST``."""
    return re.sub(r"\W|_", "", name).lower()
