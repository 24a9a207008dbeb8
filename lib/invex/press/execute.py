"""Chapters executed in parallel processes, each from its source into a fresh folder; unchanged are kept."""

import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import nbformat

from invex.lab import provenance
from invex.lab.sweep import Say
from invex.lab.workers import die_with_parent
from invex.press.artefact import fresh, save_json, swap
from invex.press.book import Book
from invex.press.fingerprint import changed, fingerprint
from invex.press.parameters import declared, notebook

NOTEBOOK = "executed.ipynb"
SUMMARY = "execution.json"
KILLED = "not executed, a worker was killed; if memory is short, --workers 1 needs less of it"


@dataclass(frozen=True)
class Job:
    """One chapter to execute, and the folder that its files go to; `strict`: what it warns of is an error."""

    chapter: str
    parameters: dict[str, Any]
    folder: Path
    reason: str = "asked for"
    strict: bool = True


@dataclass(frozen=True)
class Execution:
    """What became of a chapter: `error` is empty, or names the cell and what it raised."""

    chapter: str
    profile: str
    seconds: float = 0.0
    fingerprint: dict[str, str] = field(default_factory=dict)
    error: str = ""


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
    with suppress(FileNotFoundError, json.JSONDecodeError):
        return Execution(**json.loads((folder / SUMMARY).read_text(encoding="utf-8")))
    return None


def run(book: Book, jobs: list[Job], workers: int, say: Say, ended: Say) -> Iterator[Execution]:
    """Execute jobs in parallel processes and yield each execution as it ends; failures are yielded too.

    `say` is told which chapters are under way, `ended` of each that ended.
    """
    book.build.mkdir(exist_ok=True)
    log = book.build / "kernels.log"
    log.open("a").close()  # what cannot be written is named here; in a worker it would only break the pool
    workers = max(1, min(workers, len(jobs)))
    threads = max(1, provenance.cores() // workers)
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (log,)) as pool:
        running = {pool.submit(execute, book, job, threads): job for job in jobs}
        say(", ".join(job.chapter for job in jobs[:workers]))
        try:
            for future in as_completed(running):
                job = running.pop(future)
                try:
                    done = future.result()
                except BrokenProcessPool:
                    done = Execution(job.chapter, job.parameters["profile"], error=KILLED)
                ended(f"{done.chapter}: {'failed' if done.error else f'{done.seconds:.1f} s'} ({job.reason})")
                say(", ".join(job.chapter for job in [*running.values()][:workers]))
                yield done
        finally:
            pool.shutdown(cancel_futures=True)


def _begin(log: Path) -> None:
    """Begin a worker: it dies with the build, and what kernels say about themselves goes to a file."""
    die_with_parent()
    os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), 2)


def execute(book: Book, job: Job, threads: int = 1) -> Execution:
    """Execute one chapter into `job.folder`; the folder is replaced only when every cell succeeded."""
    marks = fingerprint(book, job.chapter, job.parameters)
    scratch = fresh(book.build / "executing" / job.folder.relative_to(job.folder.anchor))
    profile = job.parameters["profile"]
    made = fresh(scratch / profile / job.chapter)
    start = time.perf_counter()
    try:
        error = _papermill(book, job, scratch, made / NOTEBOOK, threads)
    except (OSError, RuntimeError) as problem:  # a full disk, a killed kernel
        error = f"{type(problem).__name__}: {problem}"
    done = Execution(job.chapter, profile, round(time.perf_counter() - start, 2), marks, error)
    if not error:
        save_json(made / SUMMARY, asdict(done))
        job.folder.parent.mkdir(parents=True, exist_ok=True)
        swap(made, job.folder)
    shutil.rmtree(scratch, ignore_errors=True)
    return done


def _papermill(book: Book, job: Job, artefacts: Path, output: Path, threads: int) -> str:
    """Run the notebook; return an empty string, or the cell and the error that stopped it."""
    import papermill

    source = book.text(job.chapter)
    defaults = declared(source)
    changes = {name: value for name, value in job.parameters.items() if defaults.get(name) != value}
    os.environ |= {
        "INVEX_ROOT": str(book.root),
        "INVEX_ARTEFACTS": str(artefacts),
        "OMP_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",  # waiting threads that spin slow a busy machine tenfold
    }
    try:
        done = papermill.execute_notebook(
            notebook(source), None, changes, kernel_name="python3", cwd=book.root, progress_bar=False
        )
    except papermill.PapermillExecutionError as problem:
        first = problem.source.strip().splitlines()[0]
        kept = _keep_traceback(book, job.chapter, problem.traceback)
        said = " ".join(problem.evalue.split()) or "no message"
        return f"cell [{problem.exec_count}] `{first}`: {problem.ename}: {said} (traceback: {kept})"
    _tidy(done, show_changes=bool(set(changes) - {"profile"}))
    nbformat.write(done, output)
    return _warnings(done) if job.strict else ""


def _keep_traceback(book: Book, chapter: str, lines: list[str]) -> Path:
    """Write a kernel's traceback, without its colours, to the file that is returned."""
    path = book.build / "tracebacks" / f"{chapter.replace('/', '-')}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines)) + "\n", encoding="utf-8")
    return path


def _warnings(done: nbformat.NotebookNode) -> str:
    """Return what the first cell that wrote to standard error wrote there."""
    for cell in done.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr":
                return f"cell [{cell.execution_count}] wrote to standard error: {output.text.strip()[:500]}"
    return ""


def _tidy(done: nbformat.NotebookNode, show_changes: bool) -> None:
    """Remove what papermill notes about this machine, put the title first, and name folded code."""
    for part in [done, *done.cells]:
        part.metadata.pop("papermill", None)
        part.metadata.pop("execution", None)
    done.cells.sort(key=lambda cell: not (cell.cell_type == "markdown" and cell.source.startswith("# ")))
    for cell in done.cells:
        tags = cell.metadata.setdefault("tags", [])
        if "injected-parameters" in tags and not show_changes:
            tags.append("remove-cell")
        if "parameters" in tags and "remove-input" not in tags:
            tags.append("hide-input")
        if "hide-input" in tags:
            cell.metadata["mystnb"] = {"code_prompt_show": _fold_name(cell.source, tags)}


def _fold_name(code: str, tags: list[str]) -> str:
    """Return the line that folded code is opened by: its first comment, if it begins with one."""
    if code.startswith("#"):
        return code.partition("\n")[0].lstrip("# ")
    return "Parameters" if "parameters" in tags else "Set-up" if "Chapter(" in code else "Code"
