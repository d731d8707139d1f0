"""How often an account may call: as token buckets, with the published figures of the real service."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

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
"""Operations with one call per second (Service Quotas; those of endpoints are not published: assumed)."""

SLOW_CALLS_PER_SECOND: Final = 1.0

CALLS_PER_SECOND: Final = 10.0
"""Describe and List operations (Service Quotas; those of endpoints and of summaries are assumed)."""

UNIT_DOCUMENTS_PER_SECOND: Final = 2.0
UNIT_CHARACTERS_PER_SECOND: Final = 100.0
"""What one inference unit of an endpoint can do (guide, guidelines-and-limits)."""


class TokenBucket:
    """Holds what may be used at once, and fills with time.

    :param clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._level: float | None = None
        self._filled = 0.0

    def has(self, amount: float, rate: float) -> bool:
        """Tell whether an amount may be taken; one beyond a second's worth may when the bucket is full.

        :param rate: what flows in per second, and the most that it holds.
        """
        moment = self._clock()
        level = rate if self._level is None else self._level + (moment - self._filled) * rate
        self._level, self._filled = min(rate, level), moment
        return self._level >= min(amount, rate)

    def take(self, amount: float) -> None:
        """Take what it was asked for; the level may fall below zero, and the next ones wait for longer."""
        self._level = (self._level or 0.0) - amount


class RateLimits:
    """The limits of all operations and endpoints, while they are switched on; under the store's lock.

    :param behaviour: tells whether they are.
    """

    def __init__(self, behaviour: Behaviour, clock: Callable[[], float] = time.monotonic) -> None:
        self._behaviour = behaviour
        self._clock = clock
        self._buckets: dict[tuple[str, ...], TokenBucket] = {}

    def count_call(self, operation: str, region: str) -> None:
        """Count a call of an operation; ClassifyDocument is limited by its endpoint alone.

        :raises ApiError: there were too many.
        """
        if operation == "ClassifyDocument":
            return
        rate = SLOW_CALLS_PER_SECOND if operation in SLOW_OPERATIONS else CALLS_PER_SECOND
        self._count(operation, [((operation, region), 1.0, rate)])

    def count_document(self, endpoint_arn: str, inference_units: int, characters: int) -> None:
        """Count a document that an endpoint is to classify.

        :raises ApiError: its inference units cannot do more.
        """
        documents = UNIT_DOCUMENTS_PER_SECOND * inference_units
        volume = UNIT_CHARACTERS_PER_SECOND * inference_units
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
    """Return the error that the operation models; for those that model none, the one of all AWS services."""
    modelled = {shape.name for shape in operation_model(operation).error_shapes}
    code = "TooManyRequestsException"
    return ApiError(code if code in modelled else "ThrottlingException", "Rate exceeded")
