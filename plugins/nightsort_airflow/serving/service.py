"""Classify the texts of requests, at the pace of the endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from nightsort.errors import NightsortError
from nightsort_airflow.serving.endpoint import (
    Answer,
    EndpointClosedError,
    EndpointError,
    LocalEndpoint,
    ServedEndpoint,
    ThrottledError,
)
from nightsort_airflow.serving.metrics import Metrics
from nightsort_airflow.serving.pace import THROTTLED_SECONDS, BusyError, Pace
from nightsort_airflow.serving.problems import ProblemError
from nightsort_airflow.serving.texts import checked_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

MAX_TEXTS: Final = 25
"""Texts of one request."""

QUEUE_SECONDS: Final = 2.0
"""How long a request may wait for those before it; it is refused if it would be longer."""

REQUEST_SECONDS: Final = 120.0
"""How long an endpoint may be busy with one request. Proxies in between often give up after some minutes."""

_THROTTLED_ATTEMPTS: Final = 10
_THREADS: Final = 32
_CLOSED_RETRY_SECONDS: Final = 60


class ServedClassifier:
    """
    One classifier: its endpoint and its pace. Used in the thread of the event loop.

    :param served: the endpoint.
    :param metrics: the counters of the service.
    :param threads: ask the endpoint.
    """

    def __init__(self, served: ServedEndpoint, metrics: Metrics, threads: ThreadPoolExecutor) -> None:
        self.served = served
        self.local = LocalEndpoint(served)
        self.pace = Pace()
        self._metrics = metrics
        self._threads = threads

    @property
    def name(self) -> str:
        """The classifier's name."""
        return self.served.spec.name

    @property
    def units(self) -> int:
        """The inference units of the endpoint; 0 while it is closed."""
        return self.served.state.units if self.served.is_open and self.served.state else 0

    async def classify(self, texts: Sequence[str]) -> list[Answer]:
        """
        Classify the texts of a request, in their order: all of them, or none.

        :param texts: as they came.
        :raises ProblemError: a text cannot be classified, or the endpoint cannot do it now.
        """
        checked = checked_texts(texts)
        refused = [(number, reason) for number, (_, reason) in enumerate(checked) if reason]
        if refused:
            number, reason = refused[0]
            problems = [{"index": index, "reason": why} for index, why in refused]
            raise ProblemError(422, f"The text with index {number} {reason}.", texts=problems)
        return await self._asked([text for text, _ in checked])

    async def open(self) -> None:
        """Look at the endpoint; on the local stack, open it if it is closed and can be opened."""
        try:
            await self._in_thread(self.local.open)
        except Exception as error:
            # Requests say that the endpoint is closed, until it is not.
            reason = str(error) if isinstance(error, NightsortError) else type(error).__name__
            log.warning("The endpoint of %s is not open: %s", self.name, reason)
        self.pace.units = self.units or 1

    async def look(self) -> None:
        """Ask for the endpoint's state and units; move a local one to the active version."""
        try:
            await self._in_thread(self.local.follow)
        except Exception as error:
            # The watch must go on, whatever AWS or the database answer.
            log.warning("The state of the endpoint of %s is not known: %s", self.name, type(error).__name__)
        self.pace.units = self.units or 1

    async def _asked(self, texts: list[str]) -> list[Answer]:
        characters = [len(text) for text in texts]
        if not self.served.is_open:
            # It may have been opened since the last look.
            await self.open()
        seconds = self.pace.seconds(characters)
        if len(texts) > 1 and seconds > REQUEST_SECONDS:
            raise ProblemError(
                413, f"The endpoint would take {seconds:.0f} s for these texts: send fewer at once."
            )
        try:
            starts = self.pace.reserve(characters, QUEUE_SECONDS)
        except BusyError as busy:
            detail = f"The endpoint of {self.name} is asked more than its inference units can do."
            raise ProblemError(429, detail, retry_after=busy.retry_after) from None
        timed = zip(texts, starts, strict=True)
        asked = [asyncio.create_task(self._answered(text, start)) for text, start in timed]
        try:
            return await asyncio.gather(*asked)
        finally:
            for task in asked:
                task.cancel()

    async def _answered(self, text: str, start: float) -> Answer:
        await asyncio.sleep(max(0.0, start - time.monotonic()))
        for _ in range(_THROTTLED_ATTEMPTS):
            try:
                answer = await self._in_thread(self.served.classify, text)
            except ThrottledError:  # noqa: PERF203 - one call at a time
                # Others ask this endpoint too. What waits behind this text waits longer.
                self._metrics.count("throttled_total", self.name)
                self.pace.hold(THROTTLED_SECONDS)
                await asyncio.sleep(THROTTLED_SECONDS)
            except EndpointClosedError as error:
                raise ProblemError(503, str(error), retry_after=_CLOSED_RETRY_SECONDS) from None
            except EndpointError as error:
                log.warning("%s", error)
                raise ProblemError(502, str(error), retry_after=1) from None
            else:
                self._metrics.count("documents_total", self.name)
                return answer
        detail = f"The endpoint of {self.name} throttles: others ask it besides this service."
        raise ProblemError(429, detail, retry_after=2 * THROTTLED_SECONDS)

    async def _in_thread(self, function: object, *arguments: object) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, function, *arguments)  # type: ignore[arg-type]


class Service:
    """
    The classifiers of one process, and the watch over their endpoints.

    :param endpoints: of the classifiers.
    :param watch_seconds: between two looks at the state of the endpoints.
    """

    def __init__(self, endpoints: Sequence[ServedEndpoint], watch_seconds: float) -> None:
        self.metrics = Metrics()
        self._threads = ThreadPoolExecutor(_THREADS, "endpoint")
        self._watch_seconds = watch_seconds
        self.classifiers = {
            served.spec.name: ServedClassifier(served, self.metrics, self._threads) for served in endpoints
        }
        self._watch: asyncio.Task[None] | None = None

    def named(self, name: str | None) -> ServedClassifier:
        """
        Return the classifier of a request.

        :param name: None: the only one.
        :raises ProblemError: there is no such classifier, or several and none is named.
        """
        served = sorted(self.classifiers)
        if name is None and len(served) == 1:
            return self.classifiers[served[0]]
        if name is None:
            raise ProblemError(422, f"Say which `classifier`: {', '.join(served)}.")
        if name not in self.classifiers:
            raise ProblemError(404, f"This service has the classifiers {', '.join(served)}.")
        return self.classifiers[name]

    async def start(self) -> None:
        """Open the endpoints on the local stack, and begin to watch."""
        await asyncio.gather(*(classifier.open() for classifier in self.classifiers.values()))
        self._watch = asyncio.create_task(self._keep_looking())

    async def stop(self) -> None:
        """End the watch, and close what was opened here."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        self.close()

    def close(self) -> None:
        """Close the endpoints that were opened here."""
        for classifier in self.classifiers.values():
            classifier.local.close()
        self._threads.shutdown(wait=False)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._watch_seconds)
            await self._look()

    async def _look(self) -> None:
        await asyncio.gather(*(classifier.look() for classifier in self.classifiers.values()))
