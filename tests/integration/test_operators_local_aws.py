"""The operators against a Comprehend that answers as AWS does: nothing is started twice, whatever dies in
between."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import threading
import uuid
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.execution_time.xcom import XCom
from airflow.triggers.base import TaskSuccessEvent
from botocore.exceptions import ConnectionClosedError

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.local_aws_server import (
    REGION,
    ROLE,
    LocalAwsServer,
    aws_connection,
    local_aws,
    wait_for_classifier,
    wait_until,
)

# isort: split
from nightsort_airflow import wait_log
from nightsort_airflow.exceptions import JobFailedForGoodError, TrainingFailedError
from nightsort_airflow.operators.comprehend import (
    ComprehendCreateDocumentClassifierOperator,
    ComprehendStartDocumentClassificationJobOperator,
)
from nightsort_airflow.sensors.comprehend import ComprehendDocumentClassifierTrainedSensor
from nightsort_airflow.triggers.comprehend import (
    ComprehendDocumentClassificationJobTrigger,
    ComprehendDocumentClassifierTrainedTrigger,
)
from tests.integration.operator_runs import OperatorRun, first_event

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

BUCKET = "operators"
WORDS = {"billing": "invoice refund payment card", "technical": "crash error screen update"}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        table = io.StringIO()
        writer = csv.writer(table)
        for number in range(60):
            for label, words in WORDS.items():
                writer.writerow((label, f"{words} {number}"))
        s3.put_object(Bucket=BUCKET, Key="training.csv", Body=table.getvalue())
        lines = "".join(f"{words} again\n" for words in WORDS.values())
        s3.put_object(Bucket=BUCKET, Key="in/documents.txt", Body=lines)
        yield server


@pytest.fixture(autouse=True)
def connection(aws: LocalAwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Airflow connection alone leads to the local AWS, as on a real deployment."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", aws_connection(aws.url))


@pytest.fixture(scope="module")
def classifier(aws: LocalAwsServer) -> str:
    comprehend = aws.client("comprehend")
    arn: str = comprehend.create_document_classifier(
        DocumentClassifierName="ready",
        VersionName="v1",
        DataAccessRoleArn=ROLE,
        LanguageCode="en",
        InputDataConfig={"S3Uri": f"s3://{BUCKET}/training.csv"},
    )["DocumentClassifierArn"]
    assert wait_for_classifier(comprehend, arn)["Status"] == "TRAINED"
    return arn


def fresh(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def create(name: str, **overrides: Any) -> ComprehendCreateDocumentClassifierOperator:
    arguments: dict[str, Any] = {
        "task_id": "create_classifier",
        "document_classifier_name": name,
        "version_name": "v1",
        "mode": "MULTI_CLASS",
        "language_code": "en",
        "data_access_role_arn": ROLE,
        "input_data_config": {"S3Uri": f"s3://{BUCKET}/training.csv"},
        "output_data_config": {"S3Uri": f"s3://{BUCKET}/output/"},
        "deferrable": True,
        "waiter_delay": 1,
        **overrides,
    }
    return ComprehendCreateDocumentClassifierOperator(**arguments)


def start(arn: str, name: str, **overrides: Any) -> ComprehendStartDocumentClassificationJobOperator:
    arguments: dict[str, Any] = {
        "task_id": "start_job",
        "document_classifier_arn": arn,
        "job_name": name,
        "input_data_config": {"S3Uri": f"s3://{BUCKET}/in/documents.txt", "InputFormat": "ONE_DOC_PER_LINE"},
        "output_data_config": {"S3Uri": f"s3://{BUCKET}/output/"},
        "data_access_role_arn": ROLE,
        "deferrable": True,
        "waiter_delay": 1,
        **overrides,
    }
    return ComprehendStartDocumentClassificationJobOperator(**arguments)


def versions(aws: LocalAwsServer, name: str) -> list[str]:
    found = aws.client("comprehend").list_document_classifiers(Filter={"DocumentClassifierName": name})
    return sorted(model["VersionName"] for model in found["DocumentClassifierPropertiesList"])


def jobs(aws: LocalAwsServer, name: str) -> list[str]:
    pages = aws.client("comprehend").get_paginator("list_document_classification_jobs").paginate()
    found = [job["JobName"] for page in pages for job in page["DocumentClassificationJobPropertiesList"]]
    return sorted(job for job in found if job.startswith(name))


def loses_the_answer(operator: Any, call: str) -> None:
    """AWS takes the call; the connection breaks before its answer is here."""
    client = operator.hook.client
    real = getattr(client, call)

    def lost(**request: Any) -> Any:
        real(**request)
        raise ConnectionClosedError(endpoint_url=client.meta.endpoint_url)

    setattr(client, call, lost)


# --- trainings
# ---------------------------------------------------------------------------------------------------


def test_a_training_is_waited_for_in_the_triggerer_and_found_by_later_runs(aws: LocalAwsServer) -> None:
    name = fresh("train")
    arns = {OperatorRun().execute(create(name)) for _ in range(3)}
    assert arns == {f"arn:aws:comprehend:{REGION}:123456789012:document-classifier/{name}/version/v1"}
    assert versions(aws, name) == ["v1"]


def test_a_training_whose_answer_was_lost_is_found_by_the_next_try(aws: LocalAwsServer) -> None:
    name = fresh("lost")
    first = create(name)
    loses_the_answer(first, "create_document_classifier")
    run = OperatorRun()
    with pytest.raises(ConnectionClosedError):
        run.execute(first)
    run.execute(create(name))
    assert versions(aws, name) == ["v1"]


def test_a_failed_training_keeps_its_name_and_the_next_run_trains_the_next_generation(
    aws: LocalAwsServer,
) -> None:
    name = fresh("broken")
    nothing = {"S3Uri": f"s3://{BUCKET}/nothing-here.csv"}
    with pytest.raises(
        TrainingFailedError, match=r"IN_ERROR.*nothing-here.csv was deleted, or never written"
    ):
        OperatorRun().execute(create(name, input_data_config=nothing))
    assert OperatorRun().execute(create(name)).endswith("/version/v1-g2")
    assert OperatorRun().execute(create(name)).endswith("/version/v1-g2")
    assert versions(aws, name) == ["v1", "v1-g2"]


def test_the_sensor_counts_what_became_of_the_documents(classifier: str) -> None:
    sensor = ComprehendDocumentClassifierTrainedSensor(
        task_id="wait",
        document_classifier_arn=classifier,
        expected_documents=125,
        deferrable=True,
        poke_interval=1,
    )
    given = OperatorRun().execute(sensor)
    assert given["status"] == "TRAINED"
    assert given["labels"] == 2
    assert given["trained_documents"] + given["test_documents"] == 120
    assert given["missing_documents"] == 5


def test_killing_a_deferred_training_stops_it_and_the_sensor_says_so(aws: LocalAwsServer) -> None:
    name = fresh("killed")
    run = OperatorRun()
    arn = run.execute(create(name, wait_for_completion=False))
    sensor = ComprehendDocumentClassifierTrainedSensor(
        task_id="wait",
        document_classifier_arn=arn,
        deferrable=True,
        poke_interval=1,
        stop_training_on_kill=True,
    )
    try:
        sensor.execute(run.context("wait"))
    except TaskDeferred as deferred:
        asyncio.run(deferred.trigger.on_kill())
    ended = wait_for_classifier(aws.client("comprehend"), arn)["Status"]
    # As on AWS: a training that was done before the stop took hold is trained.
    assert ended in {"STOPPED", "TRAINED"}
    if ended == "STOPPED":
        with pytest.raises(TrainingFailedError, match="STOPPED"):
            OperatorRun().execute(sensor)


def test_a_wait_says_that_a_training_is_submitted_and_that_it_trains(
    aws: LocalAwsServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wait_log, "SAY_SECONDS", 0.0)
    aws.control.set_behaviour(delays={"submitted_seconds": 600, "training_seconds": 600})
    run = OperatorRun()
    try:
        arn = run.execute(create(fresh("seen"), wait_for_completion=False))
        sensor = ComprehendDocumentClassifierTrainedSensor(
            task_id="wait", document_classifier_arn=arn, expected_documents=120, poke_interval=1
        )
        assert not sensor.poke(run.context("wait"))
        aws.control.set_behaviour(delays={"submitted_seconds": 0})
        wait_until(lambda: classifier_status(aws, arn) == "TRAINING", "the training")
        assert not sensor.poke(run.context("wait"))
        said = capsys.readouterr().out
        line = "The training is {}, .* after its submission. Trainings of 120 documents have taken"
        assert [bool(re.search(line.format(state), said)) for state in ("SUBMITTED", "TRAINING")] == [
            True
        ] * 2

        async def triggers_line() -> str:
            trigger = ComprehendDocumentClassifierTrainedTrigger(document_classifier_arn=arn, waiter_delay=1)
            wait, printed = asyncio.ensure_future(first_event(trigger)), ""
            while "The training is TRAINING" not in printed:
                await asyncio.wait({wait}, timeout=0.1)
                assert not wait.done()
                printed += capsys.readouterr().out
            aws.control.set_behaviour(delays={"training_seconds": 0})
            assert (await wait)["status"] == "success"
            return printed

        assert "after its submission" in asyncio.run(triggers_line())
        found: Any = sensor.poke(run.context("wait")).xcom_value
        assert found["status"] == "TRAINED"
    finally:
        aws.control.set_behaviour(delays={"submitted_seconds": 0, "training_seconds": 0})


def classifier_status(aws: LocalAwsServer, arn: str) -> str:
    described = aws.client("comprehend").describe_document_classifier(DocumentClassifierArn=arn)
    return str(described["DocumentClassifierProperties"]["Status"])


# --- jobs
# --------------------------------------------------------------------------------------------------------


def test_a_job_is_run_and_found_by_later_runs(aws: LocalAwsServer, classifier: str) -> None:
    name = fresh("night")
    results = [OperatorRun().execute(start(classifier, name)) for _ in range(3)]
    assert results[0]["status"] == "COMPLETED"
    assert results[0]["output_uri"].endswith(f"CLN-{results[0]['job_id']}/output/output.tar.gz")
    assert results[0] == results[1] == results[2]
    assert jobs(aws, name) == [f"{name}-g1"]


def test_a_job_whose_answer_was_lost_is_found_by_the_next_try(aws: LocalAwsServer, classifier: str) -> None:
    name = fresh("lost")
    first = start(classifier, name)
    loses_the_answer(first, "start_document_classification_job")
    run = OperatorRun()
    with pytest.raises(ConnectionClosedError):
        run.execute(first)
    assert run.stores["start_job[None]"].get("comprehend_job_id") is None
    assert run.execute(start(classifier, name))["status"] == "COMPLETED"
    assert jobs(aws, name) == [f"{name}-g1"]


def test_a_job_that_was_started_but_not_stored_is_found_by_the_next_try(
    aws: LocalAwsServer, classifier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window that Airflow's ResumableJobMixin documents as open."""
    name = fresh("unstored")
    run = OperatorRun()
    store = run.stores["start_job[None]"]
    monkeypatch.setattr(type(store), "set", lambda *_: (_ for _ in ()).throw(SystemExit(9)))
    with pytest.raises(SystemExit):
        run.execute(start(classifier, name))
    monkeypatch.undo()
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", aws_connection(aws.url, "t", "t"))
    assert run.execute(start(classifier, name))["status"] == "COMPLETED"
    assert jobs(aws, name) == [f"{name}-g1"]


