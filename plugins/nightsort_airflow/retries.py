"""How soon a failed task is retried, and which errors are permanent."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.definitions.retry_policy import RetryDecision
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from nightsort_airflow.aws_errors import THROTTLED, error_code, remedy

if TYPE_CHECKING:
    from airflow.sdk import Context

THROTTLED_RETRY_DELAY: Final = timedelta(seconds=15)


class AwsRetryPolicy(ExceptionRetryPolicy):
    """
    Decide by the error code of AWS whether and when a task is retried.

    Airflow's policies distinguish exceptions by class, but botocore has one class for all answers of AWS,
    with a code in it. So this policy reads the code first, then its rules.

    - Access denied, bad parameters, no credentials, a full quota of models: the task fails at once.
    - Throttled, or the connection was lost: a retry after 15 to 30 seconds, at random, so that many tasks do
      not come back at the same moment.
    - All other errors: a retry after the task's ``retry_delay``.

    The operators of this package raise ``AirflowFailException`` themselves; for them, the policy only sets
    the delay. It does both for your own tasks that use boto3::

        @task(retries=5, retry_policy=AWS_RETRIES)
        def copy_reports() -> None: ...
    """

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide whether and when a failed task is retried."""
        if (what_to_do := remedy(exception)) is not None:
            return RetryDecision.fail(f"{type(exception).__name__} is permanent. {what_to_do}")
        if isinstance(exception, ClientError) and error_code(exception) in THROTTLED:
            decision = RetryDecision.retry(THROTTLED_RETRY_DELAY, f"AWS is busy: {error_code(exception)}")
        else:
            decision = super().evaluate(exception, try_number, max_tries, context)
        if decision.action is RetryAction.RETRY and decision.retry_delay is not None:
            return RetryDecision.retry(decision.retry_delay * random.uniform(1, 2), decision.reason)
        return decision


AWS_RETRIES: Final = AwsRetryPolicy(
    rules=[
        RetryRule(
            exception=[ConnectionError, TimeoutError, BotocoreConnectionError, HTTPClientError],
            retry_delay=THROTTLED_RETRY_DELAY,
            reason="The connection was lost.",
        )
    ]
)
