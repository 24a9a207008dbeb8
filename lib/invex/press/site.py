"""The site: executed chapters and made pages laid out on a stage, built by Jupyter Book, swapped in whole."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

import invex
from invex.lab.errors import Failed
from invex.press.artefact import fresh, hashes, swap
from invex.press.book import Book
from invex.press.execute import NOTEBOOK
from invex.press.fingerprint import digest
from invex.press.inserts import fill


class BuildError(Failed):
    """The site could not be made; the old one is untouched."""


def publish(book: Book, profile: str) -> bool:
    """Build the site of a profile into `book.html`; return False if nothing on the stage had changed.

    Raises:
        BuildError: with the warnings and errors of the builder; the site that was there stays.
    """
    stage = lay_out(book, profile, book.build / "stage", book.pages(), book.artefacts)
    library = Path(invex.__file__).parent  # the API page shows it
    mark, made_of = book.build / "html.digest", digest([hashes(stage), hashes(library)])
    if (book.html / "index.html").is_file() and mark.is_file() and mark.read_text() == made_of:
        return False
    swap(sphinx(stage, book.build / "site"), book.html)
    mark.write_text(made_of)
    return True


def lay_out(book: Book, profile: str, stage: Path, pages: list[str], artefacts: Path) -> Path:
    """Fill a fresh folder with what the site of some pages is made of, and return it."""
    shutil.rmtree(stage, ignore_errors=True)
    hidden = shutil.ignore_patterns("records", "*.yml", "*.md", ".*")
    shutil.copytree(book.source, stage, ignore=hidden)
    (stage / "_extra").mkdir()
    if (stage / "interactives").is_dir():  # not under _static, whose scripts Jupyter Book loads on every page
        (stage / "interactives").rename(stage / "_extra" / "interactives")
    (stage / "_config.yml").write_text(_config(book, profile), encoding="utf-8")
    shutil.copy(book.root / "_toc.yml", stage)
    for page in pages:
        (stage / page).parent.mkdir(parents=True, exist_ok=True)
        made = artefacts / profile / page
        if page in book.chapters():
            shutil.copy(made / NOTEBOOK, stage / f"{page}.ipynb")
            for folder in [each for each in made.iterdir() if each.is_dir()]:
                shutil.copytree(folder, stage / "_extra" / "figures" / folder.name, dirs_exist_ok=True)
        else:
            (stage / f"{page}.md").write_text(fill(book, profile, page), encoding="utf-8")
    shutil.copytree(book.root / "static_vendor", stage / "_extra" / "static_vendor")
    return stage


def _config(book: Book, profile: str = "recorded") -> str:
    """Return the site's configuration; launch buttons appear only where a repository is named.

    The listings of the library's source are most of the pages and the same at each profile: `quick` has none.
    """
    config = yaml.safe_load((book.root / "_config.yml").read_text(encoding="utf-8"))
    address = os.environ.get("INVEX_REPOSITORY_URL", "")
    if address:
        config["repository"] = {"url": address, "path_to_book": "book", "branch": "main"}
        config["launch_buttons"]["binderhub_url"] = "https://mybinder.org"
    if profile == "quick":
        config["sphinx"]["config"]["extensions"].remove("sphinx.ext.viewcode")
    return yaml.safe_dump(config)


def sphinx(stage: Path, out: Path, strict: bool = True) -> Path:
    """Run Jupyter Book on a stage into a fresh folder and return that of the pages."""
    tool = Path(sys.executable).with_name("jupyter-book")
    flags = ["-W", "-n", "--keep-going"] if strict else []
    command: list[str | Path] = [tool, "build", stage, "--path-output", fresh(out), *flags]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = re.sub(r"\x1b\[[\d;]*m", "", done.stderr)  # in colour, whatever it is asked
        lines = [line for line in said.splitlines() if "WARNING" in line or "Error" in line]
        shutil.rmtree(out)
        raise BuildError("\n".join(dict.fromkeys(lines)) or said[-2000:])
    return out / "_build" / "html"
