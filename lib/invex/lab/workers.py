"""One sweep by several processes, which share the work through claims and die with their parent."""

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any, cast

from invex.lab.errors import Failed
from invex.lab.provenance import cores
from invex.lab.sweep import Plan, Report, Say, sweep


def sweep_with(workers: int, plan: Plan, say: Say, ended: Say) -> Report:
    """Run what is missing with `workers` processes, each with its share of the threads.

    It sets OMP_NUM_THREADS, which a process reads at its start.

    Raises:
        RecordNotWritten, CorruptRecord: as `sweep`; the other workers are stopped.
    """
    if workers == 1:
        return sweep(plan, say, ended)
    context = multiprocessing.get_context("spawn")
    running: dict[Any, SpawnProcess] = {}
    os.environ["OMP_NUM_THREADS"] = str(max(1, cores() // workers))
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
        for process in running.values():
            process.join()


def _collect(running: dict[Any, SpawnProcess], say: Say, ended: Say) -> Report:
    report = Report()
    heard: dict[str, Callable[[Any], None]] = {"say": say, "ended": ended, "report": report.merge}
    while running:
        for connection in cast(list[Connection], wait(list(running))):
            try:
                kind, content = connection.recv()
            except EOFError:
                worker = running.pop(connection)
                worker.join()
                if worker.exitcode:
                    report.raised[f"worker {worker.pid}"] = f"ended with exit code {worker.exitcode}"
                continue
            if kind == "failed":
                raise content
            heard[kind](content)
    return report


def _work(plan: Plan, connection: Connection) -> None:
    die_with_parent()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # removes what is half written on its way
    try:
        report = sweep(
            plan, lambda text: connection.send(("say", text)), lambda text: connection.send(("ended", text))
        )
        connection.send(("report", report))
    except Failed as error:
        connection.send(("failed", error))
    except KeyboardInterrupt:
        pass  # the parent is told by the same signal, and says so


def die_with_parent() -> None:
    """End this process as soon as the one that started it has ended, however it did."""

    def watch(parent: BaseProcess) -> None:
        parent.join()
        os._exit(1)

    if parent := multiprocessing.parent_process():
        threading.Thread(target=watch, args=(parent,), daemon=True).start()
