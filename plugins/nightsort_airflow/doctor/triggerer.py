"""The doctor's checks of the triggerer, which run in the triggerer."""

from __future__ import annotations

import asyncio
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

from airflow.triggers.base import BaseTrigger, TriggerEvent

from nightsort_airflow.doctor.aws_access import QUICK
from nightsort_airflow.doctor.findings import Finding, Outcome, State, failed, ok
from nightsort_airflow.doctor.run_checks import raised
from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

GROUP: Final = "triggerer"

# Airflow 3.3 fails a healthy task that is resumed before the scheduler has read that it deferred
# (apache/airflow#67287).
MIN_SECONDS: Final = 2.0
TIMEOUT_SECONDS: Final = 30.0


class TriggererCheckTrigger(BaseTrigger):
    """
    Check whether deferred tasks can wait here: packages, credentials, access to Comprehend.

    :param aws_conn_ids: the AWS connections through which tasks wait.
    """

    def __init__(self, aws_conn_ids: Sequence[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.aws_conn_ids = list(aws_conn_ids)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments, from which the triggerer rebuilds it."""
        return f"{type(self).__module__}.{type(self).__name__}", {"aws_conn_ids": self.aws_conn_ids}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Check all connections; fire one event with the findings."""
        await asyncio.sleep(MIN_SECONDS)
        alive = Finding(
            GROUP, "answers", State.OK, f"with aiobotocore {metadata.version('aiobotocore')} and this code"
        )
        findings = [alive, *[await self._ask(conn_id) for conn_id in self.aws_conn_ids]]
        found = [finding.to_dict() for finding in findings]
        yield TriggerEvent({"findings": found})  # type: ignore[no-untyped-call]

    async def _ask(self, conn_id: str) -> Finding:
        outcome: Outcome
        try:
            outcome = await asyncio.wait_for(_comprehend(conn_id), TIMEOUT_SECONDS)
        except asyncio.TimeoutError:
            outcome = failed(
                f"no answer within {TIMEOUT_SECONDS:g} s", "let the triggerer's machine reach Comprehend too"
            )
        except Exception as error:
            # Whatever it is, the waiting tasks would meet it too.
            outcome = raised(error)
        return Finding(GROUP, f"{conn_id}: Comprehend", outcome.state, outcome.says, outcome.remedy)


async def _comprehend(conn_id: str) -> Outcome:
    hook = ComprehendClassificationHook(aws_conn_id=conn_id, config=QUICK)
    async with await hook.get_async_conn() as client:  # type: ignore[no-untyped-call]
        await client.list_document_classification_jobs(MaxResults=1)
        return ok(f"answers in {client.meta.region_name}")
