"""`invex bench`: measure speed as ratios against named peers, and keep what was measured."""

import json
import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

out = Console(soft_wrap=True, highlight=False)
err = Console(soft_wrap=True, highlight=False, stderr=True)


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(bench)


def bench(
    name: Annotated[str | None, typer.Argument(help="A bench; none: list them.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array instead.")] = False,
    full: Annotated[bool, typer.Option("--full", help="The long curves of the book too.")] = False,
    record: Annotated[bool, typer.Option("--record", help="Keep the rows in the book's records.")] = False,
) -> None:
    """Time ours against a named peer, in one process and in alternation, and against the machine's limits.

    Exit code 1 if the check of a row failed: such a row has no number, and nothing is recorded; 2 for a wrong
    name.
    """
    from invex.press import benches
    from invex.press.book import Book, BookNotFoundError

    try:
        book = Book.find()
        if name is None:
            return _list(benches.names(book), as_json)
        start, measured = time.perf_counter(), []
        for row in benches.rows(book, name, full=full):
            measured.append(row)
            if not as_json:
                out.print(_line(row))
    except (BookNotFoundError, benches.UnknownBench) as error:
        err.print(escape(str(error)))
        raise typer.Exit(2) from error
    if as_json:
        print(json.dumps(measured, indent=1))
    failed = [row for row in measured if row["ours"] is None]
    if failed:
        err.print(f"[red]{len(failed)} of {len(measured)} rows failed their check[/]")
        raise typer.Exit(1)
    if record:
        seconds = time.perf_counter() - start
        err.print(escape(str(benches.keep(book, name, measured, full, _device(), seconds))))


def _device() -> str:
    from invex.lab import provenance

    return provenance.resolve("auto")


def _list(known: dict[str, str], as_json: bool) -> None:
    if as_json:
        print(json.dumps(known, indent=1))
        return
    table = Table(box=None, show_header=False)
    for name, text in known.items():
        table.add_row(f"[bold]{name}[/]", escape(text))
    out.print(table)


def _line(row: dict[str, Any]) -> str:
    """One row as a sentence: ratio with its extremes, speeds, share of the limit, agreement."""
    head = f"[bold]{escape(row['case'])}[/]" + (f" against {escape(row['peer'])}" if row["peer"] else "")
    if row["ours"] is None:
        return f"{head}: [red]{escape(str(row['error']))}[/]"
    parts = [f"{row['ours']:.4g} {row['unit']}"]
    if row["ratio"] is not None:
        spread = f"{row['ratio']:.3g} x [{row['ratio_min']:.3g}, {row['ratio_max']:.3g}]"
        parts = [f"[bold]{spread}[/]", f"{parts[0]}, theirs {row['theirs']:.4g}"]
    if row["limit"] is not None:
        rate = row["unit"].endswith("/s")
        share = row["ours"] / row["limit"] if rate else row["limit"] / row["ours"]
        parts.append(f"{100 * share:.0f} % of {row['limit']:.4g} ({escape(row['limit_of'])})")
    return f"{head}: {'; '.join(parts)}; differs by {row['error']:.1g}"
