"""Worker processes: warm, one task at a time each, stoppable, and never outliving the server.

The standard library's executor cannot stop a running task and does not survive the death of a worker. Both
happen here: StopTrainingDocumentClassifier stops tasks, and a training can run out of memory.
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
from nightsort_local.local_aws.work.processes import CONTEXT, remove_socket_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    from nightsort_local.local_aws.work.tasks import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The end of a task.

    :param result: the return value of the task.
    :param problem: the Message of a failure.
    :param stopped: whether it was stopped on request.
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
    """A fixed number of worker processes with a common queue.

    :param size: the number of worker processes.
    :param temporary: the folder of the workers' temporary files. The workers remove it when the server dies.
    :param prepare: completes a task of a key before it runs. It can raise TaskError.
    :param in_force: returns whether a fault that holds work is still in force.
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
        self._running: dict[str, tuple[_Work, ForkServerProcess]] = {}
        self._stuck: dict[str, _Work] = {}
        self._processes: set[ForkServerProcess] = set()
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
        """Add a task to the queue.

        :param key: the key for :meth:`stop`.
        :param on_start: called when a worker takes the task.
        :param on_end: called once, when the task is done, failed or stopped.
        """
        work = _Work(key, task, on_start, on_end)
        with self._lock:
            self._waiting[key] = work
        self._queue.put(work)

    def stop(self, key: str) -> None:
        """Stop a task that waits, runs or is stuck. Its ``on_end`` is called, unless it has just ended."""
        with self._lock:
            if key in self._running:
                work, process = self._running[key]
                work.stopped = True
                process.terminate()
            elif key in self._waiting:
                self._waiting[key].stopped = True
            elif key in self._stuck:
                self._stuck[key].stopped = True
                self._resume(self._stuck[key])

    def release(self) -> None:
        """Continue stuck work whose fault is no longer in force."""
        with self._lock:
            for work in list(self._stuck.values()):
                if work.stuck is not None and not self._in_force(work.stuck):
                    self._resume(work)

    def close(self) -> None:
        """Kill all workers. The ``on_end`` of work in progress is not called."""
        with self._lock:
            self._closed = True
            processes = list(self._processes)
        for process in processes:
            process.kill()
        for _ in self._slots:
            self._queue.put(None)
        for process in processes:
            process.join()

    # --- one slot: a thread of the server and its process --------------------------------------------------

    def _serve(self) -> None:
        process, connection = self._start()
        while (work := self._queue.get()) is not None:
            if not self._take(work, process):
                continue
            outcome = _run_in_worker(connection, work.task)
            with self._lock:
                self._running.pop(work.key, None)
                if self._closed:
                    return
            if outcome is None or work.stopped:
                # A stopped worker is dying, even if it has just finished its task.
                exit_code = self._reap(process, connection)
                process, connection = self._start()
                if not work.stopped:
                    log.error("A worker died with exit code %s while it worked on %s.", exit_code, work.key)
            if outcome is None:
                outcome = Outcome(stopped=True) if work.stopped else Outcome(problem=INTERNAL_ERROR)
            work.on_end(outcome)

    def _take(self, work: _Work, process: ForkServerProcess) -> bool:
        """Prepare work for a worker process.

        :returns: False if there is nothing to run: the work has ended or is stuck.
        """
        ended = None if work.begun or work.stopped else self._begin(work)
        with self._lock:
            self._waiting.pop(work.key, None)
            if work.stopped:
                ended = Outcome(stopped=True)
            elif work.stuck is not None and self._in_force(work.stuck):
                self._park(work, work.stuck)
                return False
            elif ended is None:
                self._running[work.key] = (work, process)
                return True
        work.on_end(ended)
        return False

    def _begin(self, work: _Work) -> Outcome | None:
        """Start work and complete its task; return the outcome if that fails."""
        work.begun = True
        work.on_start()
        try:
            work.task = self._prepare(work.key, work.task)
        except TaskError as error:
            return Outcome(problem=str(error))
        work.stuck = next((fault for fault in work.task.faults if isinstance(fault, Stuck)), None)
        return None

    def _park(self, work: _Work, fault: Stuck) -> None:
        # Called with the lock held. Stuck work occupies no worker.
        self._stuck[work.key] = work
        if fault.seconds is not None:
            timer = threading.Timer(fault.seconds, self._end_park, [work])
            timer.daemon = True
            timer.start()

    def _end_park(self, work: _Work) -> None:
        with self._lock:
            if self._stuck.get(work.key) is work:
                self._resume(work)

    def _resume(self, work: _Work) -> None:
        # Called with the lock held.
        work.stuck = None
        self._waiting[work.key] = self._stuck.pop(work.key)
        self._queue.put(work)

    def _start(self) -> tuple[ForkServerProcess, Connection]:
        ours, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=_work, args=(theirs, self._temporary), daemon=True)
        with self._lock:
            if not self._closed:
                process.start()
                self._processes.add(process)
        theirs.close()
        return process, ours

    def _reap(self, process: ForkServerProcess, connection: Connection) -> int | None:
        connection.close()
        process.join()
        with self._lock:
            self._processes.discard(process)
        return process.exitcode


def _run_in_worker(connection: Connection, task: Task) -> Outcome | None:
    """Run a task in the worker; return None if the worker dies."""
    try:
        connection.send(task)
        outcome: Outcome = connection.recv()
    except (EOFError, OSError):
        return None
    return outcome


def _work(connection: Connection, temporary: str) -> None:
    """Run tasks in a worker process until the server closes the connection."""
    # Ctrl-C reaches the whole process group, but the server ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_server, args=(temporary,), daemon=True).start()
    # A worker can be killed at any time. The server removes this folder, with the worker's files.
    tempfile.tempdir = temporary
    # Imported here: the server does not need scikit-learn.
    from nightsort_local.local_aws.work.worker_tasks import run

    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        connection.send(_outcome(run, task))


def _outcome(run: Callable[[Task], Any], task: Task) -> Outcome:
    try:
        return Outcome(result=run(task))
    except TaskError as error:
        return Outcome(problem=str(error))
    except MemoryError:
        log.exception("The worker does not have enough memory for a %s.", type(task).__name__)
        return Outcome(problem=INTERNAL_ERROR)


def _die_with_server(temporary: str) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        shutil.rmtree(temporary, ignore_errors=True)
        remove_socket_folder()
        os._exit(1)
