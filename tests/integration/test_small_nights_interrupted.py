"""A small night whose endpoint or whose process goes away midway.

Whatever happens, each document has one row, nothing is paid twice, and the row of the run says how its texts
were sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.small_trips import BELOW, UNITS, DeathError, SmallTrip, at_request, dies, trip

# isort: split
from nightsort.classifier_spec.model import BatchLimits, Budget, Quality
from nightsort_airflow.exceptions import BudgetExceededError
from tests.integration.local_aws_server import wait_until
from tests.integration.operator_runs import OperatorRun

if TYPE_CHECKING:
    from tests.integration.local_aws_server import LocalAwsServer

__all__ = ["trip"]

pytestmark = pytest.mark.integration


# --- the endpoint goes away ---------------------------------------------------------------------------------


def test_closed_before_its_first_answer_the_night_takes_a_job(trip: SmallTrip) -> None:
    trip.bring(10)
    trip.open()
    run = OperatorRun()
    (mapped,) = trip.prepare(run)
    trip.close()
    loaded = trip.classify_batch(run, 0, mapped)
    assert loaded["job"].get("source") is None
    assert trip.prepare_retries(run) == []
    counts = trip.reconcile(run)
    assert (counts["classified"], counts["units"]) == (10, 10 * UNITS)
    row = trip.row()
    assert row["way"] == "job"
    assert row["way_why"].endswith(
        "AWS documents; the endpoint did not answer, so 10 of 10 texts were left to a job"
    )
    assert trip.sources() == {"job": 10}


@pytest.mark.parametrize("gone", ["closed", "moved"])
def test_gone_midway_the_rest_goes_as_a_job_of_the_same_version(
    trip: SmallTrip, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    trip.set(batch=BatchLimits(endpoint_below=BELOW), quality=Quality(retry_failed=False))
    first = trip.active()
    if gone == "moved":
        trip.label(44)
        trip.train()
        arns = trip.query("SELECT arn FROM nightsort.classifier_versions")
        (other,) = (arn for (arn,) in arns if arn != first)
        with psycopg.connect(trip.dsn) as connection:
            connection.execute("UPDATE nightsort.classifier_versions SET active = (arn = %s)", (first,))
    trip.bring(40)
    trip.open(first)

    def goes() -> None:
        if gone == "closed":
            trip.close()
        else:
            service = trip.service
            service.change(model_arn=other)
            wait_until(
                lambda: (seen := service.look()) is not None and seen.endpoint.model_arn != first, "it moved"
            )

    # Another thread's request may be on its way, so what was answered before is at least what was stored.
    at_request(monkeypatch, 25, goes)
    counts = trip.classify()
    assert (counts["classified"], counts["failed"]) == (40, 0)
    sources = trip.sources()
    assert sources["endpoint"] >= 1
    assert sources["endpoint"] + sources["job"] == 40
    assert counts["units"] == counts["retried"] * UNITS == sources["job"] * UNITS
    (job,) = trip.classifying_jobs()
    assert "-r1-" in job
    assert {
        version
        for (version,) in trip.query(
            "SELECT DISTINCT version FROM nightsort.predictions WHERE version IS NOT NULL"
        )
    } == {first.rpartition("/")[2]}
    row = trip.row()
    assert row["way"] == "endpoint"
    assert row["way_why"].endswith(f"{sources['job']} of 40 texts were left to a job")
    # Run again, all of it is taken over.
    rows = trip.table()
    again = trip.classify(OperatorRun(run_id="manual__2"))
    assert (again["classified"], again["units"]) == (40, counts["units"])
    assert trip.table() == rows
    assert trip.classifying_jobs() == [job]


def test_a_job_above_the_budget_is_not_started_unasked(
    trip: SmallTrip, monkeypatch: pytest.MonkeyPatch
) -> None:
    trip.set(batch=BatchLimits(endpoint_below=BELOW), budget=Budget(run_usd=0.01))
    trip.bring(40)
    trip.open()
    run = OperatorRun()
    (mapped,) = trip.prepare(run)
    at_request(monkeypatch, 25, trip.close)
    with pytest.raises(BudgetExceededError, match=r"above budget\.run_usd.*What was answered is kept"):
        trip.classify_batch(run, 0, mapped)
    assert trip.classifying_jobs() == []
    # Prepared again, the budget decides.
    with pytest.raises(BudgetExceededError, match="above the budget"):
        trip.prepare(run)
    # Opened again, the night goes on where it ended.
    trip.open()
    (mapped,) = trip.prepare(run)
    loaded = trip.classify_batch(run, 0, mapped)
    assert loaded["classified"] == 40
    assert run.xcoms["classify_batch.start_job", "return_value"][0]["known"] >= 1
    assert trip.prepare_retries(run) == []
    assert trip.reconcile(run)["cost_usd"] == 0


def test_a_job_for_the_rest_that_is_within_the_budget_is_started(
    trip: SmallTrip, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All of it as a job would cost 0.06 USD.
    trip.set(batch=BatchLimits(endpoint_below=BELOW), budget=Budget(run_usd=0.0599))
    trip.bring(40)
    trip.open()
    at_request(monkeypatch, 25, trip.close)
    counts = trip.classify()
    assert counts["classified"] == 40
    sources = trip.sources()
    assert sources["endpoint"] >= 1
    assert counts["units"] == sources["job"] * UNITS


def test_an_endpoint_that_refuses_everything_gives_way_to_a_job(
    trip: SmallTrip, aws: LocalAwsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightsort.real_time.small_nights.PATIENCE_SECONDS", 1)
    trip.bring(10)
    trip.open()
    with aws.control.injected(
        "error", operation="ClassifyDocument", code="ThrottlingException", times=10_000
    ):
        counts = trip.classify()
    assert (counts["classified"], trip.sources()) == (10, {"job": 10})


def test_a_busy_endpoint_loses_no_text(trip: SmallTrip, aws: LocalAwsServer) -> None:
    trip.bring(40)
    trip.open()
    with aws.control.injected(
        "error", operation="ClassifyDocument", code="ThrottlingException", rate=0.3, times=8
    ):
        counts = trip.classify()
    assert (counts["classified"], trip.sources()) == (40, {"endpoint": 40})


def test_a_question_about_its_version_that_is_throttled_is_asked_again(
    trip: SmallTrip, aws: LocalAwsServer
) -> None:
    trip.bring(40)
    trip.open()
    run = OperatorRun()
    batches = trip.prepare(run)
    with aws.control.injected("error", operation="DescribeEndpoint", code="ThrottlingException", times=2):
        for index, mapped in enumerate(batches):
            trip.classify_batch(run, index, mapped)
    assert trip.sources() == {"endpoint": 40}


# --- whatever dies ------------------------------------------------------------------------------------------


def die_while_asking(
    trip: SmallTrip, monkeypatch: pytest.MonkeyPatch, request_number: int
) -> tuple[OperatorRun, dict[str, Any]]:
    """Send a small night of 40 documents, and die at a request; return the run and its batch."""
    trip.set(batch=BatchLimits(endpoint_below=BELOW))
    trip.bring(40)
    trip.open()
    run = OperatorRun()
    (mapped,) = trip.prepare(run)
    with monkeypatch.context() as killed:
        at_request(killed, request_number, dies)
        with pytest.raises(DeathError):
            trip.classify_batch(run, 0, mapped)
    return run, mapped


@pytest.mark.parametrize("request_number", [1, 20, 39])
def test_a_process_that_dies_while_it_asks_goes_on_and_asks_only_for_the_rest(
    trip: SmallTrip, monkeypatch: pytest.MonkeyPatch, request_number: int
) -> None:
    run, mapped = die_while_asking(trip, monkeypatch, request_number)
    assert trip.query("SELECT count(*) FROM nightsort.predictions") == [(0,)]
    loaded = trip.classify_batch(run, 0, mapped)
    asked = run.xcoms["classify_batch.start_job", "return_value"][0]
    assert asked["asked"] + asked["known"] == loaded["classified"] == 40
    assert trip.prepare_retries(run) == []
    assert trip.reconcile(run)["cost_usd"] == 0
    assert trip.classifying_jobs() == []


@pytest.mark.parametrize(
    "call",
    [
        "nightsort.real_time.answers.StoredAnswers.complete",
        "nightsort.real_time.answers.StoredAnswers.empty_parts",
        "nightsort.tables.load.replace_rows",
        "nightsort.tables.runs.write_run",
    ],
)
@pytest.mark.parametrize("day_again", [False, True])
def test_a_process_that_dies_before_or_after_the_output_or_the_rows_pays_nothing_and_loses_nothing(
    trip: SmallTrip, monkeypatch: pytest.MonkeyPatch, call: str, day_again: bool
) -> None:
    trip.bring(15)
    trip.open()
    run = OperatorRun()
    with monkeypatch.context() as killed:
        killed.setattr(call, lambda *_, **__: dies())
        with pytest.raises(DeathError):
            trip.classify(run)
    counts = trip.classify(OperatorRun(run_id="manual__2") if day_again else run)
    assert (counts["classified"], counts["cost_usd"]) == (15, 0)
    assert trip.sources() == {"endpoint": 15}
    assert trip.classifying_jobs() == []
    assert (trip.row()["way"], trip.row()["state"]) == ("endpoint", "complete")


def test_a_process_that_dies_before_it_asks_and_finds_the_endpoint_closed_takes_a_job_once(
    trip: SmallTrip, monkeypatch: pytest.MonkeyPatch
) -> None:
    trip.bring(15)
    trip.open()
    run = OperatorRun()
    (mapped,) = trip.prepare(run)
    with monkeypatch.context() as killed:
        at_request(killed, 1, dies, of="serving")
        with pytest.raises(DeathError):
            trip.classify_batch(run, 0, mapped)
    trip.close()
    trip.classify_batch(run, 0, mapped)
    jobs = trip.classifying_jobs()
    assert len(jobs) == 1
    # The batch stays with its job, also when the endpoint is open again.
    trip.open()
    trip.classify_batch(run, 0, mapped)
    assert trip.classifying_jobs() == jobs
    trip.reconcile(run)
    again = trip.classify(OperatorRun(run_id="manual__2"))
    assert (again["classified"], again["units"]) == (15, 15 * UNITS)
    assert trip.sources() == {"job": 15}
    assert trip.classifying_jobs() == jobs


def test_answers_of_a_night_that_died_are_kept_when_the_day_is_prepared_again_with_the_endpoint_closed(
    trip: SmallTrip, monkeypatch: pytest.MonkeyPatch
) -> None:
    die_while_asking(trip, monkeypatch, 30)
    trip.close()
    counts = trip.classify(OperatorRun(run_id="manual__2"))
    sources = trip.sources()
    assert counts["classified"] == 40
    assert sources["endpoint"] >= 10
    assert counts["units"] == sources["job"] * UNITS
