"""The doctor's task looks at the triggerer first, and fails where a line failed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import TaskDeferred

from nightsort_airflow.doctor.triggerer import TriggererCheckTrigger
from nightsort_airflow.exceptions import DeploymentBrokenError
from nightsort_airflow.operators.doctor import CheckDeploymentOperator
from tests.airflow_environment import SAMPLE_SPECS

if TYPE_CHECKING:
    from pathlib import Path

ANSWERED = {"group": "triggerer", "subject": "answers", "state": "ok", "says": "with all", "remedy": ""}
REFUSED = {**ANSWERED, "subject": "aws_default: Comprehend", "state": "failed", "says": "no", "remedy": "do"}


@pytest.fixture
def nothing_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No specs, and DAG files elsewhere: what is left to look at is well."""
    monkeypatch.setenv("NIGHTSORT_SPECS", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path))


def task() -> CheckDeploymentOperator:
    return CheckDeploymentOperator(task_id="check_deployment")


def test_it_defers_first_with_the_connections_of_the_specs(
    monkeypatch: pytest.MonkeyPatch, context: Any
) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(SAMPLE_SPECS))
    with pytest.raises(TaskDeferred) as deferred:
        task().execute(context)
    trigger = deferred.value.trigger
    assert isinstance(trigger, TriggererCheckTrigger)
    assert trigger.aws_conn_ids == ["aws_default"]
    assert deferred.value.timeout is not None


@pytest.mark.usefixtures("nothing_else")
def test_the_report_is_in_the_log_and_the_counts_are_given_on(
    context: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        counts = task().resume_execution("examine", {"event": {"findings": [ANSWERED]}}, context)
    assert counts["failed"] == 0
    assert counts["ok"] > 5


@pytest.mark.usefixtures("nothing_else")
def test_a_failed_line_of_the_triggerer_fails_the_task_which_no_retry_would_mend(context: Any) -> None:
    with pytest.raises(DeploymentBrokenError, match=r"1 of \d+ checks failed: aws_default: Comprehend\."):
        task().resume_execution("examine", {"event": {"findings": [ANSWERED, REFUSED]}}, context)


@pytest.mark.usefixtures("nothing_else")
@pytest.mark.parametrize("reason", ["Trigger timeout", "Trigger failure"])
def test_a_triggerer_that_does_not_answer_is_a_failed_line_beside_all_others(
    context: Any, reason: str
) -> None:
    with pytest.raises(DeploymentBrokenError, match="checks failed: answers"):
        task().resume_execution("__fail__", {"error": reason}, context)
