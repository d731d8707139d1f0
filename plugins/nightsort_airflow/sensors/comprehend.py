"""The sensors for trainings and endpoints."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.amazon.aws.sensors.base_aws import AwsBaseSensor
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields
from airflow.sdk import PokeReturnValue

from nightsort_airflow.aws_errors import fail_on_permanent_aws_errors
from nightsort_airflow.exceptions import (
    EndpointBrokenError,
    EndpointUnfinishedError,
    TrainingUnfinishedError,
)
from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from nightsort_airflow.links.comprehend import ComprehendClassifierVersionLink, ComprehendEndpointLink
from nightsort_airflow.settings import ENDPOINT_POLL_SECONDS, TRAINING_POLL_SECONDS, attempts, poll_seconds
from nightsort_airflow.states import Phase
from nightsort_airflow.triggers.comprehend import ComprehendDocumentClassifierTrainedTrigger
from nightsort_airflow.triggers.endpoints import ComprehendEndpointReadyTrigger
from nightsort_airflow.wait_log import WaitLog, other_trainings
from nightsort_airflow.waiting import DEFAULT_DEFERRABLE, ComprehendWaiting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from nightsort_airflow.hooks.comprehend import TrainingState


class ComprehendDocumentClassifierTrainedSensor(
    ComprehendWaiting, AwsBaseSensor[ComprehendClassificationHook]
):
    """
    Wait until a document classifier is trained.

    Success is ``TRAINED``, and ``TRAINED_WITH_WARNING`` unless ``fail_on_warnings``. Every other end, and
    every state that is not in botocore's enum, fails the task without a retry. When the wait ends before the
    training does, the task fails, and a retry waits for the same training. Give a deferrable task ``retries``
    of at least 2: Airflow 3.3 sometimes fails a healthy deferred task.

    The return value is a dict: ``document_classifier_arn``, ``status``, ``message``, ``labels``,
    ``trained_documents``, ``test_documents``, ``missing_documents`` (sent, but neither trained nor tested on;
    None when it is not known).

    .. seealso::
        For more information on how to use this sensor, take a look at docs/operators.md. The API is
        :external+boto3:py:meth:`Comprehend.Client.describe_document_classifier`.

    :param document_classifier_arn: The ARN of the classifier version. (templated)
    :param expected_documents: The number of training and test documents that were sent. Comprehend can leave
        rows out without a message; a difference is logged and returned. (templated)
    :param fail_on_warnings: Whether ``TRAINED_WITH_WARNING`` fails the task. (default: False)
    :param stop_training_on_kill: Stop the training when the waiting task is killed;
        :class:`~nightsort_airflow.triggers.comprehend.ComprehendDocumentClassifierTrainedTrigger` says which
        kills a deferred task learns of. (default: False)
    :param time_limit: How long the training may take, from when it was submitted. A training that takes
        longer is stopped, and the task fails. (default: None, no limit)
    :param deferrable: Wait in the triggerer. (default: False, or ``[operators] default_deferrable``)
    :param poke_interval: Seconds between two polls. (default: ``NIGHTSORT_POLL_SECONDS``, or 60)
    :param max_retries: The number of polls of one deferral; without deferral ``timeout`` counts.
        (default: as many as fit into 24 hours)
    :param aws_conn_id: The Airflow connection used for AWS credentials. (templated)
    :param region_name: AWS region_name. If not specified then the connection's is used. (templated)
    :param verify: Whether or not to verify SSL certificates. (templated)
    :param botocore_config: Configuration dictionary (key-values) for the botocore client.
    """

    custom_operator_name = "Training sensor"
    operator_extra_links = (ComprehendClassifierVersionLink(),)
    template_fields: Sequence[str] = aws_template_fields("document_classifier_arn", "expected_documents")

    def __init__(
        self,
        *,
        document_classifier_arn: str,
        expected_documents: int | str | None = None,
        fail_on_warnings: bool = False,
        stop_training_on_kill: bool = False,
        time_limit: timedelta | None = None,
        deferrable: bool = DEFAULT_DEFERRABLE,
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
        self._lines: WaitLog | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask once for the state, then wait in the triggerer or here."""
        if not self.deferrable:
            self._waiting = True
            result: dict[str, Any] = super().execute(context)
            return result
        with fail_on_permanent_aws_errors(f"describe {self.document_classifier_arn}"):
            self._persist_link(context)
            training = self._poll()
            if training.is_running:
                self._say(training)
                self._wait_in_triggerer(self._time_left(training))
            return self._result(training)

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask once for the state."""
        with fail_on_permanent_aws_errors(f"describe {self.document_classifier_arn}"):
            self._persist_link(context)
            training = self._poll()
            if training.is_running and (self._lines is None or self._lines.is_due):
                self._say(training)
            result = None if training.is_running else self._result(training)
        return PokeReturnValue(is_done=result is not None, xcom_value=result)

    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, stopping: bool = False
    ) -> dict[str, Any]:
        """Return the result after a deferral. The state comes from Comprehend, not from the event."""
        with fail_on_permanent_aws_errors(f"describe {self.document_classifier_arn}"):
            self._persist_link(context)
            training = self._poll()
            if not training.is_running:
                return self._result(training)
            if not stopping and (left := self._time_left(training)) == timedelta(0):
                self._wait_in_triggerer(left)
        message = (event or {}).get("message", "")
        raise TrainingUnfinishedError(
            "The training is not finished. A retry waits for the same training. "
            f"{message} {self.document_classifier_arn}"
        )

    def on_kill(self) -> None:
        """Stop the training, if this process waits for it and that is wanted; else the next try finds it."""
        if self._waiting and self.stop_training_on_kill:
            self.hook.stop_training(self.document_classifier_arn)
            self.log.warning("Asked Comprehend to stop the training: %s", self.document_classifier_arn)

    def _persist_link(self, context: Context) -> None:
        self.persist_link(ComprehendClassifierVersionLink, context, arn=self.document_classifier_arn)

    def _poll(self) -> TrainingState:
        """Ask for the state; stop a training that takes too long, which the next poll sees STOPPED."""
        training = self.hook.training_state(self.document_classifier_arn)
        self.hook.enforce_time_limit(training, self.time_limit)
        return training

    def _say(self, training: TrainingState) -> None:
        """Write the state into the log, and how long such trainings take."""
        self._lines = self._lines or WaitLog(self.log, "The training")
        submitted = training.properties.get("SubmitTime")
        self._lines.say(training.status, submitted, other_trainings(self._documents_sent))

    @property
    def _documents_sent(self) -> int | None:
        return int(self.expected_documents) if self.expected_documents else None

    def _time_left(self, training: TrainingState) -> timedelta | None:
        return None if self.time_limit is None else training.time_left(self.time_limit)

    def _wait_in_triggerer(self, left: timedelta | None) -> NoReturn:
        """Wait until the training has ended or its time is up; without time left, until it has stopped."""
        delay, polls = int(self.poke_interval), self.max_retries
        if left:
            polls = min(polls, math.ceil(left.total_seconds() / delay) + 1)
        self.defer_to(
            ComprehendDocumentClassifierTrainedTrigger,
            document_classifier_arn=self.document_classifier_arn,
            stop_training_on_kill=self.stop_training_on_kill,
            others=other_trainings(self._documents_sent),
            delay=delay,
            max_attempts=polls,
            resume_kwargs={"stopping": left == timedelta(0)},
        )

    def _result(self, training: TrainingState) -> dict[str, Any]:
        properties = self.hook.require_model(
            training, fail_on_warnings=self.fail_on_warnings, time_limit=self.time_limit
        )
        metadata = properties.get("ClassifierMetadata", {})
        trained, tested = metadata.get("NumberOfTrainedDocuments"), metadata.get("NumberOfTestDocuments")
        sent = self._documents_sent
        missing = None if sent is None or trained is None or tested is None else sent - trained - tested
        self.log.info(
            "Trained on %s documents, tested on %s: %s", trained, tested, self.document_classifier_arn
        )
        if missing:
            self.log.warning(
                "%s of %s documents are missing: Comprehend trained on %s and tested on %s, and does not say "
                "why.",
                missing,
                sent,
                trained,
                tested,
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


class ComprehendEndpointReadySensor(ComprehendWaiting, AwsBaseSensor[ComprehendClassificationHook]):
    """
    Wait until an endpoint is in service and no change of it is under way.

    An endpoint that is FAILED, DELETING or not there, and every state that is not in botocore's enum, fails
    the task without a retry. When the wait ends before the endpoint is ready, the task fails, and a retry
    waits again. Killing the task leaves the endpoint as it is. Give a deferrable task ``retries`` of at least
    2: Airflow 3.3 sometimes fails a healthy deferred task.

    The return value is a dict: ``endpoint_arn``, ``endpoint_name``, ``status``, ``model_arn``,
    ``inference_units`` and ``created_at`` (ISO 8601).

    .. seealso::
        For more information on how to use this sensor, take a look at docs/operators.md. The API is
        :external+boto3:py:meth:`Comprehend.Client.describe_endpoint`.

    :param endpoint_arn: The ARN of the endpoint. (templated)
    :param deferrable: Wait in the triggerer. (default: False, or ``[operators] default_deferrable``)
    :param poke_interval: Seconds between two polls. (default: ``NIGHTSORT_POLL_SECONDS``, or 30)
    :param max_retries: The number of polls of one deferral; without deferral ``timeout`` counts.
        (default: as many as fit into 24 hours)
    :param aws_conn_id: The Airflow connection used for AWS credentials. (templated)
    :param region_name: AWS region_name. If not specified then the connection's is used. (templated)
    :param verify: Whether or not to verify SSL certificates. (templated)
    :param botocore_config: Configuration dictionary (key-values) for the botocore client.
    """

    custom_operator_name = "Endpoint sensor"
    operator_extra_links = (ComprehendEndpointLink(),)
    template_fields: Sequence[str] = aws_template_fields("endpoint_arn")

    def __init__(
        self,
        *,
        endpoint_arn: str,
        deferrable: bool = DEFAULT_DEFERRABLE,
        poke_interval: int | None = None,
        max_retries: int | None = None,
        **kwargs: Any,
    ) -> None:
        seconds = poke_interval or poll_seconds(ENDPOINT_POLL_SECONDS)
        super().__init__(poke_interval=seconds, **kwargs)
        self.endpoint_arn = endpoint_arn
        self.deferrable = deferrable
        self.max_retries = max_retries or attempts(seconds)

    def execute(self, context: Context) -> dict[str, Any]:
        """Ask once for the state, then wait in the triggerer or here."""
        if not self.deferrable:
            result: dict[str, Any] = super().execute(context)
            return result
        if (ready := self._look(context)) is None:
            self.defer_to(
                ComprehendEndpointReadyTrigger,
                endpoint_arn=self.endpoint_arn,
                delay=int(self.poke_interval),
                max_attempts=self.max_retries,
            )
        return ready

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask once for the state."""
        ready = self._look(context)
        return PokeReturnValue(is_done=ready is not None, xcom_value=ready)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the result after a deferral. The state comes from Comprehend, not from the event."""
        if (ready := self._look(context)) is not None:
            return ready
        raise EndpointUnfinishedError(
            "The endpoint is not in service yet. A retry waits for the same endpoint. "
            f"{(event or {}).get('message', '')} {self.endpoint_arn}"
        )

    def _look(self, context: Context) -> dict[str, Any] | None:
        """Return what is served; None while the endpoint changes."""
        with fail_on_permanent_aws_errors(f"describe {self.endpoint_arn}"):
            endpoint = self.hook.find_endpoint(self.endpoint_arn)
            self.persist_link(ComprehendEndpointLink, context)
            if endpoint is None:
                raise EndpointBrokenError(
                    f"There is no such endpoint (any more): open it first. {self.endpoint_arn}"
                )
            if endpoint.status.phase is Phase.FAILED:
                raise EndpointBrokenError(
                    f"The endpoint is {endpoint.status}: {endpoint.message}. Open it again. {endpoint.arn}"
                )
            return endpoint.to_dict() if endpoint.is_ready else None
