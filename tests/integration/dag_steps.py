"""The steps of the DAGs that meet AWS, each to be run by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from nightsort.batches.prepare import prepare_batches
from nightsort.naming import run_key
from nightsort_airflow.comprehend_requests import classifier_parameters, job_parameters, output_config
from nightsort_airflow.hooks.storage import task_access
from nightsort_airflow.operators.comprehend import (
    ComprehendCreateDocumentClassifierOperator,
    ComprehendStartDocumentClassificationJobOperator,
)
from nightsort_airflow.operators.training import PrepareTrainingDataOperator
from nightsort_airflow.sensors.comprehend import ComprehendDocumentClassifierTrainedSensor
from tests.integration.classification_data import create_request
from tests.integration.operator_runs import OperatorRun
from tests.integration.operator_trips import BUCKET, DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from nightsort.classifier_spec.model import ClassifierSpec
    from tests.integration.iam_identities import LocalAwsUser

WORK = f"s3://{BUCKET}/nightsort/tickets"


@dataclass(frozen=True)
class Stage:
    """The steps of the DAGs that meet AWS, each by itself."""

    spec: ClassifierSpec
    admin: LocalAwsUser
    classifier: str

    def prepare(self) -> None:
        OperatorRun().execute(PrepareTrainingDataOperator(task_id="prepare", spec=self.spec, day=DAY))

    def bring(self) -> None:
        """Prepare the batches of a day, and look for what an earlier preparation left."""
        day = date.fromisoformat(DAY)
        operator = PrepareTrainingDataOperator(task_id="batches", spec=self.spec, day=DAY)
        with operator.fail_on_input_errors("prepare the batches"):
            prepare_batches(
                self.spec, task_access(self.spec.aws_conn_id), run_key=run_key(day, None), day=day
            )

    def train(self) -> None:
        OperatorRun().execute(
            ComprehendCreateDocumentClassifierOperator(
                task_id="train",
                document_classifier_name=self.spec.name,
                version_name=f"v{uuid4().hex}",
                input_data_config={"S3Uri": f"{WORK}/training.csv"},
                output_data_config=output_config(self.spec, f"{WORK}/metrics/"),
                mode=self.spec.mode,
                language_code=self.spec.language,
                data_access_role_arn=self.spec.data_access_role_arn,
                document_classifier_kwargs=classifier_parameters(self.spec),
                aws_conn_id=self.spec.aws_conn_id,
                waiter_delay=1,
            )
        )

    def stop(self) -> None:
        """Look at a training that takes longer than it may."""
        with self.admin.control.injected("stuck", resource="training"):
            request = create_request("tickets-slow", f"{WORK}/training.csv", VersionName=f"v{uuid4().hex}")
            arn = self.admin.client("comprehend").create_document_classifier(**request)[
                "DocumentClassifierArn"
            ]
            sensor = ComprehendDocumentClassifierTrainedSensor(
                task_id="stop",
                document_classifier_arn=arn,
                time_limit=timedelta(microseconds=1),
                aws_conn_id=self.spec.aws_conn_id,
            )
            sensor.poke({})

    def classify(self) -> None:
        OperatorRun().execute(
            ComprehendStartDocumentClassificationJobOperator(
                task_id="classify",
                document_classifier_arn=self.classifier,
                input_data_config={"S3Uri": f"{WORK}/batch.txt", "InputFormat": "ONE_DOC_PER_LINE"},
                output_data_config=output_config(self.spec, f"{WORK}/predictions/"),
                data_access_role_arn=self.spec.data_access_role_arn,
                job_name=f"job-{uuid4().hex}",
                job_kwargs=job_parameters(self.spec),
                aws_conn_id=self.spec.aws_conn_id,
                waiter_delay=1,
            )
        )


STEPS = {
    "TrainAndDescribeClassifiers comprehend:CreateDocumentClassifier": Stage.train,
    "TrainAndDescribeClassifiers comprehend:DescribeDocumentClassifier": Stage.train,
    "TrainAndDescribeClassifiers comprehend:StopTrainingDocumentClassifier": Stage.stop,
    "StartJobs comprehend:StartDocumentClassificationJob": Stage.classify,
    "DescribeJobs comprehend:DescribeDocumentClassificationJob": Stage.classify,
    "FindJobsByName comprehend:ListDocumentClassificationJobs": Stage.classify,
    "HandTheDataAccessRoleToComprehend iam:PassRole": Stage.train,
    "FindSourcesAndResults s3:ListBucket": Stage.prepare,
    "WriteTrainingDataAndBatches s3:PutObject": Stage.prepare,
}
"""Which step of the DAGs needs a grant."""


def step_for(grant: tuple[str, str, str]) -> Callable[[Stage], None]:
    sid, action, resource = grant
    if action == "comprehend:TagResource":
        return Stage.train if "document-classifier/" in resource else Stage.classify
    if action == "s3:GetObject":
        return Stage.prepare if "labelled" in resource else Stage.bring
    return STEPS[f"{sid} {action}"]
