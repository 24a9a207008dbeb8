"""`invex build`, `run`, `ledger`, `cite`: thin over the modules of press, which are imported when called."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

Profile = StrEnum("Profile", ["quick", "recorded", "paper"])
AtProfile = Annotated[Profile, typer.Option(help="Seconds on stand-in data, the published site, or all.")]
Root = Annotated[Path | None, typer.Option(help="Folder of the book; else $INVEX_ROOT, else where you are.")]
Chapters = Annotated[list[str] | None, typer.Argument(help="Only these, and those without results.")]
Pairs = Annotated[list[str] | None, typer.Option("-p", metavar="NAME=VALUE", help="A parameter; repeat.")]
AT_ONCE = min(2, os.cpu_count() or 1)


def register(app: typer.Typer) -> None:
    """Add these commands to the application."""
    for command in (build, run, ledger, cite):
        app.command()(command)


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
    from invex.press import execute, site
    from invex.press.ledger import ledger

    start = time.perf_counter()
    book = _book(root)
    chosen = _chosen(book.chapters(), chapters)
    with _failures(), _alone(book.build):
        jobs, kept = execute.plan(book, chosen, profile.value)
        with _progress([job.chapter for job in jobs]) as report:
            done = list(execute.run(book, jobs, workers, report)) if jobs else []
        if save_times:
            execute.save_times(book, [each for each in [*kept, *done] if not each.error])
        if failed := [f"{each.chapter}: {each.error}" for each in done if each.error]:
            raise site.BuildError("\n".join(failed))
        fresh = site.publish(book, profile.value)
    _say(f"{len(done)} executed, {len(kept)} unchanged; site {'built' if fresh else 'unchanged'}")
    _say(ledger(book.root, book.artefacts, profile.value).summary_line())
    _say(f"{book.html / 'index.html'}  ({time.perf_counter() - start:.1f} s)")


def run(
    chapter: Annotated[str, typer.Argument(help="For example initialisation/signal-propagation.")],
    parameters: Pairs = None,
    profile: AtProfile = Profile.recorded,
    out: Annotated[Path | None, typer.Option(help="Folder of the results; else under _build/runs.")] = None,
    root: Root = None,
) -> None:
    """Rerun one chapter with changed parameters into its own folder, as a page to read.

    A parameter that the chapter does not have, or a value of another type than its default, is refused
    with the list of what exists (exit code 2).
    """
    from invex.press import rerun
    from invex.press.parameters import ParameterError

    book = _book(root)
    _chosen(book.chapters(), [chapter])
    try:
        values = rerun.values(book, chapter, profile.value, parameters or [])
    except ParameterError as problem:
        _refuse(str(problem))
    with _failures(), _progress([chapter]) as report:
        page = rerun.rerun(book, chapter, values, out, report)
    _say(str(page))


def ledger(
    profile: AtProfile = Profile.recorded,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, for programs.")] = False,
    root: Root = None,
) -> None:
    """Show which figures, tables and claims of the sources are reproduced, from a profile's last build."""
    import json

    from invex.press.ledger import ledger

    book = _book(root)
    found = ledger(book.root, book.artefacts, profile.value)
    if as_json:
        _say(json.dumps(found.to_json(), indent=1, ensure_ascii=False))
        return
    for entry in found.entries:
        _say(f"{entry.verdict:14} {entry.artefact.id:26} {entry.artefact.title}")
    _say(found.summary_line())


def cite(
    figure: Annotated[
        str, typer.Argument(help="Id of a figure, table or claim, for example hoedt2023-fig1.")
    ],
    root: Root = None,
) -> None:
    """Print BibTeX of the source, of the book's own figure, and of the data behind it."""
    from invex.press import claims
    from invex.press.cite import bibtex

    try:
        _say(bibtex(claims.load(_book(root)), figure))
    except KeyError as problem:
        _refuse(problem.args[0])


def _book(root: Path | None) -> Any:
    from invex.press.book import Book, BookNotFoundError

    try:
        return Book.find(root)
    except BookNotFoundError as problem:
        _refuse(str(problem))


def _chosen(existing: list[str], wanted: list[str] | None) -> list[str]:
    """Return the chapters wanted, all of them by default; an unknown one is refused by name."""
    for name in wanted or []:
        if name not in existing:
            _refuse(f"no chapter {name!r}; the book has: {', '.join(existing) or 'none'}")
    return wanted or existing


@contextmanager
def _failures() -> Iterator[None]:
    """Turn what can go wrong outside our hands into its message and exit code 1."""
    from invex.press.claims import ClaimsError
    from invex.press.parameters import ParameterError
    from invex.press.site import BuildError

    try:
        yield
    except (BuildError, ClaimsError, ParameterError, OSError) as problem:
        _say(f"FAILED: {problem}\nThe site that was there is unchanged.")
        raise typer.Exit(1) from None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait for another build of the same book to end."""
    from filelock import FileLock, Timeout

    folder.mkdir(exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _say("another build of this book is running: waiting for it")
        lock.acquire()
    with lock:
        yield


@contextmanager
def _progress(chapters: list[str]) -> Iterator[Any]:
    """Give a `report(chapter, state)`: live lines in a terminal, one plain line an event elsewhere."""
    if not sys.stdout.isatty() or os.environ.get("CI"):
        yield lambda chapter, state: _say(f"{chapter}: {state}")
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.fields[state]}")
    with Progress(*columns, TimeElapsedColumn()) as bars:
        tasks = {chapter: bars.add_task(chapter, total=1, state="", start=False) for chapter in chapters}

        def report(chapter: str, state: str) -> None:
            if state.startswith("executing"):
                bars.start_task(tasks[chapter])
            bars.update(tasks[chapter], state=state, completed=not state.startswith("executing"))

        yield report


def _say(text: str) -> None:
    typer.echo(text)
    sys.stdout.flush()


def _refuse(text: str) -> NoReturn:
    typer.echo(text, err=True)
    raise typer.Exit(2)
