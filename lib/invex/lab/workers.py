"""One sweep by several processes, which share the work through claims and die with their parent."""

import multiprocessing
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from invex.lab.provenance import cores
from invex.lab.records import CorruptRecord, RecordNotWritten
from invex.lab.sweep import Plan, Report, Say, sweep


def sweep_with(workers: int, plan: Plan, say: Say, ended: Say) -> Report:
    """Run what is missing with `workers` processes, each with its share of the threads.

    Raises:
        RecordNotWritten, CorruptRecord: as `sweep`; the other workers are stopped.
    """
    if workers == 1:
        return sweep(plan, say, ended)
    context = multiprocessing.get_context("spawn")
    running: dict[Connection, SpawnProcess] = {}
    with _threads(max(1, cores() // workers)):
        for _ in range(workers):
            ours, theirs = context.Pipe(duplex=False)
            running[ours] = context.Process(target=_work, args=(plan, theirs), daemon=True)
            running[ours].start()
            theirs.close()
    try:
        return _collect(dict(running), say, ended)
    finally:
        for process in running.values():
            process.terminate()


def _collect(running: dict[Connection, SpawnProcess], say: Say, ended: Say) -> Report:
    report = Report()
    while running:
        for connection in wait(list(running)):
            assert isinstance(connection, Connection)
            try:
                message = connection.recv()
            except EOFError:
                worker = running.pop(connection)
                worker.join()
                if worker.exitcode:
                    report.raised[f"worker {worker.pid}"] = f"ended with exit code {worker.exitcode}"
                continue
            if isinstance(message, Exception):
                raise message
            if isinstance(message, Report):
                report.merge(message)
            else:
                (ended if message[0] == "ended" else say)(message[1])
    return report


def _work(plan: Plan, connection: Connection) -> None:
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        say, ended = (partial(_tell, connection, kind) for kind in ("say", "ended"))
        connection.send(sweep(plan, say, ended))
    except (RecordNotWritten, CorruptRecord) as error:
        connection.send(error)
    except KeyboardInterrupt:
        pass  # the parent is told by the same signal, and says so


def _tell(connection: Connection, kind: str, text: str) -> None:
    connection.send((kind, text))


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Set the number of threads that processes started meanwhile will use for their arithmetic."""
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
