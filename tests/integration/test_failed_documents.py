"""Documents that Comprehend loses are sent again, alone: once in the night, and when the day is run again.

On a local Comprehend and a real PostgreSQL, task by task.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import BUCKET, DAY, Trip, make_trip

# isort: split
from nightsort.classifier_spec.model import Budget, Export, Quality
from nightsort_airflow.assets import predictions_asset
from nightsort_airflow.exceptions import RunIncompleteError
from tests.integration.operator_runs import OperatorRun
from tests.integration.recounted import check_statistics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort_local.local_aws.control.client import LocalAwsControl
    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration

UNITS = 3
UNIT_USD = 0.0005


@pytest.fixture
def trip(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Trip]:
    """A trip; at the end of the test, the statistics of its nights are those of their rows."""
    trip = make_trip(aws, empty_database, monkeypatch, request.node.name)
    trip.label(40)
    trip.bring(60)
    trip.train()
    yield trip
    with psycopg.connect(trip.dsn) as connection:
        for (run_key,) in trip.query("SELECT run_key FROM nightsort.run_statistics"):
            check_statistics(connection, run_key, trip.spec.name)


def with_quality(trip: Trip, **keys: Any) -> None:
    trip.spec = trip.spec.model_copy(update={"quality": Quality(**keys)})


def run_row(trip: Trip) -> dict[str, Any]:
    ((row,),) = trip.query("SELECT to_jsonb(run) FROM nightsort.classification_runs AS run")
    found: dict[str, Any] = row
    return found


def retries_of(trip: Trip) -> list[str]:
    """The names of the jobs for documents that were sent again."""
    return [name for name in trip.jobs() if "-r1-" in name or "-r2-" in name]


def lose(control: LocalAwsControl, trip: Trip, name: str = "", **fault: Any) -> None:
    """Have Comprehend lose documents of the classifier's next jobs."""
    control.inject(**{"kind": "lost_lines", "resource": "job", "name": name or trip.spec.name, **fault})


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "lost_lines", "share": 0.4},
        {"kind": "wrong_lines", "share": 0.4},
        {"kind": "error_lines", "share": 0.4, "code": "INTERNAL_SERVER_ERROR"},
    ],
    ids=lambda fault: fault["kind"],
)
@pytest.mark.parametrize("input_format", ["ONE_DOC_PER_LINE", "ONE_DOC_PER_FILE"])
def test_what_comprehend_loses_is_sent_again_in_the_same_night_and_paid_for_alone(
    trip: Trip, control: LocalAwsControl, fault: dict[str, Any], input_format: str
) -> None:
    trip.spec = trip.spec.model_copy(update={"input_format": input_format})
    lose(control, trip, times=3, **fault)
    night = OperatorRun()
    counts = trip.classify(night)
    assert (counts["documents_in"], counts["classified"], counts["failed"]) == (61, 60, 0)
    assert len(retries_of(trip)) == 3
    assert {row[5] for row in trip.table()} == {"classified", "rejected"}
    row = run_row(trip)
    assert (row["state"], row["message"], row["retried"]) == ("complete", None, 24)
    assert (row["units"], row["cost_usd"]) == (84 * UNITS, 84 * UNITS * UNIT_USD)
    (retry,) = row["batches"][0]["retries"]
    assert (retry["documents"], retry["units"]) == (8, 8 * UNITS)
    assert retry["job_name"].endswith(f"{retry['name']}-g1")
    assert night.events[predictions_asset(trip.spec.name)].extra["retried"] == 24


def test_a_document_that_comprehend_refuses_is_not_paid_for_again(
    trip: Trip, control: LocalAwsControl
) -> None:
    lose(control, trip, kind="error_lines", lines=[0], code="DOCUMENT_SIZE_EXCEEDED")
    counts = trip.classify()
    assert (counts["failed"], counts["reasons"]["error:DOCUMENT_SIZE_EXCEEDED"]) == (1, 1)
    trip.classify()
    assert retries_of(trip) == []
    assert len(trip.jobs()) == 3


