"""What goes wrong before and while documents are sent; test_operators_real_time.py sends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from nightsort_airflow.exceptions import BadInputError, ClassificationInterruptedError
from nightsort_airflow.operators.comprehend import ComprehendClassifyDocumentsOperator
from tests.unit.nightsort_airflow.operators.comprehend.endpoint_answers import ARN, described


def operator(tmp_path: Path = Path("/nowhere"), **overrides: Any) -> ComprehendClassifyDocumentsOperator:
    arguments: dict[str, Any] = {
        "task_id": "classify",
        "aws_conn_id": None,
        "region_name": "eu-west-1",
        "endpoint_arn": ARN,
        "classification_name": "monday",
        "input_data_config": {"S3Uri": f"{tmp_path}/new/", "InputFormat": "ONE_DOC_PER_LINE"},
        "output_data_config": {"S3Uri": f"{tmp_path}/output/"},
        **overrides,
    }
    return ComprehendClassifyDocumentsOperator(**arguments)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"send_bytes": True}, "`send_bytes` needs the InputFormat ONE_DOC_PER_FILE"),
        ({"db_conn_id": "nightsort_db"}, "`db_conn_id` needs `classifier` and `run_key`"),
        ({"db_conn_id": "nightsort_db", "classifier": "tickets"}, "`db_conn_id` needs"),
    ],
)
def test_parameters_that_do_not_fit_fail_the_task_before_anything_is_asked(
    context: Any, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        operator(**given).execute(context)


@pytest.mark.parametrize("status", ["CREATING", "DELETING", None])
def test_an_endpoint_that_does_not_answer_fails_the_try(
    context: Any, answers: Any, status: str | None
) -> None:
    task = operator()
    described(answers(task.hook), status)
    with pytest.raises(ClassificationInterruptedError, match=r"Open it, or wait until it is IN_SERVICE"):
        task.execute(context)


def test_a_missing_right_is_named_with_its_remedy(context: Any, answers: Any) -> None:
    task = operator()
    answers(task.hook).add_client_error("describe_endpoint", "AccessDeniedException")
    with pytest.raises(AirflowFailException, match=r"Cannot classify monday.*docs/iam/README\.md"):
        task.execute(context)


def test_input_that_is_not_there_is_named(context: Any, answers: Any, tmp_path: Path) -> None:
    gone = {"S3Uri": f"{tmp_path}/gone.txt", "InputFormat": "ONE_DOC_PER_LINE"}
    task = operator(tmp_path, input_data_config=gone)
    script = answers(task.hook)
    for _ in range(3):
        described(script, "IN_SERVICE")
    with pytest.raises(BadInputError, match=r"gone\.txt does not exist"):
        task.execute(context)


def test_the_callers_botocore_settings_win() -> None:
    task = operator(botocore_config={"read_timeout": 5})
    settings = vars(task.hook.client.meta.config)
    assert (settings["read_timeout"], settings["retries"]["total_max_attempts"]) == (5, 1)
