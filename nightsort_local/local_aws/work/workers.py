"""Worker processes: warm, one piece of work at a time each, stoppable, and never outliving the server.

The standard library's executor can neither stop what runs nor survive the death of one worker; both are
everyday business here (StopTrainingDocumentClassifier, a training that runs out of memory).
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import shutil
import signal
import tempfile
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from nightsort_local.local_aws.faults.fault_types import Stuck
from nightsort_local.local_aws.task_errors import INTERNAL_ERROR, TaskError

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import SpawnProcess
    from pathlib import Path

    from nightsort_local.local_aws.work.tasks import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a piece of work ended.

    :param result: what the task returned.
    :param problem: the Message of a failure.
    :param stopped: it was stopped on request.
    """

    result: Any = None
    problem: str | None = None
    stopped: bool = False


@dataclass
class _Work:
    key: str
    task: Task
    on_start: Callable[[], None]
    on_end: Callable[[Outcome], None]
    begun: bool = False
    stuck: Stuck | None = None
    stopped: bool = False


class WorkerPool:
    """A fixed number of worker processes and the queue before them.

    :param size: how many pieces of work run at the same time.
    :param temporary: the folder for the workers' temporary files; a worker that sees the server die removes
        it.
    :param prepare: completes a task, given with its key, when its turn has come; may raise TaskError.
    :param in_force: whether the fault by which work is stuck is still there.
    """

    def __init__(
        self,
        size: int,
        temporary: Path,
        prepare: Callable[[str, Task], Task],
        in_force: Callable[[Stuck], bool],
    ) -> None:
        self.size = size
        self._prepare = prepare
        self._in_force = in_force
        self._temporary = str(temporary)
        self._queue: queue.Queue[_Work | None] = queue.Queue()
        self._lock = threading.Lock()
        self._waiting: dict[str, _Work] = {}
        self._running: dict[str, tuple[_Work, SpawnProcess]] = {}
        self._stuck: dict[str, _Work] = {}
        self._processes: set[SpawnProcess] = set()
        self._closed = False
        self._slots = [
            threading.Thread(target=self._serve, name=f"worker-slot-{number}", daemon=True)
            for number in range(size)
        ]
        for slot in self._slots:
            slot.start()

    def submit(
        self, key: str, task: Task, on_start: Callable[[], None], on_end: Callable[[Outcome], None]
    ) -> None:
        """Queue work.

        :param key: what :meth:`stop` calls it by.
        :param on_start: called when a worker takes it.
        :param on_end: called once, when it is done, failed or stopped.
        """
        work = _Work(key, task, on_start, on_end)
        with self._lock:
            self._waiting[key] = work
        self._queue.put(work)

    def stop(self, key: str) -> None:
        """Stop work that waits, runs or is stuck; its ``on_end`` hears of it, unless it has just ended."""
        with self._lock:
            if key in self._running:
                work, process = self._running[key]
                work.stopped = True
                process.terminate()
            elif key in self._waiting:
                self._waiting[key].stopped = True
            elif key in self._stuck:
                self._stuck[key].stopped = True
                self._go_on(self._stuck[key])

    def release(self) -> None:
        """Let work go on that is stuck by a fault that is no longer in force."""
        with self._lock:
            for work in list(self._stuck.values()):
                if work.stuck is not None and not self._in_force(work.stuck):
                    self._go_on(work)

    def close(self) -> None:
        """End all workers at once; work in progress is not reported any more."""
        with self._lock:
            self._closed = True
            processes = list(self._processes)
        for process in processes:
            process.kill()
        for _ in self._slots:
            self._queue.put(None)
        for process in processes:
            process.join()

    # --- one slot: a thread of the server with its process --------------------------------------------------

    def _serve(self) -> None:
        process, connection = self._start()
        while (work := self._queue.get()) is not None:
            ended = None if work.begun or work.stopped else self._begin(work)
            with self._lock:
                self._waiting.pop(work.key, None)
                if work.stopped:
                    ended = Outcome(stopped=True)
                elif work.stuck is not None and self._in_force(work.stuck):
                    self._park(work, work.stuck)
                    continue
                elif ended is None:
                    self._running[work.key] = (work, process)
            if ended is not None:
                work.on_end(ended)
                continue
            outcome = _ask(connection, work.task)
            with self._lock:
                self._running.pop(work.key, None)
                if self._closed:
                    return
            if outcome is None or work.stopped:
                # A worker that was told to stop just after its work was done is dying, too.
                exit_code = self._bury(process, connection)
                process, connection = self._start()
                if not work.stopped:
                    log.error("A worker died with exit code %s while it worked on %s.", exit_code, work.key)
            if outcome is None:
                outcome = Outcome(stopped=True) if work.stopped else Outcome(problem=INTERNAL_ERROR)
            work.on_end(outcome)

    def _begin(self, work: _Work) -> Outcome | None:
        """Say that its turn has come, and complete its task; return how it ended if that is not possible."""
        work.begun = True
        work.on_start()
        try:
            work.task = self._prepare(work.key, work.task)
        except TaskError as error:
            return Outcome(problem=str(error))
        work.stuck = next((fault for fault in work.task.faults if isinstance(fault, Stuck)), None)
        return None

    def _park(self, work: _Work, fault: Stuck) -> None:
        # Called with the lock held. What is stuck takes no worker from the others.
        self._stuck[work.key] = work
        if fault.seconds is not None:
            timer = threading.Timer(fault.seconds, self._end_park, [work])
            timer.daemon = True
            timer.start()

    def _end_park(self, work: _Work) -> None:
        with self._lock:
            if self._stuck.get(work.key) is work:
                self._go_on(work)

    def _go_on(self, work: _Work) -> None:
        # Called with the lock held.
        work.stuck = None
        self._waiting[work.key] = self._stuck.pop(work.key)
        self._queue.put(work)

    def _start(self) -> tuple[SpawnProcess, Connection]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, self._temporary), daemon=True)
        with self._lock:
            if not self._closed:
                process.start()
                self._processes.add(process)
        theirs.close()
        return process, ours

    def _bury(self, process: SpawnProcess, connection: Connection) -> int | None:
        connection.close()
        process.join()
        with self._lock:
            self._processes.discard(process)
        return process.exitcode


def _ask(connection: Connection, task: Task) -> Outcome | None:
    """Have the worker do it; None when the worker dies over it."""
    try:
        connection.send(task)
        outcome: Outcome = connection.recv()
    except (EOFError, OSError):
        return None
    return outcome


def _work(connection: Connection, temporary: str) -> None:
    """Be a worker process."""
    # Ctrl-C reaches the whole process group; the server decides when its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_server, args=(temporary,), daemon=True).start()
    # A worker may be killed at any time; what it leaves goes with the server.
    tempfile.tempdir = temporary
    # Here and not above: the server has no use for scikit-learn, and is up a second earlier without it.
    from nightsort_local.local_aws.work.worker_tasks import run

    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(_done(run, task))


def _done(run: Callable[[Task], Any], task: Task) -> Outcome:
    try:
        return Outcome(result=run(task))
    except TaskError as error:
        return Outcome(problem=str(error))
    except MemoryError:
        log.exception("The worker has not enough memory for %s.", type(task).__name__)
        return Outcome(problem=INTERNAL_ERROR)


def _die_with_server(temporary: str) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        shutil.rmtree(temporary, ignore_errors=True)
        os._exit(1)
