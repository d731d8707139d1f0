from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from airflow.sdk import Asset
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from botocore.exceptions import ClientError
from botocore.stub import ANY

from nightsort_airflow.exceptions import (
    JobFailedError,
    JobFailedForGoodError,
    JobGoneError,
    JobNameTakenError,
    JobStateUnknownError,
    JobUnfinishedError,
    QuotaFullError,
)
from nightsort_airflow.operators.comprehend import ComprehendStartDocumentClassificationJobOperator
from nightsort_airflow.triggers.comprehend import ComprehendDocumentClassificationJobTrigger

ROLE = "arn:aws:iam::123456789012:role/ComprehendAccess"
ARN = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/tickets/version/v1"
INPUT = "s3://bucket/runs/20261118/input/20261118-00000.txt"
OUTPUT = "s3://bucket/output/123456789012-CLN-1/output/output.tar.gz"
SUBMITTED = dt.datetime(2026, 11, 18, 2, 0, tzinfo=dt.timezone.utc)


def operator(**overrides: Any) -> ComprehendStartDocumentClassificationJobOperator:
    arguments: dict[str, Any] = {
        "task_id": "start",
        "aws_conn_id": None,
        "region_name": "eu-west-1",
        "document_classifier_arn": ARN,
        "input_data_config": {"S3Uri": INPUT, "InputFormat": "ONE_DOC_PER_LINE"},
        "output_data_config": {"S3Uri": "s3://bucket/output/"},
        "data_access_role_arn": ROLE,
        "job_name": "night",
        "deferrable": True,
        "waiter_delay": 1,
        "waiter_max_attempts": 1,
        **overrides,
    }
    return ComprehendStartDocumentClassificationJobOperator(**arguments)


def job(number: int, status: str, name: str = "night-g1", **more: Any) -> dict[str, Any]:
    return {
        "JobId": f"{number:032x}",
        "JobName": name,
        "JobStatus": status,
        "DocumentClassifierArn": ARN,
        "InputDataConfig": {"S3Uri": INPUT},
        "OutputDataConfig": {"S3Uri": OUTPUT},
        "SubmitTime": SUBMITTED,
        **more,
    }


def lists(script: Any, name: str, *jobs: dict[str, Any]) -> None:
    script.add_response(
        "list_document_classification_jobs",
        {"DocumentClassificationJobPropertiesList": list(jobs)},
        {"Filter": {"JobName": name}},
    )


def describes(script: Any, found: dict[str, Any]) -> None:
    script.add_response(
        "describe_document_classification_job",
        {"DocumentClassificationJobProperties": found},
        {"JobId": found["JobId"]},
    )


def starts(script: Any, number: int, name: str) -> None:
    script.add_response(
        "start_document_classification_job",
        {"JobId": f"{number:032x}", "JobStatus": "SUBMITTED"},
        {
            "JobName": name,
            "DocumentClassifierArn": ARN,
            "InputDataConfig": {"S3Uri": INPUT, "InputFormat": "ONE_DOC_PER_LINE"},
            "OutputDataConfig": {"S3Uri": "s3://bucket/output/"},
            "DataAccessRoleArn": ROLE,
            "ClientRequestToken": ANY,
        },
    )


def test_a_job_is_started_remembered_and_waited_for_in_the_triggerer(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator()
    script = answers(task.hook)
    lists(script, "night-g1")
    starts(script, 1, "night-g1")
    describes(script, job(1, "SUBMITTED"))
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)  # type: ignore[arg-type]
    trigger = deferred.value.trigger
    assert isinstance(trigger, ComprehendDocumentClassificationJobTrigger)
    assert (trigger.job_id, trigger.end_from_trigger) == (f"{1:032x}", True)
    assert context["task_state_store"]["comprehend_job_id"] == f"{1:032x}"
    assert not [key for key in context["ti"].pushed if key.startswith("_link_")], "no console has this job"


def test_the_links_are_there_while_the_job_runs_for_its_end_may_never_come_to_a_worker(
    context: dict[str, Any], answers: Any, real_endpoint: None
) -> None:
    task = operator()
    script = answers(task.hook)
    lists(script, "night-g1")
    starts(script, 1, "night-g1")
    describes(script, job(1, "SUBMITTED"))
    with pytest.raises(TaskDeferred):
        task.execute(context)  # type: ignore[arg-type]
    pushed = context["ti"].pushed
    assert pushed["_link_ComprehendClassificationJobLink"].endswith(f"{1:032x}")
    assert pushed["_link_JobOutputLink"].endswith("output.tar.gz")
    for link in task.operator_extra_links:
        assert link.get_link(task, ti_key=None) == pushed[link.xcom_key]  # type: ignore[arg-type]


