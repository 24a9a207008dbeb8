"""`invex build`, `run`, `ledger`, `cite`: thin over the modules of press, which are imported when called."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from invex.lab.errors import Failed, one_of
from invex.lab.profiles import Profile
from invex.press import claims
from invex.press.book import Book
from invex.press.cite import bibtex
from invex.press.cli.common import AsJson, Root, print_json, progress
from invex.press.ledger import ledger as evaluate

AtProfile = Annotated[Profile, typer.Option(help="Seconds on stand-in data, the published site, or all.")]
Chapters = Annotated[list[str] | None, typer.Argument(help="Only these, and those without results.")]
Pairs = Annotated[list[str] | None, typer.Option("-p", metavar="NAME=VALUE", help="A parameter; repeat.")]
AT_ONCE = min(2, os.cpu_count() or 1)


def build(
    chapters: Chapters = None,
    profile: AtProfile = Profile.recorded,
    workers: Annotated[int, typer.Option(min=1, help="Chapters executed at once.")] = AT_ONCE,
    save_times: Annotated[bool, typer.Option("--save-times", help="Note times in book/records.")] = False,
    root: Root = None,
) -> None:
    """Execute the chapters that changed and build the site.

    A chapter is executed again when its text, its claims, the library code it reaches, the records it reads,
    its parameters or the package versions changed. A failing chapter is named, the others are kept, and the
    site that was there stays as it was. Exit code 1 if a chapter or the site failed, 2 for a wrong name.
    """
    from invex.lab import costs
    from invex.press import execute, site

    start = time.perf_counter()
    book = Book.find(root)
    chosen = [one_of(book.chapters(), "chapter", name) for name in chapters or book.chapters()]
    with _alone(book.build):
        jobs, kept = execute.plan(book, chosen, profile.value)
        with progress(len(jobs) + 1) as (say, ended):
            done = list(execute.run(book, jobs, workers, say, ended))
            if save_times:
                whole = [each for each in [*kept, *done] if not each.error]
                costs.note(book.records, [(each.chapter, each.profile, each.seconds) for each in whole])
            if failed := [f"{each.chapter}: {each.error}" for each in done if each.error]:
                raise site.BuildError("\n".join(failed))
            say("the site")
            fresh = site.publish(book, profile.value)
    typer.echo(f"{len(done)} executed, {len(kept)} unchanged; site {'built' if fresh else 'unchanged'}")
    typer.echo(evaluate(book.root, book.artefacts, profile.value).summary_line())
    typer.echo(f"{book.html / 'index.html'}  ({time.perf_counter() - start:.1f} s)")


def run(
    chapter: Annotated[str, typer.Argument(help="For example initialisation/signal-propagation.")],
    parameters: Pairs = None,
    profile: AtProfile = Profile.recorded,
    out: Annotated[Path | None, typer.Option(help="Folder of the results; else under _build/runs.")] = None,
    root: Root = None,
) -> None:
    """Rerun one chapter with changed parameters into its own folder, as a page to read.

    A parameter that the chapter does not have, a value of another type than its default, or one outside the
    bounds beside it ("at least 4") is refused with what is allowed (exit code 2). Where a cell fails, it is
    named with the values given, and the traceback is in a file that the message names (exit code 1).
    """
    from invex.press import parameters as given
    from invex.press import rerun, site

    book = Book.find(root)
    text = book.text(one_of(book.chapters(), "chapter", chapter))
    defaults, remarks = given.declared(text) | {"profile": profile.value}, given.remarks(text)
    wanted = given.parse(parameters or [], defaults, remarks)
    with progress(1) as (say, ended):
        try:
            page = rerun.rerun(book, chapter, defaults | wanted, out, say, ended)
        except site.BuildError as error:
            values = [given.described(n, v, defaults[n], remarks.get(n, "")) for n, v in wanted.items()]
            raise site.BuildError(f"{error}; with {', '.join(values)}" if values else str(error)) from error
    typer.echo(page)


def ledger(profile: AtProfile = Profile.recorded, as_json: AsJson = False, root: Root = None) -> None:
    """Show which figures, tables and claims of the sources are reproduced, from a profile's last build.

    Exit code 1 if there was none.
    """
    book = Book.find(root)
    if not (book.artefacts / profile).is_dir():
        raise Failed(f"nothing is built at profile {profile} yet: `invex build --profile {profile}`")
    found = evaluate(book.root, book.artefacts, profile.value)
    if as_json:
        return print_json(found.to_json())
    for entry in found.entries:
        typer.echo(f"{entry.verdict:14} {entry.artefact.id:26} {entry.artefact.title}")
    typer.echo(found.summary_line())


def cite(
    figure: Annotated[str, typer.Argument(help="Id of a figure, table or claim, say hoedt2023-fig1.")],
    root: Root = None,
) -> None:
    """Print BibTeX of the source, of the book's own figure, and of the data behind it."""
    typer.echo(bibtex(claims.load(Book.find(root)), figure))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for another build of the same book to end."""
    from filelock import FileLock, Timeout

    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        typer.echo("another build of this book is running: waiting for it")
    with lock:
        yield


COMMANDS = (build, run, ledger, cite)
