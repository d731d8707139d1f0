"""A month with repeats and reused texts: every place that names money says what Comprehend classified."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml
from typer.testing import CliRunner

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import BUCKET, Trip

# isort: split
from airflow.providers.standard.operators.hitl import ApprovalOperator

from nightsort.classifier_spec.model import Budget, Reuse
from nightsort.cli import app
from nightsort.comprehend.prices import classification_cost, usd_text
from nightsort.tables.overview import spent_in_month
from nightsort_airflow.exceptions import BudgetExceededError
from nightsort_airflow.operators.approval import ApproveCostOperator
from tests.integration.operator_runs import OperatorRun
from tests.integration.trip_fixtures import bare_trip

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

__all__ = ["bare_trip"]

pytestmark = pytest.mark.integration

LONG = "The charge on my invoice is wrong, and nobody answers. " * 9
"""A text of five units; the others have the least that is billed, three."""
MONTH = {
    "2026-11-15": [*(f"refund {number}" for number in range(8)), "an auto-reply", "an auto-reply", LONG],
    "2026-11-16": ["refund 1", "refund 2", "delivery 1", "an auto-reply", LONG, LONG],
    "2026-11-17": ["refund 1", "delivery 1"],
    "2026-11-18": ["delivery 1", "delivery 2", "delivery 2", " ", LONG],
}
LATE = ["delivery 3", "refund 5", "delivery 2"]
"""What comes late to the last night."""


@pytest.fixture
def trip(bare_trip: Trip) -> Trip:
    bare_trip.spec = bare_trip.spec.model_copy(update={"reuse": Reuse(days=30)})
    bare_trip.label(12)
    bare_trip.train()
    return bare_trip


def units_of(text: str) -> int:
    """What a text costs, by Comprehend's price list."""
    return max(3, -(-len(text.strip()) // 100))


def bill(trip: Trip) -> int:
    """The units that Comprehend has classified: those of the input of each of its jobs."""
    comprehend, s3 = trip.aws.client("comprehend"), trip.aws.client("s3")
    found = comprehend.list_document_classification_jobs(MaxResults=500)
    units = 0
    for job in found["DocumentClassificationJobPropertiesList"]:
        key = job["InputDataConfig"]["S3Uri"].removeprefix(f"s3://{BUCKET}/")
        if key.startswith(f"{trip.spec.name}/"):
            content = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
            units += sum(map(units_of, content.splitlines()))
    return units


def said(trip: Trip, folder: Path, *arguments: str) -> dict[str, Any]:
    """What ``nightsort forecast-cost`` says."""
    spec = folder / f"{trip.spec.name}.yaml"
    spec.write_text(yaml.safe_dump(json.loads(trip.spec.model_dump_json(exclude_unset=True))))
    result = CliRunner().invoke(
        app, ["forecast-cost", str(spec), *arguments, "--dsn", trip.dsn, "--json"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def arrives(trip: Trip, day: str, name: str, texts: list[str]) -> None:
    rows = [{"id": f"{name}-{number}", "text": text} for number, text in enumerate(texts)]
    trip.put(f"incoming/{day}/{name}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def rows_of(trip: Trip) -> dict[str, dict[str, Any]]:
    """The rows of the runs, by their days."""
    rows = trip.query("SELECT day::text, to_jsonb(run) FROM nightsort.classification_runs AS run")
    return dict(rows)


def test_all_of_a_month_say_what_comprehend_has_classified(trip: Trip, tmp_path: Path) -> None:
    sent: set[str] = set()
    for day, texts in MONTH.items():
        arrives(trip, day, "a", texts)
        new = {text for text in texts if text.strip()} - sent
        classify(trip, tmp_path, day, new)
        sent |= new
    arrives(trip, "2026-11-18", "late", LATE)
    classify(trip, tmp_path, "2026-11-18", {"delivery 2", "delivery 3"}, paid={"delivery 2"})

    rows = rows_of(trip)
    every = [text for texts in (*MONTH.values(), LATE) for text in texts if text.strip()]
    units = sum(map(units_of, every))
    assert sum(row["units"] for row in rows.values()) == bill(trip)
    assert sum(row["saved_units"] for row in rows.values()) == units - bill(trip)

    asked = said(trip, tmp_path, "--reuse", "--day", "2026-11-18", "--nights", "4")
    assert (asked["documents"], asked["units"], asked["usd"]) == (
        len(every),
        units,
        classification_cost(units),
    )
    saved = {saving["days"]: saving for saving in asked["savings"]}
    assert saved[30]["units"] == units - bill(trip)
    assert saved[30]["usd"] == pytest.approx(sum(row["saved_usd"] for row in rows.values()))
    assert saved[30]["documents"] == sum(row["repeated"] + row["reused"] for row in rows.values())

    with psycopg.connect(trip.dsn) as connection:
        ((moment,),) = connection.execute("SELECT min(started_at) FROM nightsort.classification_runs")
        month = spent_in_month(connection, [trip.spec.name], moment)[trip.spec.name]
    assert month.nights_usd == pytest.approx(classification_cost(bill(trip)))
    assert (month.saved.units, month.saved.documents) == (saved[30]["units"], saved[30]["documents"])
    assert month.saved.usd == pytest.approx(saved[30]["usd"])


def question(trip: Trip, forecast: dict[str, Any], budget: float) -> tuple[str, str]:
    """What a person is asked: the line in the list of required actions, and the question."""
    task = ApproveCostOperator(
        task_id="approve_cost",
        forecast=forecast,
        budget_usd=budget,
        purpose=f"classify a day of {trip.spec.name}",
        answer_hours=1,
    )
    with pytest.MonkeyPatch.context() as changed:
        # Airflow's operator puts the question to an API server.
        changed.setattr(ApprovalOperator, "execute", lambda task, _: (task.subject, task.body))
        asked: tuple[str, str] = task.execute(OperatorRun().context("approve_cost"))
    return asked


def classify(trip: Trip, folder: Path, day: str, texts: set[str], *, paid: Collection[str] = ()) -> None:
    """Classify a day whose jobs have these texts, of which some are paid; all that names money says so."""
    units, paid_units = (sum(map(units_of, some)) for some in (texts, paid))
    usd, before = classification_cost(units), bill(trip)
    trip.spec = trip.spec.model_copy(update={"budget": Budget()})
    forecast = said(trip, folder, "--day", day)
    assert (forecast["units"], forecast["usd"], forecast["paid_usd"]) == (
        units,
        usd,
        classification_cost(paid_units),
    )
    if units > paid_units:
        less = usd - 0.0005
        trip.spec = trip.spec.model_copy(update={"budget": Budget(run_usd=less)})
        with pytest.raises(BudgetExceededError):
            trip.prepare(OperatorRun(), day=day)
        trip.spec = trip.spec.model_copy(update={"budget": Budget(run_usd=less, when_over="ask")})
        asking = OperatorRun()
        trip.prepare(asking, day=day)
        line, asked = question(trip, asking.xcoms["prepare_batches", "forecast"][0], less)
        assert line.startswith(f"Approve {usd_text(usd)} (budget {usd_text(less)}) to classify a day")
        for shown in (
            f"| Documents | {len(texts)} |",
            f"| Units of 100 characters | {units} |",
            f"| Estimate | {usd_text(usd)} |",
        ):
            assert shown in asked
    trip.spec = trip.spec.model_copy(update={"budget": Budget(run_usd=usd or None)})
    run = OperatorRun()
    counts = trip.classify(run, day=day)
    told = run.xcoms["prepare_batches", "forecast"][0]
    assert (told["most_usd"], counts["units"], counts["cost_usd"]) == (usd, units, usd)
    assert bill(trip) - before == units - paid_units
    row = rows_of(trip)[day]
    assert (row["units"], row["cost_usd"]) == (row["forecast_units"], row["forecast_usd"]) == (units, usd)
    assert forecast["saved_usd"] == row["saved_usd"] == counts["saved_usd"]
    assert (forecast["repeated"], forecast["reused"]) == (row["repeated"], row["reused"])
    page = CliRunner().invoke(app, ["night", trip.spec.name, day, trip.dsn]).output
    assert f"Cost {usd_text(usd)} ({units}" in page
    assert f"forecast {usd_text(usd)} ({units}" in page
    if row["saved_units"]:
        assert f"{usd_text(row['saved_usd'])} ({row['saved_units']}" in page