def test_a_resumed_task_keeps_its_links_when_its_job_has_failed(
    context: dict[str, Any], answers: Any, real_endpoint: None
) -> None:
    task = operator()
    describes(answers(task.hook), job(1, "FAILED", Message="INTERNAL_ERROR: x"))
    with pytest.raises(JobFailedError):
        task.execute_complete(context, {"status": "error", "job_id": f"{1:032x}"})  # type: ignore[arg-type]
    for link in task.operator_extra_links:
        assert link.get_link(task, ti_key=None), link.name  # type: ignore[arg-type]


def test_a_task_that_could_not_start_a_job_asks_for_no_link(
    context: dict[str, Any], answers: Any, real_endpoint: None
) -> None:
    task = operator()
    script = answers(task.hook)
    lists(script, "night-g1")
    script.add_client_error("start_document_classification_job", "AccessDeniedException")
    with pytest.raises(AirflowFailException):
        task.execute(context)  # type: ignore[arg-type]
    assert [link.get_link(task, ti_key=None) for link in task.operator_extra_links] == ["", ""]  # type: ignore[arg-type]


def test_a_job_whose_task_has_outlets_is_ended_by_a_worker(context: dict[str, Any], answers: Any) -> None:
    task = operator(outlets=[Asset("classified")])
    script = answers(task.hook)
    lists(script, "night-g1")
    starts(script, 1, "night-g1")
    describes(script, job(1, "SUBMITTED"))
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)  # type: ignore[arg-type]
    assert not deferred.value.trigger.end_from_trigger


def test_the_next_try_waits_for_the_job_that_the_first_one_started(
    context: dict[str, Any], answers: Any
) -> None:
    context["task_state_store"].set("comprehend_job_id", f"{1:032x}")
    task = operator()
    script = answers(task.hook)
    for _ in range(2):
        describes(script, job(1, "IN_PROGRESS"))
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context)  # type: ignore[arg-type]
    assert deferred.value.trigger.serialize()[1]["job_id"] == f"{1:032x}"


@pytest.mark.parametrize("stored", [True, False], ids=["in the store", "found by name"])
@pytest.mark.parametrize("deferrable", [True, False])
def test_a_complete_job_is_taken_over_and_gives_the_same_result(
    context: dict[str, Any], answers: Any, stored: bool, deferrable: bool
) -> None:
    ended = job(1, "COMPLETED", EndTime=SUBMITTED + dt.timedelta(minutes=6), JobArn="arn:aws:x")
    task = operator(deferrable=deferrable)
    script = answers(task.hook)
    if stored:
        context["task_state_store"].set("comprehend_job_id", f"{1:032x}")
        describes(script, ended)
    else:
        lists(script, "night-g1", ended)
        for _ in range(2):
            describes(script, ended)
    describes(script, ended)
    assert task.execute(context) == {  # type: ignore[arg-type]
        "job_id": f"{1:032x}",
        "job_arn": "arn:aws:x",
        "job_name": "night-g1",
        "status": "COMPLETED",
        "output_uri": OUTPUT,
        "submitted_at": "2026-11-18T02:00:00+00:00",
        "ended_at": "2026-11-18T02:06:00+00:00",
        "failed_jobs": [],
    }


def test_a_job_whose_start_was_answered_to_nobody_is_found_by_its_name(
    context: dict[str, Any], answers: Any
) -> None:
    """The window between start and store, which Airflow's mixin leaves open."""
    task = operator()
    script = answers(task.hook)
    lists(script, "night-g1", job(1, "IN_PROGRESS"))
    describes(script, job(1, "IN_PROGRESS"))
    with pytest.raises(TaskDeferred):
        task.execute(context)  # type: ignore[arg-type]
    assert context["task_state_store"]["comprehend_job_id"] == f"{1:032x}"


def test_a_remembered_job_of_other_work_is_not_waited_for(context: dict[str, Any], answers: Any) -> None:
    """The store outlives a clear: after a promotion, or when the batches were cut anew, the index means other
    work."""
    context["task_state_store"].set("comprehend_job_id", f"{7:032x}")
    task = operator()
    script = answers(task.hook)
    describes(script, job(7, "COMPLETED", name="yesterday-g1"))
    lists(script, "night-g1")
    starts(script, 1, "night-g1")
    describes(script, job(1, "SUBMITTED"))
    with pytest.raises(TaskDeferred):
        task.execute(context)  # type: ignore[arg-type]
    assert context["task_state_store"]["comprehend_job_id"] == f"{1:032x}"