def test_a_night_of_60_documents_with_26_failed_is_red_and_a_second_run_cures_it(
    trip: Trip, control: LocalAwsControl
) -> None:
    lose(control, trip, times=6, share=0.45)
    with_quality(trip, retry_failed=False)
    with pytest.raises(RunIncompleteError) as raised:
        trip.classify()
    told = "Failed: 27 of 60 documents (45.0%), more than quality.max_failed_share (5.0%) allows: "
    assert str(raised.value).startswith(f"{told}missing_from_output 27. Run the day again")
    row = run_row(trip)
    assert (row["state"], row["failed"], row["classified"]) == ("failed", 27, 33)
    assert row["message"] == str(raised.value).removesuffix(".")
    assert retries_of(trip) == []
    control.clear()

    counts = trip.classify()
    assert (counts["classified"], counts["failed"], counts["retried"]) == (60, 0, 27)
    assert len(retries_of(trip)) == 3
    assert run_row(trip)["state"] == "complete"

    before, jobs = trip.table(), trip.jobs()
    again = trip.classify()
    assert (trip.table(), trip.jobs()) == (before, jobs), "a third run pays for nothing"
    assert (again["retried"], again["units"]) == (27, 87 * UNITS)


def test_each_run_of_the_day_sends_what_still_fails_again_once(trip: Trip, control: LocalAwsControl) -> None:
    """The first output, and every other line of what is sent again after it, are lost."""
    trip.spec = trip.spec.model_copy(
        update={"batch": trip.spec.batch.model_copy(update={"max_documents": 60})}
    )
    with_quality(trip, max_failed_share=1.0)
    lose(control, trip, times=None, share=0.5)
    failed = [trip.classify()["failed"] for _ in range(3)]
    assert failed == [15, 8, 4]
    names = [name.rpartition("-g")[0].rsplit("-", 2)[1] for name in sorted(trip.jobs())]
    assert sorted(names)[-3:] == ["r1", "r2", "r3"]
    assert len(trip.jobs()) == 4
    row = run_row(trip)
    assert row["retried"] == 30 + 15 + 8
    assert row["units"] == (60 + 30 + 15 + 8) * UNITS


def test_a_task_that_is_done_again_sends_nothing_twice(trip: Trip, control: LocalAwsControl) -> None:
    """As after a crash at any point: the same tasks of the same run, again and in any number."""
    lose(control, trip, times=3, share=0.4)
    run = OperatorRun()
    for index, mapped in enumerate(trip.prepare(run)):
        trip.classify_batch(run, index, mapped)
    retries = trip.prepare_retries(run)
    assert trip.prepare_retries(run) == retries
    trip.classify_batch(run, 0, retries[0], "retry_batch")
    assert trip.prepare_retries(run) == retries, "what is in the table by now does not matter"
    for _ in range(2):
        for index, mapped in enumerate(retries):
            trip.classify_batch(run, index, mapped, "retry_batch")
    first = trip.reconcile(run)
    table = trip.table()
    assert trip.reconcile(run) == first
    assert trip.table() == table
    assert (first["classified"], len(trip.jobs())) == (60, 6)


def test_a_run_that_died_before_its_sums_does_not_pay_for_its_retries_twice(
    trip: Trip, control: LocalAwsControl
) -> None:
    lose(control, trip, times=3, share=0.4)
    died = OperatorRun()
    for index, mapped in enumerate(trip.prepare(died)):
        trip.classify_batch(died, index, mapped)
    for index, mapped in enumerate(trip.prepare_retries(died)):
        trip.classify_batch(died, index, mapped, "retry_batch")
    jobs = trip.jobs()
    assert trip.classify()["classified"] == 60
    assert trip.jobs() == jobs


def test_late_documents_do_not_have_cured_ones_sent_again(trip: Trip, control: LocalAwsControl) -> None:
    lose(control, trip, times=3, share=0.4)
    trip.classify()
    before = set(trip.jobs())
    trip.put(f"incoming/{DAY}/late.jsonl", '{"id": "late", "text": "refund my card"}\n')
    counts = trip.classify()
    assert (counts["classified"], counts["retried"]) == (61, 24)
    assert len(set(trip.jobs()) - before) == 1


