"""Limits hold to the published rates: what comes too fast is refused, what waits is let through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort_local.local_aws.comprehend.behaviour import Behaviour
from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.rate_limits import SLOW_OPERATIONS, RateLimits
from nightsort_local.local_aws.comprehend.request_validation import service_model

if TYPE_CHECKING:
    from collections.abc import Callable

REGION = "us-east-1"
ENDPOINT = "arn:1"


class Limits:
    """Limits over a clock that stands still until it is moved."""

    def __init__(self, *, on: bool = True) -> None:
        self.time = 1_000.0
        self.behaviour = Behaviour({"rate_limits": on})
        self.limits = RateLimits(self.behaviour, lambda: self.time)

    def passed(self, number: int, call: Callable[[], None]) -> int:
        """How many of so many calls at once are let through."""
        return sum(self.is_passed(call) for _ in range(number))

    @staticmethod
    def is_passed(call: Callable[[], None]) -> bool:
        try:
            call()
        except ApiError:
            return False
        return True

    def calls(self, number: int, operation: str, region: str = REGION) -> int:
        return self.passed(number, lambda: self.limits.count_call(operation, region))

    def documents(self, number: int, characters: int, units: int = 1) -> int:
        return self.passed(number, lambda: self.limits.count_document(ENDPOINT, units, characters))


def test_switched_off_nothing_is_limited() -> None:
    limits = Limits(on=False)
    assert limits.calls(100, "CreateDocumentClassifier") == 100
    assert limits.documents(100, 10_000) == 100


@pytest.mark.parametrize(
    ("operation", "rate"),
    [
        ("CreateDocumentClassifier", 1),
        ("StartDocumentClassificationJob", 1),
        ("TagResource", 1),
        ("DescribeDocumentClassificationJob", 10),
        ("ListTagsForResource", 10),
    ],
)
def test_an_operation_has_its_calls_per_second(operation: str, rate: int) -> None:
    limits = Limits()
    assert limits.calls(30, operation) == rate
    limits.time += 0.99 / rate
    assert limits.calls(1, operation) == 0
    limits.time += 0.02 / rate
    assert limits.calls(30, operation) == 1
    limits.time += 3_600
    assert limits.calls(30, operation) == rate, "a second's worth is the most that is saved up"


def test_operations_and_regions_are_counted_apart() -> None:
    limits = Limits()
    limits.calls(5, "TagResource")
    assert limits.calls(5, "UntagResource") == 1
    assert limits.calls(5, "TagResource", "eu-west-1") == 1


@pytest.mark.parametrize(
    ("operation", "code", "status"),
    [
        ("CreateEndpoint", "TooManyRequestsException", 429),
        ("TagResource", "ThrottlingException", 400),
    ],
)
def test_the_error_is_the_one_that_the_operation_models(operation: str, code: str, status: int) -> None:
    limits = Limits()
    limits.calls(1, operation)
    with pytest.raises(ApiError) as caught:
        limits.limits.count_call(operation, REGION)
    assert (caught.value.code, caught.value.status) == (code, status)


def test_an_endpoint_does_two_documents_a_second_and_unit() -> None:
    limits = Limits()
    assert limits.documents(10, 1) == 2
    limits.time += 1
    assert limits.documents(10, 1, units=3) == 6


def test_a_document_beyond_a_seconds_worth_is_done_and_paid_for_with_time() -> None:
    limits = Limits()
    assert limits.documents(2, 550) == 1
    limits.time += 4.49
    assert limits.documents(1, 1) == 0
    limits.time += 0.03
    assert limits.documents(1, 1) == 1


def test_switched_on_anew_it_begins_afresh() -> None:
    limits = Limits()
    limits.calls(1, "TagResource")
    limits.behaviour.update({"rate_limits": False})
    limits.calls(1, "TagResource")
    limits.behaviour.update({"rate_limits": True})
    assert limits.calls(2, "TagResource") == 1


def test_the_slow_operations_are_operations() -> None:
    assert set(service_model().operation_names) >= SLOW_OPERATIONS
