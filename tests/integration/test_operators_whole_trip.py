"""The steps of both DAGs, from labelled documents to rows that add up, on a local Comprehend and a real
PostgreSQL."""

from __future__ import annotations

import json

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import BUCKET, DAY, Trip, as_connection, make_trip

# isort: split
from typing import TYPE_CHECKING

from nightsort.classifier_spec.model import Budget, Notifier
from nightsort_airflow.assets import active_version_alias, predictions_asset
from nightsort_airflow.exceptions import (
    BadInputError,
    BudgetExceededError,
    NoActiveVersionError,
    RunIncompleteError,
)
from nightsort_airflow.hooks.database import NightsortDatabaseHook
from nightsort_airflow.hooks.storage import task_access
from tests.integration.operator_runs import OperatorRun
from tests.made_texts import WORDS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration


@pytest.fixture
def trip(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Trip:
    return make_trip(aws, empty_database, monkeypatch, request.node.name)


def test_from_labelled_documents_to_rows_that_add_up(trip: Trip) -> None:
    trip.label(40)
    trip.bring(50)
    training, night = OperatorRun(), OperatorRun()
    assert trip.train(training)["promoted"]
    counts = trip.classify(night)

    assert (counts["documents_in"], counts["classified"], counts["failed"], counts["rejected"]) == (
        51,
        50,
        0,
        1,
    )
    assert counts["reasons"] == {"blank": 1}
    assert len(trip.table()) == 51
    assert len(trip.jobs()) == 3
    ((version, metrics, active, report, used),) = trip.query(
        "SELECT version, metrics, active, training_report, training_documents + test_documents"
        " FROM nightsort.classifier_versions"
    )
    assert active
    assert (report["documents_read"], report["duplicates"], report["reject_counts"]) == (used, 0, {})
    assert metrics["macro_f1"] > 0.9
    assert {row[4] for row in trip.table() if row[5] == "classified"} == {version}
    ((state, batches),) = trip.query("SELECT state, batches FROM nightsort.classification_runs")
    assert state == "complete"
    assert [batch["loaded"] for batch in batches] == [20, 20, 10]
    assert all(batch["job_id"] for batch in batches)
    extra = night.events[predictions_asset(trip.spec.name)].extra
    assert (extra["classified"], extra["version"], extra["day"]) == (50, version, DAY)
    (promotion,) = training.events[active_version_alias(trip.spec.name)].asset_alias_events
    assert promotion.dest_asset_key.uri == f"x-nightsort://nightsort/{trip.spec.name}/active-version"
    assert promotion.extra["version"] == version


def test_the_same_run_done_again_starts_nothing_and_leaves_the_same_table(trip: Trip) -> None:
    trip.label(40)
    trip.bring(50)
    trip.train()
    trip.classify()
    before, jobs = trip.table(), trip.jobs()
    again = trip.train()
    assert (again["promoted"], again["reason"]) == (False, f"{again['version']} is active already.")
    trip.classify()
    assert trip.table() == before
    assert trip.jobs() == jobs


def test_late_documents_of_a_day_start_a_job_for_themselves_alone(trip: Trip) -> None:
    trip.label(40)
    trip.bring(50)
    trip.train()
    trip.classify()
    before = trip.jobs()
    trip.put(f"incoming/{DAY}/0-late.jsonl", json.dumps({"id": "late", "text": "refund my card"}) + "\n")
    counts = trip.classify()
    assert (counts["documents_in"], counts["classified"], counts["rejected"]) == (52, 51, 1)
    assert len(trip.table()) == 52
    assert len(set(trip.jobs()) - set(before)) == 1
    assert set(before) < set(trip.jobs())


def test_a_better_version_is_compared_on_the_same_test_documents_and_takes_over(trip: Trip) -> None:
    """The first one never saw a delivery; it classifies the second one's test documents to be compared."""
    delivery = WORDS.pop("delivery")
    try:
        trip.label(40)
    finally:
        WORDS["delivery"] = delivery
    first = trip.train()
    trip.label(40)
    second = trip.train()
    assert second["promoted"]
    assert (second["against"], second["version"] != first["version"]) == (first["version"], True)
    (score,) = trip.jobs()
    assert f"-{first['version']}-score-" in score
    rows = trip.query(
        "SELECT version, against, promoted, old, new FROM nightsort.promotion_decisions ORDER BY decided_at"
    )
    assert [row[:3] for row in rows] == [
        (first["version"], "", True),
        (second["version"], first["version"], True),
    ]
    assert rows[1][3] < 0.7 < 0.9 < rows[1][4]
    assert trip.query("SELECT version FROM nightsort.classifier_versions WHERE active") == [
        (second["version"],)
    ]


def test_a_version_that_is_no_better_is_recorded_and_not_used(trip: Trip) -> None:
    trip.label(40)
    first = trip.train()
    trip.label(43)
    second = trip.train()
    assert not second["promoted"]
    assert "Gain too small" in second["reason"]
    assert trip.query("SELECT version FROM nightsort.classifier_versions WHERE active") == [
        (first["version"],)
    ]
    assert len(trip.query("SELECT 1 FROM nightsort.classifier_versions")) == 2


def test_without_an_active_version_nothing_is_sent_and_the_train_dag_is_named(trip: Trip) -> None:
    trip.bring(5)
    with pytest.raises(NoActiveVersionError, match=f"Run the DAG train_{trip.spec.name} "):
        trip.classify()
    assert trip.jobs() == []


def test_a_night_over_budget_starts_nothing(trip: Trip) -> None:
    trip.label(40)
    trip.bring(50)
    trip.train()
    rich, trip.spec = trip.spec, trip.spec.model_copy(update={"budget": Budget(run_usd=0.01)})
    with pytest.raises(BudgetExceededError, match=r"50 documents.*0.0750 USD.*Raise budget\.run_usd"):
        trip.classify()
    assert trip.jobs() == []
    trip.spec = rich
    assert trip.classify()["classified"] == 50


def test_a_night_without_documents_is_a_success_with_zeros(trip: Trip) -> None:
    trip.label(40)
    trip.train()
    counts = trip.classify()
    assert (counts["documents_in"], counts["classified"], counts["rejected"], counts["cost_usd"]) == (
        0,
        0,
        0,
        0,
    )
    assert trip.query("SELECT state, documents_in FROM nightsort.classification_runs") == [("complete", 0)]


def test_a_night_without_files_is_what_the_spec_says(trip: Trip, tmp_path: Path) -> None:
    trip.label(40)
    trip.train()
    told = tmp_path / "told"
    text = "{{ nightsort.event }} {{ nightsort.classifier }}: {{ nightsort.message }}"
    arguments = {"path": str(told), "text": text}
    notifier = Notifier(import_path="tests.file_notifier.FileNotifier", arguments=arguments)
    of_trip = trip.spec
    trip.spec = of_trip.model_copy(update={"notifiers": (notifier,), "no_files": "warn"})
    trip.prepare(OperatorRun())
    assert told.read_text().startswith(f"warning {trip.spec.name}: ")
    assert f"There is no file at s3://{BUCKET}/{trip.spec.name}/incoming/2026-11-18/." in told.read_text()
    trip.spec = trip.spec.model_copy(update={"no_files": "ok"})
    trip.prepare(OperatorRun())
    assert len(told.read_text().splitlines()) == 1
    trip.spec = trip.spec.model_copy(update={"no_files": "fail"})
    with pytest.raises(BadInputError, match=rf"s3://{BUCKET}/.*/incoming/2026-11-18/ holds no file"):
        trip.prepare(OperatorRun())


def test_documents_given_by_hand_are_a_run_of_their_own(trip: Trip) -> None:
    trip.label(40)
    trip.bring(5)
    trip.train()
    trip.classify()
    trip.put("incoming/by-hand/b.jsonl", json.dumps({"id": "hand", "text": "refund my card"}) + "\n")
    trip.classify(source_uri=f"s3://{BUCKET}/{trip.spec.name}/incoming/by-hand/*.jsonl")
    keys = {row[0] for row in trip.table()}
    assert len(keys) == 2
    assert all(key.startswith("20261118") for key in keys)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("/etc/passwd", "is not of the kind of incoming.uri"),
        ("http://127.0.0.1:1/internal/secret", "http:// cannot be read"),
        ("s3://{bucket}/{name}/labelled/", "is not below incoming.uri"),
        ("s3://{bucket}/{name}/work/training/*/training.csv", "is not below incoming.uri"),
    ],
)
def test_documents_that_the_spec_does_not_allow_are_not_read(trip: Trip, source: str, says: str) -> None:
    uri = source.format(bucket=BUCKET, name=trip.spec.name)
    with pytest.raises(BadInputError, match=says) as refused:
        trip.prepare(OperatorRun(), source_uri=uri)
    assert "root:" not in str(refused.value)