def test_a_retry_whose_job_fails_makes_the_run_red_and_is_done_again(
    trip: Trip, control: LocalAwsControl
) -> None:
    lose(control, trip, times=1, share=0.4)
    run = OperatorRun()
    for index, mapped in enumerate(trip.prepare(run)):
        trip.classify_batch(run, index, mapped)
    (retry,) = trip.prepare_retries(run)
    control.inject("fail", resource="job", name=retry["job"]["job_name"], message="INTERNAL: no", times=1)
    with pytest.raises(Exception, match="INTERNAL: no"):
        trip.classify_batch(run, 0, retry, "retry_batch")
    with pytest.raises(RunIncompleteError, match=r"sent again, .* not loaded, job \w+ FAILED: INTERNAL: no"):
        trip.reconcile(run)
    assert run_row(trip)["state"] == "incomplete"
    trip.classify_batch(run, 0, retry, "retry_batch")
    counts = trip.reconcile(run)
    assert (counts["classified"], counts["retried"]) == (60, 8)


def test_nothing_is_sent_again_above_the_budget(
    trip: Trip, control: LocalAwsControl, capsys: pytest.CaptureFixture[str]
) -> None:
    trip.spec = trip.spec.model_copy(update={"budget": Budget(run_usd=60 * UNITS * UNIT_USD)})
    with_quality(trip, max_failed_share=1.0)
    lose(control, trip, times=3, share=0.4)
    assert trip.classify()["failed"] == 24
    assert retries_of(trip) == []
    told = capsys.readouterr().out
    assert "Failed documents are not sent again: the run would cost 0.13 USD" in told
    assert "budget.run_usd (0.0900 USD)" in told


def test_the_budget_counts_earlier_retries_of_every_batch(trip: Trip, control: LocalAwsControl) -> None:
    """One batch fails again; what was sent again of the two others is paid for too."""
    with_quality(trip, max_failed_share=1.0)
    lose(control, trip, times=3, share=0.4)
    run = OperatorRun()
    for index, mapped in enumerate(trip.prepare(run)):
        trip.classify_batch(run, index, mapped)
    retries = trip.prepare_retries(run)
    lose(control, trip, retries[0]["job"]["job_name"], times=1, share=0.5)
    for index, mapped in enumerate(retries):
        trip.classify_batch(run, index, mapped, "retry_batch")
    assert trip.reconcile(run)["failed"] == 4
    trip.spec = trip.spec.model_copy(update={"budget": Budget(run_usd=(60 + 24) * UNITS * UNIT_USD)})
    assert trip.classify()["retried"] == 24
    trip.spec = trip.spec.model_copy(update={"budget": Budget(run_usd=(60 + 24 + 4) * UNITS * UNIT_USD)})
    assert trip.classify()["retried"] == 28


def test_a_run_that_fails_to_load_a_batch_keeps_what_was_sent_again(
    trip: Trip, control: LocalAwsControl
) -> None:
    """Otherwise the next run would put the first results in the place of the cured ones."""
    lose(control, trip, times=3, share=0.4)
    trip.classify()
    before, jobs, row = trip.table(), trip.jobs(), run_row(trip)
    run = OperatorRun()
    for index, mapped in enumerate(trip.prepare(run)[1:], start=1):
        trip.classify_batch(run, index, mapped)
    with pytest.raises(RunIncompleteError, match="was not loaded by this run"):
        trip.reconcile(run)
    incomplete = run_row(trip)
    assert (incomplete["units"], incomplete["retried"]) == (row["units"], 24)
    assert [batch["retries"] for batch in incomplete["batches"]] == [
        batch["retries"] for batch in row["batches"]
    ]
    with_quality(trip, retry_failed=False)
    assert trip.classify()["retried"] == 24
    assert (trip.table(), trip.jobs()) == (before, jobs)


