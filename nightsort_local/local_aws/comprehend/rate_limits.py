"""Rate limits as token buckets, with the published figures of the real service."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from nightsort.comprehend.limits import ENDPOINT_UNIT_CHARACTERS, ENDPOINT_UNIT_DOCUMENTS
from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.request_validation import operation_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from nightsort_local.local_aws.comprehend.behaviour import Behaviour

SLOW_OPERATIONS: Final = frozenset(
    {
        "CreateDocumentClassifier",
        "DeleteDocumentClassifier",
        "StopTrainingDocumentClassifier",
        "StartDocumentClassificationJob",
        "TagResource",
        "UntagResource",
        "CreateEndpoint",
        "UpdateEndpoint",
        "DeleteEndpoint",
    }
)
"""Operations with one call per second (Service Quotas; assumed for endpoints)."""

SLOW_CALLS_PER_SECOND: Final = 1.0

CALLS_PER_SECOND: Final = 10.0
"""Describe and List operations (Service Quotas; assumed for endpoints and summaries)."""


class TokenBucket:
    """A token bucket: it fills at a constant rate and holds one second's worth.

    :param clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._level: float | None = None
        self._filled = 0.0

    def has(self, amount: float, rate: float) -> bool:
        """Return whether an amount is available. A full bucket also allows an amount above its capacity.

        :param rate: tokens per second, and the capacity.
        """
        moment = self._clock()
        level = rate if self._level is None else self._level + (moment - self._filled) * rate
        self._level, self._filled = min(rate, level), moment
        return self._level >= min(amount, rate)

    def take(self, amount: float) -> None:
        """Take an amount. The level may fall below zero; the next calls then wait longer."""
        self._level = (self._level or 0.0) - amount


class RateLimits:
    """The limits of all operations and endpoints. Call it with the store's lock held.

    :param behaviour: whether the limits are switched on.
    """

    def __init__(self, behaviour: Behaviour, clock: Callable[[], float] = time.monotonic) -> None:
        self._behaviour = behaviour
        self._clock = clock
        self._buckets: dict[tuple[str, ...], TokenBucket] = {}

    def count_call(self, operation: str, region: str) -> None:
        """Count a call of an operation. ClassifyDocument is limited only by its endpoint.

        :raises ApiError: the rate is exceeded.
        """
        if operation == "ClassifyDocument":
            return
        rate = SLOW_CALLS_PER_SECOND if operation in SLOW_OPERATIONS else CALLS_PER_SECOND
        self._count(operation, [((operation, region), 1.0, rate)])

    def count_document(self, endpoint_arn: str, inference_units: int, characters: int) -> None:
        """Count a document of an endpoint.

        :raises ApiError: the throughput of its inference units is exceeded.
        """
        documents = ENDPOINT_UNIT_DOCUMENTS * inference_units
        volume = ENDPOINT_UNIT_CHARACTERS * inference_units
        self._count(
            "ClassifyDocument",
            [
                ((endpoint_arn, "documents"), 1.0, documents),
                ((endpoint_arn, "characters"), float(characters), volume),
            ],
        )

    def _count(self, operation: str, uses: list[tuple[tuple[str, ...], float, float]]) -> None:
        if not self._behaviour.rate_limits:
            self._buckets.clear()
            return
        taken = [
            (self._buckets.setdefault(key, TokenBucket(self._clock)), amount, rate)
            for key, amount, rate in uses
        ]
        if not all(bucket.has(amount, rate) for bucket, amount, rate in taken):
            raise _too_many(operation)
        for bucket, amount, _ in taken:
            bucket.take(amount)


def _too_many(operation: str) -> ApiError:
    """Return the throttling error of the operation's model, or else the common one of AWS."""
    modelled = {shape.name for shape in operation_model(operation).error_shapes}
    code = "TooManyRequestsException"
    return ApiError(code if code in modelled else "ThrottlingException", "Rate exceeded")
