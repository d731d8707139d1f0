"""Objects of a run that were deleted: the task names the object and the way back, and that way works."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.local_aws_server import wait_until
from tests.integration.operator_trips import BUCKET, DAY, Trip, make_trip

# isort: split
from airflow.sdk.exceptions import AirflowFailException

from nightsort.classifier_spec.model import Export
from nightsort_airflow.operators.training import (
    EvaluateClassifierOperator,
    PrepareTrainingDataOperator,
    PromoteClassifierOperator,
)
from tests.integration.operator_runs import OperatorRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from nightsort_local.local_aws.control.client import LocalAwsControl
    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration

AGAIN = "run the day again"


@pytest.fixture
def trip(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Trip:
    trip = make_trip(aws, empty_database, monkeypatch, request.node.name)
    trip.label(40)
    trip.bring(50)
    return trip


def delete(trip: Trip, uri: str) -> None:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    trip.aws.client("s3").delete_object(Bucket=bucket, Key=key)


def objects(trip: Trip, part: str) -> list[str]:
    listed = trip.aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix=f"{trip.spec.name}/work/")
    return sorted(
        f"s3://{BUCKET}/{found['Key']}" for found in listed.get("Contents", ()) if part in found["Key"]
    )


def refused(task: Callable[[], Any], *said: str) -> str:
    """Run a task that must fail for good, and return what it says."""
    with pytest.raises(AirflowFailException) as failure:
        task()
    message = str(failure.value)
    for words in said:
        assert words in message
    assert "Grant" not in message
    assert "permission" not in message
    return message


def finish(trip: Trip, run: OperatorRun, mapped: list[dict[str, Any]]) -> dict[str, Any]:
    for index, batch in enumerate(mapped):
        trip.classify_batch(run, index, batch)
    trip.prepare_retries(run)
    return trip.reconcile(run)


def is_whole(counts: dict[str, Any]) -> bool:
    return (counts["classified"], counts["rejected"], counts["failed"]) == (50, 1, 0)


class TestClassify:
    def test_the_input_of_a_batch_whose_job_has_not_read_it(self, trip: Trip) -> None:
        trip.train()
        run = OperatorRun()
        first, second, third = trip.prepare(run)
        gone = first["job"]["input_data_config"]["S3Uri"]
        delete(trip, gone)
        refused(lambda: trip.classify_batch(run, 0, first), f"input is gone: {gone}", AGAIN)
        for index, mapped in ((1, second), (2, third)):
            trip.classify_batch(run, index, mapped)
        assert is_whole(trip.classify(OperatorRun(run_id="manual__2")))
        assert len(trip.jobs()) == 4, "the other two are taken over"

    def test_a_manifest(self, trip: Trip) -> None:
        trip.train()
        run = OperatorRun()
        first, *_ = trip.prepare(run)
        (gone,) = objects(trip, f"manifests/{first['batch']['name']}")
        delete(trip, gone)
        refused(lambda: trip.classify_batch(run, 0, first), f"{gone} is gone", AGAIN)
        assert is_whole(trip.classify(OperatorRun(run_id="manual__2")))
        assert len(trip.jobs()) == 3, "the same texts have the same names, so all are taken over"

    @pytest.mark.parametrize("cleared", [True, False])
    def test_the_output_of_a_job(self, trip: Trip, cleared: bool) -> None:
        """It is paid for again, by a second run of the day, and by the same run when it is cleared."""
        trip.train()
        assert is_whole(trip.classify(OperatorRun()))
        before = trip.table()
        gone, *_ = objects(trip, "output.tar.gz")
        outputs = [uri for uri in objects(trip, "output.tar.gz") if "/runs/" in uri]
        gone = outputs[0]
        delete(trip, gone)
        run = OperatorRun(run_id="manual__2")
        mapped = trip.prepare(run)
        forecast = run.xcoms["prepare_batches", "forecast"][0]
        assert forecast["costs_more"], "the batch without output is to be paid for again"
        assert is_whole(finish(trip, run, mapped))
        assert len(trip.jobs()) == 4
        if cleared:
            newer = [uri for uri in objects(trip, "output.tar.gz") if "/runs/" in uri and uri not in outputs]
            delete(trip, newer[0])
            assert is_whole(finish(trip, run, trip.prepare(run)))
            assert len(trip.jobs()) == 5
        assert trip.table() == before

    def test_the_output_is_gone_before_it_is_loaded(self, trip: Trip) -> None:
        trip.train()
        run = OperatorRun()
        first, *_ = trip.prepare(run)
        from nightsort_airflow.operators.batch_job import StartBatchJobOperator
        from nightsort_airflow.operators.classification import LoadPredictionsOperator

        job = run.execute(
            StartBatchJobOperator(
                task_id="classify_batch.start_job",
                job=first["job"],
                data_access_role_arn=trip.spec.data_access_role_arn,
                aws_conn_id=trip.spec.aws_conn_id,
                deferrable=True,
                waiter_delay=1,
            ),
            index=0,
        )
        delete(trip, job["output_uri"])
        load = LoadPredictionsOperator(
            task_id="classify_batch.load_predictions",
            spec=trip.spec,
            run=run.xcoms["prepare_batches", "run"][0],
            batch=first["batch"],
            job=job,
        )
        refused(lambda: run.execute(load, index=0), f"{job['output_uri']} is gone", AGAIN)
        assert is_whole(trip.classify(OperatorRun(run_id="manual__2")))

    def test_the_rejects(self, trip: Trip) -> None:
        trip.train()
        run = OperatorRun()
        for index, mapped in enumerate(trip.prepare(run)):
            trip.classify_batch(run, index, mapped)
        trip.prepare_retries(run)
        (gone,) = objects(trip, "/runs/20261118/rejects")
        delete(trip, gone)
        refused(lambda: trip.reconcile(run), f"{gone} is gone", AGAIN)
        assert is_whole(trip.classify(OperatorRun(run_id="manual__2")))

    def test_the_plan_of_the_batches(self, trip: Trip) -> None:
        trip.train()
        trip.classify(OperatorRun())
        (gone,) = objects(trip, "batches.json")
        delete(trip, gone)
        assert is_whole(trip.classify(OperatorRun(run_id="manual__2")))
        assert len(trip.jobs()) == 3

    @pytest.mark.parametrize("part", ["input", "manifests"])
    def test_what_is_sent_again(self, trip: Trip, control: LocalAwsControl, part: str) -> None:
        trip.train()
        run = OperatorRun()
        control.inject("lost_lines", resource="job", lines=[0, 1])
        mapped = trip.prepare(run)
        for index, batch in enumerate(mapped):
            trip.classify_batch(run, index, batch)
        gone = next(uri for uri in objects(trip, f"/{part}/") if mapped[0]["batch"]["name"] in uri)
        delete(trip, gone)
        refused(lambda: trip.prepare_retries(run), f"{gone} is gone", AGAIN)
        assert is_whole(trip.classify(OperatorRun(run_id="manual__2")))

    @pytest.mark.parametrize("part", ["manifests", "output"])
    def test_what_was_sent_again_and_loaded(self, trip: Trip, control: LocalAwsControl, part: str) -> None:
        trip.train()
        control.inject("lost_lines", resource="job", lines=[0, 1])
        assert is_whole(trip.classify(OperatorRun()))
        (of_retry,) = trip.query(
            "SELECT retry ->> 'name', retry ->> 'output_uri' FROM nightsort.classification_runs, "
            "jsonb_array_elements(batches) AS batch, jsonb_array_elements(batch -> 'retries') AS retry"
        )
        name, output = of_retry
        (manifest,) = objects(trip, f"/manifests/{name}")
        delete(trip, manifest if part == "manifests" else output)
        assert is_whole(trip.classify(OperatorRun(run_id="manual__2")))

    @pytest.mark.parametrize("part", ["/manifests/", "output.tar.gz", "rejects.jsonl"])
    def test_an_export(self, trip: Trip, part: str) -> None:
        trip.spec = trip.spec.model_copy(
            update={"export": Export(uri=f"s3://{BUCKET}/{trip.spec.name}/export")}
        )
        trip.train()
        run = OperatorRun()
        trip.classify(run)
        gone = next(uri for uri in objects(trip, part) if "/runs/" in uri)
        delete(trip, gone)
        refused(lambda: trip.export(run), f"{gone} is gone", AGAIN)
        assert is_whole(trip.classify(OperatorRun(run_id="manual__2")))


class TestTrain:
    @pytest.mark.parametrize("data", ["training_uri", "test_uri"])
    def test_the_data_of_a_training(self, trip: Trip, data: str) -> None:
        run = OperatorRun()
        training = run.execute(PrepareTrainingDataOperator(task_id="prepare", spec=trip.spec, day=DAY))
        delete(trip, training[data])
        refused(
            lambda: run.execute(trip.create_classifier(training)),
            f"data is gone: {training[data]}",
            "run the DAG again",
        )
        assert trip.train()["promoted"]

    def test_the_output_of_a_training(self, trip: Trip) -> None:
        run = OperatorRun()
        training = run.execute(PrepareTrainingDataOperator(task_id="prepare", spec=trip.spec, day=DAY))
        arn = run.execute(trip.create_classifier(training))
        (gone,) = objects(trip, "output.tar.gz")
        delete(trip, gone)
        evaluate = EvaluateClassifierOperator(
            task_id="evaluate", spec=trip.spec, document_classifier_arn=arn, training=training
        )
        refused(lambda: run.execute(evaluate), f"{gone} is gone", "delete-document-classifier")
        comprehend = trip.aws.client("comprehend")
        comprehend.delete_document_classifier(DocumentClassifierArn=arn)
        found = {"DocumentClassifierName": trip.spec.name}
        listed = "DocumentClassifierPropertiesList"
        wait_until(lambda: not comprehend.list_document_classifiers(Filter=found)[listed], "the deletion")
        assert trip.train()["promoted"]

    @pytest.mark.parametrize("part", ["test_uri", "output_uri"])
    def test_what_a_promotion_compares(self, trip: Trip, part: str) -> None:
        trip.train()
        trip.label(60)
        run = OperatorRun()
        trip.train(run)
        training = run.xcoms["prepare_training_data", "return_value"][0]
        scores = run.xcoms["score_active_version", "return_value"][0]
        gone = {**training, **scores}[part]
        delete(trip, gone)
        promote = PromoteClassifierOperator(
            task_id="promote_classifier",
            spec=trip.spec,
            training=training,
            evaluation={**run.xcoms["evaluate_classifier", "return_value"][0]},
            scores=scores,
        )
        refused(lambda: run.execute(promote), f"{gone} is gone", "run the DAG again")
        trip.train(OperatorRun(run_id="manual__2"))
