"""
Nightsort's operators in a DAG of one's own: no classifier spec, no tables, any schedule.

Every task may die at any moment and be tried again: what it had started is found again, and paid for once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG

from nightsort_airflow.operators.comprehend import (
    ComprehendCreateDocumentClassifierOperator,
    ComprehendStartDocumentClassificationJobOperator,
)
from nightsort_airflow.retries import AWS_RETRIES
from nightsort_airflow.sensors.comprehend import ComprehendDocumentClassifierTrainedSensor

ROLE = "arn:aws:iam::123456789012:role/NightsortComprehendDataAccess"

with DAG(
    dag_id="classify_reviews",
    schedule=None,
    params={"labelled": "2026-11"},
    default_args={
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        # Busy or gone: again soon. Refused: at once, with what to do.
        "retry_policy": AWS_RETRIES,
    },
    tags=["example"],
) as dag:
    # The version's name says what is trained: while it stays the same, nothing is trained again.
    train = ComprehendCreateDocumentClassifierOperator(
        task_id="train",
        document_classifier_name="reviews",
        version_name="v-{{ params.labelled }}",
        mode="MULTI_CLASS",
        language_code="en",
        input_data_config={"S3Uri": "s3://reviews/labelled/{{ params.labelled }}.csv"},
        output_data_config={"S3Uri": "s3://reviews/training-output/"},
        data_access_role_arn=ROLE,
        wait_for_completion=False,
    )
    # Airflow puts the version's ARN in here once the training has started.
    version_arn: Any = train.output
    trained = ComprehendDocumentClassifierTrainedSensor(
        task_id="wait_for_training",
        document_classifier_arn=version_arn,
        time_limit=timedelta(hours=6),
        stop_training_on_kill=True,
        deferrable=True,
    )
    # The job's name says what is classified: a second run of the same day finds the first one's job.
    classify = ComprehendStartDocumentClassificationJobOperator(
        task_id="classify",
        job_name="reviews-{{ dag_run.run_after.strftime('%Y%m%d') }}",
        document_classifier_arn=version_arn,
        input_data_config={"S3Uri": "s3://reviews/new/", "InputFormat": "ONE_DOC_PER_LINE"},
        output_data_config={"S3Uri": "s3://reviews/classified/"},
        data_access_role_arn=ROLE,
        job_kwargs={"Tags": [{"Key": "team", "Value": "reviews"}]},
        deferrable=True,
    )
    trained >> classify
