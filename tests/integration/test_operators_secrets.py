"""Neither a document's text nor a credential leaves the places where it belongs."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.local_aws_server import REGION, LocalAwsServer
from tests.integration.operator_trips import BUCKET, Trip, as_connection, make_trip

# isort: split
from botocore.exceptions import ClientError

from nightsort_airflow.exceptions import BadInputError, JobFailedError
from nightsort_local.local_aws.control.client import LocalAwsControl
from tests.integration.operator_runs import OperatorRun
from tests.made_texts import WORDS

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

pytestmark = pytest.mark.integration

TEXT = "the patient canary of Rosalind Quux"
AWS_SECRET, DATABASE_SECRET = "aws-canary-0f3d", "database-canary-77b1"


@pytest.fixture
def trip(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Trip:
    trip = make_trip(aws, empty_database, monkeypatch, request.node.name)
    extra = {"region_name": REGION, "endpoint_url": aws.url}
    connection = {"conn_type": "aws", "login": "test", "password": AWS_SECRET, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_TRIP_AWS", json.dumps(connection))
    database = {**as_connection(empty_database), "password": DATABASE_SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_TRIP_DB", json.dumps(database))
    return trip


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Airflow would show as rendered templates of every operator that is made."""
    shown: list[str] = []
    execute = OperatorRun.execute

    def remember(run: OperatorRun, operator: BaseOperator, **more: Any) -> Any:
        shown.extend(str(getattr(operator, field)) for field in operator.template_fields)
        return execute(run, operator, **more)

    monkeypatch.setattr(OperatorRun, "execute", remember)
    return shown


def test_a_day_with_everything_that_can_go_wrong_tells_no_secret(
    trip: Trip,
    rendered: list[str],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Rejects, a job that fails, a day that cannot be read: each of them is reported, without the text."""
    caplog.set_level(logging.DEBUG, logger="nightsort_airflow")
    caplog.set_level(logging.DEBUG, logger="nightsort")
    labelled = [
        {"label": label, "text": f"{words} {TEXT} {number}"}
        for number in range(40)
        for label, words in WORDS.items()
    ]
    trip.put("labelled/a.jsonl", "".join(json.dumps(row) + "\n" for row in labelled))
    incoming = [
        *({"id": f"d{n}", "text": f"{TEXT} {n}"} for n in range(30)),
        {"id": "d1", "text": f"{TEXT} again"},
        {"id": "long", "text": TEXT * 40_000},
        {"text": f"{TEXT} without id"},
    ]
    trip.put("incoming/2026-11-18/a.jsonl", "".join(json.dumps(row) + "\n" for row in incoming))
    trip.put("incoming/2026-11-19/a.jsonl", f'{{"id": "x", "text": "{TEXT}\n')
    training, night, broken = OperatorRun(), OperatorRun(), OperatorRun()
    errors: list[str] = []

    trip.train(training)
    batches = trip.prepare(night)
    control = LocalAwsControl(trip.aws.url)
    control.inject("fail", resource="job", name=batches[0]["job"]["job_name"], message="INTERNAL: no")
    with pytest.raises(JobFailedError) as failed:
        trip.classify_batch(night, 0, batches[0])
    errors.append(str(failed.value))
    for index, mapped in enumerate(batches):
        trip.classify_batch(night, index, mapped)
    trip.reconcile(night)
    with pytest.raises((BadInputError, ClientError)) as unreadable:
        trip.prepare(
            broken, day="2026-11-17", source_uri=f"s3://{BUCKET}/{trip.spec.name}/incoming/nowhere.jsonl"
        )
    errors.append(str(unreadable.value))
    trip.prepare(OperatorRun(), day="2026-11-19")

    printed = capfd.readouterr()
    told = {
        "the logs": caplog.text + printed.out + printed.err,
        "XCom": json.dumps([list(run.xcoms.values()) for run in (training, night, broken)]),
        "the task state store": json.dumps([list(run.stores.values()) for run in (training, night)]),
        "rendered templates": "\n".join(rendered),
        "errors": "\n".join(errors),
    }
    assert "documents in" in told["the logs"]
    assert trip.spec.name in told["XCom"]
    assert trip.spec.name in told["rendered templates"]
    for canary in ("Rosalind", AWS_SECRET, DATABASE_SECRET):
        assert [place for place, text in told.items() if canary in text] == []
