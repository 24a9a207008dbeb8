"""One chapter rerun with a reader's parameters into a folder of its own, with a page to read."""

import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from invex.lab.errors import Refused
from invex.lab.sweep import Say
from invex.press import execute, site
from invex.press.artefact import save_json, swap
from invex.press.book import Book
from invex.press.fingerprint import digest


def rerun(
    book: Book, chapter: str, parameters: dict[str, Any], out: Path | None, say: Say, ended: Say
) -> Path:
    """Execute one chapter and build its page; return the page's path.

    Raises:
        Refused: `out` holds anything but an earlier rerun, which alone is replaced.
        BuildError: naming the cell that failed, or what the builder said; or another rerun is going there.
    """
    out = (out or book.build / "runs" / f"{Path(chapter).name}-{digest(parameters)[:8]}").resolve()
    there = {path.name for path in out.iterdir()} if out.is_dir() else set()
    earlier = {"results"} <= there <= {"results", "html", "html.old", "stage", "work"}
    if out.is_file() or (there and not earlier):
        raise Refused(f"{out} holds other things; give --out a folder that is new, empty or a rerun's")
    lock = book.build / "executing" / f"{digest(str(out))}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(lock, timeout=0):
            return _make(book, chapter, parameters, out, say, ended)
    except Timeout:
        raise site.BuildError(f"another rerun is going into {out}; name another folder with --out") from None


def _make(book: Book, chapter: str, parameters: dict[str, Any], out: Path, say: Say, ended: Say) -> Path:
    profile = parameters["profile"]
    job = execute.Job(chapter, parameters, out / "results" / profile / chapter, strict=False)
    (done,) = execute.run(book, [job], 1, say, ended)
    if done.error:
        raise site.BuildError(f"{chapter}: {done.error}")
    stage = site.lay_out(book, profile, out / "stage", [chapter, "references"], out / "results")
    toc = {"format": "jb-book", "root": chapter, "chapters": [{"file": "references"}]}
    save_json(stage / "_toc.yml", toc)
    html = site.sphinx(stage, out / "work", strict=False)
    swap(html, out / "html")
    for folder in ("stage", "work"):
        shutil.rmtree(out / folder)
    return out / "html" / f"{chapter}.html"
