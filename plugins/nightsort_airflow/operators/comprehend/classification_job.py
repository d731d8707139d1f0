"""The operator that runs one classification job, at most once."""

from __future__ import annotations

import hashlib
import random
import time
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.sdk import ResumableJobMixin
from botocore.exceptions import ClientError

from nightsort.naming import JobName
from nightsort_airflow.aws_errors import THROTTLED, error_code, fail_on_permanent_aws_errors
from nightsort_airflow.exceptions import (
    JobFailedError,
    JobFailedForGoodError,
    JobGoneError,
    JobNameTakenError,
    JobUnfinishedError,
    QuotaFullError,
)
from nightsort_airflow.hooks.comprehend import WAITER_JOB_COMPLETE
from nightsort_airflow.hooks.objects import is_gone
from nightsort_airflow.job_xcom import FAILED_JOBS, job_result, job_summary
from nightsort_airflow.links.comprehend import ComprehendClassificationJobLink, JobOutputLink
from nightsort_airflow.settings import JOB_POLL_SECONDS, LONGEST_WAIT_SECONDS
from nightsort_airflow.states import JOB_RUNNING, JobStatus, Phase
from nightsort_airflow.trigger_completion import needs_worker_to_finish
from nightsort_airflow.triggers.comprehend import (
    ComprehendDocumentClassificationJobTrigger,
    ComprehendQuotaTrigger,
)
from nightsort_airflow.waiting import ComprehendWaitingOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context
    from mypy_boto3_comprehend.type_defs import DocumentClassificationJobPropertiesTypeDef
    from pydantic import JsonValue

NOT_THIS_JOB = "NOT_THIS_JOB"
FAILED_JOBS_KEY = "comprehend_failed_jobs"
# The longest wait for room for a job, in waiter_delays: 4 minutes where that is 30 s.
MAX_BACKOFF_FACTOR = 8


