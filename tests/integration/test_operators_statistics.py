"""What the operators leave of a night's statistics: forecast, jobs, drift, and who is told of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import Trip, make_trip

# isort: split
from nightsort.classifier_spec.model import Budget, Notifier
from nightsort.tables.night_reports import NightReport, night_report
from nightsort_airflow.exceptions import BudgetExceededError
from tests.integration.operator_runs import OperatorRun
from tests.integration.recounted import check_statistics

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration

RUN = "20261118"

SEVEN_NIGHTS_BEFORE = """
    INSERT INTO nightsort.classification_runs (classifier, run_key, day, version, state)
    SELECT classifier, to_char(day - before, 'YYYYMMDD'), day - before, version, 'complete'
    FROM nightsort.classification_runs, generate_series(1, 7) AS before;
    INSERT INTO nightsort.run_statistics
        (classifier, run_key, labels, documents, score_sums, histograms, least_confident, examples,
         failed_reasons, rejected_reasons)
    SELECT run.classifier, run.run_key, labels, ARRAY[{documents}]::bigint[], score_sums, histograms,
        '[]', '{{}}', '{{}}', '{{}}'
    FROM nightsort.classification_runs AS run, nightsort.run_statistics AS statistics
    WHERE statistics.run_key = '20261118' AND run.run_key < '20261118'
"""


@pytest.fixture
def trip(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Trip:
    trip = make_trip(aws, empty_database, monkeypatch, request.node.name)
    trip.label(40)
    trip.bring(210)
    trip.train()
    return trip


def report(trip: Trip) -> NightReport:
    with psycopg.connect(trip.dsn) as connection:
        found = night_report(connection, trip.spec.name, RUN)
    assert found is not None
    return found


def seven_nights_before(trip: Trip, *documents: int) -> None:
    with psycopg.connect(trip.dsn) as connection:
        connection.execute(SEVEN_NIGHTS_BEFORE.format(documents=", ".join(map(str, documents))).encode())


def test_a_night_leaves_its_forecast_its_jobs_and_the_statistics_of_its_rows(trip: Trip) -> None:
    trip.classify()
    found = report(trip)
    assert (found.run.forecast_units, found.run.forecast_usd) == (found.run.units, found.run.cost_usd)
    assert found.run.cost_usd > 0
    assert [job.batch for job in found.jobs] == [batch.name for batch in found.batches]
    for job in found.jobs:
        assert job.submitted_at is not None
        assert job.ended_at is not None
        assert job.submitted_at <= job.ended_at
        assert (job.status, job.attempt) == ("COMPLETED", 0)
    assert found.rejected_reasons == {"blank": 1}
    with psycopg.connect(trip.dsn) as connection:
        check_statistics(connection, RUN, trip.spec.name)


def test_a_night_over_budget_has_its_forecast(trip: Trip) -> None:
    trip.spec = trip.spec.model_copy(update={"budget": Budget(run_usd=0.01)})
    with pytest.raises(BudgetExceededError):
        trip.classify()
    run = report(trip).run
    assert (run.state, run.cost_usd) == ("failed", 0.0)
    assert run.forecast_usd == pytest.approx(210 * 3 * 0.0005)


@pytest.mark.parametrize("drift", ["off", "warn", "notify"])
def test_a_night_that_drifted_is_a_warning_and_told_to_those_that_the_spec_names(
    trip: Trip, drift: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told = tmp_path / "told"
    arguments = {"path": str(told), "text": "{{ nightsort.event }}: {{ nightsort.message }}"}
    notifier = Notifier(import_path="tests.file_notifier.FileNotifier", arguments=arguments)
    trip.spec = trip.spec.model_copy(update={"drift": drift, "notifiers": (notifier,)})
    trip.classify()
    assert not told.exists(), "nothing can be said of a first night"
    seven_nights_before(trip, 700, 200, 100)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        counts = trip.classify(OperatorRun())
    sentence = "are distributed otherwise than in the 7 nights before, with 7,000 documents"
    assert told.exists() is (drift == "notify")
    assert (sentence in caplog.text) is (drift != "off")
    assert report(trip).run.drifted is (None if drift == "off" else True)
    assert (sentence in str(counts["drift"])) is (drift != "off")
    if drift == "notify":
        assert told.read_text().startswith("warning: Run ")
        assert sentence in told.read_text()
        assert told.read_text().strip().count(".. ") == 0


def test_a_night_like_those_before_is_quiet(trip: Trip, caplog: pytest.LogCaptureFixture) -> None:
    trip.classify()
    seven_nights_before(trip, *night_documents(trip))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        counts = trip.classify()
    assert counts["drift"] is None
    assert report(trip).run.drifted is False
    assert "distributed" not in caplog.text


def night_documents(trip: Trip) -> Any:
    ((documents,),) = trip.query("SELECT documents FROM nightsort.run_statistics")
    return documents
