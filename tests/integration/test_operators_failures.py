"""What a night shows when jobs fail, when it costs too much, and when a training does not end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import DAY, Trip, make_trip

# isort: split
from nightsort.classifier_spec.model import Budget
from nightsort_airflow.exceptions import (
    BudgetExceededError,
    JobFailedError,
    JobFailedForGoodError,
    RunIncompleteError,
    TrainingTimeLimitError,
)
from nightsort_airflow.operators.approval import ApproveCostOperator
from nightsort_airflow.operators.comprehend import ComprehendCreateDocumentClassifierOperator
from nightsort_airflow.operators.training import PrepareTrainingDataOperator
from nightsort_airflow.sensors.comprehend import ComprehendDocumentClassifierTrainedSensor
from tests.integration.operator_runs import OperatorRun

if TYPE_CHECKING:
    from nightsort_local.local_aws.control.client import LocalAwsControl
    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration


@pytest.fixture
def trip(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Trip:
    trip = make_trip(aws, empty_database, monkeypatch, request.node.name)
    trip.label(40)
    trip.bring(50)
    return trip


def run_row(trip: Trip) -> tuple[Any, ...]:
    (row,) = trip.query("SELECT state, message, failed_jobs, cost_usd FROM nightsort.classification_runs")
    return row


def test_a_job_that_failed_is_done_again_once_and_stays_visible(trip: Trip, control: LocalAwsControl) -> None:
    trip.train()
    run = OperatorRun()
    first, second, third = trip.prepare(run)
    control.inject("fail", resource="job", name=second["job"]["job_name"], message="INTERNAL: try later")
    trip.classify_batch(run, 0, first)
    with pytest.raises(JobFailedError, match=r"INTERNAL: try later.*retry starts the next generation"):
        trip.classify_batch(run, 1, second)
    trip.classify_batch(run, 1, second)
    trip.classify_batch(run, 2, third)
    assert trip.reconcile(run)["classified"] == 50
    generations = [name.rpartition("-")[2] for name in trip.jobs() if second["job"]["job_name"] in name]
    assert generations == ["g1", "g2"]
    state, message, failed_jobs, cost = run_row(trip)
    assert (state, message) == ("complete", None)
    ((job_id, submitted, ended),) = trip.query(
        "SELECT job_id, submitted_at, ended_at FROM nightsort.run_jobs WHERE status = 'FAILED'"
    )
    assert submitted <= ended
    assert failed_jobs == [
        {
            "job_id": job_id,
            "job_name": f"{second['job']['job_name']}-g1",
            "status": "FAILED",
            "message": "INTERNAL: try later",
            "submitted_at": submitted.isoformat(),
            "ended_at": ended.isoformat(),
        }
    ]
    assert float(cost) == 50 * 3 * 0.0005


def test_a_batch_that_fails_for_good_leaves_the_rest_loaded_and_the_run_says_what_is_missing(
    trip: Trip, control: LocalAwsControl
) -> None:
    trip.train()
    run = OperatorRun()
    first, second, third = trip.prepare(run)
    control.inject("fail", resource="job", name=second["job"]["job_name"], message="INTERNAL: no", times=2)
    for index, mapped in enumerate((first, second, third)):
        if mapped is not second:
            trip.classify_batch(run, index, mapped)
            continue
        for error in (JobFailedError, JobFailedForGoodError):
            with pytest.raises(error):
                trip.classify_batch(run, index, mapped)
    name = second["batch"]["name"]
    told = rf"^20 of 51 documents are missing: batch {name}, job \w+ FAILED: INTERNAL: no\. Clear"
    with pytest.raises(RunIncompleteError, match=told):
        trip.reconcile(run)
    state, message, failed_jobs, _ = run_row(trip)
    assert state == "incomplete"
    assert name in message
    assert [job["job_name"][-2:] for job in failed_jobs] == ["g1", "g2"]
    assert {row[5] for row in trip.table()} == {"classified", "rejected"}
    assert len(trip.table()) == 31
    before = set(trip.jobs())

    trip.classify_batch(run, 1, second)
    assert trip.reconcile(run)["classified"] == 50
    assert set(trip.jobs()) - before == {f"{second['job']['job_name']}-g3"}
    state, message, failed_jobs, _ = run_row(trip)
    assert (state, message, len(failed_jobs)) == ("complete", None, 2)


def test_above_the_budget_a_person_is_asked_where_the_spec_wants_that(trip: Trip) -> None:
    """What the operator does with the answer is in its unit tests, and in the end-to-end ones."""
    trip.train()
    trip.spec = trip.spec.model_copy(update={"budget": Budget(run_usd=0.01, when_over="ask")})
    run = OperatorRun()
    trip.prepare(run)
    (forecast,) = run.xcoms["prepare_batches", "forecast"]
    assert (forecast["documents"], forecast["units"], forecast["most_usd"]) == (50, 150, 0.075)
    rich = ApproveCostOperator(
        task_id="approve_cost", forecast=forecast, budget_usd=0.1, purpose="classify a day", answer_hours=1
    )
    assert run.execute(rich)["asked"] is False


def test_a_day_that_is_paid_for_is_prepared_again_whatever_the_budget(trip: Trip) -> None:
    trip.train()
    trip.classify()
    trip.spec = trip.spec.model_copy(update={"budget": Budget(run_usd=0.01)})
    again = OperatorRun()
    trip.prepare(again)
    (forecast,) = again.xcoms["prepare_batches", "forecast"]
    assert (forecast["most_usd"], forecast["costs_more"]) == (0.075, False)

    trip.put(f"incoming/{DAY}/late.jsonl", '{"id": "late", "text": "refund"}\n')
    with pytest.raises(BudgetExceededError, match=r"Already paid: 0\.0750 USD"):
        trip.prepare(OperatorRun())


def test_a_training_above_its_budget_starts_nothing(trip: Trip) -> None:
    trip.spec = trip.spec.model_copy(update={"budget": Budget(training_usd=1.0)})
    with pytest.raises(BudgetExceededError, match=r"Estimate for 120 documents.*Raise budget\.training_usd"):
        trip.train()
    found = trip.aws.client("comprehend").list_document_classifiers(
        Filter={"DocumentClassifierName": trip.spec.name}
    )
    assert found["DocumentClassifierPropertiesList"] == []


def test_what_a_training_really_cost_is_written_down(trip: Trip) -> None:
    trip.train()
    ((seconds, cost),) = trip.query("SELECT training_seconds, cost_usd FROM nightsort.classifier_versions")
    assert seconds > 0
    assert float(cost) == pytest.approx(seconds / 3600 * 3, abs=0.0001)


@pytest.mark.parametrize("deferrable", [True, False])
def test_a_training_that_does_not_end_is_stopped_and_says_so(
    trip: Trip, control: LocalAwsControl, deferrable: bool
) -> None:
    run = OperatorRun()
    training = run.execute(PrepareTrainingDataOperator(task_id="prepare", spec=trip.spec, day=DAY))
    control.inject("stuck", resource="training", name=trip.spec.name, seconds=None)
    arn = run.execute(
        ComprehendCreateDocumentClassifierOperator(
            task_id="create",
            document_classifier_name=trip.spec.name,
            version_name=training["version"],
            input_data_config={"S3Uri": training["training_uri"]},
            mode="MULTI_CLASS",
            language_code="en",
            data_access_role_arn=trip.spec.data_access_role_arn,
            aws_conn_id=trip.spec.aws_conn_id,
            wait_for_completion=False,
        )
    )
    sensor = ComprehendDocumentClassifierTrainedSensor(
        task_id="wait",
        document_classifier_arn=arn,
        time_limit=timedelta(seconds=2),
        aws_conn_id=trip.spec.aws_conn_id,
        deferrable=deferrable,
        poke_interval=1,
        timeout=240,
    )
    with pytest.raises(TrainingTimeLimitError, match=r"was stopped after .*limit is 0:00:02"):
        run.execute(sensor)
    found = trip.aws.client("comprehend").describe_document_classifier(DocumentClassifierArn=arn)
    assert found["DocumentClassifierProperties"]["Status"] == "STOPPED"
