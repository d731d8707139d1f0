"""The hook for Comprehend's custom classification."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from airflow.providers.amazon.aws.hooks.comprehend import ComprehendHook
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from nightsort_airflow.exceptions import (
    ClassifierStateUnknownError,
    JobStateUnknownError,
    TrainingFailedError,
    TrainingTimeLimitError,
    TrainingWarningsError,
)
from nightsort_airflow.states import (
    JOB_ACTIVE,
    JOB_COMPLETED,
    JOB_FAILED,
    MODEL_FAILED,
    MODEL_TRAINED,
    MODEL_TRAINING,
    STOP_REQUESTED,
    STOPPED,
    TRAINED_WITH_WARNING,
)

if TYPE_CHECKING:
    import os

    from mypy_boto3_comprehend.client import ComprehendClient
    from mypy_boto3_comprehend.type_defs import (
        DocumentClassificationJobPropertiesTypeDef,
        DocumentClassifierPropertiesTypeDef,
    )

# Standard mode waits a random part of 1, 2, 4, 8 s between attempts (jitter), and sends the same
# ClientRequestToken with each of them. It does not go on for longer, since a worker's slot is held meanwhile,
# and since Start is limited to 1 call a second per account, which many tasks share: the operator that starts
# jobs waits for its turn outside of the worker.
DEFAULT_CONFIG: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=10, read_timeout=60
)

WAITER_TRAINED: Final = "document_classifier_trained"
WAITER_JOB_COMPLETE: Final = "document_classification_job_complete"


class ComprehendClassificationHook(ComprehendHook):
    """
    Talk to Amazon Comprehend about classifiers and classification jobs.

    A thin layer over :external+boto3:py:class:`boto3.client("comprehend") <Comprehend.Client>`. It brings the
    waiters ``document_classifier_trained`` and ``document_classification_job_complete`` (and hides those of
    the provider's hook: a hook reads one waiter file), and it retries throttled calls with jitter. Settings
    in ``config`` or under ``config_kwargs`` in the connection's extra win over these retries.

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

    def version_arn(self, data_access_role_arn: str, classifier: str, version: str) -> str:
        """
        Give the ARN that a classifier version has or will have.

        The account is that of the data access role: a role can be passed to a service of its own account
        only. So no call to STS is needed, which not every network allows.

        :param data_access_role_arn: the role that is passed to Comprehend.
        :param classifier: DocumentClassifierName.
        :param version: VersionName.
        """
        account = data_access_role_arn.split(":")[4]
        return (
            f"arn:{self.conn_partition}:comprehend:{self.conn_region_name}:{account}"
            f":document-classifier/{classifier}/version/{version}"
        )

    def describe_classifier(self, arn: str) -> DocumentClassifierPropertiesTypeDef | None:
        """Give the classifier's properties, or None when there is no such classifier."""
        try:
            answer = self.client.describe_document_classifier(DocumentClassifierArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise
        return answer["DocumentClassifierProperties"]

    def describe_job(self, job_id: str) -> DocumentClassificationJobPropertiesTypeDef | None:
        """Give the classification job's properties, or None when there is no such job."""
        try:
            answer = self.client.describe_document_classification_job(JobId=job_id)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"JobNotFoundException", "ResourceNotFoundException"}:
                return None
            raise
        return answer["DocumentClassificationJobProperties"]

    def find_job(self, job_name: str) -> DocumentClassificationJobPropertiesTypeDef | None:
        """
        Give the properties of the newest classification job of exactly this name, or None.

        Comprehend lets several jobs have one name. Where that is so, a job that did not fail is preferred.

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
        Create a classifier version, which starts its training; give its ARN, or None when name and version
        are taken.

        :param request: the request of CreateDocumentClassifier.
        """
        try:
            arn: str = self.client.create_document_classifier(**request)["DocumentClassifierArn"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceInUseException":
                return None
            raise
        return arn

    def stop_training(self, arn: str) -> None:
        """Ask Comprehend to stop a training. Of a finished one, nothing is changed."""
        self.client.stop_training_document_classifier(DocumentClassifierArn=arn)

    def wait(self, waiter: str, delay: int, max_attempts: int, **arguments: Any) -> None:
        """
        Wait in this process until the waiter ends, in whatever way: the caller then looks at the state
        itself.

        :param waiter: name of a waiter of this hook.
        :param delay: seconds between two looks.
        :param max_attempts: the number of looks.
        :param arguments: the request of the waiter's operation.
        """
        try:
            self.get_waiter(waiter).wait(
                **arguments, WaiterConfig={"Delay": delay, "MaxAttempts": max_attempts}
            )
        except WaiterError as error:
            self.log.warning("Waiting for %s ended: %s", waiter, error)

    def trained(
        self, arn: str, *, fail_on_warnings: bool = False, time_limit: timedelta | None = None
    ) -> DocumentClassifierPropertiesTypeDef | None:
        """
        Give the properties of a trained classifier, or None while its training still runs.

        :param arn: ARN of the classifier version.
        :param fail_on_warnings: whether ``TRAINED_WITH_WARNING`` is a failure.
        :param time_limit: a training that takes longer, from when it was submitted, is asked to stop.
        :raises TrainingFailedError: when the training ended without a model, or there is no such classifier.
        :raises TrainingTimeLimitError: when it was stopped and had taken longer than it may.
        :raises TrainingWarningsError: on ``TRAINED_WITH_WARNING``, where that is a failure.
        :raises ClassifierStateUnknownError: on a state that is not in botocore's enum.
        """
        properties = self.describe_classifier(arn)
        if properties is None:
            raise TrainingFailedError(f"There is no document classifier {arn} (any more): train it again.")
        status, message = properties.get("Status", ""), properties.get("Message", "no message")
        taken = _time_taken(properties)
        too_long = time_limit is not None and taken > time_limit
        if status in MODEL_TRAINING:
            if too_long and status != STOP_REQUESTED:
                self.log.warning("The training of %s takes longer than %s: it is stopped.", arn, time_limit)
                self.stop_training(arn)
            return None
        if status == STOPPED and too_long:
            raise TrainingTimeLimitError(
                f"The training of {arn} was stopped after {taken}, which is billed, because it may take "
                f"{time_limit}. Raise `training_time_limit_hours` or give fewer documents, then clear the "
                "task that creates the classifier: it trains again, under the version's next generation."
            )
        if status in MODEL_FAILED:
            raise TrainingFailedError(
                f"The training of {arn} ended {status}: {message}. Cure the cause, then clear the task that "
                "creates the "
                "classifier: it trains again, under the next generation of the version's name."
            )
        if status not in MODEL_TRAINED:
            raise ClassifierStateUnknownError(
                f"{arn} is {status!r}, a state that is not known here: see states.py."
            )
        if status == TRAINED_WITH_WARNING:
            if fail_on_warnings:
                raise TrainingWarningsError(
                    f"{arn} is {status}: {message}. Set `training_warnings: accept` to use it, or correct "
                    "the data."
                )
            self.log.warning("%s is %s: %s", arn, status, message)
        return properties

    def time_left(self, arn: str, time_limit: timedelta) -> timedelta:
        """
        Give how long a training may go on; nothing, when it has taken longer already.

        :param arn: ARN of the classifier version.
        :param time_limit: how long it may take, from when it was submitted.
        """
        properties = self.describe_classifier(arn)
        taken = _time_taken(properties) if properties else timedelta(0)
        return max(time_limit - taken, timedelta(0))

    def job_status(self, properties: DocumentClassificationJobPropertiesTypeDef) -> str:
        """
        Give the status of a job.

        :raises JobStateUnknownError: on a state that is not in botocore's enum.
        """
        status = properties.get("JobStatus", "")
        if status not in (*JOB_ACTIVE, *JOB_COMPLETED, *JOB_FAILED):
            raise JobStateUnknownError(
                f"Classification job {properties.get('JobId')} is {status!r}, a state that is not known "
                "here: "
                "see states.py."
            )
        return status


def _time_taken(properties: DocumentClassifierPropertiesTypeDef) -> timedelta:
    """How long a training took from when it was submitted to its end, or to now."""
    now = datetime.now(timezone.utc)
    return properties.get("EndTime", now) - properties.get("SubmitTime", now)