def test_a_batch_that_failed_makes_the_run_red_and_only_it_is_done_again(trip: Trip) -> None:
    trip.label(40)
    trip.bring(50)
    trip.train()
    run = OperatorRun()
    first, second, third = trip.prepare(run)
    trip.classify_batch(run, 0, first)
    trip.classify_batch(run, 2, third)
    with pytest.raises(
        RunIncompleteError, match=f"20 of 51 documents are missing: batch {second['batch']['name']}"
    ):
        trip.reconcile(run)
    assert trip.query("SELECT state FROM nightsort.classification_runs") == [("incomplete",)]
    before = trip.jobs()
    trip.classify_batch(run, 1, second)
    assert trip.reconcile(run)["classified"] == 50
    assert len(set(trip.jobs()) - set(before)) == 1


def test_rows_of_an_earlier_version_do_not_hide_a_batch_that_failed(trip: Trip) -> None:
    trip.label(40)
    trip.bring(50)
    trip.train()
    trip.classify()
    run = OperatorRun()
    first, second, _ = trip.prepare(run)
    trip.classify_batch(run, 0, first)
    with pytest.raises(
        RunIncompleteError, match=rf"30 of 51 documents.*{second['batch']['name']} was not loaded"
    ):
        trip.reconcile(run)


def test_the_frozen_version_is_used_whatever_is_promoted_meanwhile(trip: Trip) -> None:
    delivery = WORDS.pop("delivery")
    try:
        trip.label(40)
    finally:
        WORDS["delivery"] = delivery
    old = trip.train()["version"]
    trip.bring(5)
    run = OperatorRun()
    (mapped,) = trip.prepare(run)
    trip.label(40)
    assert trip.train()["promoted"]
    trip.classify_batch(run, 0, mapped)
    trip.reconcile(run)
    assert {row[4] for row in trip.table() if row[5] == "classified"} == {old}


