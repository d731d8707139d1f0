"""An endpoint in memory: it answers by the text, and fails as it is told."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from nightsort.real_time.endpoint import EndpointNotInServiceError, Serving

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MODEL = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/tickets/version/v1"


class KnownEndpoint:
    """Notes what it was asked.

    :param fails: called with each content and how often that was asked; raises to refuse it.
    """

    def __init__(self, fails: Callable[[str | bytes, int], None] = lambda *_: None, units: int = 4) -> None:
        self.asked: list[str | bytes] = []
        self.model_arn: str | None = MODEL
        self._fails = fails
        self._units = units
        self._lock = threading.Lock()

    def classify(self, content: str | bytes) -> Mapping[str, Any]:
        with self._lock:
            self.asked.append(content)
            times = self.asked.count(content)
        self._fails(content, times)
        text = content.decode() if isinstance(content, bytes) else content
        return {"Classes": [{"Name": text.split()[0], "Score": 0.75}, {"Name": "other", "Score": 0.25}]}

    def serving(self) -> Serving:
        if self.model_arn is None:
            raise EndpointNotInServiceError("The endpoint is DELETING")
        return Serving(self.model_arn, self._units)
