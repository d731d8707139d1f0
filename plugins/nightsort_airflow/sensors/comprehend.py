"""The sensor for trainings."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.amazon.aws.sensors.base_aws import AwsBaseSensor
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.sdk import PokeReturnValue, conf

from nightsort_airflow.aws_errors import fail_on_permanent_aws_errors
from nightsort_airflow.exceptions import TrainingUnfinishedError
from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from nightsort_airflow.links.comprehend import ComprehendDocumentClassifierLink
from nightsort_airflow.settings import TRAINING_POLL_SECONDS, attempts, poll_seconds
from nightsort_airflow.triggers.comprehend import ComprehendDocumentClassifierTrainedTrigger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context
    from mypy_boto3_comprehend.type_defs import DocumentClassifierPropertiesTypeDef


class ComprehendDocumentClassifierTrainedSensor(AwsBaseSensor[ComprehendClassificationHook]):
    """
    Wait until a document classifier is trained.

    Success is ``TRAINED``, and ``TRAINED_WITH_WARNING`` unless ``fail_on_warnings``; every other end, and
    every state that is not in botocore's enum, is a failure that no retry cures. A wait that is over before
    the training is fails too, but a retry goes on waiting for the same training. Give a deferrable task
    ``retries`` of at least 2: Airflow 3.3 now and then fails a healthy deferred task.

    Gives a dict: ``document_classifier_arn``, ``status``, ``message``, ``labels``, ``trained_documents``,
    ``test_documents``, ``missing_documents`` (sent, but neither trained nor tested on; None when it is not
    known).

    :param document_classifier_arn: The ARN of the classifier version. (templated)
    :param expected_documents: How many training and test documents were sent. Comprehend is known to leave
        rows out without a word; a difference is logged and returned. (templated)
    :param fail_on_warnings: Whether ``TRAINED_WITH_WARNING`` fails the task. (default: False)
    :param stop_training_on_kill: Stop the training when the waiting task is killed; see
        :class:`~nightsort_airflow.triggers.comprehend.ComprehendDocumentClassifierTrainedTrigger` for which
        kills Airflow tells a deferred task of. (default: False)
    :param time_limit: How long the training may take, from when it was submitted. One that takes longer is
        stopped; the task sees it STOPPED and fails with what to do. (default: None, no limit)
    :param deferrable: Wait in the triggerer. (default: False, or ``[operators] default_deferrable``)
    :param poke_interval: Seconds between two looks. (default: ``NIGHTSORT_POLL_SECONDS``, or 60)
    :param max_retries: The number of looks of one deferral; without deferral ``timeout`` counts.
        (default: as many as 24 hours hold)
    :param aws_conn_id: The Airflow connection used for AWS credentials. (templated)
    :param region_name: AWS region_name. If not specified then the connection's is used. (templated)
    :param verify: Whether or not to verify SSL certificates. (templated)
    :param botocore_config: Configuration dictionary (key-values) for the botocore client.
    """

    aws_hook_class = ComprehendClassificationHook
    operator_extra_links = (ComprehendDocumentClassifierLink(),)
    template_fields: Sequence[str] = aws_template_fields("document_classifier_arn", "expected_documents")
    ui_color = "#66c3ff"

    def __init__(
        self,
        *,
        document_classifier_arn: str,
        expected_documents: int | str | None = None,
        fail_on_warnings: bool = False,
        stop_training_on_kill: bool = False,
        time_limit: timedelta | None = None,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poke_interval: int | None = None,
        max_retries: int | None = None,
        **kwargs: Any,
    ) -> None:
        seconds = poke_interval or poll_seconds(TRAINING_POLL_SECONDS)
        super().__init__(poke_interval=seconds, **kwargs)
        self.document_classifier_arn = document_classifier_arn
        self.expected_documents = expected_documents
        self.fail_on_warnings = fail_on_warnings
        self.stop_training_on_kill = stop_training_on_kill
        self.time_limit = time_limit
        self.deferrable = deferrable
        self.max_retries = max_retries or attempts(seconds)
        self._waiting = False

    def execute(self, context: Context) -> dict[str, Any]:
        """Look once, then wait in the triggerer or here."""
        ComprehendDocumentClassifierLink.persist(
            context=context,
            operator=self,
            region_name=self.hook.conn_region_name,
            aws_partition=self.hook.conn_partition,
            arn=self.document_classifier_arn,
        )
        if not self.deferrable:
            self._waiting = True
            result: dict[str, Any] = super().execute(context)
            return result
        with fail_on_permanent_aws_errors(f"describe {self.document_classifier_arn}"):
            trained = self._look()
            if trained is None:
                self._wait_in_triggerer(self._time_left())
        return trained

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once."""
        with fail_on_permanent_aws_errors(f"describe {self.document_classifier_arn}"):
            trained = self._look()
        return PokeReturnValue(is_done=trained is not None, xcom_value=trained)

    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, stopping: bool = False
    ) -> dict[str, Any]:
        """Give the result after a deferral; success is asked of Comprehend, not of the event."""
        with fail_on_permanent_aws_errors(f"describe {self.document_classifier_arn}"):
            trained = self._look()
            if trained is None and not stopping and (left := self._time_left()) == timedelta(0):
                self._wait_in_triggerer(left)
        if trained is None:
            message = (event or {}).get("message", "")
            raise TrainingUnfinishedError(
                f"The training of {self.document_classifier_arn} is not finished. {message} "
                "A retry goes on waiting for the same training."
            )
        return trained

    def on_kill(self) -> None:
        """Stop the training, if asked to and if this process waits for it; else the next try finds it."""
        if self._waiting and self.stop_training_on_kill:
            self.hook.stop_training(self.document_classifier_arn)
            self.log.warning("Asked Comprehend to stop the training of %s.", self.document_classifier_arn)

    def _wait_in_triggerer(self, left: timedelta | None) -> NoReturn:
        """Wait until the training has ended or its time is up; without time left, until it has stopped."""
        delay, looks = int(self.poke_interval), self.max_retries
        if left:
            looks = min(looks, math.ceil(left.total_seconds() / delay) + 1)
        self.defer(
            trigger=ComprehendDocumentClassifierTrainedTrigger(
                document_classifier_arn=self.document_classifier_arn,
                stop_training_on_kill=self.stop_training_on_kill,
                waiter_delay=delay,
                waiter_max_attempts=looks,
                aws_conn_id=self.aws_conn_id,
                region_name=self.region_name,
                verify=self.verify,
                botocore_config=self.botocore_config,
            ),
            method_name="execute_complete",
            kwargs={"stopping": left == timedelta(0)},
            timeout=timedelta(seconds=delay * (looks + 2)),
        )

    def _time_left(self) -> timedelta | None:
        if self.time_limit is None:
            return None
        return self.hook.time_left(self.document_classifier_arn, self.time_limit)

    def _look(self) -> dict[str, Any] | None:
        properties = self.hook.trained(
            self.document_classifier_arn,
            fail_on_warnings=self.fail_on_warnings,
            time_limit=self.time_limit,
        )
        return None if properties is None else self._result(properties)

    def _result(self, properties: DocumentClassifierPropertiesTypeDef) -> dict[str, Any]:
        metadata = properties.get("ClassifierMetadata", {})
        trained, tested = metadata.get("NumberOfTrainedDocuments"), metadata.get("NumberOfTestDocuments")
        sent = None if self.expected_documents in (None, "") else int(self.expected_documents)
        missing = None if sent is None or trained is None or tested is None else sent - trained - tested
        self.log.info(
            "Trained on %s documents and tested on %s: %s", trained, tested, self.document_classifier_arn
        )
        if missing:
            self.log.warning(
                "%s documents were sent, but Comprehend trained on %s and tested on %s: %s are missing "
                "without a word.",
                sent,
                trained,
                tested,
                missing,
            )
        return {
            "document_classifier_arn": self.document_classifier_arn,
            "status": properties.get("Status"),
            "message": properties.get("Message", ""),
            "labels": metadata.get("NumberOfLabels"),
            "trained_documents": trained,
            "test_documents": tested,
            "missing_documents": missing,
        }