def test_no_document_text_is_logged_or_given_to_airflow(
    trip: Trip, capsys: pytest.CaptureFixture[str]
) -> None:
    trip.label(40)
    trip.bring(5)
    training, night = OperatorRun(), OperatorRun()
    trip.train(training)
    trip.classify(night)
    told = capsys.readouterr()
    given = json.dumps([list(run.xcoms.values()) for run in (training, night)])
    for words in WORDS.values():
        for text in (told.out, told.err, given):
            assert words not in text


# --- connections
# -------------------------------------------------------------------------------------------------


def test_the_database_hook_takes_socket_folder_and_libpq_extras(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {
        "application_name": "nightsort-test",
        "options": "-c statement_timeout=4321",
        "sslmode": "prefer",
    }
    monkeypatch.setenv("AIRFLOW_CONN_TABLES", json.dumps(as_connection(empty_database, **extra)))
    with NightsortDatabaseHook(postgres_conn_id="tables").connect() as connection:
        shown = [
            connection.execute(f"SHOW {name}").fetchone()[0]  # type: ignore[index]
            for name in ("application_name", "statement_timeout")
        ]
        assert connection.info.host.startswith("/")
    assert shown == ["nightsort-test", "4321ms"]
    assert connection.closed


def test_an_sql_source_is_opened_by_its_own_connection_and_closed(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DOCUMENTS", json.dumps(as_connection(empty_database)))
    connect = task_access(None).connect
    assert connect is not None
    with connect("documents") as opened:
        cursor = opened.cursor()
        cursor.execute("SELECT 1 AS id, 'text' AS text")
        assert cursor.fetchall() == [(1, "text")]
    assert opened.closed
