"""What the commands share: consoles, options, tables, progress, and an exit code for what goes wrong."""

import json
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Column, Table

from invex.lab.errors import Failed, Refused

Say = Callable[[str], None]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead, for programs.")]
Root = Annotated[Path | None, typer.Option(help="Folder of the book; else $INVEX_ROOT, else where you are.")]

out = Console(soft_wrap=True, highlight=False)
err = Console(soft_wrap=True, highlight=False, stderr=True)


@contextmanager
def faults() -> Iterator[None]:
    """Turn what can go wrong into its message and an exit code: 2 for a wrong name or value, else 1."""
    try:
        yield
    except Refused as error:
        stop(error, 2)
    except (Failed, OSError) as error:
        stop(error, 1)
    except KeyboardInterrupt:
        stop("stopped; what was finished is kept, the same command goes on from there", 130)


def stop(message: object, code: int) -> NoReturn:
    """Say why the command ends, and end it."""
    err.print(f"[red]invex:[/] {escape(str(message))}")
    raise typer.Exit(code)


@contextmanager
def progress(parts: int, *, quiet: bool = False) -> Iterator[tuple[Say, Say]]:
    """What to call with the state of the work and with the end of a part: a bar on a terminal, else lines."""
    hidden = quiet or not out.is_terminal or bool(os.environ.get("CI"))
    columns = Progress.get_default_columns()
    with Progress(*columns, console=out, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=parts)

        def ended(text: str) -> None:
            if not quiet:
                out.print(text, markup=False)
            bar.advance(task)

        yield lambda text: bar.update(task, description=escape(text)), ended


def print_json(value: Any) -> None:
    """Print plain data for programs; as in records, null stands for a number that is not finite."""
    typer.echo(json.dumps(_finite(value), indent=1, ensure_ascii=False, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_table(rows: list[dict[str, Any]], *columns: str, title: str | None = None) -> None:
    """Print rows with these columns, empty where a row lacks one."""
    heads = [Column(name, overflow="fold") for name in columns]  # names and addresses stay whole
    table = Table(*heads, title=title, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(escape(str(row.get(column, ""))) for column in columns))
    out.print(table)
