"""The hook for Comprehend's custom classification."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from airflow.providers.amazon.aws.hooks.comprehend import ComprehendHook
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from nightsort.naming import endpoint_arn, endpoint_name
from nightsort_airflow.exceptions import (
    TRAIN_AGAIN,
    ClassifierStateUnknownError,
    JobStateUnknownError,
    TrainingFailedError,
    TrainingTimeLimitError,
    TrainingWarningsError,
)
from nightsort_airflow.hooks.endpoints import EndpointCalls
from nightsort_airflow.hooks.objects import is_gone
from nightsort_airflow.states import JOB_FAILED, JobStatus, ModelStatus, Phase
from nightsort_airflow.wait_log import WaitLog

if TYPE_CHECKING:
    import os

    from mypy_boto3_comprehend.client import ComprehendClient
    from mypy_boto3_comprehend.type_defs import (
        DocumentClassificationJobPropertiesTypeDef,
        DocumentClassifierPropertiesTypeDef,
    )

# Standard mode waits a random part of 1, 2, 4 and 8 s between attempts, and sends the same ClientRequestToken
# with each of them. Five attempts are enough: a worker's slot is held meanwhile, and many tasks share the
# account's 1 Start call a second. The operator that starts jobs waits for room outside of the worker.
DEFAULT_CONFIG: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=10, read_timeout=60
)

# The domains of the endpoints in the partitions whose consoles have known addresses.
AWS_DOMAINS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".api.amazonwebservices.com.cn")

WAITER_TRAINED: Final = "document_classifier_trained"
WAITER_JOB_COMPLETE: Final = "document_classification_job_complete"
WAITER_IN_SERVICE: Final = "endpoint_in_service"
WAITER_DELETED: Final = "endpoint_deleted"
WORK_OF_WAITERS: Final = {
    WAITER_TRAINED: ("The training", "submission"),
    WAITER_JOB_COMPLETE: ("The classification job", "submission"),
    WAITER_IN_SERVICE: ("The endpoint", "last change"),
    WAITER_DELETED: ("The endpoint", "last change"),
}


@dataclass(frozen=True)
class TrainingState:
    """
    A classifier version as Comprehend described it at one moment.

    :param arn: ARN of the version.
    :param status: its state.
    :param properties: what DescribeDocumentClassifier answered.
    """

    arn: str
    status: ModelStatus
    properties: DocumentClassifierPropertiesTypeDef

    @property
    def is_running(self) -> bool:
        """Whether the training has not ended yet."""
        return self.status.phase is Phase.RUNNING

    @property
    def message(self) -> str:
        """Comprehend's message."""
        return self.properties.get("Message", "no message").rstrip(".")

    @property
    def duration(self) -> timedelta:
        """The time from when the training was submitted to its end, or to now."""
        now = datetime.now(timezone.utc)
        return self.properties.get("EndTime", now) - self.properties.get("SubmitTime", now)

    def time_left(self, time_limit: timedelta) -> timedelta:
        """
        Return how much longer the training may take; zero when its time is up.

        :param time_limit: how long it may take, from when it was submitted.
        """
        return max(time_limit - self.duration, timedelta(0))