class ComprehendStartDocumentClassificationJobOperator(ResumableJobMixin, ComprehendWaitingOperator):
    """
    Run a classification job over documents in S3, at most once.

    ``job_name`` says what is classified: the same name stands for the same input and the same classifier. The
    job itself is called ``<job_name>-g1``. A job of that name that runs or is complete is taken over, whoever
    started it. The operator asks Airflow's task state store for it first, then Comprehend. Only after it has
    *seen* that a job of that name FAILED, it starts the next generation, ``-g2`` and so on.

    Killing the task cannot stop the job, because AWS has no call for that. The job continues and is billed,
    and the same task, run again, takes it over. Give a deferrable task ``retries`` of at least 2: Airflow 3.3
    sometimes fails a healthy deferred task, and a retry finds the job.

    Where the account has no room for another job, or too many are started at once, the task waits and tries
    again for up to 24 hours: with growing random delays, and without using up a retry. A deferrable task
    waits in the triggerer.

    The return value is a dict: ``job_id``, ``job_arn``, ``job_name``, ``status``, ``output_uri`` (the S3 URI
    of ``output.tar.gz``), ``submitted_at``, ``ended_at`` (ISO 8601) and ``failed_jobs`` (earlier generations:
    ``job_id``, ``job_name``, ``status``, ``message``). ``failed_jobs`` is an XCom of its own too, which
    exists even after a failure.

    .. seealso::
        For more information on how to use this operator, take a look at docs/operators.md. The API is
        :external+boto3:py:meth:`Comprehend.Client.start_document_classification_job`.

    :param document_classifier_arn: The ARN of the classifier version to use. (templated)
    :param input_data_config: The documents: ``S3Uri`` (a full key, or a prefix that ends in ``/``) and
        ``InputFormat``. (templated)
    :param output_data_config: Where Comprehend writes. It must not contain the input or lie in it.
        (templated)
    :param data_access_role_arn: The ARN of the IAM role that Comprehend reads and writes S3 with. (templated)
    :param job_name: The name of the work; without generation. (templated)
    :param input_fingerprint: A hash of the documents, which becomes part of the ClientRequestToken. With it,
        ``job_name`` depends on the content, so a job of this name on another ``S3Uri`` is taken over too.
        (templated)
    :param job_kwargs: Further parameters of StartDocumentClassificationJob, for instance ``Tags``,
        ``VpcConfig``, ``VolumeKmsKeyId``. (templated)
    :param job_retries: How many further generations this task starts after a FAILED job before it fails
        without a retry. It also needs that many of Airflow's ``retries``. Clearing the task resets the count.
        (default: 1)
    :param wait_for_completion: Whether to wait for the end of the job. (default: True)
    :param waiter_delay: Seconds between two polls. (default: ``NIGHTSORT_POLL_SECONDS``, or 30)
    :param waiter_max_attempts: The number of polls. (default: as many as fit into 24 hours)
    :param deferrable: Wait in the triggerer, which also completes the task, unless Airflow needs a worker for
        that: for outlets, listeners and callbacks of success.
        (default: False, or ``[operators] default_deferrable``)
    :param durable: Keep the job's id in Airflow's task state store. (default: True)
    :param aws_conn_id: The Airflow connection used for AWS credentials. (templated)
    :param region_name: AWS region_name. If not specified then the connection's is used. (templated)
    :param verify: Whether or not to verify SSL certificates. (templated)
    :param botocore_config: Configuration dictionary (key-values) for the botocore client.
    """

    default_waiter_delay = JOB_POLL_SECONDS
    when_gone: ClassVar[str] = "Write it again, then clear the task: it starts the next generation."
    """What to do where the input of a failed job is gone."""
    custom_operator_name = "Comprehend job"
    operator_extra_links = (ComprehendClassificationJobLink(), JobOutputLink())
    external_id_key = "comprehend_job_id"
    template_fields: Sequence[str] = aws_template_fields(
        "document_classifier_arn",
        "input_data_config",
        "output_data_config",
        "data_access_role_arn",
        "job_name",
        "input_fingerprint",
        "job_kwargs",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "input_data_config": "json",
        "output_data_config": "json",
        "job_kwargs": "json",
    }

    def __init__(
        self,
        *,
        document_classifier_arn: str,
        input_data_config: dict[str, Any],
        output_data_config: dict[str, Any],
        data_access_role_arn: str,
        job_name: str,
        input_fingerprint: str = "",
        job_kwargs: dict[str, Any] | None = None,
        job_retries: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.document_classifier_arn = document_classifier_arn
        self.input_data_config = input_data_config
        self.output_data_config = output_data_config
        self.data_access_role_arn = data_access_role_arn
        self.job_name = job_name
        self.input_fingerprint = input_fingerprint
        self.job_kwargs = job_kwargs or {}
        self.job_retries = job_retries
        self._job_id: str | None = None
        self._waits = 0
        self._waiting_since: datetime | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Find or start the job, wait for it if asked to, and return its id and output."""
        with fail_on_permanent_aws_errors(f"run the classification job {self.job_name}"):
            result: dict[str, Any] = self.execute_resumable(context)
        return result

    def execute_after_waiting(
        self, context: Context, event: Any, waits: int, waiting_since: str
    ) -> dict[str, Any]:
        """Try again to start the job, after a wait for room."""
        self._waits, self._waiting_since = waits, datetime.fromisoformat(waiting_since)
        return self.execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result after a deferral. Success comes from Comprehend, not from the event."""
        job_id: str = (event or {}).get("job_id", "")
        with fail_on_permanent_aws_errors(f"describe the classification job {job_id}"):
            return self._ended(job_id, context, (event or {}).get("message", ""))

    def on_kill(self) -> None:
        """Log that the job continues: AWS has no call that stops a classification job."""
        if self._job_id:
            self.log.warning(
                "The classification job continues and is billed, because AWS cannot stop it. Run the task "
                "again to take it over: %s",
                self._job_id,
            )

    def submit_job(self, context: Context) -> str:
        """Take over the job of this name, or start it when there is room; return its id."""
        while True:
            try:
                return self._find_or_start()
            except ClientError as error:  # noqa: PERF203 - seconds lie between two rounds
                if error_code(error) not in THROTTLED:
                    raise
                self._wait_for_room(error)

    def _find_or_start(self) -> str:
        for generation in count(1):
            name = str(JobName(self.job_name, generation))
            job = self.hook.find_job(name)
            if job is None:
                return self._start(name)
            self._require_same_work(job)
            status = self.hook.job_status(job)
            if self._output_is_gone(job, status):
                self.log.warning("The next job is started, and paid for: the output of job %s is gone", name)
                continue
            if status.phase is not Phase.FAILED:
                self.log.info("Taken over, nothing is started: job %s is %s (%s)", name, status, job["JobId"])
                return job["JobId"]
            self.log.warning(
                "Job %s is %s: %s (%s)", name, status, job.get("Message", "no message"), job["JobId"]
            )
        raise AssertionError("count() does not end")

    def get_job_status(self, external_id: JsonValue, context: Context) -> str:
        """Return the state of the job in the task state store, if it is the job of this task."""
        job = self.hook.describe_job(str(external_id))
        name = JobName.parse(job.get("JobName", "")) if job else None
        # The store survives a clear. After a promotion, or with other batches, the same map index stands for
        # other work.
        if (
            job is None
            or job.get("DocumentClassifierArn") != self.document_classifier_arn
            or name is None
            or name.base != self.job_name
            or self._output_is_gone(job, self.hook.job_status(job))
        ):
            return NOT_THIS_JOB
        return self.hook.job_status(job)

    def _output_is_gone(self, job: DocumentClassificationJobPropertiesTypeDef, status: JobStatus) -> bool:
        """Whether a job has ended well, and its output was deleted since."""
        output = job.get("OutputDataConfig", {}).get("S3Uri", "")
        return status == JobStatus.COMPLETED and is_gone(output, self.hook)

    def is_job_active(self, status: str) -> bool:
        """Whether the job still runs."""
        return status in JOB_RUNNING

    def is_job_succeeded(self, status: str) -> bool:
        """Whether the job is complete."""
        return status == JobStatus.COMPLETED

    def poll_until_complete(self, external_id: JsonValue, context: Context) -> dict[str, Any]:  # type: ignore[override]
        """Wait for the end of the job: in the triggerer when deferrable, else here."""
        job_id = self._job_id = str(external_id)
        job = self.hook.describe_job(job_id)
        self._persist_links(context, job_id, job)
        if self.wait_for_completion and job and self.hook.job_status(job).phase is Phase.RUNNING:
            if self.deferrable:
                self.defer_to(
                    ComprehendDocumentClassificationJobTrigger,
                    job_id=job_id,
                    end_from_trigger=not needs_worker_to_finish(
                        self, ComprehendStartDocumentClassificationJobOperator.execute_complete
                    ),
                    delay=self.waiter_delay,
                    max_attempts=self.waiter_max_attempts,
                )
            self.hook.wait(WAITER_JOB_COMPLETE, self.waiter_delay, self.waiter_max_attempts, JobId=job_id)
        # Airflow's mixin returns this value when it reconnects, and get_job_result's otherwise.
        return self.get_job_result(external_id, context)

    def get_job_result(self, external_id: JsonValue, context: Context) -> dict[str, Any]:
        """Return the result of a complete job; of any job, when the operator does not wait."""
        return self._ended(str(external_id), context)

    def _wait_for_room(self, error: ClientError) -> None:
        now = datetime.now(timezone.utc)
        since = self._waiting_since = self._waiting_since or now
        if now - since > timedelta(seconds=LONGEST_WAIT_SECONDS):
            raise QuotaFullError(
                f"There has been no room for the job since {since.isoformat(timespec='seconds')}: {error} "
                "See which jobs are active in this account, or ask AWS for a higher quota. A retry waits "
                f"again. Job {self.job_name}"
            ) from None
        self._waits += 1
        # Random, so that tasks that were refused together do not come back together.
        delay = self.waiter_delay * min(2**self._waits, MAX_BACKOFF_FACTOR) * random.uniform(0.5, 1)
        self.log.info("No room for job %s yet, next attempt in %.0f s: %s", self.job_name, delay, error)
        if not self.deferrable:
            time.sleep(delay)
            return
        self.defer(
            trigger=ComprehendQuotaTrigger(moment=(now + timedelta(seconds=delay)).isoformat()),
            method_name="execute_after_waiting",
            kwargs={"waits": self._waits, "waiting_since": since.isoformat()},
        )

    def _start(self, name: str) -> str:
        answer = self.hook.client.start_document_classification_job(**self._request(name))
        self.log.info("Started classification job %s (%s)", name, answer["JobId"])
        return answer["JobId"]

    def _request(self, name: str) -> dict[str, Any]:
        work = (name, self.input_fingerprint, self.input_data_config["S3Uri"], self.document_classifier_arn)
        return {
            "JobName": name,
            "DocumentClassifierArn": self.document_classifier_arn,
            "InputDataConfig": self.input_data_config,
            "OutputDataConfig": self.output_data_config,
            "DataAccessRoleArn": self.data_access_role_arn,
            "ClientRequestToken": hashlib.sha256("\n".join(work).encode()).hexdigest(),
            **self.job_kwargs,
        }

    def _require_same_work(self, job: DocumentClassificationJobPropertiesTypeDef) -> None:
        other = {}
        if job.get("DocumentClassifierArn") != self.document_classifier_arn:
            other["DocumentClassifierArn"] = job.get("DocumentClassifierArn")
        input_uri = job.get("InputDataConfig", {}).get("S3Uri")
        if not self.input_fingerprint and input_uri != self.input_data_config["S3Uri"]:
            other["InputDataConfig.S3Uri"] = input_uri
        if other:
            differences = ", ".join(f"{name} {value}" for name, value in other.items())
            raise JobNameTakenError(
                f"A job of this name does other work: choose another `job_name`. Job {job.get('JobName')} "
                f"({job.get('JobId')}) has {differences}"
            )

    def _persist_links(
        self, context: Context, job_id: str, job: DocumentClassificationJobPropertiesTypeDef | None
    ) -> None:
        self.persist_link(ComprehendClassificationJobLink, context, job_id=job_id)
        output = job.get("OutputDataConfig", {}).get("S3Uri", "") if job else ""
        self.persist_link(JobOutputLink, context, uri=output)

    def _ended(self, job_id: str, context: Context, message: str = "") -> dict[str, Any]:
        job = self.hook.describe_job(job_id)
        self._persist_links(context, job_id, job)
        if job is None:
            raise JobGoneError(
                f"The classification job does not exist (any more). A retry looks for it by name. {job_id}"
            )
        status = self.hook.job_status(job)
        if status.phase is Phase.FAILED:
            self._raise_failed(job, context)
        if status.phase is Phase.RUNNING and self.wait_for_completion:
            raise JobUnfinishedError(
                f"The classification job is still {status}. A retry waits for the same job. "
                f"{message} {job_id}"
            )
        failed = self._failed_before(job.get("JobName", ""))
        if failed:
            context["ti"].xcom_push(key=FAILED_JOBS, value=failed)
        return job_result(job, failed)

    def _failed_before(self, name: str) -> list[dict[str, Any]]:
        parsed = JobName.parse(name)
        earlier = (self.hook.find_job(str(before)) for before in parsed.earlier()) if parsed else ()
        return [job_summary(job) for job in earlier if job]

    def _raise_failed(self, job: DocumentClassificationJobPropertiesTypeDef, context: Context) -> None:
        name, status = job.get("JobName", ""), job.get("JobStatus")
        message = job.get("Message", "no message").rstrip(".")
        context["ti"].xcom_push(key=FAILED_JOBS, value=[*self._failed_before(name), job_summary(job)])
        job_text = f"Job {name} ({job['JobId']})"
        # Comprehend writes a code before the sentence, for instance NO_READ_ACCESS_TO_INPUT.
        code = message.partition(":")[0]
        if "ACCESS" in code.split("_"):
            source = job.get("InputDataConfig", {}).get("S3Uri", "")
            if is_gone(source, self.hook):
                raise JobFailedForGoodError(
                    f"Comprehend ended the job {status}, because its input is gone: {source} was written, "
                    f"and deleted since. {self.when_gone} {job_text}"
                )
            raise JobFailedForGoodError(
                f"Comprehend ended the job {status}: {message}. Grant the data access role this permission, "
                f"then clear the task. {job_text}"
            )
        store = context.get("task_state_store")
        if store is not None:
            before = cast("list[str]", store.get(FAILED_JOBS_KEY, default=[]))
            seen = {*before, job["JobId"]}
            if len(seen) > self.job_retries:
                store.delete(FAILED_JOBS_KEY)
                times = {1: "once", 2: "twice"}.get(len(seen), f"{len(seen)} times")
                raise JobFailedForGoodError(
                    f"Comprehend failed the job {times}: {message}. Correct the cause and clear this task: "
                    f"it starts the next generation. {job_text} ended {status}"
                )
            failed: list[JsonValue] = [*sorted(seen)]
            store.set(FAILED_JOBS_KEY, failed)
        raise JobFailedError(
            f"Comprehend ended the job {status}: {message}. A retry starts the next generation. {job_text}"
        )