def test_a_remembered_job_of_another_version_is_not_waited_for(context: dict[str, Any], answers: Any) -> None:
    context["task_state_store"].set("comprehend_job_id", f"{7:032x}")
    task = operator()
    script = answers(task.hook)
    describes(script, job(7, "COMPLETED", DocumentClassifierArn=f"{ARN}-g2"))
    lists(script, "night-g1")
    starts(script, 1, "night-g1")
    describes(script, job(1, "SUBMITTED"))
    with pytest.raises(TaskDeferred):
        task.execute(context)  # type: ignore[arg-type]


def test_a_remembered_job_that_comprehend_forgot_is_looked_for_by_name(
    context: dict[str, Any], answers: Any
) -> None:
    context["task_state_store"].set("comprehend_job_id", f"{7:032x}")
    task = operator()
    script = answers(task.hook)
    script.add_client_error("describe_document_classification_job", "JobNotFoundException")
    lists(script, "night-g1", job(1, "IN_PROGRESS"))
    describes(script, job(1, "IN_PROGRESS"))
    with pytest.raises(TaskDeferred):
        task.execute(context)  # type: ignore[arg-type]


@pytest.mark.parametrize("failed", ["FAILED", "STOPPED"])
def test_a_new_generation_is_started_only_after_a_job_was_seen_to_have_failed(
    context: dict[str, Any], answers: Any, failed: str
) -> None:
    task = operator()
    script = answers(task.hook)
    lists(script, "night-g1", job(1, failed, Message="INTERNAL: try later"))
    lists(script, "night-g2")
    starts(script, 2, "night-g2")
    describes(script, job(2, "SUBMITTED", name="night-g2"))
    with pytest.raises(TaskDeferred):
        task.execute(context)  # type: ignore[arg-type]


def test_a_failed_job_fails_the_try_and_the_next_generation_names_it(
    context: dict[str, Any], answers: Any
) -> None:
    context["task_state_store"].set("comprehend_job_id", f"{1:032x}")
    failed = job(1, "FAILED", Message="INTERNAL: try later")
    task = operator()
    script = answers(task.hook)
    describes(script, failed)
    event = {"status": "error", "job_id": f"{1:032x}", "message": "terminal failure"}
    with pytest.raises(JobFailedError, match=r"FAILED: INTERNAL: try later.*next generation. Job night-g1 "):
        task.execute_complete(context, event)  # type: ignore[arg-type]

    retry = operator()
    script = answers(retry.hook)
    describes(script, failed)
    lists(script, "night-g1", failed)
    lists(script, "night-g2")
    starts(script, 2, "night-g2")
    describes(script, job(2, "SUBMITTED", name="night-g2"))
    with pytest.raises(TaskDeferred):
        retry.execute(context)  # type: ignore[arg-type]
    describes(script, job(2, "COMPLETED", name="night-g2"))
    lists(script, "night-g1", failed)
    done = retry.execute_complete(context, {"status": "success", "job_id": f"{2:032x}"})  # type: ignore[arg-type]
    told = {
        "job_id": f"{1:032x}",
        "job_name": "night-g1",
        "status": "FAILED",
        "message": "INTERNAL: try later",
        "submitted_at": SUBMITTED.isoformat(),
        "ended_at": None,
    }
    assert done["failed_jobs"] == context["ti"].pushed["failed_jobs"] == [told]


def fails(
    task: ComprehendStartDocumentClassificationJobOperator, context: Any, script: Any, number: int
) -> None:
    describes(script, job(number, "FAILED", name=f"night-g{number}", Message="INTERNAL: no"))
    for earlier in range(1, number):
        lists(script, f"night-g{earlier}", job(earlier, "FAILED", name=f"night-g{earlier}"))
    task.execute_complete(context, {"status": "error", "job_id": f"{number:032x}"})


