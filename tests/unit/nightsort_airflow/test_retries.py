from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import RetryAction
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from nightsort_airflow.retries import AWS_RETRIES


def answered(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "says AWS"}}, "StartDocumentClassificationJob")


@pytest.mark.parametrize(
    "error",
    [
        answered("AccessDeniedException"),
        answered("ValidationException"),
        answered("ResourceLimitExceededException"),
        NoCredentialsError(),
    ],
    ids=str,
)
def test_what_no_retry_cures_fails_at_once_with_the_remedy(error: Exception) -> None:
    decision = AWS_RETRIES.evaluate(error, try_number=1, max_tries=5)
    assert decision.action is RetryAction.FAIL
    assert decision.reason is not None
    assert decision.reason.count(". ") >= 1


@pytest.mark.parametrize(
    "error",
    [
        answered("ThrottlingException"),
        answered("TooManyRequestsException"),
        answered("SlowDown"),
        EndpointConnectionError(endpoint_url="http://x"),
        ConnectionClosedError(endpoint_url="http://x"),
        ReadTimeoutError(endpoint_url="http://x"),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=str,
)
def test_what_passes_by_itself_is_tried_again_soon_and_not_all_at_one_moment(error: Exception) -> None:
    decisions = [AWS_RETRIES.evaluate(error, try_number=1, max_tries=5) for _ in range(50)]
    assert {decision.action for decision in decisions} == {RetryAction.RETRY}
    delays = {decision.retry_delay for decision in decisions}
    assert len(delays) > 10
    assert all(delay and timedelta(seconds=15) <= delay <= timedelta(seconds=30) for delay in delays)


@pytest.mark.parametrize("error", [answered("InternalServerException"), ValueError("x")], ids=str)
def test_of_all_else_the_task_itself_says_when(error: Exception) -> None:
    assert AWS_RETRIES.evaluate(error, try_number=1, max_tries=5).action is RetryAction.DEFAULT
