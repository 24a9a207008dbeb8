"""`invex bench`: measure speed as ratios against named peers, and keep what was measured."""

import time
from typing import Annotated, Any

import typer
from rich.markup import escape

from invex.lab import provenance
from invex.press.book import Book
from invex.press.cli.common import AsJson, err, out, print_json, print_table, stop


def bench(
    name: Annotated[str | None, typer.Argument(help="A bench; none: list them.")] = None,
    as_json: AsJson = False,
    full: Annotated[bool, typer.Option("--full", help="The long curves of the book too.")] = False,
    record: Annotated[bool, typer.Option("--record", help="Keep the rows in the book's records.")] = False,
) -> None:
    """Time ours against a named peer, in one process and in alternation, and against the machine's limits.

    Exit code 1 if the check of a row failed: such a row has no number, and nothing is recorded; 2 for a wrong
    name.
    """
    from invex.press import benches

    book = Book.find()
    if name is None:
        known = benches.names(book)
        rows = [{"bench": key, "measures": text} for key, text in known.items()]
        return print_json(known) if as_json else print_table(rows, "bench", "measures")
    start, measured = time.perf_counter(), []
    for row in benches.rows(book, name, full=full):
        measured.append(row)
        if not as_json:
            out.print(_line(row))
    if as_json:
        print_json(measured)
    if failed := sum(row["ours"] is None for row in measured):
        stop(f"{failed} of {len(measured)} rows failed their check", 1)
    if not measured:
        stop(f"the bench {name} has no row on this machine; its file says why", 1)
    if record:
        seconds = time.perf_counter() - start
        err.print(str(benches.keep(book, name, measured, full, provenance.resolve("auto"), seconds)))


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


COMMANDS = (bench,)