class ComprehendClassificationHook(EndpointCalls, ComprehendHook):
    """
    Talk to Amazon Comprehend about classifiers, classification jobs and endpoints.

    A thin layer over :external+boto3:py:class:`boto3.client("comprehend") <Comprehend.Client>`. It adds the
    waiters ``document_classifier_trained``, ``document_classification_job_complete``, ``endpoint_in_service``
    and ``endpoint_deleted``. They replace the waiters of the provider's hook, because a hook reads one waiter
    file. Throttled calls are retried with
    jitter; settings in ``config`` or under ``config_kwargs`` in the connection's extra override these
    retries.

    Additional arguments (such as ``aws_conn_id``) are passed to
    :class:`airflow.providers.amazon.aws.hooks.base_aws.AwsBaseHook`.
    """

    @cached_property
    def waiter_path(self) -> os.PathLike[str] | None:
        """The file that holds the waiters of this hook."""
        return Path(__file__).parents[1] / "waiters" / "comprehend.json"

    @property
    def config(self) -> Config:
        """The botocore configuration: patient, with the caller's and the connection's settings on top."""
        return DEFAULT_CONFIG.merge(super().config)

    @property
    def client(self) -> ComprehendClient:
        """The boto3 client, typed."""
        client: ComprehendClient = self.conn
        return client

    @cached_property
    def scaling(self) -> Any:
        """The boto3 client of Application Auto Scaling, by the same connection."""
        return AwsBaseHook(
            aws_conn_id=self.aws_conn_id,
            region_name=self._region_name,
            verify=self._verify,
            client_type="application-autoscaling",
            config=DEFAULT_CONFIG,
        ).conn

    @property
    def is_aws(self) -> bool:
        """Whether the connection leads to AWS, and not to a local stand-in."""
        return (urlsplit(self.client.meta.endpoint_url).hostname or "").endswith(AWS_DOMAINS)

    def version_arn(self, data_access_role_arn: str, classifier: str, version: str) -> str:
        """
        Return the ARN that a classifier version has or will have.

        The account is that of the data access role, because a role can be passed only to a service of its
        own account. This saves a call to STS, which not every network allows.

        :param data_access_role_arn: the role that is passed to Comprehend.
        :param classifier: DocumentClassifierName.
        :param version: VersionName.
        """
        account = data_access_role_arn.split(":")[4]
        return (
            f"arn:{self.conn_partition}:comprehend:{self.conn_region_name}:{account}"
            f":document-classifier/{classifier}/version/{version}"
        )

    def classifier_endpoint_arn(self, data_access_role_arn: str, classifier: str) -> str:
        """
        Return the ARN that the endpoint of a classifier has or will have, whichever version it serves.

        :param data_access_role_arn: as for :meth:`version_arn`.
        :param classifier: name of the spec.
        """
        any_version = self.version_arn(data_access_role_arn, classifier, "v")
        return endpoint_arn(any_version, endpoint_name(classifier))

    def describe_classifier(self, arn: str) -> DocumentClassifierPropertiesTypeDef | None:
        """Return the classifier's properties, or None when there is no such classifier."""
        try:
            answer = self.client.describe_document_classifier(DocumentClassifierArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return answer["DocumentClassifierProperties"]

    def describe_job(self, job_id: str) -> DocumentClassificationJobPropertiesTypeDef | None:
        """Return the classification job's properties, or None when there is no such job."""
        try:
            answer = self.client.describe_document_classification_job(JobId=job_id)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"JobNotFoundException", "ResourceNotFoundException"}:
                return None
            raise
        return answer["DocumentClassificationJobProperties"]

    def find_job(self, job_name: str) -> DocumentClassificationJobPropertiesTypeDef | None:
        """
        Return the properties of the newest classification job of exactly this name, or None.

        Comprehend lets several jobs have one name. A job that did not fail is preferred.

        :param job_name: JobName.
        """
        pages = self.client.get_paginator("list_document_classification_jobs").paginate(
            Filter={"JobName": job_name}
        )
        found = [
            job
            for page in pages
            for job in page.get("DocumentClassificationJobPropertiesList", [])
            if job.get("JobName") == job_name
        ]
        if not found:
            return None

        def rank(job: DocumentClassificationJobPropertiesTypeDef) -> tuple[bool, float]:
            submitted = job.get("SubmitTime")
            return job.get("JobStatus") not in JOB_FAILED, submitted.timestamp() if submitted else 0.0

        return max(found, key=rank)

    def create_classifier(self, request: dict[str, Any]) -> str | None:
        """
        Create a classifier version, which starts its training.

        :param request: the request of CreateDocumentClassifier.
        :returns: its ARN; None when name and version are taken.
        """
        try:
            arn: str = self.client.create_document_classifier(**request)["DocumentClassifierArn"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceInUseException":
                return None
            raise
        return arn

    def stop_training(self, arn: str) -> None:
        """Ask Comprehend to stop a training. A finished training does not change."""
        self.client.stop_training_document_classifier(DocumentClassifierArn=arn)

    def wait(self, waiter: str, delay: int, max_attempts: int, **arguments: Any) -> None:
        """
        Wait in this process until the waiter ends, and say each minute what for.

        The caller then asks for the state itself.

        :param waiter: name of a waiter of this hook.
        :param delay: seconds between two polls.
        :param max_attempts: the number of polls.
        :param arguments: the request of the waiter's operation.
        """
        poller, lines = self.get_waiter(waiter), WaitLog(self.log, *WORK_OF_WAITERS[waiter])
        for poll in range(max_attempts):
            if poll:
                time.sleep(delay)
            try:
                poller.wait(**arguments, WaiterConfig={"Delay": 0, "MaxAttempts": 1})
                return
            except WaiterError as error:
                if "Max attempts exceeded" not in str(error):
                    self.log.warning("Waiting for %s ended: %s", waiter, error)
                    return
                answer = cast("dict[str, Any]", error.last_response)
            if lines.is_due:
                # There is none where Comprehend could not answer this time.
                work: dict[str, Any] = next(
                    (answer[name] for name in answer if name.endswith("Properties")), {}
                )
                status = work.get("Status") or work.get("JobStatus") or "not known for a moment"
                lines.say(status, work.get("SubmitTime") or work.get("LastModifiedTime"))
        self.log.warning("Waiting for %s ended after %s polls.", waiter, max_attempts)

    def find_training(self, arn: str) -> TrainingState | None:
        """
        Return the state of a training, or None when there is no such classifier.

        :param arn: ARN of the classifier version.
        :raises ClassifierStateUnknownError: on a state that is not in botocore's enum.
        """
        properties = self.describe_classifier(arn)
        if properties is None:
            return None
        status = properties.get("Status", "")
        try:
            return TrainingState(arn, ModelStatus(status), properties)
        except ValueError:
            raise ClassifierStateUnknownError(
                f"Comprehend reports the unknown state {status!r}: update Nightsort (states.py). {arn}"
            ) from None

    def training_state(self, arn: str) -> TrainingState:
        """
        Return the state of a training that must exist.

        :param arn: ARN of the classifier version.
        :raises TrainingFailedError: when there is no such classifier.
        :raises ClassifierStateUnknownError: on a state that is not in botocore's enum.
        """
        training = self.find_training(arn)
        if training is None:
            raise TrainingFailedError(f"The classifier does not exist (any more): train it again. {arn}")
        return training

    def enforce_time_limit(self, training: TrainingState, time_limit: timedelta | None) -> None:
        """
        Ask Comprehend to stop a training that runs for longer than it may.

        :param training: the training.
        :param time_limit: how long it may take, from when it was submitted; None: no limit.
        """
        if time_limit is None or not training.is_running or training.duration <= time_limit:
            return
        if training.status is not ModelStatus.STOP_REQUESTED:
            self.log.warning("The training takes longer than %s and is stopped: %s", time_limit, training.arn)
            self.stop_training(training.arn)

    def require_model(
        self, training: TrainingState, *, fail_on_warnings: bool = False, time_limit: timedelta | None = None
    ) -> DocumentClassifierPropertiesTypeDef:
        """
        Return the properties of a training that has ended with a model.

        :param training: a training that has ended.
        :param fail_on_warnings: whether ``TRAINED_WITH_WARNING`` is a failure.
        :param time_limit: how long it was allowed to take.
        :raises TrainingTimeLimitError: when it was stopped and had taken longer than it may.
        :raises TrainingFailedError: when it ended without a model for another reason.
        :raises TrainingWarningsError: on ``TRAINED_WITH_WARNING``, where that is a failure.
        """
        arn, status, message, duration = training.arn, training.status, training.message, training.duration
        if status is ModelStatus.STOPPED and time_limit is not None and duration > time_limit:
            raise TrainingTimeLimitError(
                f"The training was stopped after {duration}, which is billed, because its limit is "
                f"{time_limit}. Raise `training_time_limit_hours` or use fewer documents, then clear the "
                f"task that creates the classifier: it trains the next generation of the version. {arn}"
            )
        if status.phase is Phase.FAILED:
            data = training.properties.get("InputDataConfig", {})
            for uri in (data.get("S3Uri", ""), data.get("TestS3Uri", "")):
                if "ACCESS" in message.partition(":")[0].split("_") and is_gone(uri, self):
                    raise TrainingFailedError(
                        f"The training ended {status}, because its data is gone: {uri} was deleted, or "
                        f"never written. {TRAIN_AGAIN} {arn}"
                    )
            raise TrainingFailedError(
                f"The training ended {status}: {message}. Correct the cause, then clear the task that "
                f"creates the classifier: it trains the next generation of the version. {arn}"
            )
        if status is ModelStatus.TRAINED_WITH_WARNING:
            if fail_on_warnings:
                raise TrainingWarningsError(
                    f"The training ended {status}: {message}. Set `training_warnings: accept` to use the "
                    f"version, or correct the data. {arn}"
                )
            self.log.warning("The training ended %s: %s. %s", status, message, arn)
        return training.properties

    def job_status(self, properties: DocumentClassificationJobPropertiesTypeDef) -> JobStatus:
        """
        Return the status of a job.

        :param properties: the job's properties.
        :raises JobStateUnknownError: on a state that is not in botocore's enum.
        """
        status = properties.get("JobStatus", "")
        try:
            return JobStatus(status)
        except ValueError:
            raise JobStateUnknownError(
                f"Comprehend reports the unknown state {status!r}: update Nightsort (states.py). "
                f"Job {properties.get('JobId')}"
            ) from None
