"""Chapters executed in parallel processes, each from its source into a fresh folder; unchanged are kept."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from invex.press.book import Book
from invex.press.fingerprint import changed, fingerprint
from invex.press.parameters import declared, notebook

NOTEBOOK = "executed.ipynb"
SUMMARY = "execution.json"


@dataclass(frozen=True)
class Job:
    """One chapter to execute, and the folder that its files go to; `strict`: what it warns of is an error."""

    chapter: str
    parameters: dict[str, Any]
    folder: Path
    reason: str = ""
    strict: bool = True
    threads: int = 1


@dataclass(frozen=True)
class Execution:
    """What became of a chapter: `error` is empty, or names the cell and what it raised."""

    chapter: str
    profile: str
    seconds: float = 0.0
    fingerprint: dict[str, str] = field(default_factory=dict)
    error: str = ""
    kept: bool = False


def plan(book: Book, chosen: list[str], profile: str) -> tuple[list[Job], list[Execution]]:
    """Return jobs for the chosen chapters that changed and all that have no results yet, and what is kept."""
    jobs, kept = [], []
    for chapter in book.chapters():
        parameters = declared(book.text(chapter)) | {"profile": profile}
        folder = book.artefacts / profile / chapter
        last = load(folder)
        causes = changed(last.fingerprint, fingerprint(book, chapter, parameters)) if last else ["new"]
        if last and (not causes or chapter not in chosen):
            kept.append(last)
        else:
            jobs.append(Job(chapter, parameters, folder, ", ".join(causes[:3])))
    return jobs, kept


def load(folder: Path) -> Execution | None:
    """Return the execution kept in a folder, or None if there is none that is whole."""
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return Execution(**summary, kept=True)


def run(book: Book, jobs: list[Job], workers: int, report: Callable[[str, str], None]) -> Iterator[Execution]:
    """Execute jobs in parallel processes and yield each execution as it ends; failures are yielded too.

    `report(chapter, state)` is called when a chapter starts and ends.
    """
    workers = max(1, min(workers, len(jobs)))
    threads = max(1, (os.cpu_count() or 1) // workers)
    waiting, running = list(jobs), set[Future[Execution]]()
    with ProcessPoolExecutor(workers, get_context("spawn"), _quieten, (book.build,)) as pool:
        while waiting or running:
            while waiting and len(running) < workers:
                job = waiting.pop(0)
                report(job.chapter, f"executing ({job.reason})")
                running.add(pool.submit(execute, book, replace(job, threads=threads)))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for execution in (future.result() for future in done):
                report(execution.chapter, "failed" if execution.error else f"{execution.seconds:.1f} s")
                yield execution


def _quieten(folder: Path) -> None:
    """Send what kernels say about themselves to a file; what chapters print stays in their notebooks."""
    folder.mkdir(parents=True, exist_ok=True)
    os.dup2(os.open(folder / "kernels.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)


def execute(book: Book, job: Job) -> Execution:
    """Execute one chapter into `job.folder`; the folder is replaced only when every cell succeeded."""
    marks = fingerprint(book, job.chapter, job.parameters)
    scratch = book.build / "executing" / job.folder.relative_to(job.folder.anchor)
    profile = job.parameters["profile"]
    shutil.rmtree(scratch, ignore_errors=True)
    made = scratch / profile / job.chapter
    made.mkdir(parents=True)
    start = time.perf_counter()
    try:
        error = _papermill(book, job, scratch, made / NOTEBOOK)
    except (OSError, RuntimeError) as problem:  # a full disk, a killed kernel
        error = f"{type(problem).__name__}: {problem}"
    done = Execution(job.chapter, profile, round(time.perf_counter() - start, 2), marks, error)
    if not error:
        summary = {
            k: v for k, v in asdict(done).items() if k in ("chapter", "profile", "seconds", "fingerprint")
        }
        (made / SUMMARY).write_text(json.dumps(summary, indent=1), encoding="utf-8")
        job.folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(job.folder, ignore_errors=True)
        made.rename(job.folder)
    shutil.rmtree(scratch, ignore_errors=True)
    return done


def save_times(book: Book, executions: list[Execution]) -> None:
    """Note what each chapter took, by profile, in the file that chapters state their cost from."""
    path = book.records / "chapter-times.json"
    times = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for each in executions:
        times.setdefault(each.chapter, {})[each.profile] = each.seconds
    path.write_text(json.dumps(times, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _papermill(book: Book, job: Job, artefacts: Path, output: Path) -> str:
    """Run the notebook; return an empty string, or the cell and the error that stopped it."""
    import nbformat
    import papermill

    source = artefacts / "source.ipynb"
    defaults = declared(book.text(job.chapter))
    changes = {name: value for name, value in job.parameters.items() if defaults.get(name) != value}
    nbformat.write(notebook(book.text(job.chapter)), source)
    os.environ |= {
        "INVEX_ROOT": str(book.root),
        "INVEX_ARTEFACTS": str(artefacts),
        "OMP_NUM_THREADS": str(job.threads),
        "OMP_WAIT_POLICY": "PASSIVE",  # waiting threads that spin slow a busy machine tenfold
    }
    try:
        papermill.execute_notebook(
            source, output, changes, kernel_name="python3", cwd=book.root, progress_bar=False
        )
    except papermill.PapermillExecutionError as problem:
        first = problem.source.strip().splitlines()[0]
        return f"cell [{problem.exec_count}] `{first}`: {problem.ename}: {problem.evalue}"
    _tidy(output, show_changes=bool(set(changes) - {"profile"}))
    return _warnings(output) if job.strict else ""


def _warnings(path: Path) -> str:
    """Return what the first cell that wrote to standard error wrote there."""
    import nbformat

    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                return f"cell [{cell.execution_count}] wrote to standard error: {output.text.strip()[:500]}"
    return ""


def _tidy(path: Path, show_changes: bool) -> None:
    """Remove what papermill notes about this machine, put the title first, and name folded code."""
    import nbformat

    book = nbformat.read(path, as_version=4)
    for part in [book, *book.cells]:
        part.metadata.pop("papermill", None)
        part.metadata.pop("execution", None)
    book.cells.sort(key=lambda cell: not (cell.cell_type == "markdown" and cell.source.startswith("# ")))
    for cell in book.cells:
        tags = cell.metadata.setdefault("tags", [])
        if "injected-parameters" in tags and not show_changes:
            tags.append("remove-cell")
        if "parameters" in tags and "remove-input" not in tags:
            tags.append("hide-input")
        if "hide-input" in tags:
            cell.metadata["mystnb"] = {"code_prompt_show": _fold_name(cell.source, tags)}
    nbformat.write(book, path)


def _fold_name(code: str, tags: list[str]) -> str:
    """Return the line that folded code is opened by: its first comment, if it begins with one."""
    if code.startswith("#"):
        return code.partition("\n")[0].lstrip("# ")
    return "Parameters" if "parameters" in tags else "Set-up" if "Chapter(" in code else "Code"
