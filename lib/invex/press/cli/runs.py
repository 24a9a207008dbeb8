"""`invex record`, `verify`, `data`, `doctor`: thin over lab and data, which are imported when called."""

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from invex.lab import experiments, provenance
from invex.lab.errors import Refused, one_of
from invex.press.book import Book, BookNotFoundError
from invex.press.cli.common import AsJson, err, out, print_json, print_table, progress

if TYPE_CHECKING:
    from invex.lab.records import Store
    from invex.lab.sweep import Plan, Report

RecordsFolder = Annotated[Path | None, typer.Option("--records", help="Folder of records; else the book's.")]
DataFolder = Annotated[
    Path | None, typer.Option("--data", help="Folder of data sets; else $INVEX_DATA, else the cache.")
]
States = Annotated[
    Path | None, typer.Option("--states", help="Folder of the states of unfinished runs; can be carried.")
]
Theirs = Annotated[Path | None, typer.Option("--from", help="A folder of yours that has the files.")]


def record(
    experiment: Annotated[str, typer.Argument(help="One of the library's, or a module of yours.")],
    profile: Annotated[str, typer.Option(help="quick, reduced or paper.")] = "paper",
    budget: Annotated[str | None, typer.Option(help="Stop cleanly within 90s, 20m, 1.5h.")] = None,
    only: Annotated[str | None, typer.Option(help="field=value,...; a field twice: either value.")] = None,
    shard: Annotated[str | None, typer.Option(help="I/N: every N-th run from the I-th on.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes side by side.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    folder: DataFolder = None,
    stale: Annotated[bool, typer.Option("--stale", help="Run again what other code recorded.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
    as_json: AsJson = False,
    records: RecordsFolder = None,
    states: States = None,
) -> None:
    """Run what an experiment is missing and keep it as records, the most valuable runs first.

    It can be killed at any instant and started again, and several may run at once: a run is one file, written
    whole. A long run goes on from the state that it left, to the same numbers. Exit code 0 also when the
    budget ended it; 1 if a run raised an error or a record could not be written; 2 for a wrong name or
    value.
    """
    from invex.lab.sweep import Plan, missing
    from invex.lab.workers import sweep_with

    deadline = time.time() + experiments.seconds(budget) if budget else float("inf")
    found = experiments.find(experiment)
    configs = found.configs(profile)
    configs = experiments.only(found, configs, only) if only else configs
    configs = experiments.shard(configs, shard) if shard else configs
    device = device if dry_run else provenance.resolve(device)
    plan = Plan(
        found, tuple(configs), profile, records_store(records), device, folder, deadline, stale, states
    )
    todo = missing(plan)
    if dry_run:
        return _show_plan(plan, todo, as_json)
    with progress(len(todo), quiet=as_json) as (say, ended):
        report = sweep_with(workers, plan, say, ended)
    _show_report(plan, report, as_json)
    raise typer.Exit(1 if report.raised else 0)


def verify(
    experiment: Annotated[str, typer.Argument(help="Only the records of this one.")] = "*",
    as_json: AsJson = False,
    records: RecordsFolder = None,
) -> None:
    """Re-hash every record and attestation; tell records of today's code, vouched for and stale apart.

    Exit code 1 if a record or an attestation is damaged, edited or misnamed, 2 for a wrong name; stale
    records are reported only, with the functions that changed or the run that came out otherwise.
    """
    from invex.lab import attestations, standing
    from invex.press import benches

    store = records_store(records)
    if experiment != "*":
        one_of(sorted({path.parent.name for path in store.paths()}), "records of", experiment)
    elif records and not records.is_dir():
        raise Refused(f"no folder of records {str(records)!r}")
    problems = store.verify(experiment) + attestations.verify(store, experiment)
    known = [(f"{r.experiment}/{r.digest}", worth) for r, worth in standing.standings(store, experiment)]
    failed = {name: worth.reason for name, worth in known if worth.reason}
    stale = {name: list(worth.changed) for name, worth in known if worth.state == standing.STALE}
    vouched = {name: standing.in_words([worth]) for name, worth in known if worth.state == standing.VOUCHED}
    with suppress(BookNotFoundError):  # benches are files of a book
        stale |= benches.stale(Book.find(), store, experiment)
    count = len(store.paths(experiment))
    if as_json:
        worth = {"vouched for": vouched, "stale": stale, "failed replays": failed}
        print_json({"records": count, "problems": problems, **worth})
        raise typer.Exit(1 if problems else 0)
    for problem in problems:
        err.print(f"[red]{escape(problem)}[/]")
    for words, names in _alike(vouched).items():
        out.print(f"[green]vouched for[/] {_counted(names)}: {escape(words)}")
    for name, functions in stale.items():
        why = failed.get(name) or f"changed since: {_first(functions)}"
        out.print(f"[yellow]stale[/] {name}: {escape(why)}")
    rest = f"{len(stale)} stale, {len(vouched)} vouched for"
    out.print(f"{count} records: {len(problems)} damaged or edited, {rest}")
    raise typer.Exit(1 if problems else 0)


def data(
    names: Annotated[list[str] | None, typer.Argument(help="Sets to fetch or prepare; none: list.")] = None,
    source: Theirs = None,
    folder: DataFolder = None,
    as_json: AsJson = False,
) -> None:
    """List the data sets, or fetch, check and prepare those named.

    A set is taken from the folder given with --from (published files, or images recoded without loss), else
    downloaded from its publisher unless it is there whole. Exit code 1 if one could not be had.
    """
    from invex.data import images, sources

    target = folder or images.default_folder()
    failures = {}
    for name in [one_of(images.NAMES, "data set", name) for name in names or ()]:
        try:
            sources.obtain(name, target, source, progress=out.is_terminal and not as_json)
        except (images.DataError, OSError) as error:
            failures[name] = str(error)
    found = [_data_state(name, target) | {"error": failures.get(name)} for name in names or images.NAMES]
    print_json(found) if as_json else _show_data(found, target)
    raise typer.Exit(1 if failures else 0)


def doctor(folder: DataFolder = None, records: RecordsFolder = None, as_json: AsJson = False) -> None:
    """Say what this machine has (versions, device, data) and what each profile would cost on it."""
    from invex.data import images
    from invex.lab import costs

    device, store = provenance.resolve("auto"), records_store(records)
    target = folder or images.default_folder()
    found: dict[str, Any] = {
        "versions": provenance.versions(),
        "device": provenance.hardware(device),
        "data": [_data_state(name, target) for name in images.NAMES],
        "costs": costs.experiments_cost(store) + costs.chapters_cost(store.folder),
    }
    if as_json:
        return print_json(found)
    out.print(", ".join(f"{name} {version}" for name, version in found["versions"].items()))
    out.print(f"{device}: {found['device']}")
    _show_data(found["data"], target)
    print_table(found["costs"], "what", "profile", "runs", "recorded", "cost", "measured on")


def records_store(folder: Path | None) -> "Store":
    """The records in a folder, else the book's."""
    from invex.lab.records import Store

    if folder is not None and folder.exists() and not folder.is_dir():
        raise Refused(f"--records {str(folder)!r} is a file; name a folder")
    return Store(folder or Book.find().records)


def _show_plan(plan: "Plan", todo: list[Any], as_json: bool) -> None:
    from invex.lab.sweep import label

    labels = [label(config) for config in todo]
    if as_json:
        return print_json({"runs": len(plan.configs), "missing": labels})
    typer.echo("\n".join([*labels, f"{len(todo)} of {len(plan.configs)} runs missing"]))


def _show_report(plan: "Plan", report: "Report", as_json: bool) -> None:
    from invex.lab.sweep import missing

    left, failed = len(missing(plan)), {item.digest: item.failed for item in report.recorded if item.failed}
    if as_json:
        recorded = [item.digest for item in report.recorded]
        return print_json({"recorded": recorded, "failed": failed, "raised": report.raised, "left": left})
    alike: dict[str, list[str]] = {}
    for name, reason in report.raised.items():
        alike.setdefault(reason.splitlines()[-1], []).append(name)
    for reason, labels in alike.items():
        more = f" (and {len(labels) - 1} more)" if labels[1:] else ""
        err.print(f"[red]raised[/] {escape(labels[0])}{more}: {escape(reason)}")
    done = len(plan.configs) - left
    out.print(f"{len(report.recorded)} runs recorded, {len(failed)} of them failed; ", end="")
    out.print(f"{done} of {len(plan.configs)} are there in {plan.store.folder}")


def _alike(said: dict[str, str]) -> dict[str, list[str]]:
    """Names by what is said of them."""
    found: dict[str, list[str]] = {}
    for name, words in said.items():
        found.setdefault(words, []).append(name)
    return found


def _first(names: list[str], most: int = 4) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if names[most:] else "")


def _counted(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _data_state(name: str, folder: Path) -> dict[str, Any]:
    from invex.data import images, sources

    try:
        splits = [images.load(name, split, folder) for split in ("train", "test")]
        why = None
    except images.DataError as error:
        splits, why = [], str(error)
    shown = [
        {"split": item.split, "images": len(item.images), "digest": item.digest, "subset": item.subset}
        for item in splits
    ]
    return {"name": name, "found": why is None, "splits": shown, "why": why, **sources.describe(name)}


def _show_data(found: list[dict[str, Any]], folder: Path) -> None:
    rows = []
    for state in found:
        texts = [f"{s['split']} {s['subset'] or format(s['images'], ',')}" for s in state["splits"]]
        shown = ", ".join(texts) or "not here"
        rows.append({"set": state["name"], "found": shown, "licence": state["licence"], "from": state["url"]})
    print_table(rows, "set", "found", "licence", "from", title=f"data in {folder}")
    for state in found:
        left = (folder / state["name"]).is_dir() and any((folder / state["name"]).iterdir())
        if why := state.get("error") or (left and state["why"]):
            err.print(f"[red]{state['name']}:[/] {escape(why)}")


COMMANDS = (record, verify, data, doctor)