def test_the_second_failed_job_fails_the_task_for_good_and_a_clear_counts_anew(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator()
    script = answers(task.hook)
    with pytest.raises(JobFailedError):
        fails(task, context, script, 1)
    with pytest.raises(JobFailedForGoodError, match=r"failed the job twice: INTERNAL: no. .*clear this task"):
        fails(task, context, script, 2)
    assert [told["job_name"] for told in context["ti"].pushed["failed_jobs"]] == ["night-g1", "night-g2"]
    with pytest.raises(JobFailedError):
        fails(task, context, script, 3)


def test_seeing_one_failed_job_twice_does_not_count_twice(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    script = answers(task.hook)
    for _ in range(3):
        with pytest.raises(JobFailedError):
            fails(task, context, script, 1)


def test_a_job_that_lacked_a_right_is_not_started_again(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    script = answers(task.hook)
    message = "NO_READ_ACCESS_TO_INPUT: The provided data access role does not have proper access."
    describes(script, job(1, "FAILED", Message=message))
    with pytest.raises(JobFailedForGoodError, match="Grant the data access role this permission"):
        task.execute_complete(context, {"status": "error", "job_id": f"{1:032x}"})  # type: ignore[arg-type]


def test_a_wait_that_was_too_short_fails_the_try_and_starts_nothing(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator()
    script = answers(task.hook)
    describes(script, job(1, "IN_PROGRESS"))
    event = {"status": "error", "job_id": f"{1:032x}", "message": "max attempts reached"}
    with pytest.raises(JobUnfinishedError, match=r"still IN_PROGRESS. .*same job. max attempts reached"):
        task.execute_complete(context, event)  # type: ignore[arg-type]


def test_success_is_never_taken_from_the_event(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    script = answers(task.hook)
    event = {"status": "success", "job_id": f"{1:032x}"}
    describes(script, job(1, "PONDERING"))
    with pytest.raises(JobStateUnknownError, match="PONDERING"):
        task.execute_complete(context, event)  # type: ignore[arg-type]
    script.add_client_error("describe_document_classification_job", "JobNotFoundException")
    with pytest.raises(JobGoneError):
        task.execute_complete(context, event)  # type: ignore[arg-type]


def test_a_job_of_the_same_name_on_other_input_is_refused(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    script = answers(task.hook)
    lists(script, "night-g1", job(1, "COMPLETED", InputDataConfig={"S3Uri": "s3://bucket/other.txt"}))
    with pytest.raises(JobNameTakenError, match=r"choose another `job_name`.*s3://bucket/other.txt"):
        task.execute(context)  # type: ignore[arg-type]


def test_a_fingerprint_says_that_the_name_depends_on_the_content_wherever_it_lies(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator(input_fingerprint="abc")
    script = answers(task.hook)
    moved = job(1, "COMPLETED", InputDataConfig={"S3Uri": "s3://old-bucket/same.txt"})
    lists(script, "night-g1", moved)
    for _ in range(3):
        describes(script, moved)
    assert task.execute(context)["job_id"] == f"{1:032x}"  # type: ignore[arg-type]


def test_a_job_of_the_same_name_with_another_classifier_is_refused_even_then(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator(input_fingerprint="abc")
    script = answers(task.hook)
    lists(script, "night-g1", job(1, "COMPLETED", DocumentClassifierArn=f"{ARN}-g2"))
    with pytest.raises(JobNameTakenError, match="DocumentClassifierArn"):
        task.execute(context)  # type: ignore[arg-type]


def token(task: ComprehendStartDocumentClassificationJobOperator, context: Any, answers: Any) -> str:
    sent: list[str] = []
    script = answers(task.hook)
    task.hook.client.meta.events.register(
        "provide-client-params.comprehend.StartDocumentClassificationJob",
        lambda params, **_: sent.append(params["ClientRequestToken"]),
    )
    name = f"{task.job_name}-g1"
    lists(script, name)
    script.add_response("start_document_classification_job", {"JobId": f"{1:032x}"})
    task.submit_job(context)
    return sent[0]


def test_the_token_is_the_same_in_every_try_and_another_for_other_work(
    context: dict[str, Any], answers: Any
) -> None:
    first, again = token(operator(), context, answers), token(operator(), context, answers)
    assert first == again
    assert len(first) == 64
    others = [
        token(operator(**other), context, answers)
        for other in (
            {"job_name": "other"},
            {"input_fingerprint": "abc"},
            {"document_classifier_arn": f"{ARN}-g2"},
            {"input_data_config": {"S3Uri": "s3://bucket/other.txt"}},
        )
    ]
    assert len({first, *others}) == 5


def test_what_aws_refuses_ends_the_task_with_the_remedy(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    script = answers(task.hook)
    script.add_client_error("list_document_classification_jobs", "AccessDeniedException", "not authorised")
    with pytest.raises(AirflowFailException, match=r"Cannot run the classification job night: .*docs/iam"):
        task.execute(context)  # type: ignore[arg-type]


def no_room(task: ComprehendStartDocumentClassificationJobOperator, answers: Any) -> Any:
    script = answers(task.hook)
    lists(script, "night-g1")
    script.add_client_error("start_document_classification_job", "TooManyRequestsException")
    return script


def test_a_quota_that_is_used_up_is_waited_for_in_the_triggerer_longer_each_time(
    context: dict[str, Any], answers: Any
) -> None:
    """No retry is used up, and tasks that were refused together do not come back together."""
    now = dt.datetime.now(dt.timezone.utc)
    kwargs: dict[str, Any] = {"waits": 0, "waiting_since": now.isoformat()}
    for round_ in range(1, 6):
        task = operator(waiter_delay=30)
        no_room(task, answers)
        with pytest.raises(TaskDeferred) as deferred:
            task.execute_after_waiting(context, event=None, **kwargs)  # type: ignore[arg-type]
        assert deferred.value.method_name == "execute_after_waiting"
        kwargs = deferred.value.kwargs or {}
        assert kwargs == {"waits": round_, "waiting_since": now.isoformat()}
        moment = dt.datetime.fromisoformat(deferred.value.trigger.moment)
        delay = (moment - dt.datetime.now(dt.timezone.utc)).total_seconds()
        longest = 30 * min(2**round_, 8)
        assert longest / 2 - 2 <= delay <= longest


def test_a_quota_that_stays_full_for_a_day_is_an_error_that_names_it(
    context: dict[str, Any], answers: Any
) -> None:
    yesterday = dt.datetime.now(dt.timezone.utc) - dt.timedelta(hours=25)
    task = operator()
    no_room(task, answers)
    with pytest.raises(
        QuotaFullError, match=r"no room for the job since.*TooManyRequests.*higher quota.*Job night"
    ):
        task.execute_after_waiting(context, None, 400, yesterday.isoformat())  # type: ignore[arg-type]


def test_without_deferral_the_worker_waits_for_room(
    context: dict[str, Any], answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("nightsort_airflow.operators.comprehend.classification_job.time.sleep", waited.append)
    task = operator(deferrable=False, wait_for_completion=False)
    script = no_room(task, answers)
    lists(script, "night-g1")
    starts(script, 1, "night-g1")
    for _ in range(3):
        describes(script, job(1, "SUBMITTED"))
    task.execute(context)  # type: ignore[arg-type]
    assert len(waited) == 1


def test_what_is_no_quota_is_not_waited_for(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    script = answers(task.hook)
    lists(script, "night-g1")
    script.add_client_error("start_document_classification_job", "InternalServerException")
    with pytest.raises(ClientError, match="InternalServer"):
        task.execute(context)  # type: ignore[arg-type]


def test_without_waiting_the_job_is_given_as_it_is(context: dict[str, Any], answers: Any) -> None:
    task = operator(wait_for_completion=False)
    script = answers(task.hook)
    lists(script, "night-g1")
    starts(script, 1, "night-g1")
    for _ in range(3):
        describes(script, job(1, "SUBMITTED"))
    assert task.execute(context)["status"] == "SUBMITTED"  # type: ignore[arg-type]


def test_a_wait_in_the_worker_gives_the_result(context: dict[str, Any], answers: Any) -> None:
    task = operator(deferrable=False, waiter_max_attempts=2)
    script = answers(task.hook)
    lists(script, "night-g1")
    starts(script, 1, "night-g1")
    describes(script, job(1, "SUBMITTED"))
    for _ in range(3):
        describes(script, job(1, "COMPLETED"))
    assert task.execute(context)["status"] == "COMPLETED"  # type: ignore[arg-type]


def test_killing_the_task_says_that_the_job_runs_on(
    context: dict[str, Any], answers: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    task = operator()
    script = answers(task.hook)
    lists(script, "night-g1", job(1, "IN_PROGRESS"))
    describes(script, job(1, "IN_PROGRESS"))
    with pytest.raises(TaskDeferred):
        task.execute(context)  # type: ignore[arg-type]
    task.on_kill()
    logged = capsys.readouterr().out
    assert "continues and is billed" in logged
    assert f"{1:032x}" in logged
