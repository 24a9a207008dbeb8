"""`invex replay`: thin over `invex.lab.replay`."""

import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from invex.lab import experiments, provenance
from invex.press.cli.common import AsJson, err, out, print_json, progress
from invex.press.cli.runs import DataFolder, RecordsFolder, records_store

if TYPE_CHECKING:
    from invex.lab.replay import Pair, Replayed, Task


def replay(
    experiment: Annotated[str, typer.Argument(help="One of the library's, or a module of yours.")],
    runs: Annotated[int | None, typer.Option(min=1, help="How many; else one of each kind.")] = None,
    budget: Annotated[str | None, typer.Option(help="Stop cleanly within 90s, 20m, 1.5h.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    folder: DataFolder = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be made again.")] = False,
    as_json: AsJson = False,
    records: RecordsFolder = None,
) -> None:
    """Make a sample of recorded runs again with today's code, compare every number, and attest to it.

    For records that earlier code made: where the runs agree, all records of that code stand. Where one
    differs, all records of the experiment by earlier code are stale. Exit code 1 if the replays vouch for
    nothing, 2 for a wrong name or value.
    """
    from invex.lab.replay import Task, sample
    from invex.lab.replay import replay as replayed

    deadline = time.time() + experiments.seconds(budget) if budget else float("inf")
    store = records_store(records)
    task = Task(experiments.find(experiment), store, provenance.resolve(device), folder, runs, deadline)
    chosen = sample(task, task.experiment.code())
    if dry_run:
        return _show_sample(chosen, as_json)
    with progress(len(chosen), quiet=as_json) as (say, ended):
        done = replayed(task, say, ended)
    raise typer.Exit(0 if _show(task, done, as_json) else 1)


def _show_sample(chosen: "list[Pair]", as_json: bool) -> None:
    from invex.lab.sweep import label

    labels = [label(config) for config, _ in chosen]
    print_json({"runs": labels}) if as_json else typer.echo("\n".join(labels))


def _show(task: "Task", done: "Replayed", as_json: bool) -> bool:
    """Show what came out, and what the experiment's records are worth now; whether all is well."""
    from invex.lab.standing import VOUCHED, replays, standings

    failure = replays(task.store, task.experiment.name).failure(task.experiment.code().digest)
    states = [standing.state for _, standing in standings(task.store, task.experiment.name)]
    well = done.attestation is not None and not failure and not done.raised
    counts = {state: states.count(state) for state in dict.fromkeys(states)}
    if as_json:
        made = len(done.attestation.runs) if done.attestation else 0
        path = str(done.path) if done.path else None
        print_json({"made": made, "raised": done.raised, "failure": failure, "records": counts, "file": path})
        return well
    for name, reason in done.raised.items():
        err.print(f"[red]raised[/] {escape(name)}: {escape(reason)}")
    if failure:
        err.print(f"[red]all records by earlier code are stale:[/] {escape(failure)}")
    elif not counts.get(VOUCHED):
        err.print("nothing is vouched for" + ("" if done.attestation else ": no run was finished"))
    out.print(", ".join(f"{count} records {state}" for state, count in counts.items()))
    return well


COMMANDS = (replay,)
