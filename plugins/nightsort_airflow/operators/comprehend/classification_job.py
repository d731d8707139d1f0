"""The operator that runs one classification job, at most once."""

from __future__ import annotations

import hashlib
import random
import time
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.sdk import ResumableJobMixin, conf
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
from nightsort_airflow.hooks.comprehend import WAITER_JOB_COMPLETE, ComprehendClassificationHook
from nightsort_airflow.job_xcom import FAILED_JOBS, job_result, job_summary
from nightsort_airflow.links.comprehend import ComprehendClassificationJobLink
from nightsort_airflow.settings import JOB_POLL_SECONDS, LONGEST_WAIT_SECONDS, attempts, poll_seconds
from nightsort_airflow.states import JOB_ACTIVE, JOB_COMPLETED, JOB_FAILED
from nightsort_airflow.trigger_completion import needs_worker_to_finish
from nightsort_airflow.triggers.comprehend import (
    ComprehendDocumentClassificationJobTrigger,
    ComprehendQuotaTrigger,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context
    from mypy_boto3_comprehend.type_defs import DocumentClassificationJobPropertiesTypeDef
    from pydantic import JsonValue

NOT_THIS_JOB = "NOT_THIS_JOB"
FAILED_JOBS_KEY = "comprehend_failed_jobs"
# The longest wait for room for a job, in waiter_delays: 4 minutes where that is 30 s.
MAX_BACKOFF_FACTOR = 8


class ComprehendStartDocumentClassificationJobOperator(
    ResumableJobMixin, AwsBaseOperator[ComprehendClassificationHook]
):
    """
    Run a classification job over documents in S3, at most once.

    ``job_name`` says what is classified: the same name stands for the same input and the same classifier. The
    job itself is called ``<job_name>-g1``. A job of that name that runs or is complete is taken over, whoever
    started it; that is asked of Airflow's task state store first, then of Comprehend. Only after a job of
    that name was *seen* to have FAILED, the next generation (``-g2`` and so on) is started.

    Killing the task cannot stop the job, because AWS has no call for that: the job runs on and is billed, and
    the same task, run again, takes it over. Give a deferrable task ``retries`` of at least 2: Airflow 3.3 now
    and then fails a healthy deferred task, and a retry finds the job.

    Where the account has no room for another job, or too many are started at once, the task waits for its
    turn and asks again, for up to 24 hours: longer each time, at random, without using up a retry; a
    deferrable one in the triggerer.

    Gives a dict: ``job_id``, ``job_arn``, ``job_name``, ``status``, ``output_uri`` (the S3 URI of
    ``output.tar.gz``), ``submitted_at``, ``ended_at`` (ISO 8601) and ``failed_jobs`` (earlier generations:
    ``job_id``, ``job_name``, ``status``, ``message``). The latter is also an XCom of its own, which is there
    after a failure too.

    :param document_classifier_arn: The ARN of the classifier version to use. (templated)
    :param input_data_config: The documents: ``S3Uri`` (a full key, or a prefix that ends in ``/``) and
        ``InputFormat``. (templated)
    :param output_data_config: Where Comprehend writes; may not contain the input, nor lie in it. (templated)
    :param data_access_role_arn: The ARN of the IAM role that Comprehend reads and writes S3 with. (templated)
    :param job_name: The name of the work; without generation. (templated)
    :param input_fingerprint: A hash of the documents. It becomes part of the ClientRequestToken, and it says
        that ``job_name`` depends on the content, so that a job of this name on another ``S3Uri`` is taken
        over too. (templated)
    :param job_kwargs: Further parameters of StartDocumentClassificationJob, for instance ``Tags``,
        ``VpcConfig``, ``VolumeKmsKeyId``. (templated)
    :param job_retries: How many further generations this task starts after a FAILED job before it fails for
        good. It also needs that many of Airflow's ``retries``. Clearing the task starts counting anew.
        (default: 1)
    :param wait_for_completion: Whether to wait for the end of the job. (default: True)
    :param waiter_delay: Seconds between two looks. (default: ``NIGHTSORT_POLL_SECONDS``, or 30)
    :param waiter_max_attempts: The number of looks. (default: as many as 24 hours hold)
    :param deferrable: Wait in the triggerer, which also ends the task when the job is complete, unless
        Airflow has more to do then that it does in a worker only: outlets, listeners, callbacks of success.
        (default: False, or ``[operators] default_deferrable``)
    :param durable: Keep the job's id in Airflow's task state store. (default: True)
    :param aws_conn_id: The Airflow connection used for AWS credentials. (templated)
    :param region_name: AWS region_name. If not specified then the connection's is used. (templated)
    :param verify: Whether or not to verify SSL certificates. (templated)
    :param botocore_config: Configuration dictionary (key-values) for the botocore client.
    """

    aws_hook_class = ComprehendClassificationHook
    operator_extra_links = (ComprehendClassificationJobLink(),)
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
    ui_color = "#66c3ff"

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
        wait_for_completion: bool = True,
        waiter_delay: int | None = None,
        waiter_max_attempts: int | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
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
        self.wait_for_completion = wait_for_completion
        self.waiter_delay = waiter_delay or poll_seconds(JOB_POLL_SECONDS)
        self.waiter_max_attempts = waiter_max_attempts or attempts(self.waiter_delay)
        self.deferrable = deferrable
        self._job_id: str | None = None
        self._waits = 0
        self._waiting_since: datetime | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Find or start the job, and wait for it if asked to; give its id and output."""
        with fail_on_permanent_aws_errors(f"run the classification job {self.job_name}"):
            result: dict[str, Any] = self.execute_resumable(context)
        return result

    def execute_after_waiting(
        self, context: Context, event: Any, waits: int, waiting_since: str
    ) -> dict[str, Any]:
        """Try again to start the job, after a wait for room for it."""
        self._waits, self._waiting_since = waits, datetime.fromisoformat(waiting_since)
        return self.execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Give the result after a deferral; success is asked of Comprehend, not of the event."""
        job_id: str = (event or {}).get("job_id", "")
        with fail_on_permanent_aws_errors(f"describe the classification job {job_id}"):
            return self._ended(job_id, context, (event or {}).get("message", ""))

    def on_kill(self) -> None:
        """Say that the job runs on: AWS has no call that stops a classification job."""
        if self._job_id:
            self.log.warning(
                "Classification job %s runs on and is billed: AWS cannot stop it. Run the task again to take "
                "it over.",
                self._job_id,
            )

    def submit_job(self, context: Context) -> str:
        """Take over the job of this name from Comprehend, or start it, when there is room; give its id."""
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
            if status not in JOB_FAILED:
                self.log.info(
                    "Job %s (%s) is %s already: taken over, nothing is started.", name, job["JobId"], status
                )
                return job["JobId"]
            self.log.warning(
                "Job %s (%s) is %s: %s", name, job["JobId"], status, job.get("Message", "no message")
            )
        raise AssertionError("count() does not end")

    def get_job_status(self, external_id: JsonValue, context: Context) -> str:
        """Give the state of the job in the task state store, if it is the job that this task is about."""
        job = self.hook.describe_job(str(external_id))
        name = JobName.parse(job.get("JobName", "")) if job else None
        # The store outlives a clear: after a new version was promoted or the batches were cut anew, the same
        # map index stands for other work.
        if (
            job is None
            or job.get("DocumentClassifierArn") != self.document_classifier_arn
            or name is None
            or name.base != self.job_name
        ):
            return NOT_THIS_JOB
        return self.hook.job_status(job)

    def is_job_active(self, status: str) -> bool:
        """Whether the job still runs."""
        return status in JOB_ACTIVE

    def is_job_succeeded(self, status: str) -> bool:
        """Whether the job is complete."""
        return status in JOB_COMPLETED

    def poll_until_complete(self, external_id: JsonValue, context: Context) -> dict[str, Any]:  # type: ignore[override]
        """Wait for the end of the job: in the triggerer when deferrable, else here."""
        job_id = self._job_id = str(external_id)
        ComprehendClassificationJobLink.persist(
            context=context,
            operator=self,
            region_name=self.hook.conn_region_name,
            aws_partition=self.hook.conn_partition,
            job_id=job_id,
        )
        job = self.hook.describe_job(job_id)
        if self.wait_for_completion and job and self.hook.job_status(job) in JOB_ACTIVE:
            if self.deferrable:
                self.defer(
                    trigger=ComprehendDocumentClassificationJobTrigger(
                        job_id=job_id,
                        end_from_trigger=not needs_worker_to_finish(
                            self, ComprehendStartDocumentClassificationJobOperator.execute_complete
                        ),
                        waiter_delay=self.waiter_delay,
                        waiter_max_attempts=self.waiter_max_attempts,
                        aws_conn_id=self.aws_conn_id,
                        region_name=self.region_name,
                        verify=self.verify,
                        botocore_config=self.botocore_config,
                    ),
                    method_name="execute_complete",
                    timeout=timedelta(seconds=self.waiter_delay * (self.waiter_max_attempts + 2)),
                )
            self.hook.wait(WAITER_JOB_COMPLETE, self.waiter_delay, self.waiter_max_attempts, JobId=job_id)
        # Airflow's mixin returns this value when it reconnects, and get_job_result's otherwise: both are the
        # same.
        return self.get_job_result(external_id, context)

    def get_job_result(self, external_id: JsonValue, context: Context) -> dict[str, Any]:
        """Give the result of a complete job; of any job, when the operator does not wait."""
        return self._ended(str(external_id), context)

    def _wait_for_room(self, error: ClientError) -> None:
        now = datetime.now(timezone.utc)
        since = self._waiting_since = self._waiting_since or now
        if now - since > timedelta(seconds=LONGEST_WAIT_SECONDS):
            raise QuotaFullError(
                f"Since {since.isoformat(timespec='seconds')} there was no room for {self.job_name}: {error} "
                "See which jobs are active in this account, or ask AWS for a higher quota. A retry goes on "
                "waiting."
            ) from error
        self._waits += 1
        # Random, so that tasks that were refused together do not come back together.
        delay = self.waiter_delay * min(2**self._waits, MAX_BACKOFF_FACTOR) * random.uniform(0.5, 1)
        self.log.info("No room for %s yet (%s), asking again in %.0f s.", self.job_name, error, delay)
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
        self.log.info("Started classification job %s (%s).", name, answer["JobId"])
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
            raise JobNameTakenError(
                f"Job {job.get('JobName')} ({job.get('JobId')}) exists and has {other}: choose another "
                "`job_name`."
            )

    def _ended(self, job_id: str, context: Context, message: str = "") -> dict[str, Any]:
        job = self.hook.describe_job(job_id)
        if job is None:
            raise JobGoneError(
                f"There is no classification job {job_id} (any more). A retry looks for it by name."
            )
        status = self.hook.job_status(job)
        if status in JOB_FAILED:
            self._raise_failed(job, context)
        if status in JOB_ACTIVE and self.wait_for_completion:
            raise JobUnfinishedError(
                f"Classification job {job_id} is still {status}. {message} A retry goes on waiting for the "
                "same job."
            )
        failed = self._failed_before(job.get("JobName", ""))
        if failed:
            context["ti"].xcom_push(key=FAILED_JOBS, value=failed)
        return job_result(job, failed)

    def _failed_before(self, name: str) -> list[dict[str, str]]:
        parsed = JobName.parse(name)
        earlier = (self.hook.find_job(str(before)) for before in parsed.earlier()) if parsed else ()
        return [job_summary(job) for job in earlier if job]

    def _raise_failed(self, job: DocumentClassificationJobPropertiesTypeDef, context: Context) -> None:
        name, status = job.get("JobName", ""), job.get("JobStatus")
        message = job.get("Message", "no message")
        context["ti"].xcom_push(key=FAILED_JOBS, value=[*self._failed_before(name), job_summary(job)])
        told = f"Classification job {name} ({job['JobId']}) ended {status}: {message}."
        # Comprehend writes a code before the sentence, for instance NO_READ_ACCESS_TO_INPUT.
        code = message.partition(":")[0]
        if "ACCESS" in code.split("_"):
            raise JobFailedForGoodError(f"{told} Give the data access role this right, then clear the task.")
        store = context.get("task_state_store")
        if store is not None:
            before = cast("list[str]", store.get(FAILED_JOBS_KEY, default=[]))
            seen = {*before, job["JobId"]}
            if len(seen) > self.job_retries:
                store.delete(FAILED_JOBS_KEY)
                raise JobFailedForGoodError(
                    f"{told} It was job number {len(seen)} that failed. Cure the cause, then clear the task: "
                    "it starts the next generation."
                )
            failed: list[JsonValue] = [*sorted(seen)]
            store.set(FAILED_JOBS_KEY, failed)
        raise JobFailedError(f"{told} A retry starts the next generation.")
