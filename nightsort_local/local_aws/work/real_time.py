"""Real-time classification: one process that keeps the endpoints' models in memory.

It is not the server, whose every answer a model's arithmetic would hold up, and none of the workers, which a
training keeps busy for minutes.
"""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from nightsort_local.local_aws.work.tasks import TextClasses

_ATTEMPTS = 2
"""A process that dies gets another chance: it may have been killed for nothing that the document did."""


class RealTimeError(Exception):
    """A document cannot be classified now: the model cannot be read, or the process died over it."""


class RealTimeProcess:
    """The process, begun when it is first needed, and again when it died."""

    def __init__(self) -> None:
        # One thread talks to the process; callers queue up for it.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="real-time")
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    def classify(self, model_file: str, text: str | None) -> Future[TextClasses]:
        """Classify a text.

        :param model_file: the model's path.
        :param text: the document; None only has the model read.
        :returns: What will be its classes, none without a text, or a :class:`RealTimeError`.
        """
        return self._thread.submit(self._ask, model_file, text)

    def close(self) -> None:
        """End the process; what waits for it is cancelled."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._process is not None:
            self._process.kill()

    def _ask(self, model_file: str, text: str | None) -> TextClasses:
        for _ in range(_ATTEMPTS):
            connection = self._connection or self._start()
            try:
                connection.send((model_file, text))
                answer: TextClasses | RealTimeError = connection.recv()
            except (EOFError, OSError):
                self._bury(connection)
            else:
                if isinstance(answer, RealTimeError):
                    raise answer
                return answer
        raise RealTimeError("the process for real-time classification died over it")

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="real-time", daemon=True)
        self._process.start()
        theirs.close()
        return self._connection

    def _bury(self, connection: Connection) -> None:
        connection.close()
        self._connection = None
        if self._process is not None:
            self._process.join()


def _serve(connection: Connection) -> None:
    """Be the process; it ends when the server closes the connection, or dies."""
    # Ctrl-C reaches the whole process group; the server decides when this ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Here and not above: the server has no use for scikit-learn.
    from nightsort_local.local_aws.work.real_time_models import classify_text

    while True:
        try:
            model_file, text = connection.recv()
        except EOFError:
            return
        try:
            answer: TextClasses | RealTimeError = classify_text(model_file, text)
        except OSError as error:
            answer = RealTimeError(f"its model cannot be read ({type(error).__name__})")
        connection.send(answer)
