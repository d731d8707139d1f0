"""
Documents through an endpoint that is open for no longer than they need.

An endpoint costs money by the second. The last task is a teardown: it closes the endpoint whatever became of
the tasks before it, and it knows the endpoint by its name, not by what a task that may have failed returned.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from nightsort.naming import endpoint_arn
from nightsort_airflow.operators.comprehend import (
    ComprehendClassifyDocumentsOperator,
    ComprehendCreateEndpointOperator,
    ComprehendDeleteEndpointOperator,
)
from nightsort_airflow.retries import AWS_RETRIES

MODEL = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/reviews/version/v-2026-11"
NAME = "nightsort-reviews"

with DAG(
    dag_id="reviews_in_real_time",
    schedule=None,
    # Two runs at the same time would share the endpoint, and the first one would close it.
    max_active_runs=1,
    params={"documents": "new/"},
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1), "retry_policy": AWS_RETRIES},
    tags=["example"],
) as dag:
    open_endpoint = ComprehendCreateEndpointOperator(
        task_id="open_endpoint",
        endpoint_name=NAME,
        model_arn=MODEL,
        desired_inference_units=1,
        endpoint_kwargs={"Tags": [{"Key": "team", "Value": "reviews"}]},
        deferrable=True,
    )
    # The name says what is classified: a retry, and a second run of the same day, ask for the rest only.
    classify = ComprehendClassifyDocumentsOperator(
        task_id="classify",
        endpoint_arn=endpoint_arn(MODEL, NAME),
        classification_name="reviews-{{ params.documents | replace('/', '') }}-{{ dag_run.run_after | ds }}",
        input_data_config={
            "S3Uri": "s3://reviews/{{ params.documents }}",
            "InputFormat": "ONE_DOC_PER_LINE",
        },
        output_data_config={"S3Uri": "s3://reviews/answers/"},
    )
    close_endpoint = ComprehendDeleteEndpointOperator(
        task_id="close_endpoint", endpoint_arn=endpoint_arn(MODEL, NAME), deferrable=True
    ).as_teardown()
    open_endpoint >> classify >> close_endpoint
