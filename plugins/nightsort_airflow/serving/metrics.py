"""What the service counts, as text that Prometheus reads."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Upper ends of the buckets of durations, in seconds."""

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_HELP: Final = {
    "requests_total": ("counter", "Requests to classify, by HTTP status."),
    "documents_total": ("counter", "Texts that were classified."),
    "throttled_total": ("counter", "Calls that the endpoint throttled."),
    "inference_units": ("gauge", "Inference units of the endpoint; 0 while it is closed."),
    "request_seconds": ("histogram", "Duration of requests that were answered with 200."),
}

Key = tuple[str, str, str]
"""Metric, classifier, and HTTP status or empty."""


class Metrics:
    """Counters of the service. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Key] = Counter()
        self._durations: dict[str, list[int]] = {}
        self._seconds: Counter[str] = Counter()

    def count(self, metric: str, classifier: str, status: str = "", number: int = 1) -> None:
        """
        Count something.

        :param metric: ``requests_total``, ``documents_total`` or ``throttled_total``.
        :param classifier: whose.
        :param status: of a request, the HTTP status.
        :param number: how many.
        """
        with self._lock:
            self._counts[metric, classifier, status] += number

    def time(self, classifier: str, seconds: float) -> None:
        """
        Count the duration of a request.

        :param classifier: whose.
        :param seconds: how long it took.
        """
        with self._lock:
            counts = self._durations.setdefault(classifier, [0] * (len(BUCKETS) + 1))
            counts[sum(seconds > end for end in BUCKETS)] += 1
            self._seconds[classifier] += seconds  # type: ignore[assignment]

    def text(self, units: Mapping[str, int]) -> str:
        """
        Return all metrics in Prometheus's text format.

        :param units: the inference units of each classifier's endpoint.
        """
        with self._lock:
            return "".join(line + "\n" for line in self._lines(units))

    def _lines(self, units: Mapping[str, int]) -> Iterator[str]:
        for metric, (kind, about) in _HELP.items():
            name = f"nightsort_serve_{metric}"
            yield f"# HELP {name} {about}"
            yield f"# TYPE {name} {kind}"
            if kind == "gauge":
                yield from (f"{name}{_labels(classifier)} {number}" for classifier, number in units.items())
            elif kind == "counter":
                for (counted, classifier, status), number in sorted(self._counts.items()):
                    if counted == metric:
                        yield f"{name}{_labels(classifier, status=status)} {number}"
            else:
                yield from self._histograms(name)

    def _histograms(self, name: str) -> Iterator[str]:
        for classifier, counts in sorted(self._durations.items()):
            below = 0
            for end, number in zip((*map(str, BUCKETS), "+Inf"), counts, strict=True):
                below += number
                yield f"{name}_bucket{_labels(classifier, le=end)} {below}"
            yield f"{name}_sum{_labels(classifier)} {self._seconds[classifier]:.6f}"
            yield f"{name}_count{_labels(classifier)} {below}"


def _labels(classifier: str, **others: str) -> str:
    # Names of classifiers and statuses have no characters that would need escaping.
    pairs = {"classifier": classifier, **{name: value for name, value in others.items() if value}}
    return "{" + ",".join(f'{name}="{value}"' for name, value in pairs.items()) + "}"