def test_what_was_sent_again_of_documents_that_are_gone_was_paid_for(
    trip: Trip, control: LocalAwsControl
) -> None:
    """The DAG run is cleared after documents left the source; tasks that did not start keep their XComs."""
    lose(control, trip, times=3, share=0.4)
    run = OperatorRun()
    trip.classify(run)
    trip.bring(19)
    for index, mapped in enumerate(trip.prepare(run)):
        trip.classify_batch(run, index, mapped)
    counts = trip.reconcile(run)
    assert (counts["documents_in"], counts["classified"]) == (20, 19)
    assert (counts["retried"], counts["units"]) == (24, (60 + 24) * UNITS)
    assert len(trip.jobs()) == 6


def test_a_document_that_is_gone_has_no_row_though_what_was_sent_again_names_it(
    trip: Trip, control: LocalAwsControl
) -> None:
    """The manifest of a retry stays as it was written; whose its results are, that of the batch says."""
    trip.spec = trip.spec.model_copy(update={"export": Export()})
    lose(control, trip, times=3, share=0.4)
    trip.classify()
    before, jobs = trip.table(), trip.jobs()
    again = {row["document_id"] for row in rows_below(trip, "runs/20261118/manifests/", "-r1-")}
    stays = {f"d{number}" for number in range(19)}
    assert again - stays, "what was sent again names a document that will be gone"

    trip.bring(19)
    run = OperatorRun()
    counts = trip.classify(run)
    assert {row[3] for row in trip.table()} == {*stays, "blank"}
    assert (counts["documents_in"], counts["classified"], counts["failed"]) == (20, 19, 0)
    assert counts["rejected"] == 1
    (exported,) = run.xcoms["export_predictions", "return_value"]
    assert {row["document_id"] for row in rows_below(trip, "predictions/")} == {*stays, "blank"}
    assert (exported["rows"], run_row(trip)["state"]) == (20, "complete")

    trip.bring(60)
    trip.classify()
    assert (trip.table(), trip.jobs()) == (before, jobs), "those that come back have their rows, at no cost"


def rows_below(trip: Trip, folder: str, named: str = "") -> list[dict[str, Any]]:
    """The rows of the Parquet files below a folder of ``work_uri``."""
    s3 = trip.aws.client("s3")
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"{trip.spec.name}/work/{folder}")
    keys = [
        each["Key"] for each in found["Contents"] if each["Key"].endswith(".parquet") and named in each["Key"]
    ]
    contents = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
    return [row for content in contents for row in pq.read_table(pa.BufferReader(content)).to_pylist()]


def test_the_export_holds_what_the_table_holds(trip: Trip, control: LocalAwsControl) -> None:
    trip.spec = trip.spec.model_copy(update={"export": Export()})
    lose(control, trip, times=3, share=0.4)
    run = OperatorRun()
    trip.classify(run)
    (exported,) = run.xcoms["export_predictions", "return_value"]
    assert exported["rows"] == len(trip.table()) == 61


def test_failed_documents_below_the_limit_are_a_warning_with_reasons(
    trip: Trip, control: LocalAwsControl, caplog: pytest.LogCaptureFixture
) -> None:
    with_quality(trip, retry_failed=False)
    lose(control, trip, lines=[0])
    assert trip.classify()["failed"] == 1
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    batch, run = (message for message in warnings if "missing_from_output 1" in message)
    assert "20 documents = 19 classified + 1 failed" in batch
    assert "61 documents in = 59 classified + 1 failed" in run


def test_with_warn_a_night_above_the_limit_is_green_and_the_row_says_so(
    trip: Trip, control: LocalAwsControl
) -> None:
    with_quality(trip, retry_failed=False, when_over="warn")
    lose(control, trip, times=3, share=0.4)
    run = OperatorRun()
    counts = trip.classify(run)
    assert counts["warning"].startswith("Failed: 24 of 60 documents (40.0%)")
    row = run_row(trip)
    assert (row["state"], row["message"]) == ("complete", counts["warning"])
    assert run.events[predictions_asset(trip.spec.name)].extra["warning"] == counts["warning"]
