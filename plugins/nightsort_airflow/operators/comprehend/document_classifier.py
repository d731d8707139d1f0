"""The operator that trains a classifier version, at most once."""

from __future__ import annotations

import hashlib
import json
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from nightsort.naming import VersionName
from nightsort_airflow.aws_errors import fail_on_permanent_aws_errors
from nightsort_airflow.exceptions import (
    TrainingUnfinishedError,
    VersionGoneError,
)
from nightsort_airflow.hooks.comprehend import WAITER_TRAINED
from nightsort_airflow.links.comprehend import ComprehendClassifierVersionLink, TrainingDataLink
from nightsort_airflow.settings import TRAINING_POLL_SECONDS
from nightsort_airflow.states import Phase
from nightsort_airflow.triggers.comprehend import ComprehendDocumentClassifierTrainedTrigger
from nightsort_airflow.waiting import ComprehendWaitingOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context


class ComprehendCreateDocumentClassifierOperator(ComprehendWaitingOperator):
    """
    Train a version of a document classifier, at most once.

    The version's name says what is trained: make it from the training data. A version of this name that is
    trained or in training is taken over, and nothing is paid again. If it ended ``IN_ERROR`` or ``STOPPED``,
    its name stays taken. The operator then trains the name's next generation, ``<version_name>-g2`` and so
    on, and leaves the failed version unchanged, so that its message can still be read.

    The operator sends the same ``ClientRequestToken`` in every try. The return value is the ARN of the
    version.

    .. seealso::
        For more information on how to use this operator, take a look at docs/operators.md. The API is
        :external+boto3:py:meth:`Comprehend.Client.create_document_classifier`.

    :param document_classifier_name: The name of the document classifier. (templated)
    :param version_name: The name of the version; the same name stands for the same training. (templated)
    :param input_data_config: The training data, and the test data in ``TestS3Uri``. (templated)
    :param mode: ``MULTI_CLASS`` or ``MULTI_LABEL``. (templated)
    :param data_access_role_arn: The ARN of the IAM role that Comprehend reads and writes S3 with. (templated)
    :param language_code: The language of the documents, one of
        :data:`~nightsort.comprehend.limits.LANGUAGES`. (templated)
    :param output_data_config: Where the confusion matrix is written. (templated)
    :param document_classifier_kwargs: Further parameters of CreateDocumentClassifier, for instance ``Tags``,
        ``VpcConfig``, ``ModelKmsKeyId``. (templated)
    :param fail_on_warnings: Whether ``TRAINED_WITH_WARNING`` fails the task. It matters only when the
        operator waits. (default: False)
    :param stop_training_on_kill: Stop the training when the task is killed while it waits;
        :class:`~nightsort_airflow.triggers.comprehend.ComprehendDocumentClassifierTrainedTrigger` says which
        kills a deferred task learns of. (default: False)
    :param wait_for_completion: Whether to wait for the end of the training. (default: True)
    :param waiter_delay: Seconds between two polls. (default: ``NIGHTSORT_POLL_SECONDS``, or 60)
    :param waiter_max_attempts: The number of polls. (default: as many as fit into 24 hours)
    :param deferrable: Wait in the triggerer. (default: False, or ``[operators] default_deferrable``)
    :param aws_conn_id: The Airflow connection used for AWS credentials. (templated)
    :param region_name: AWS region_name. If not specified then the connection's is used. (templated)
    :param verify: Whether or not to verify SSL certificates. (templated)
    :param botocore_config: Configuration dictionary (key-values) for the botocore client.
    """

    default_waiter_delay = TRAINING_POLL_SECONDS
    custom_operator_name = "Comprehend training"
    operator_extra_links = (ComprehendClassifierVersionLink(), TrainingDataLink())
    template_fields: Sequence[str] = aws_template_fields(
        "document_classifier_name",
        "version_name",
        "input_data_config",
        "mode",
        "data_access_role_arn",
        "language_code",
        "output_data_config",
        "document_classifier_kwargs",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "input_data_config": "json",
        "output_data_config": "json",
        "document_classifier_kwargs": "json",
    }

    def __init__(
        self,
        *,
        document_classifier_name: str,
        version_name: str,
        input_data_config: dict[str, Any],
        mode: str,
        data_access_role_arn: str,
        language_code: str,
        output_data_config: dict[str, Any] | None = None,
        document_classifier_kwargs: dict[str, Any] | None = None,
        fail_on_warnings: bool = False,
        stop_training_on_kill: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.document_classifier_name = document_classifier_name
        self.version_name = version_name
        self.input_data_config = input_data_config
        self.mode = mode
        self.data_access_role_arn = data_access_role_arn
        self.language_code = language_code
        self.output_data_config = output_data_config
        self.document_classifier_kwargs = document_classifier_kwargs or {}
        self.fail_on_warnings = fail_on_warnings
        self.stop_training_on_kill = stop_training_on_kill
        self.version_arn: str | None = None
        self._waiting_for: str | None = None

    def execute(self, context: Context) -> str:
        """Find or train the version, wait for it if asked to, and return its ARN."""
        with fail_on_permanent_aws_errors(f"train {self.document_classifier_name} {self.version_name}"):
            arn = self._find_or_create()
            self._persist_links(context, arn)
            if not self.wait_for_completion or self._is_trained(arn):
                return arn
            if self.deferrable:
                self.defer_to(
                    ComprehendDocumentClassifierTrainedTrigger,
                    document_classifier_arn=arn,
                    stop_training_on_kill=self.stop_training_on_kill,
                    delay=self.waiter_delay,
                    max_attempts=self.waiter_max_attempts,
                )
            self._waiting_for = arn
            self.hook.wait(
                WAITER_TRAINED, self.waiter_delay, self.waiter_max_attempts, DocumentClassifierArn=arn
            )
            self._waiting_for = None
            return self._ended(arn)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> str:
        """Return the ARN after a deferral. Success comes from Comprehend, not from the event."""
        arn: str = (event or {}).get("document_classifier_arn", "")
        with fail_on_permanent_aws_errors(f"describe {arn}"):
            self._persist_links(context, arn)
            return self._ended(arn, (event or {}).get("message", ""))

    def on_kill(self) -> None:
        """Stop the training, if this process waits for it and that is wanted; else the next try finds it."""
        if self._waiting_for and self.stop_training_on_kill:
            self.hook.stop_training(self._waiting_for)
            self.log.warning("Asked Comprehend to stop the training: %s", self._waiting_for)

    def _persist_links(self, context: Context, arn: str) -> None:
        self.version_arn = arn
        self.persist_link(ComprehendClassifierVersionLink, context, arn=arn)
        folder = self.input_data_config.get("S3Uri", "").rpartition("/")[0]
        self.persist_link(TrainingDataLink, context, uri=f"{folder}/")

    def _find_or_create(self) -> str:
        for generation in count(1):
            version = str(VersionName(self.version_name, generation))
            arn = self.hook.version_arn(self.data_access_role_arn, self.document_classifier_name, version)
            training = self.hook.find_training(arn)
            if training is None:
                if created := self.hook.create_classifier(self._request(version)):
                    self.log.info("Training started: %s", created)
                    return created
                # Taken between the two calls: by a twin of this task, or by our own call whose answer was
                # lost.
                if (training := self.hook.find_training(arn)) is None:
                    raise VersionGoneError(
                        f"The version could neither be created nor described; a retry asks again. {arn}"
                    )
            if training.status.phase is not Phase.FAILED:
                self.log.info("Taken over, nothing is trained again: %s is %s", arn, training.status)
                return arn
            self.log.warning("An earlier training ended %s: %s. %s", training.status, training.message, arn)
        raise AssertionError("count() does not end")

    def _request(self, version: str) -> dict[str, Any]:
        request: dict[str, Any] = {
            "DocumentClassifierName": self.document_classifier_name,
            "VersionName": version,
            "InputDataConfig": self.input_data_config,
            "Mode": self.mode,
            "DataAccessRoleArn": self.data_access_role_arn,
            "LanguageCode": self.language_code,
            **({"OutputDataConfig": self.output_data_config} if self.output_data_config else {}),
            **self.document_classifier_kwargs,
        }
        token = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        return {"ClientRequestToken": token, **request}

    def _is_trained(self, arn: str) -> bool:
        training = self.hook.training_state(arn)
        if training.is_running:
            return False
        self.hook.require_model(training, fail_on_warnings=self.fail_on_warnings)
        return True

    def _ended(self, arn: str, message: str = "") -> str:
        if not self._is_trained(arn):
            raise TrainingUnfinishedError(
                f"The training is not finished. A retry waits for the same training. {message} {arn}"
            )
        return arn
