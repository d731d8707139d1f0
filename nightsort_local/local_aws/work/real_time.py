"""Real-time classification: one process that keeps the endpoints' models in memory.

In the server's own process a model would delay every answer. A worker can be busy with a training for
minutes.
"""

from __future__ import annotations

import signal
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from nightsort_local.local_aws.work.processes import CONTEXT

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

    from nightsort_local.local_aws.work.tasks import TextClasses

_ATTEMPTS = 2
"""A document is tried again when the process dies: the cause may not be the document."""


class RealTimeError(Exception):
    """A document cannot be classified: the model cannot be read, or the process died."""


class RealTimeProcess:
    """The process. It is started on first use, and again when it has died."""

    def __init__(self) -> None:
        # One thread communicates with the process; callers wait in its queue.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="real-time")
        self._process: ForkServerProcess | None = None
        self._connection: Connection | None = None

    def classify(self, model_file: str, text: str | None) -> Future[TextClasses]:
        """Classify a text.

        :param model_file: the model's path.
        :param text: the document; None only loads the model.
        :returns: a future of its classes (none without a text), or of a :class:`RealTimeError`.
        """
        return self._thread.submit(self._ask, model_file, text)

    def close(self) -> None:
        """Kill the process and cancel the calls that wait for it."""
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
                self._reap(connection)
            else:
                if isinstance(answer, RealTimeError):
                    raise answer
                return answer
        raise RealTimeError("the process for real-time classification died")

    def _start(self) -> Connection:
        self._connection, theirs = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=_serve, args=(theirs,), name="real-time", daemon=True)
        self._process.start()
        theirs.close()
        return self._connection

    def _reap(self, connection: Connection) -> None:
        connection.close()
        self._connection = None
        if self._process is not None:
            self._process.join()


def _serve(connection: Connection) -> None:
    """Serve requests in the process until the server closes the connection or dies."""
    # Ctrl-C reaches the whole process group, but the server ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Imported here: the server itself does not need scikit-learn.
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
