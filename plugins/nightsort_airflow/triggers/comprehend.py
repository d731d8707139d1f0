"""
Triggers that wait for Comprehend in the triggerer.

A failure is an *event* (``status`` is ``error``, with a ``message``), never an exception: the task resumes,
asks Comprehend itself and fails with a message for people. The task of a complete job ends in the triggerer,
unless Airflow needs a worker for its end.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Final

from airflow.providers.amazon.aws.triggers.base import AwsBaseWaiterTrigger
from airflow.sdk.execution_time.xcom import XCom
from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent
from botocore.exceptions import (
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from nightsort.naming import JobName
from nightsort_airflow.aws_errors import is_temporary
from nightsort_airflow.hooks.comprehend import (
    WAITER_JOB_COMPLETE,
    WAITER_TRAINED,
    ComprehendClassificationHook,
)
from nightsort_airflow.job_xcom import job_result
from nightsort_airflow.states import EndpointStatus, JobStatus, ModelStatus, Phase
from nightsort_airflow.wait_log import WaitLog, other_jobs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# A role's credentials may be missing for a moment, too.
LOST_CONNECTION: Final = (
    BotocoreConnectionError, HTTPClientError, NoCredentialsError, CredentialRetrievalError,
)  # fmt: skip
MOST_OTHER_JOBS: Final = 100


@dataclass(frozen=True)
class Work:
    """
    A training, a job or an endpoint as Comprehend described it.

    :param status: its state.
    :param phase: the phase of the state; None for a state that is not in botocore's enum.
    :param properties: all that Comprehend answered.
    """

    status: str
    phase: Phase | None
    properties: Any

    @property
    def began(self) -> datetime | None:
        """When a training or a job was submitted, or an endpoint was last asked to change."""
        began: datetime | None = self.properties.get("SubmitTime") or self.properties.get("LastModifiedTime")
        return began


def phase_of(status: str, states: type[ModelStatus] | type[JobStatus] | type[EndpointStatus]) -> Phase | None:
    """
    Return the phase of a state; None for a state that is not in botocore's enum.

    :param status: the state.
    :param states: the enum.
    """
    return states(status).phase if status in {*states} else None


class ComprehendWaiterTrigger(AwsBaseWaiterTrigger):
    """
    Poll Comprehend until something has ended, and write a line a minute into the task's log.

    Not for use by itself; the subclasses below say what they wait for.

    :param waiter_delay: Seconds between two polls.
    :param waiter_max_attempts: The number of polls.
    :param aws_conn_id: The Airflow connection used for AWS credentials.
    :param region_name: The AWS region of the classifier, the job or the endpoint.
    :param verify: Whether or not to verify SSL certificates.
    :param botocore_config: Configuration dictionary (key-values) for the botocore client.
    """

    what: ClassVar[str]
    since: ClassVar[str] = "submission"

    # The provider knows aws_hook_class since 9.38 only, and on Python 3.10 the newest provider is 9.37.
    def hook(self) -> ComprehendClassificationHook:
        """Build the hook from the fields that the task serialised."""
        return ComprehendClassificationHook(
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            config=self.botocore_config,
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """
        Wait, and survive a lost connection.

        The task asked Comprehend just before it deferred, so the first poll comes after one delay. The delay
        also lets the scheduler read that the task deferred: Airflow 3.3 fails a healthy task that resumes
        before that (apache/airflow#67287).
        """
        end = time.monotonic() + self.waiter_delay * self.attempts
        lines = WaitLog(self.log, self.what, self.since)
        while True:
            await asyncio.sleep(self.waiter_delay)
            try:
                async with await self.hook().get_async_conn() as client:  # type: ignore[no-untyped-call]
                    yield await self._wait(client, lines, end)
            except LOST_CONNECTION as error:
                if time.monotonic() < end:
                    self.log.warning(
                        "No connection to Comprehend, next attempt in %s s: %s", self.waiter_delay, error
                    )
                    continue
                yield self._event("error", message=f"No connection: {error}")
            return

    async def _wait(self, client: Any, lines: WaitLog, end: float) -> TriggerEvent:
        """Poll until the work has ended, or until a moment of :func:`time.monotonic`."""
        while True:
            try:
                work = await self._look(client)
            except ClientError as error:
                if not is_temporary(error):
                    return self._event("error", message=str(error))
                self.log.warning(
                    "Comprehend cannot answer, next attempt in %s s: %s", self.waiter_delay, error
                )
            else:
                if work.phase is Phase.SUCCEEDED:
                    return await self._succeeded(work)
                if work.phase is not Phase.RUNNING:
                    return self._event("error", message=f"It ended {work.status}.")
                if lines.is_due:
                    lines.say(work.status, work.began, await self._others(client, work))
            if time.monotonic() >= end:
                return self._event("error", message=f"It has not ended after {self.attempts} polls.")
            await asyncio.sleep(self.waiter_delay)

    async def _look(self, client: Any) -> Work:
        """Ask Comprehend once."""
        raise NotImplementedError

    async def _others(self, client: Any, work: Work) -> str:
        """Return a sentence on how long others took."""
        return ""

    async def _succeeded(self, work: Work) -> TriggerEvent:
        """Return the event for a success."""
        return self._event("success")

    def _event(self, status: str, **more: str) -> TriggerEvent:
        return TriggerEvent(  # type: ignore[no-untyped-call]
            {"status": status, **more, self.return_key: self.return_value}
        )


class ComprehendDocumentClassifierTrainedTrigger(ComprehendWaiterTrigger):
    """
    Fire when the training of a document classifier has ended.

    :param document_classifier_arn: The ARN of the classifier version.
    :param stop_training_on_kill: Ask Comprehend to stop the training when a person marks the deferred task
        failed or successful, or clears it. Airflow does not tell these apart, so clearing stops the training
        too. A restart of the triggerer and a time-out do not. (default: False)
    :param others: How long other trainings took, as a sentence for the log. (default: none)
    :param waiter_delay: Seconds between two polls. (default: 60)
    :param waiter_max_attempts: The number of polls. (default: 1440)

    Further parameters are those of :class:`ComprehendWaiterTrigger`.
    """

    what = "The training"

    def __init__(
        self,
        *,
        document_classifier_arn: str,
        stop_training_on_kill: bool = False,
        others: str = "",
        waiter_delay: int = 60,
        waiter_max_attempts: int = 1440,
        **connection: Any,
    ) -> None:
        super().__init__(
            serialized_fields={
                "document_classifier_arn": document_classifier_arn,
                "stop_training_on_kill": stop_training_on_kill,
                "others": others,
            },
            waiter_name=WAITER_TRAINED,
            waiter_args={"DocumentClassifierArn": document_classifier_arn},
            failure_message="",
            status_message="",
            status_queries=[],
            return_key="document_classifier_arn",
            return_value=document_classifier_arn,
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            **connection,
        )
        self.document_classifier_arn = document_classifier_arn
        self.stop_training_on_kill = stop_training_on_kill
        self.others = others

    async def _look(self, client: Any) -> Work:
        answer = await client.describe_document_classifier(DocumentClassifierArn=self.document_classifier_arn)
        properties = answer["DocumentClassifierProperties"]
        status = properties.get("Status", "")
        return Work(status, phase_of(status, ModelStatus), properties)

    async def _others(self, client: Any, work: Work) -> str:
        return self.others

    async def on_kill(self) -> None:
        """Stop the training, or log that it continues and is billed."""
        if not self.stop_training_on_kill:
            self.log.warning("The training continues and is billed: %s", self.document_classifier_arn)
            return
        async with await self.hook().get_async_conn() as client:  # type: ignore[no-untyped-call]
            await client.stop_training_document_classifier(DocumentClassifierArn=self.document_classifier_arn)
        self.log.warning("Asked Comprehend to stop the training: %s", self.document_classifier_arn)


class ComprehendDocumentClassificationJobTrigger(ComprehendWaiterTrigger):
    """
    Fire when a classification job has ended.

    Killing the task cannot stop the job, because AWS has no call for that. The job continues and is billed;
    the same task, run again, takes it over.

    :param job_id: The id of the classification job.
    :param end_from_trigger: Complete the task in the triggerer when the job is complete, with the result of
        the operator, instead of resuming it in a worker. The task still resumes after a failure, and after a
        job whose earlier generations failed. (default: False)
    :param waiter_delay: Seconds between two polls. (default: 30)
    :param waiter_max_attempts: The number of polls. (default: 2880)

    Further parameters are those of :class:`ComprehendWaiterTrigger`.
    """

    what = "The classification job"

    def __init__(
        self,
        *,
        job_id: str,
        end_from_trigger: bool = False,
        waiter_delay: int = 30,
        waiter_max_attempts: int = 2880,
        **connection: Any,
    ) -> None:
        super().__init__(
            serialized_fields={"job_id": job_id, "end_from_trigger": end_from_trigger},
            waiter_name=WAITER_JOB_COMPLETE,
            waiter_args={"JobId": job_id},
            failure_message="",
            status_message="",
            status_queries=[],
            return_key="job_id",
            return_value=job_id,
            waiter_delay=waiter_delay,
            waiter_max_attempts=waiter_max_attempts,
            **connection,
        )
        self.job_id = job_id
        self.end_from_trigger = end_from_trigger
        self._other_jobs: str | None = None

    async def _look(self, client: Any) -> Work:
        answer = await client.describe_document_classification_job(JobId=self.job_id)
        properties = answer["DocumentClassificationJobProperties"]
        status = properties.get("JobStatus", "")
        return Work(status, phase_of(status, JobStatus), properties)

    async def _others(self, client: Any, work: Work) -> str:
        if self._other_jobs is None:
            try:
                answer = await client.list_document_classification_jobs(
                    Filter={"JobStatus": JobStatus.COMPLETED}, MaxResults=MOST_OTHER_JOBS
                )
            except ClientError:
                # It is not worth a failure: the wait itself needs no list.
                return ""
            jobs = answer["DocumentClassificationJobPropertiesList"]
            self._other_jobs = other_jobs(jobs, work.properties.get("DocumentClassifierArn", ""))
        return self._other_jobs

    async def _succeeded(self, work: Work) -> TriggerEvent:
        resumes = await super()._succeeded(work)
        task, job = self.task_instance, work.properties
        # `dag.test()` runs triggers without their tasks, and can only resume them.
        if not self.end_from_trigger or task is None:
            return resumes
        # Only a later generation has failed ones before it, which the operator looks for.
        name = JobName.parse(job.get("JobName", ""))
        if name is None or name.generation > 1:
            return resumes
        # Not by the event: Airflow 3.3 stores an event's XComs as JSON within JSON, so tasks read a string.
        await XCom.aset(
            XCom.XCOM_RETURN_KEY,
            job_result(job, failed=[]),
            dag_id=task.dag_id,
            task_id=task.task_id,
            run_id=task.run_id,
            map_index=task.map_index,
        )
        return TaskSuccessEvent()

    async def on_kill(self) -> None:
        """Log that the job continues and is billed."""
        self.log.warning(
            "The classification job continues and is billed, because AWS cannot stop it. Run the task again "
            "to take it over: %s",
            self.job_id,
        )


class ComprehendQuotaTrigger(BaseTrigger):
    """
    Fire when it is time to try again to start a job.

    Killing the task meanwhile costs nothing: no job was started. Airflow's own trigger for a moment is not
    used, because it writes a line into the task's log every second.

    :param moment: When, in ISO 8601 with a time zone, so that a restart of the triggerer does not change it.
    """

    def __init__(self, *, moment: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.moment = moment

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class path and arguments, from which the triggerer rebuilds it."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"moment": self.moment}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Sleep until the moment."""
        left = datetime.fromisoformat(self.moment) - datetime.now(timezone.utc)
        await asyncio.sleep(max(left.total_seconds(), 0))
        yield TriggerEvent({"status": "success"})  # type: ignore[no-untyped-call]


class EndpointVisitTrigger(ComprehendQuotaTrigger):
    """
    Fire when it is time to look at an endpoint again.

    Killing the task meanwhile changes nothing on AWS: the last task of its run closes the endpoint.

    :param moment: When, in ISO 8601 with a time zone.
    """
