from __future__ import annotations

from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from nightsort.classifier_spec.model import Notifier
from nightsort_airflow.alerts import (
    failure_notices,
    late_alerts,
    notifier_problem,
    notify_late,
    notify_warning,
    question_notices,
)
from tests.unit.nightsort_airflow.airflow_specs import local_spec
from tests.unit.nightsort_airflow.told_notifier import ToldNotifier

if TYPE_CHECKING:
    from pathlib import Path

TOLD = "tests.unit.nightsort_airflow.told_notifier.ToldNotifier"
TEXT = "{{ nightsort.event }} {{ nightsort.classifier }} {{ dag_run.run_id }}: {{ nightsort.message }}"


@pytest.fixture(autouse=True)
def told() -> list[str]:
    ToldNotifier.told.clear()
    return ToldNotifier.told


def spec(tmp_path: Path, **changes: Any) -> Any:
    notifiers = [{"import_path": TOLD, "arguments": {"text": TEXT}}] * 2
    return local_spec(tmp_path, **{"schedule": "0 2 * * *", "notifiers": notifiers, **changes})


def test_each_notifier_is_told_of_a_run_that_failed(tmp_path: Path, told: list[str]) -> None:
    context: Any = {
        "dag": DAG("classify_tickets", schedule=None),
        "run_id": "night",
        "dag_run": SimpleNamespace(run_id="night", dag_id="classify_tickets"),
        "ti": SimpleNamespace(task_id="prepare_batches"),
        "reason": "task_failure",
    }
    for notice in failure_notices(spec(tmp_path)):
        notice(context)
    assert (
        told
        == [
            "failed tickets night: Run night of classify_tickets failed (task_failure), the last task was "
            "prepare_batches: see its log."
        ]
        * 2
    )


def test_a_run_that_failed_without_a_task_is_told_too(tmp_path: Path, told: list[str]) -> None:
    """Airflow then gives the DAG, the run's id and the reason alone."""
    context: Any = {"dag": DAG("train_tickets", schedule=None), "run_id": "r", "reason": "timed_out"}
    failure_notices(spec(tmp_path))[0](context)
    assert told == ["failed tickets r: Run r of train_tickets failed (timed_out): see its log."]


def waiting() -> Any:
    return {"dag_run": SimpleNamespace(run_id="night", dag_id="classify_tickets")}


def test_a_question_is_told_while_it_waits(tmp_path: Path, told: list[str]) -> None:
    for notice in question_notices(spec(tmp_path), "the cost of a night"):
        notice(waiting())
    assert (
        told
        == [
            "question tickets night: Run night of classify_tickets waits for an approval of the cost "
            "of a night: see Required Actions in Airflow."
        ]
        * 2
    )


def test_each_notifier_is_told_of_a_warning_whatever_another_one_does(
    tmp_path: Path, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    broken = {"import_path": "tests.unit.nightsort_airflow.told_notifier.NobodyThere"}
    notifiers = [broken, {"import_path": TOLD, "arguments": {"text": TEXT}}]
    notify_warning(spec(tmp_path, notifiers=notifiers), waiting(), "Failed: 3 of 5 documents")
    assert told == [
        "warning tickets night: Run night of classify_tickets has a warning. Failed: 3 of 5 documents."
    ]
    assert "The notifier failed" in caplog.text


def test_a_notifier_that_fails_leaves_the_question_as_it_is(
    tmp_path: Path, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    notifiers = [
        {"import_path": "tests.unit.nightsort_airflow.told_notifier.NobodyThere"},
        {"import_path": TOLD, "arguments": {"text": "x"}},
    ]
    for notice in question_notices(spec(tmp_path, notifiers=notifiers), "the cost of a night"):
        notice(waiting())
    assert told == ["x"]
    assert "The notifier failed: tests.unit.nightsort_airflow.told_notifier.NobodyThere" in caplog.text


def test_a_late_night_is_told_with_what_airflow_gives_in_the_callback(
    tmp_path: Path, told: list[str]
) -> None:
    alerts = late_alerts(spec(tmp_path, loaded_by="06:30", timezone="Europe/Berlin"))
    assert len(alerts) == 2
    callback = alerts[0].callback
    assert callback.path == "nightsort_airflow.alerts.notify_late"
    run = {"dag_id": "classify_tickets", "dag_run_id": "night", "state": "running"}
    notify_late(context={"dag_run": run, "deadline": {"id": "1"}}, **callback.kwargs)
    assert told == [
        "late tickets night: The predictions of tickets are late: they were due by 06:30 (Europe/Berlin), "
        "but run night of classify_tickets is running."
    ]


def test_without_a_time_or_notifiers_nothing_is_watched(tmp_path: Path) -> None:
    assert late_alerts(spec(tmp_path)) == []
    assert failure_notices(local_spec(tmp_path)) == []


@pytest.mark.parametrize(
    ("import_path", "arguments", "problem"),
    [
        ("nowhere.at.All", {}, "cannot be imported here"),
        ("tests.unit.nightsort_airflow.told_notifier.Missing", {}, "cannot be imported here"),
        ("tests.unit.nightsort_airflow.told_notifier.NotANotifier", {}, "is not an Airflow notifier"),
        ("tests.unit.nightsort_airflow.told_notifier.OnlyAsync", {}, "has no synchronous notify"),
        (TOLD, {}, "does not take these arguments: missing a required argument: 'text'"),
        (TOLD, {"text": "x", "to": "y"}, "unexpected keyword argument 'to'"),
        (TOLD, {"text": "x"}, None),
        ("airflow.providers.smtp.notifications.smtp.SmtpNotifier", {"to": "night@example.org"}, None),
    ],
)
def test_what_airflow_could_not_call_is_refused_with_the_reason(
    import_path: str, arguments: dict[str, Any], problem: str | None
) -> None:
    found = notifier_problem(Notifier(import_path=import_path, arguments=arguments))
    assert (found is None) if problem is None else (found is not None and problem in found)


def test_our_words_do_not_collide_with_a_notifiers_own_fields(told: list[str]) -> None:
    """A notifier adds its templated fields to the context under their names; SNS's has one called message."""
    run = {"dag_id": "d", "dag_run_id": "r", "state": "failed", "logical_date": datetime.now(timezone.utc)}
    arguments = {"message": "{{ nightsort.message }}"}
    notify_late(
        {"dag_run": run},
        "tickets",
        "06:30 (UTC)",
        "tests.unit.nightsort_airflow.told_notifier.WithAMessage",
        arguments,
    )
    assert told[0].startswith("The predictions of tickets are late: they were due by 06:30 (UTC)")
