from __future__ import annotations

from typing import Any

import pytest
from jinja2 import Template

from nightsort_airflow.dag_parts import BATCH_OF_JOB
from nightsort_airflow.operators.batch_job import StartBatchJobOperator


def test_the_job_of_a_batch_has_the_arguments_that_are_given_in_one() -> None:
    job = {
        "job_name": "tickets-v1-{{ day }}-00000",
        "document_classifier_arn": "arn:aws:comprehend:eu-west-1:1:document-classifier/tickets/version/v1",
        "input_data_config": {"S3Uri": "s3://b/{{ day }}.txt", "InputFormat": "ONE_DOC_PER_LINE"},
        "output_data_config": {"S3Uri": "s3://b/output/"},
        "input_fingerprint": "abc",
    }
    operator = StartBatchJobOperator(
        task_id="start_job", job=job, data_access_role_arn="arn:aws:iam::1:role/{{ day }}"
    )
    context: Any = {"day": "20261118"}
    operator.render_template_fields(context)
    request = operator._request(f"{operator.job_name}-g1")
    assert request.pop("ClientRequestToken")
    assert request == {
        "JobName": "tickets-v1-20261118-00000-g1",
        "DocumentClassifierArn": job["document_classifier_arn"],
        "InputDataConfig": {"S3Uri": "s3://b/20261118.txt", "InputFormat": "ONE_DOC_PER_LINE"},
        "OutputDataConfig": {"S3Uri": "s3://b/output/"},
        "DataAccessRoleArn": "arn:aws:iam::1:role/20261118",
    }
    assert operator.input_fingerprint == "abc"


@pytest.mark.parametrize(
    ("job_name", "shown"),
    [
        ("tickets-v0123456789ab-g2-20261118-0a1b2c3d-00007-0123abcd", "20261118-0a1b2c3d-00007-0123abcd"),
        (
            "tickets-v0123456789ab-20261118-00000-0123abcd-r1-89abcdef",
            "20261118-00000-0123abcd-r1-89abcdef",
        ),
        ("night", "night"),
    ],
)
def test_the_ui_shows_the_batch_of_a_job(job_name: str, shown: str) -> None:
    job = {
        "job_name": job_name,
        "document_classifier_arn": "arn",
        "input_data_config": {},
        "output_data_config": {},
        "input_fingerprint": "",
    }
    operator = StartBatchJobOperator(
        task_id="start_job", job=job, data_access_role_arn="arn:aws:iam::1:role/r"
    )
    operator.render_template_fields({})
    assert Template(BATCH_OF_JOB).render(task=operator) == shown


def test_a_job_sets_its_five_arguments_and_nothing_else() -> None:
    job = {
        "job_name": "night",
        "document_classifier_arn": "arn",
        "input_data_config": {"S3Uri": "s3://b/i/"},
        "output_data_config": {"S3Uri": "s3://b/o/"},
        "input_fingerprint": "f",
        "pool": "another",
    }
    operator = StartBatchJobOperator(
        task_id="start_job", job=job, data_access_role_arn="arn:aws:iam::1:role/r"
    )
    operator.render_template_fields({})
    assert operator.input_data_config == {"S3Uri": "s3://b/i/"}
    assert operator.input_fingerprint == "f"
    assert operator.pool == "default_pool"