def test_a_task_that_dies_while_it_waits_goes_on_with_its_job(aws: LocalAwsServer, classifier: str) -> None:
    name = fresh("died")
    run = OperatorRun()
    # The triggerer, or the resumed task, is gone.
    with suppress(TaskDeferred):
        start(classifier, name).execute(run.context("start_job", "start_job[None]"))
    assert run.execute(start(classifier, name))["status"] == "COMPLETED"
    assert jobs(aws, name) == [f"{name}-g1"]


def test_twins_start_one_job(aws: LocalAwsServer, classifier: str) -> None:
    """Two runs of one day at the same moment: both ask, both find nothing, both start, with one token."""
    name = fresh("twins")
    barrier = threading.Barrier(4)
    started: list[str] = []

    def run() -> None:
        twin = start(classifier, name, wait_for_completion=False)
        real = twin.hook.find_job

        def find(job_name: str) -> Any:
            found = real(job_name)
            barrier.wait(timeout=240)
            return found

        twin.hook.find_job = find  # type: ignore[method-assign]
        started.append(twin.submit_job(OperatorRun().context("start_job")))

    twins = [threading.Thread(target=run) for _ in range(4)]
    for twin in twins:
        twin.start()
    for twin in twins:
        twin.join()
    assert len(started) == 4
    assert len(set(started)) == 1
    assert jobs(aws, name) == [f"{name}-g1"]


