"""How long the tasks of an endpoint wait, and what they hand over; the rest runs on a local Comprehend."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from nightsort.classifier_spec.real_time import RealTime
from nightsort.opening.keeper import Outcome, Visit
from nightsort.opening.plan import Endpoint, Plan, Step
from nightsort_airflow.operators.serving import (
    CloseEndpointOperator,
    EndpointVisitOperator,
    OpenEndpointOperator,
    WatchEndpointOperator,
)
from nightsort_airflow.triggers.comprehend import EndpointVisitTrigger
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from collections.abc import Callable

SERVED = local_spec(Path("/nowhere")).model_copy(
    update={"real_time": RealTime.model_validate({"hours": "08:00-18:00"}), "timezone": "Europe/Berlin"}
)
NOON = datetime(2026, 11, 18, 11, tzinfo=timezone.utc)
READY = Endpoint("IN_SERVICE", "arn:v1", "arn:v1", 1, 1)
KEEP = Plan(True, "within its hours", Step.KEEP, "arn:v1", 1)
OPEN = Outcome(KEEP, READY, None, 1.8, "arn:v1", held=True)


def run(kind: str = "scheduled", **given: Any) -> Any:
    dag_run = SimpleNamespace(run_id="run", run_type=kind, run_after=NOON, **given)
    return {"dag_run": dag_run, "dag": SimpleNamespace(params={})}


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> Callable[[Outcome], list[Visit]]:
    """Let each visit have an outcome; return the visits."""

    def give(outcome: Outcome) -> list[Visit]:
        made: list[Visit] = []

        def visit(_: EndpointVisitOperator, visit: Visit) -> Outcome:
            made.append(visit)
            return outcome

        monkeypatch.setattr(EndpointVisitOperator, "_visit", visit)
        return made

    return give


def seconds_until_the_next_look(deferred: pytest.ExceptionInfo[TaskDeferred]) -> float:
    trigger = deferred.value.trigger
    assert isinstance(trigger, EndpointVisitTrigger)
    return (datetime.fromisoformat(trigger.moment) - datetime.now(timezone.utc)).total_seconds()


@pytest.mark.parametrize(
    ("kind", "may_open", "why", "until"),
    [
        ("scheduled", True, "by its hours", None),
        ("asset_triggered", False, "by its hours", None),
        ("manual", True, "by hand", None),
    ],
)
def test_who_may_open(visits: Any, kind: str, may_open: bool, why: str, until: None) -> None:
    made = visits(OPEN)
    given = OpenEndpointOperator(task_id="open", spec=SERVED).execute(run(kind))
    assert given["open"]
    assert made == [Visit("run", may_open=may_open, why=why, by_hand_until=until)]


@pytest.mark.parametrize(
    ("at", "hours", "until"),
    [
        (NOON, "", None),
        (NOON, "3", timedelta(hours=3)),
        (NOON - timedelta(hours=8), "", timedelta(hours=1)),
        (NOON - timedelta(hours=8), "0.5", timedelta(minutes=30)),
    ],
)
def test_how_long_it_is_open_by_hand(visits: Any, at: datetime, hours: str, until: timedelta | None) -> None:
    made, context = visits(OPEN), run("manual")
    context["dag_run"].run_after = at
    OpenEndpointOperator(task_id="open", spec=SERVED, open_hours=hours).execute(context)
    assert made[0].by_hand_until == (until and at + until)


def test_it_waits_until_aws_is_done_and_opens_once(visits: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSORT_POLL_SECONDS", "7")
    visits(replace(OPEN, plan=replace(KEEP, step=Step.WAIT), opened=True))
    with pytest.raises(TaskDeferred) as deferred:
        OpenEndpointOperator(task_id="open", spec=SERVED).execute(run())
    assert 5 < seconds_until_the_next_look(deferred) <= 7
    assert deferred.value.kwargs == {"may_open": False}


def test_what_is_to_be_closed_is_skipped_with_the_reason(visits: Any) -> None:
    visits(replace(OPEN, plan=Plan(False, "the day has cost too much", Step.KEEP), endpoint=None))
    with pytest.raises(AirflowSkipException, match="The endpoint is closed: the day has cost too much"):
        OpenEndpointOperator(task_id="open", spec=SERVED).execute(run())


@pytest.mark.parametrize(
    ("left", "least", "most"), [(None, 290, 300), (60, 50, 60), (-5, 0, 1), (9000, 290, 300)]
)
def test_the_watch_looks_again_when_something_is_due(
    visits: Any, left: float | None, least: float, most: float
) -> None:
    until = None if left is None else datetime.now(timezone.utc) + timedelta(seconds=left)
    made = visits(replace(OPEN, plan=replace(KEEP, until=until)))
    with pytest.raises(TaskDeferred) as deferred:
        WatchEndpointOperator(task_id="watch", spec=SERVED).execute(run())
    assert least <= seconds_until_the_next_look(deferred) <= most
    assert made == [Visit("run", only_if_held=True, only_watch=True)]


@pytest.mark.parametrize(
    "outcome", [replace(OPEN, held=False), replace(OPEN, plan=Plan(False, "its hours end", Step.CLOSE))]
)
def test_the_watch_ends_where_another_run_holds_it_or_it_is_to_be_closed(
    visits: Any, outcome: Outcome
) -> None:
    visits(outcome)
    assert WatchEndpointOperator(task_id="watch", spec=SERVED).execute(run())["open"] == outcome.plan.open


def test_closing_waits_until_it_is_gone_and_leaves_what_another_run_holds(visits: Any) -> None:
    closing = Plan(False, "its hours end", Step.WAIT)
    made = visits(replace(OPEN, plan=closing))
    with pytest.raises(TaskDeferred):
        CloseEndpointOperator(task_id="close", spec=SERVED).execute(run())
    assert made == [Visit("run", only_if_held=True, close="its run ended early")]
    visits(replace(OPEN, plan=closing, held=False))
    assert CloseEndpointOperator(task_id="close", spec=SERVED).execute(run())["endpoint_arn"] is None
