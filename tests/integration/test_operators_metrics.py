"""Which figures a night sends that is not like others. What all of them are: ``test_observed_night.py``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import BUCKET, DAY, Trip, make_trip

# isort: split
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils

from nightsort_airflow.exceptions import NoActiveVersionError, RunIncompleteError
from tests.integration.operator_runs import OperatorRun
from tests.integration.udp_listener import UdpListener, udp_listener

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration


@pytest.fixture
def trip(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Trip:
    trip = make_trip(aws, empty_database, monkeypatch, request.node.name)
    trip.label(20)
    trip.bring(30)
    return trip


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[UdpListener]:
    with udp_listener() as listener:
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(listener.port))
        begin()
        yield listener
    monkeypatch.undo()
    begin()


def begin() -> None:
    """Have Airflow read its settings again, as each task does when it begins."""
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)


def gauges(statsd: UdpListener, classifier: str) -> dict[str, float]:
    statsd.close()
    start, end = "airflow.nightsort.night.", f".{classifier}"
    found = (line.removesuffix("|g").rsplit(":", 1) for line in statsd.lines if line.startswith(start))
    return {name.removeprefix(start).removesuffix(end): float(value) for name, value in found}


def test_a_night_with_missing_documents_sends_how_many(trip: Trip, statsd: UdpListener) -> None:
    trip.train()
    run = OperatorRun()
    first, _ = trip.prepare(run)
    trip.classify_batch(run, 0, first)
    trip.prepare_retries(run)
    with pytest.raises(RunIncompleteError):
        trip.reconcile(run)
    sent = gauges(statsd, trip.spec.name)
    # Batches of 20 documents, and one document that was rejected.
    expected = {"complete": 0, "documents": 31, "classified": 20, "rejected": 1, "missing": 10, "batches": 2}
    assert {name: sent[name] for name in expected} == expected


def test_a_night_of_which_nothing_was_sent_says_so_and_keeps_the_other_figures(
    trip: Trip, statsd: UdpListener
) -> None:
    run = OperatorRun(conf={"day": DAY})
    with pytest.raises(NoActiveVersionError):
        trip.prepare(run)
    with pytest.raises(RunIncompleteError):
        trip.reconcile(run)
    sent = gauges(statsd, trip.spec.name)
    assert sent.keys() == {"complete", "ended_timestamp_seconds"}
    assert sent["complete"] == 0


def test_documents_given_by_hand_are_no_night(trip: Trip, statsd: UdpListener) -> None:
    trip.train()
    counts = trip.classify(source_uri=f"s3://{BUCKET}/{trip.spec.name}/incoming/{DAY}/")
    assert counts["classified"] == 30
    assert gauges(statsd, trip.spec.name) == {}


OLDER = "2026-11-01"


def test_an_older_day_that_is_counted_again_leaves_the_figures_of_the_newest_night(
    trip: Trip, statsd: UdpListener
) -> None:
    trip.train()
    trip.bring(5, day=OLDER)
    trip.classify()
    trip.classify(OperatorRun(conf={"day": OLDER}), day=OLDER)
    assert gauges(statsd, trip.spec.name)["documents"] == 31


def test_a_run_of_which_nothing_was_sent_leaves_the_figures_of_another_night(
    trip: Trip, statsd: UdpListener
) -> None:
    """An older day, documents given by hand, and a run that ended before it had a row."""
    trip.train()
    trip.classify()
    for number, conf in enumerate(
        ({"day": OLDER}, {"day": DAY, "source_uri": "s3://elsewhere/"}, {"day": "no day"}, {"day": DAY})
    ):
        with pytest.raises(RunIncompleteError):
            trip.reconcile(OperatorRun(run_id=f"manual__{number + 2}", conf=conf))
    assert gauges(statsd, trip.spec.name)["complete"] == 1


def test_metrics_that_cannot_be_sent_fail_no_night(
    trip: Trip, statsd: UdpListener, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trip.train()
    client = "tests.failing_statsd.FailingGauges"
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_CUSTOM_CLIENT_PATH", client)
    begin()
    with caplog.at_level(logging.WARNING):
        assert trip.classify()["classified"] == 30
    assert "The night's metrics were not sent." in caplog.messages
    assert gauges(statsd, trip.spec.name) == {}