def test_a_job_that_failed_for_good_is_started_again_after_the_cause_is_cured(
    aws: LocalAwsServer, classifier: str
) -> None:
    name = fresh("late")
    late = {"S3Uri": f"s3://{BUCKET}/{name}/documents.txt", "InputFormat": "ONE_DOC_PER_LINE"}
    run = OperatorRun()
    with pytest.raises(JobFailedForGoodError, match=rf"FAILED.*then clear the task.*{name}-g1 ") as failed:
        run.execute(start(classifier, name, input_data_config=late))
    assert jobs(aws, name) == [f"{name}-g1"]

    aws.client("s3").put_object(Bucket=BUCKET, Key=f"{name}/documents.txt", Body="card refund\n")
    done = run.execute(start(classifier, name, input_data_config=late))
    assert (done["job_name"], done["status"]) == (f"{name}-g2", "COMPLETED")
    assert [job["job_id"] in str(failed.value) for job in done["failed_jobs"]] == [True]
    assert jobs(aws, name) == [f"{name}-g1", f"{name}-g2"]


class TaskOfTrigger(SimpleNamespace):
    """What the triggerer tells a trigger of its task."""

    def __init__(self) -> None:
        super().__init__(dag_id="classify_night", task_id="start_job", run_id="monday", map_index=3)


