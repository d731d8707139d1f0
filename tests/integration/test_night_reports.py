"""What pages and the command line read of nights is what the tables have."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from nightsort.evaluation import Metrics, PromotionDecision
from nightsort.exports import EXPORT_SCHEMA
from nightsort.statistics.drift import BAND
from nightsort.tables.classifier_history import classifier_history
from nightsort.tables.drift_series import drift_series
from nightsort.tables.night_reports import night_report
from nightsort.tables.overview import Savings, classifier_names, overview, spent_in_month
from nightsort.tables.row_streams import REJECT_COLUMNS, csv_rows, parquet_rows
from nightsort.tables.run_rows import AirflowRun, record_forecast, start_run
from nightsort.tables.run_summaries import (
    find_run,
    is_newest_night,
    last_runs,
    neighbours,
    run_of_dag_run,
    runs_of_dag_runs,
    runs_of_day,
)
from nightsort.tables.versions import ClassifierVersion, find_version, record_decision, record_version
from tests.integration.local_nights import DAY, Nights

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[Any]
RUN = "20261118"
AIRFLOW_RUN = AirflowRun("classify_tickets", "manual__1")


class WordNights(Nights):
    """A Comprehend that answers with the first word of a document, and loses what begins with "lose"."""

    def says(self, text: str) -> dict[str, Any]:
        label, score = text.split()
        if label == "lose":
            return {"Classes": []}
        return {"Classes": [{"Name": label, "Score": float(score)}]}

    def night(self, day: date, version: str = "v1", **counts: int) -> None:
        documents = {
            f"{day}-{label}-{number}": f"{label} {0.5 + number % 40 / 100}"
            for label, amount in counts.items()
            for number in range(amount)
        }
        self.arrives("documents.jsonl", documents, day)
        self.classify(day, version=version)


@pytest.fixture
def nights(tmp_path: Path, database: Connection) -> WordNights:
    return WordNights(tmp_path, database, batch={"max_documents": 500})


def quiet_nights(nights: WordNights, number: int = 8) -> None:
    for before in range(number, 0, -1):
        nights.night(DAY - timedelta(days=before), bug=120 + before, invoice=80)


class TestNight:
    def test_it_has_all_that_the_night_left(self, nights: WordNights, database: Connection) -> None:
        quiet_nights(nights)
        nights.night(DAY, bug=100, invoice=98, lose=2)
        report = night_report(database, "tickets", RUN)
        assert report is not None
        assert (report.run.documents_in, report.run.classified, report.run.failed) == (200, 198, 2)
        assert (report.counted, report.failed_reasons, report.rejected_reasons) == (
            True,
            {"no_labels": 2},
            {},
        )
        assert report.examples == {"no_labels": ["2026-11-18-lose-0", "2026-11-18-lose-1"]}
        assert [(batch.documents, batch.loaded) for batch in report.batches] == [(200, 200)]
        assert sum(report.histogram) == 198
        assert [(label.label, label.documents) for label in report.labels] == [("bug", 100), ("invoice", 98)]
        (bug, _) = report.labels
        assert bug.share == 100 / 198
        assert bug.mean_score == pytest.approx(np.mean([0.5 + number % 40 / 100 for number in range(100)]))
        assert sum(bug.histogram) == 100
        assert bug.shift is not None
        assert bug.shift.usual == pytest.approx(sum(range(121, 129)) / (sum(range(121, 129)) + 8 * 80))
        assert report.trailing_nights == 8
        assert len(report.least_confident) == 50
        assert report.least_confident[0]["scores"] == [0.5]

    def test_the_view_of_labels_has_the_same(self, nights: WordNights, database: Connection) -> None:
        nights.night(DAY, bug=100, invoice=98, lose=2)
        report = night_report(database, "tickets", RUN)
        assert report is not None
        rows = database.execute(
            "SELECT label, documents, share, mean_score, histogram FROM nightsort.label_statistics"
            " WHERE classifier = 'tickets' AND day = %s ORDER BY documents DESC",
            (DAY,),
        ).fetchall()
        for row, label in zip(rows, report.labels, strict=True):
            assert (row[0], row[1], row[4]) == (label.label, label.documents, label.histogram)
            assert (float(row[2]), row[3]) == pytest.approx((label.share, label.mean_score))

    def test_a_label_that_is_gone_is_told_with_its_usual_share(
        self, nights: WordNights, database: Connection
    ) -> None:
        quiet_nights(nights)
        nights.night(DAY, bug=300)
        report = night_report(database, "tickets", RUN)
        assert report is not None
        gone = report.labels[-1]
        assert (gone.label, gone.documents, gone.share, gone.mean_score) == ("invoice", 0, 0.0, None)
        assert gone.shift is not None
        assert gone.shift.usual > 0.3
        assert report.drift is not None
        assert report.drift["drifted"] is True
        assert report.run.drifted is True
        assert "invoice 0.0% (usually" in (report.run.drift or "")

    def test_an_older_night_shows_what_it_has(self, nights: WordNights, database: Connection) -> None:
        """As a run that was loaded before there were statistics."""
        nights.arrives("a.jsonl", {"a": "bug 0.5", "b": " ", "c": "lose 1"})
        nights.classify()
        database.execute("DELETE FROM nightsort.run_statistics")
        report = night_report(database, "tickets", RUN)
        assert report is not None
        assert (report.counted, report.labels, report.histogram, report.drift) == (False, (), (), None)
        assert (report.failed_reasons, report.rejected_reasons) == ({"no_labels": 1}, {"blank": 1})
        assert (report.run.drifted, report.run.forecast_usd) == (None, None)

    def test_its_jobs_are_those_of_batches_and_retries_and_those_that_failed(
        self, nights: WordNights, database: Connection
    ) -> None:
        nights.arrives("a.jsonl", {"a": "bug 0.5"})
        prepared, _ = nights.classify()
        (batch,) = prepared.batches
        times = {"submitted_at": "2026-11-19T02:00:00+00:00", "ended_at": "2026-11-19T02:10:00+00:00"}
        retry = {"name": f"{batch.name}-r1", "documents": 1, "units": 3, "job_id": "second"}
        job = {"job_id": "first", "job_name": f"tickets-v1-{batch.name}-g2", **times, "retries": [retry]}
        failed = {"job_id": "zero", "job_name": f"tickets-v1-{batch.name}-g1", "status": "FAILED"}
        nights.finish(prepared, {batch.name: job}, failed_jobs=[{**failed, "message": "INTERNAL: no"}])
        report = night_report(database, "tickets", RUN)
        assert report is not None
        first, second, zero = report.jobs
        assert (first.batch, first.attempt, first.job_id, first.status) == (
            batch.name,
            0,
            "first",
            "COMPLETED",
        )
        assert (first.submitted_at, first.ended_at) == (
            datetime(2026, 11, 19, 2, 0, tzinfo=timezone.utc),
            datetime(2026, 11, 19, 2, 10, tzinfo=timezone.utc),
        )
        assert (second.attempt, second.documents, second.job_id) == (1, 1, "second")
        assert (zero.batch, zero.attempt, zero.status, zero.message) == (
            batch.name,
            None,
            "FAILED",
            "INTERNAL: no",
        )

    def test_a_night_without_a_row_is_none(self, database: Connection) -> None:
        assert night_report(database, "tickets", RUN) is None


class TestRuns:
    def test_a_run_is_found_by_its_day_and_by_its_dag_run(
        self, nights: WordNights, database: Connection
    ) -> None:
        by_hand = nights.arrives("a.jsonl", {"a": "bug 0.5"})
        nights.classify(source_uri=by_hand)
        start_run(
            database,
            classifier="tickets",
            run_key=RUN,
            airflow_run=AIRFLOW_RUN,
            source_uri=None,
            started_at=None,
        )
        record_forecast(database, classifier="tickets", run_key=RUN, units=2_000, usd=1.0)
        running, hand = runs_of_day(database, "tickets", DAY)
        assert (running.run_key, running.state, running.forecast_units, running.forecast_usd) == (
            RUN,
            "running",
            2_000,
            1.0,
        )
        assert (hand.source_uri, hand.state) == (by_hand, "complete")
        assert hand.drift == "Drift is not judged: the documents are others than those of the day."
        assert run_of_dag_run(database, *AIRFLOW_RUN) == running == find_run(database, "tickets", RUN)
        assert run_of_dag_run(database, "classify_tickets", "other") is None

    def test_the_last_runs_of_each_classifier_are_the_latest_first(
        self, nights: WordNights, database: Connection
    ) -> None:
        quiet_nights(nights, 3)
        found = last_runs(database, ["tickets", "unknown"], runs=2)
        assert [run.day for run in found["tickets"]] == [DAY - timedelta(days=1), DAY - timedelta(days=2)]
        assert found["unknown"] == []


class TestOverview:
    def test_it_has_the_nights_the_cost_of_the_month_and_the_active_version(
        self, nights: WordNights, database: Connection
    ) -> None:
        quiet_nights(nights, 3)
        database.execute("UPDATE nightsort.classification_runs SET finished_at = '2026-11-19'")
        database.execute(
            "UPDATE nightsort.classification_runs SET finished_at = '2026-10-31' WHERE day = %s",
            (DAY - timedelta(days=3),),
        )
        trained = datetime(2026, 11, 2, tzinfo=timezone.utc)
        version = ClassifierVersion(
            "tickets",
            "v1",
            "arn:v1",
            "MULTI_CLASS",
            "en",
            metrics=Metrics(macro_f1=0.9),
            cost_usd=2.5,
            trained_at=trained,
        )
        record_version(database, version)
        record_version(database, replace(version, classifier="new"))
        decision = PromotionDecision(True, "the first", "macro_f1", None, 0.9)
        record_decision(database, classifier="tickets", version="v1", against=None, decision=decision)
        assert classifier_names(database) == ["new", "tickets"]
        new, tickets = overview(
            database, ["new", "tickets"], now=datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
        )
        assert (new.nights, new.active, new.failed_job) == ([], None, None)
        assert (new.month.nights, new.month.nights_usd, new.month.trainings_usd) == (0, 0.0, 2.5)
        assert tickets.active is not None
        assert (tickets.active.version, tickets.active.arn) == ("v1", "arn:v1")
        assert (tickets.active.metrics or {})["macro_f1"] == 0.9
        assert [run.day for run in tickets.nights] == [DAY - timedelta(days=days) for days in (1, 2, 3)]
        nights_usd = sum(run.cost_usd for run in tickets.nights[:2])
        assert tickets.month.nights == 2
        assert tickets.month.usd == pytest.approx(nights_usd + 2.5)

    def test_a_month_ends_where_the_next_one_begins(self, nights: WordNights, database: Connection) -> None:
        """The page of an old night has the cost of its month, and not of all that came later."""
        quiet_nights(nights, 3)
        for days, began in (
            (3, "2026-10-31 23:59+00"),
            (2, "2026-11-01 00:00+00"),
            (1, "2026-12-01 00:00+00"),
        ):
            database.execute(
                "UPDATE nightsort.classification_runs SET started_at = %s WHERE day = %s",
                (began, DAY - timedelta(days=days)),
            )
        # In New York it is still November.
        evening = datetime(2026, 11, 30, 18, tzinfo=timezone(timedelta(hours=-5)))
        for moment in (datetime(2026, 11, 1, tzinfo=timezone.utc), evening):
            assert spent_in_month(database, ["tickets"], moment)["tickets"].nights == 1

    def test_a_month_has_what_its_nights_saved(self, nights: WordNights, database: Connection) -> None:
        quiet_nights(nights, 3)
        database.execute(
            "UPDATE nightsort.classification_runs SET started_at = CASE WHEN day = %s THEN"
            " '2026-12-01 00:00+00'::timestamptz ELSE '2026-11-01 00:00+00' END, repeated = 2, reused = 3,"
            " saved_units = 16, saved_usd = 0.008",
            (DAY - timedelta(days=1),),
        )
        november = datetime(2026, 11, 30, tzinfo=timezone.utc)
        saved = {
            name: month.saved
            for name, month in spent_in_month(database, ["tickets", "new"], november).items()
        }
        assert saved == {"tickets": Savings(4, 6, 32, 0.016), "new": Savings()}
        database.execute("UPDATE nightsort.classification_runs SET way = 'endpoint'")
        by_endpoint = spent_in_month(database, ["tickets"], november)["tickets"].saved
        assert by_endpoint == Savings(4, 6, 32, 0.0), "its seconds are paid for in any case"

    def test_the_nights_of_a_month_are_those_of_the_specs_source_that_cost_something(
        self, nights: WordNights, database: Connection
    ) -> None:
        quiet_nights(nights, 3)
        began = datetime(2026, 11, 20, tzinfo=timezone.utc)
        database.execute(
            "UPDATE nightsort.classification_runs SET started_at = %s, cost_usd = 2, repeated = 1,"
            " reused = 2, saved_units = 9, saved_usd = 0.5",
            (began,),
        )
        by_hand = "UPDATE nightsort.classification_runs SET source_uri = 's3://b/' WHERE day = %s"
        database.execute(by_hand, (DAY - timedelta(days=3),))
        database.execute(
            "UPDATE nightsort.classification_runs SET cost_usd = 0 WHERE day = %s", (DAY - timedelta(days=2),)
        )
        month = spent_in_month(database, ["tickets"], began)["tickets"]
        assert (month.nights, month.nights_usd, month.by_hand_usd, month.usd) == (1, 2.0, 2.0, 4.0)
        assert (month.saved.documents, month.saved.units, month.saved.usd) == (9, 27, 1.5)
        assert month.budget(3.0) == 3.0

    def test_the_last_job_that_failed_is_known(self, nights: WordNights, database: Connection) -> None:
        nights.night(DAY, bug=1)
        jobs = [{"job_id": "first"}, {"job_id": "second"}]
        database.execute("UPDATE nightsort.classification_runs SET failed_jobs = %s", (Jsonb(jobs),))
        (tickets,) = overview(database, ["tickets"], now=datetime.now(timezone.utc))
        assert tickets.failed_job == "second"

    def test_dag_runs_lead_to_their_rows_and_to_those_that_others_took_over(
        self, nights: WordNights, database: Connection
    ) -> None:
        quiet_nights(nights, 3)
        database.execute(
            "UPDATE nightsort.classification_runs SET dag_id = 'classify_tickets', run_id = run_key || 'run'"
        )
        asked = [
            ("tickets", AirflowRun("classify_tickets", "20261116run"), None),
            ("tickets", AirflowRun("classify_tickets", "of nobody"), "20261117"),
            ("others", AirflowRun("classify_tickets", "20261115run"), "20261115"),
        ]
        found = runs_of_dag_runs(database, asked)
        assert sorted(run.run_key for run in found) == ["20261116", "20261117"]
        assert runs_of_dag_runs(database, []) == []

    def test_the_newest_night_is_that_of_the_latest_day_of_the_specs_source(
        self, nights: WordNights, database: Connection
    ) -> None:
        quiet_nights(nights, 2)
        assert is_newest_night(database, "tickets", "20261117")
        assert not is_newest_night(database, "tickets", "20261116")
        assert is_newest_night(database, "tickets", "20261118"), "a night that has no row yet"
        database.execute(
            "UPDATE nightsort.classification_runs SET source_uri = 's3://b/' WHERE run_key = '20261117'"
        )
        assert is_newest_night(database, "tickets", "20261116")
        ours = AirflowRun("classify_tickets", "1")
        assert not is_newest_night(database, "tickets", "20261116", ours), "the row is another run's"
        database.execute(
            "UPDATE nightsort.classification_runs SET dag_id = %s, run_id = %s WHERE run_key = '20261116'",
            ours,
        )
        assert is_newest_night(database, "tickets", "20261116", ours)

    def test_a_run_knows_those_before_and_after(self, nights: WordNights, database: Connection) -> None:
        quiet_nights(nights, 3)
        assert neighbours(database, "tickets", "20261116") == ("20261115", "20261117")
        assert neighbours(database, "tickets", "20261115") == (None, "20261116")

    def test_versions_come_with_their_decisions(self, database: Connection) -> None:
        for number in (1, 2):
            trained = datetime(2026, 11, number, tzinfo=timezone.utc)
            record_version(
                database,
                ClassifierVersion(
                    *("tickets", f"v{number}", "arn", "MULTI_CLASS", "en"),
                    trained_at=trained,
                    confusion_matrix={"labels": ["a"]},
                    training_report={"duplicates": number},
                ),
            )
        decision = PromotionDecision(False, "0.8 is not above 0.9", "macro_f1", 0.9, 0.8)
        record_decision(
            database,
            classifier="tickets",
            version="v2",
            against="v1",
            decision=decision,
            test_fingerprint="f",
        )
        second, first = classifier_history(database, "tickets")
        assert (second.version.version, first.version.version, first.decisions) == ("v2", "v1", [])
        assert (second.version.confusion_matrix, second.version.training_report) == (None, None), "large"
        whole = find_version(database, "tickets", "v2")
        assert whole is not None
        assert (whole.confusion_matrix, whole.training_report) == ({"labels": ["a"]}, {"duplicates": 2})
        assert [each.version.version for each in classifier_history(database, "tickets", most=1)] == ["v2"]
        (made,) = second.decisions
        assert (made.against, made.test_fingerprint, made.promoted, made.reason) == (
            "v1",
            "f",
            False,
            "0.8 is not above 0.9",
        )


class TestDriftSeries:
    def test_each_night_has_its_shares_and_the_band_of_the_nights_before(
        self, nights: WordNights, database: Connection
    ) -> None:
        quiet_nights(nights)
        nights.night(DAY, bug=50, invoice=150, new=1)
        series = drift_series(database, "tickets")
        assert [night.run_key for night in series.nights] == [f"202611{day}" for day in range(10, 19)]
        assert list(series.labels) == ["bug", "invoice", "new"]
        last = series.nights[-1]
        assert (last.documents, last.drifted) == (201, True)
        assert last.sentence.startswith("The labels of 201 documents are distributed otherwise")
        assert np.allclose(series.shares[-1], [50 / 201, 150 / 201, 1 / 201])
        before = sum(range(121, 129)), 8 * 80
        usual = before[0] / sum(before)
        assert np.allclose(series.usual[-1], [usual, 1 - usual, 0])
        report = night_report(database, "tickets", RUN)
        assert report is not None
        assert report.drift is not None
        assert np.allclose(
            series.high[-1, 0] - usual,
            BAND * np.sqrt(report.drift["dispersion"] * usual * (1 - usual) * (1 / 201 + 1 / sum(before))),
        )
        by_label = {label.label: label.shift for label in report.labels}
        for place, label in enumerate(series.labels):
            shift = by_label[label]
            assert shift is not None
            assert np.allclose(
                [series.usual[-1, place], series.low[-1, place], series.high[-1, place]],
                [shift.usual, shift.low, shift.high],
            )
        assert np.isnan(series.usual[0]).all()
        assert np.isnan(series.mean_scores[0, 2])
        assert series.score_low[-1] < series.score_high[-1]

    def test_a_night_is_compared_with_its_own_version_alone(
        self, nights: WordNights, database: Connection
    ) -> None:
        quiet_nights(nights, 3)
        nights.night(DAY, version="v2", bug=200)
        series = drift_series(database, "tickets", nights=2)
        assert [night.version for night in series.nights] == ["v1", "v2"]
        assert not np.isnan(series.usual[0]).any()
        assert np.isnan(series.usual[1]).all()

    def test_small_nights_are_compared_with_small_ones_on_both_sides(
        self, nights: WordNights, database: Connection
    ) -> None:
        """A night has one band, whoever asks."""
        for before in range(4, 0, -1):
            nights.night(DAY - timedelta(days=before), bug=20 + before, invoice=10)
        nights.night(DAY, bug=10, invoice=20)
        series = drift_series(database, "tickets")
        report = night_report(database, "tickets", RUN)
        assert report is not None
        for label in report.labels:
            place = list(series.labels).index(label.label)
            assert label.shift is not None
            assert np.allclose(
                [series.usual[-1, place], series.low[-1, place], series.high[-1, place]],
                [label.shift.usual, label.shift.low, label.shift.high],
            )

    def test_a_classifier_without_nights_has_an_empty_one(self, database: Connection) -> None:
        series = drift_series(database, "tickets")
        assert (series.nights, series.labels) == ([], [])


class TestRows:
    @pytest.fixture
    def loaded(self, nights: WordNights) -> None:
        texts = {'ö, "quoted"': "bug 0.5", "b": " ", "c": "lose 1", "d": "invoice 0.75"}
        nights.arrives("a.jsonl", texts)
        nights.classify()

    @pytest.mark.parametrize("rejects", [False, True])
    @pytest.mark.parametrize("rows_per_group", [1, 250_000])
    def test_parquet_has_the_rows_of_the_table(
        self, loaded: None, database: Connection, rejects: bool, rows_per_group: int
    ) -> None:
        stream = parquet_rows(
            database, "tickets", RUN, EXPORT_SCHEMA, rows_per_group=rows_per_group, rejects=rejects
        )
        table = pq.read_table(io.BytesIO(b"".join(stream))).sort_by("line")
        with database.cursor(row_factory=dict_row) as cursor:
            right = cursor.execute(
                "SELECT * FROM nightsort.predictions WHERE (status = 'rejected') = %s ORDER BY batch, line",
                (rejects,),
            ).fetchall()
        assert table.to_pylist() == [{name: row[name] for name in EXPORT_SCHEMA.names} for row in right]
        assert len(right) == (1 if rejects else 3)

    def test_csv_has_the_rows_of_the_table_with_lists_as_json(
        self, loaded: None, database: Connection
    ) -> None:
        content = b"".join(csv_rows(database, "tickets", RUN, EXPORT_SCHEMA.names)).decode()
        rows = sorted(csv.DictReader(io.StringIO(content)), key=lambda row: row["line"])
        assert [(row["document_id"], row["status"], row["label"]) for row in rows] == [
            ('ö, "quoted"', "classified", "bug"),
            ("c", "failed", ""),
            ("d", "classified", "invoice"),
        ]
        assert (json.loads(rows[0]["labels"]), json.loads(rows[0]["scores"])) == (["bug"], [0.5])
        rejects = csv_rows(database, "tickets", RUN, REJECT_COLUMNS, rejects=True)
        (reject,) = csv.DictReader(io.StringIO(b"".join(rejects).decode()))
        assert reject == {"document_id": "b", "reason": "blank", "batch": "rejects", "line": "0"}

    def test_a_stream_that_is_left_frees_the_connection(self, loaded: None, database: Connection) -> None:
        for rows in self.streams(database):
            next(rows)
            rows.close()
            assert find_run(database, "tickets", RUN) is not None

    def test_only_reading_is_needed(self, loaded: None, database: Connection) -> None:
        """Pages read in read-only transactions."""
        database.execute("SET default_transaction_read_only = on")
        assert night_report(database, "tickets", RUN) is not None
        assert [b"".join(rows) != b"" for rows in self.streams(database)] == [True, True]
        assert drift_series(database, "tickets").nights
        assert overview(database, ["tickets"], now=datetime.now(timezone.utc))

    def streams(self, database: Connection) -> Iterator[Generator[bytes, None, None]]:
        yield csv_rows(database, "tickets", RUN, EXPORT_SCHEMA.names)
        yield parquet_rows(database, "tickets", RUN, EXPORT_SCHEMA, rows_per_group=1)
