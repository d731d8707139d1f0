"""Send documents to an endpoint at its pace, keep what it answers, and go on where an earlier try ended."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from nightsort.comprehend.prices import units_of
from nightsort.errors import NightsortError
from nightsort.real_time.answers import StoredAnswers, answer_line, failure_line
from nightsort.real_time.endpoint import (
    BusyError,
    EndpointNotInServiceError,
    ModelChangedError,
    RefusedDocumentError,
)
from nightsort.real_time.pace import LOOK_SECONDS, Pace
from nightsort.results.curable import NOT_ASKED
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nightsort.real_time.documents import Document
    from nightsort.real_time.endpoint import Endpoint
    from nightsort.storage import Access

log = logging.getLogger(__name__)

REQUESTS_A_UNIT: Final = 4
MOST_REQUESTS: Final = 32
"""Requests at the same time."""

PATIENCE_SECONDS: Final = 600
"""How long an endpoint may refuse everything; scaling it up takes some minutes."""

STORED_TOGETHER: Final = 100
STORED_SECONDS: Final = 5.0
"""After so many answers, or so long, they are stored. A process that is killed loses no more than these."""


class StoppedError(NightsortError):
    """Somebody stopped the work. What was answered is stored."""

    retryable: ClassVar[bool] = True


@dataclass(frozen=True)
class RealTimeOutput:
    """What became of the documents.

    :param output_uri: an ``output.tar.gz`` that reads like a job's.
    :param model_arn: the classifier version that answered.
    :param asked: documents that this try got an answer for.
    :param known: documents whose answer an earlier try had stored; with :attr:`asked` 0, where the output was
        there already.
    :param refusals: requests that the endpoint had no room for, which were sent again.
    :param seconds: how long it took.
    """

    output_uri: str
    model_arn: str
    asked: int = 0
    known: int = 0
    refusals: int = 0
    seconds: float = 0.0


def classify_documents(
    documents: Iterable[Document],
    endpoint: Endpoint,
    access: Access,
    folder: str,
    *,
    model_arn: str | None = None,
    stop: threading.Event | None = None,
    patience: float = PATIENCE_SECONDS,
) -> RealTimeOutput:
    """Classify documents through an endpoint, each at most once.

    No document is left out, and all stay in their order. A document that cannot be classified has a line with
    the reason.

    :param documents: in the order of the output.
    :param endpoint: asks the endpoint.
    :param access: storage.
    :param folder: where answers and output are kept, ending in ``/``. It stands for these documents and for
        one classifier version: what is there counts as answered.
    :param model_arn: the classifier version that has to answer; ``None``: the one that is served now.
    :param stop: when it is set, the work ends soon, with :class:`StoppedError`.
    :param patience: seconds for which the endpoint may refuse everything.
    :returns: where the output is, and what was done.
    :raises EndpointNotInServiceError: the endpoint does not answer, or refuses everything for long.
    :raises ModelChangedError: the endpoint serves another version, or does so before all are answered.
    """
    serving = endpoint.serving()
    model_arn = model_arn or serving.model_arn
    if serving.model_arn != model_arn:
        raise _changed(serving.model_arn, model_arn)
    stored = StoredAnswers(access, folder)
    if stored.is_complete():
        stored.empty_parts()
        return RealTimeOutput(stored.output_uri, model_arn)
    began = time.monotonic()
    units = max(1, serving.units)
    work = _Work(endpoint, stored, model_arn, Pace(units), stop or threading.Event(), patience)
    lines = work.answer(documents, workers=min(MOST_REQUESTS, REQUESTS_A_UNIT * units))
    stored.complete(lines)
    stored.empty_parts()
    seconds = time.monotonic() - began
    log.info(
        "%s asked, %s known, in %.0f s; the endpoint had no room %s",
        number_of(work.asked, "document"),
        f"{len(lines) - work.asked:,}",
        seconds,
        number_of(work.pace.refusals, "time"),
    )
    return RealTimeOutput(
        stored.output_uri, model_arn, work.asked, len(lines) - work.asked, work.pace.refusals, seconds
    )


def end_early(
    documents: Iterable[Document], access: Access, folder: str, model_arn: str
) -> RealTimeOutput | None:
    """Write the output of work that cannot go on: a document without an answer fails, and a job can follow.

    :param documents: as for :func:`classify_documents`, as are the other parameters.
    :param access: storage.
    :param folder: where the answers are.
    :param model_arn: the classifier version that answered.
    :returns: the output; ``None`` if nothing was answered, and nothing is written.
    """
    stored = StoredAnswers(access, folder)
    known = stored.read()
    if not known:
        return None
    code = NOT_ASKED.removeprefix("error:")
    stored.complete(
        known.get(document.place)
        or failure_line(document.place, code, "The endpoint was not asked any more.")
        for document in documents
    )
    stored.empty_parts()
    return RealTimeOutput(stored.output_uri, model_arn, known=len(known))


def units_left(documents: Iterable[Document], access: Access, folder: str) -> int:
    """Return what a job would be billed for: the units of the documents that have no answer.

    :param documents: as for :func:`classify_documents`, as are the other parameters.
    :param access: storage.
    :param folder: where the answers are.
    """
    known = StoredAnswers(access, folder).read()
    left = [document.characters for document in documents if document.place not in known]
    return int(units_of(np.array(left, np.int64)).sum())


def _changed(found: str, expected: str) -> ModelChangedError:
    return ModelChangedError(
        f"The endpoint serves {found}, and not {expected}. What that version answered is kept. Let the "
        "endpoint serve it again, or classify with the version that it serves"
    )


class _Work:
    """The documents of one try on their way."""

    def __init__(
        self,
        endpoint: Endpoint,
        stored: StoredAnswers,
        model_arn: str,
        pace: Pace,
        stop: threading.Event,
        patience: float,
    ) -> None:
        self.pace = pace
        self._patience = patience
        self.asked = 0
        self._endpoint = endpoint
        self._stored = stored
        self._model_arn = model_arn
        self._stop = stop
        self._refused_since: float | None = None
        self._new: list[bytes] = []
        self._stored_at = time.monotonic()

    def answer(self, documents: Iterable[Document], *, workers: int) -> list[bytes]:
        """Return the line of each document, in their order."""
        known, lines = self._stored.read(), []
        waiting: deque[bytes | Future[bytes]] = deque()
        pool = ThreadPoolExecutor(workers, thread_name_prefix="nightsort-endpoint")
        try:
            for document in documents:
                line = known.get(document.place)
                waiting.append(pool.submit(self._ask, document) if line is None else line)
                while len(waiting) > 2 * workers:
                    lines.append(self._line(waiting.popleft()))
            while waiting:
                lines.append(self._line(waiting.popleft()))
            self._store()
        except BaseException:
            self._stop.set()
            pool.shutdown(cancel_futures=True)
            self._keep(waiting)
            raise
        pool.shutdown()
        return lines

    def _line(self, item: bytes | Future[bytes]) -> bytes:
        if isinstance(item, bytes):
            return item
        line = item.result()
        self._take(line)
        if len(self._new) >= STORED_TOGETHER or time.monotonic() - self._stored_at >= STORED_SECONDS:
            self._store()
        return line

    def _take(self, line: bytes) -> None:
        self.asked += 1
        self._new.append(line)

    def _store(self) -> None:
        """Store the new lines, if it is still the same version that answers."""
        found = self._endpoint.serving().model_arn
        if found != self._model_arn:
            self._new.clear()
            raise _changed(found, self._model_arn)
        if self._new:
            self._stored.add(self._new)
        self._new, self._stored_at = [], time.monotonic()

    def _keep(self, waiting: Iterable[bytes | Future[bytes]]) -> None:
        """Store what is answered already before the work ends; its own error is the one to report."""
        for item in waiting:
            if isinstance(item, Future) and item.done() and not item.cancelled() and not item.exception():
                self._take(item.result())
        with suppress(Exception):
            self._store()

    def _ask(self, document: Document) -> bytes:
        """Return the line of a document; ask until it is answered."""
        try:
            document.check()
            return answer_line(document.place, self._until_answered(document))
        except RefusedDocumentError as error:
            return failure_line(document.place, error.code, str(error))

    def _until_answered(self, document: Document) -> Any:
        while True:
            turn = self.pace.turn(document.characters)
            while left := self.pace.delay(turn):
                if self._stop.wait(min(left, LOOK_SECONDS)):
                    break
            if self._stop.is_set():
                raise StoppedError("The work was stopped. What was answered is stored; a retry goes on")
            try:
                answer = self._endpoint.classify(document.content)
            except BusyError as error:
                self.pace.was_refused(turn)
                now = time.monotonic()
                # While its units are busy with a long text, it has to refuse.
                since = self._refused_since = self._refused_since or max(now, self.pace.busy_until)
                if now - since > self._patience:
                    raise EndpointNotInServiceError(
                        f"The endpoint has answered nothing for {self._patience:g} s: {error}. Give it more "
                        "inference units, or ask later; what was answered is stored"
                    ) from error
            else:
                self._refused_since = None
                self.pace.went_well(turn)
                return answer
