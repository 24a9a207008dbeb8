"""The command `invex`, put together from the commands of each module."""

import sys

import typer

from invex.press.cli import bench, book, replay, runs
from invex.press.cli.common import faults

sys.path.append("")  # a reader's own experiment lies in the folder where the command is given

app = typer.Typer(
    help="Build, rerun, record and cite the book *Convex, Invertible, Invariant*.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (book, runs, replay, bench):
    for command in part.COMMANDS:
        app.command()(faults()(command))