def ended(job_id: str, **arguments: Any) -> Any:
    trigger = ComprehendDocumentClassificationJobTrigger(job_id=job_id, waiter_delay=1, **arguments)
    trigger.task_instance = TaskOfTrigger()  # type: ignore[assignment]

    async def first() -> Any:
        return await anext(trigger.run())

    return asyncio.run(first())


@pytest.fixture
def xcoms(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The XComs that triggers pushed."""
    pushed: list[tuple[Any, ...]] = []

    async def push(key: str, value: Any, **task: Any) -> None:
        pushed.append((key, value, task))

    monkeypatch.setattr(XCom, "aset", push)
    return pushed


def test_a_trigger_ends_the_task_of_a_complete_job_with_the_result_that_the_operator_gives(
    classifier: str, xcoms: list[tuple[Any, ...]]
) -> None:
    done = OperatorRun().execute(start(classifier, fresh("end")))
    assert isinstance(ended(done["job_id"], end_from_trigger=True), TaskSuccessEvent)
    assert xcoms == [("return_value", done, vars(TaskOfTrigger()))]


def test_a_trigger_whose_triggerer_died_before_its_event_was_stored_gives_the_same_again(
    classifier: str, xcoms: list[tuple[Any, ...]]
) -> None:
    done = OperatorRun().execute(start(classifier, fresh("twice")))
    for _ in range(2):
        assert isinstance(ended(done["job_id"], end_from_trigger=True), TaskSuccessEvent)
    first, again = xcoms
    assert first == again


def test_a_trigger_resumes_the_task_where_it_was_not_asked_to_end_it(
    classifier: str, xcoms: list[tuple[Any, ...]]
) -> None:
    done = OperatorRun().execute(start(classifier, fresh("resume")))
    assert ended(done["job_id"]).payload == {"status": "success", "job_id": done["job_id"]}
    assert xcoms == []


def test_a_trigger_resumes_the_task_of_a_job_that_failed_or_before_which_one_failed(
    aws: LocalAwsServer, classifier: str, xcoms: list[tuple[Any, ...]]
) -> None:
    name = fresh("again")
    late = {"S3Uri": f"s3://{BUCKET}/{name}/documents.txt", "InputFormat": "ONE_DOC_PER_LINE"}
    with pytest.raises(JobFailedForGoodError):
        OperatorRun().execute(start(classifier, name, input_data_config=late))
    aws.client("s3").put_object(Bucket=BUCKET, Key=f"{name}/documents.txt", Body="card refund\n")
    done = OperatorRun().execute(start(classifier, name, input_data_config=late))
    (failed,) = done["failed_jobs"]
    assert ended(failed["job_id"], end_from_trigger=True).payload["status"] == "error"
    assert ended(done["job_id"], end_from_trigger=True).payload["status"] == "success"
    assert xcoms == []


def test_a_wait_says_each_minute_what_it_waits_for_and_how_long_others_took(
    aws: LocalAwsServer, classifier: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    OperatorRun().execute(start(classifier, fresh("earlier")))
    monkeypatch.setattr(wait_log, "SAY_SECONDS", 0.0)
    aws.control.set_behaviour(delays={"job_seconds": 3})
    try:
        job_id = OperatorRun().execute(start(classifier, fresh("slow"), wait_for_completion=False))["job_id"]
        assert ended(job_id).payload["status"] == "success"
    finally:
        aws.control.set_behaviour(delays={"job_seconds": 0})
    said = capsys.readouterr().out
    assert re.search(r"The classification job is [A-Z_]+, \d+ seconds? after its submission", said)
    assert re.search(r"\d+ other jobs? of this classifier took \d+ second", said)


def test_the_triggers_say_what_came_of_it(classifier: str) -> None:
    done = OperatorRun().execute(start(classifier, fresh("event")))
    event = asyncio.run(
        first_event(ComprehendDocumentClassificationJobTrigger(job_id=done["job_id"], waiter_delay=1))
    )
    assert event == {"status": "success", "job_id": done["job_id"]}
    trained = ComprehendDocumentClassifierTrainedTrigger(document_classifier_arn=classifier, waiter_delay=1)
    assert asyncio.run(first_event(trained)) == {"status": "success", "document_classifier_arn": classifier}
    gone = ComprehendDocumentClassificationJobTrigger(job_id="0" * 32, waiter_delay=1, waiter_max_attempts=2)
    event = asyncio.run(first_event(gone))
    assert event["status"] == "error"
    assert event["job_id"] == "0" * 32
