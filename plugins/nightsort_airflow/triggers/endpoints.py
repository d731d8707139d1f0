"""Triggers that wait for an endpoint in the triggerer. A failure is an event, never an exception."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from botocore.exceptions import ClientError

from nightsort_airflow.aws_errors import error_code
from nightsort_airflow.hooks.comprehend import WAITER_DELETED, WAITER_IN_SERVICE
from nightsort_airflow.hooks.endpoints import GONE, IN_USE
from nightsort_airflow.states import EndpointStatus, Phase
from nightsort_airflow.triggers.comprehend import ComprehendWaiterTrigger, Work, phase_of

# Airflow gives on_kill 30 s ([triggerer] on_kill_timeout).
KILL_ATTEMPTS: Final = 10
KILL_DELAY: Final = 2

STAYS_OPEN: Final = (
    "The endpoint is open and billed by the second, and could not be deleted: it is still being created or "
    "updated. Delete it (`aws comprehend delete-endpoint`), or run the task again to take it over: %s"
)


class ComprehendEndpointTrigger(ComprehendWaiterTrigger):
    """Poll an endpoint. Not for use by itself."""

    what = "The endpoint"
    since = "last change"
    endpoint_arn: str

    async def _look(self, client: Any) -> Work:
        answer = await client.describe_endpoint(EndpointArn=self.endpoint_arn)
        properties = answer["EndpointProperties"]
        status = properties.get("Status", "")
        return Work(status, phase_of(status, EndpointStatus), properties)


def _waiting(waiter: str, endpoint_arn: str, **fields: Any) -> dict[str, Any]:
    """Return what the provider's base needs to know of a wait for an endpoint."""
    return {
        "serialized_fields": {"endpoint_arn": endpoint_arn, **fields},
        "waiter_name": waiter,
        "waiter_args": {"EndpointArn": endpoint_arn},
        "failure_message": "",
        "status_message": "",
        "status_queries": [],
        "return_key": "endpoint_arn",
        "return_value": endpoint_arn,
    }


class ComprehendEndpointReadyTrigger(ComprehendEndpointTrigger):
    """
    Fire when an endpoint is in service and no change is under way, or when it has failed.

    :param endpoint_arn: The ARN of the endpoint.
    :param delete_on_kill: Delete the endpoint when a person marks the deferred task failed or successful, or
        clears it. Airflow does not tell these apart. A restart of the triggerer and a time-out delete
        nothing. (default: False)
    :param waiter_delay: Seconds between two polls. (default: 30)
    :param waiter_max_attempts: The number of polls. (default: 2880)

    Further parameters are those of
    :class:`~nightsort_airflow.triggers.comprehend.ComprehendWaiterTrigger`.
    """

    def __init__(
        self,
        *,
        endpoint_arn: str,
        delete_on_kill: bool = False,
        waiter_delay: int = 30,
        waiter_max_attempts: int = 2880,
        **connection: Any,
    ) -> None:
        super().__init__(
            **_waiting(WAITER_IN_SERVICE, endpoint_arn, delete_on_kill=delete_on_kill),
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            **connection,
        )
        self.endpoint_arn = endpoint_arn
        self.delete_on_kill = delete_on_kill

    async def on_kill(self) -> None:
        """Delete the endpoint, or log that it stays open and is billed."""
        if not self.delete_on_kill:
            self.log.warning("The endpoint stays open and is billed by the second: %s", self.endpoint_arn)
            return
        async with await self.hook().get_async_conn() as client:  # type: ignore[no-untyped-call]
            for attempt in range(KILL_ATTEMPTS):
                if attempt:
                    await asyncio.sleep(KILL_DELAY)
                try:
                    await client.delete_endpoint(EndpointArn=self.endpoint_arn)
                except ClientError as error:
                    if error_code(error) == IN_USE:
                        continue
                    if error_code(error) != GONE:
                        raise
                self.log.warning("Asked Comprehend to delete the endpoint: %s", self.endpoint_arn)
                return
        self.log.error(STAYS_OPEN, self.endpoint_arn)


class ComprehendEndpointDeletedTrigger(ComprehendEndpointTrigger):
    """
    Fire when an endpoint is gone.

    Killing the task stops nothing: the endpoint is being deleted.

    :param endpoint_arn: The ARN of the endpoint.
    :param waiter_delay: Seconds between two polls. (default: 30)
    :param waiter_max_attempts: The number of polls. (default: 2880)

    Further parameters are those of
    :class:`~nightsort_airflow.triggers.comprehend.ComprehendWaiterTrigger`.
    """

    def __init__(
        self,
        *,
        endpoint_arn: str,
        waiter_delay: int = 30,
        waiter_max_attempts: int = 2880,
        **connection: Any,
    ) -> None:
        super().__init__(
            **_waiting(WAITER_DELETED, endpoint_arn),
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            **connection,
        )
        self.endpoint_arn = endpoint_arn

    async def _look(self, client: Any) -> Work:
        try:
            work = await super()._look(client)
        except ClientError as error:
            if error_code(error) == GONE:
                return Work("deleted", Phase.SUCCEEDED, {})
            raise
        deleting = work.status == EndpointStatus.DELETING
        return Work(work.status, Phase.RUNNING if deleting else Phase.FAILED, work.properties)
