from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from jinja2 import Template

from nightsort_airflow.dag_parts import BATCH_OF_JOB
from nightsort_airflow.exceptions import RunIncompleteError
from nightsort_airflow.operators.classification import ReconcileRunOperator, StartBatchJobOperator
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path


class TaskInstance:
    def __init__(self, xcoms: dict[tuple[str, str], Any]) -> None:
        self._xcoms = xcoms

    def xcom_pull(self, task_ids: str | list[str], key: str = "return_value") -> Any:
        if isinstance(task_ids, list):
            return [value for task in task_ids for value in self._xcoms.get((task, key), [None])]
        return self._xcoms.get((task_ids, key))


def operator(tmp_path: Path) -> ReconcileRunOperator:
    return ReconcileRunOperator(
        task_id="reconcile",
        spec=local_spec(tmp_path),
        prepare_task_id="prepare",
        job_task_id="job",
        load_task_id="load",
    )


def test_a_run_whose_batches_were_never_made_fails_and_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(RunIncompleteError, match="Nothing was sent, because prepare did not finish"):
        operator(tmp_path).execute({"ti": TaskInstance({})})  # type: ignore[typeddict-item]


def test_failed_jobs_are_those_of_all_batches(tmp_path: Path) -> None:
    first, second = ({"job_id": id_, "job_name": f"night-{id_}-g1"} for id_ in "ab")
    xcoms: dict[tuple[str, str], Any] = {("job", "failed_jobs"): [[first], None, [second]]}
    assert operator(tmp_path)._failed_jobs({"ti": TaskInstance(xcoms)}) == [first, second]  # type: ignore[typeddict-item]
    assert operator(tmp_path)._failed_jobs({"ti": TaskInstance({})}) == []  # type: ignore[typeddict-item]


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
