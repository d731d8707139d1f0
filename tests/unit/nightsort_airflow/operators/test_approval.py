from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.standard.operators import hitl
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput

from nightsort.comprehend.prices import forecast_classification, forecast_training
from nightsort_airflow.exceptions import CostNotApprovedError
from nightsort_airflow.operators import approval
from nightsort_airflow.operators.approval import (
    REFUSAL_KEY,
    ApproveCostOperator,
    forecast_xcom,
    require_approval,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NIGHT = forecast_xcom(forecast_classification(10_000, 60_000))


def operator(**changes: Any) -> ApproveCostOperator:
    arguments = {
        "task_id": "approve_cost",
        "forecast": NIGHT,
        "budget_usd": 29.99,
        "purpose": "classify a day of tickets",
        "answer_hours": 12.0,
        **changes,
    }
    return ApproveCostOperator(**arguments)


ANSWERED = datetime(2026, 11, 30, 2, 15, tzinfo=timezone.utc)
ADA, GRACE = {"id": "1", "name": "ada"}, {"id": "2", "name": "grace"}


def answer(option: str, user: dict[str, str] | None = ADA) -> dict[str, Any]:
    return {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": ANSWERED,
        "responded_by_user": user,
    }


@pytest.fixture
def triggered(context: dict[str, Any]) -> Callable[[str | None], Any]:
    """Make the context of a run that a user triggered; None: the schedule."""

    def by(user: str | None) -> Any:
        context["ti"].id = "the-task-instance"
        context["task_instance"] = context["ti"]
        context["dag_run"] = SimpleNamespace(triggering_user_name=user)
        return context

    return by


@pytest.mark.parametrize("budget", [30.0, None])
def test_within_the_budget_nobody_is_asked(context: dict[str, Any], budget: float | None) -> None:
    """Airflow's operator would need an API server here to put its question."""
    assert operator(budget_usd=budget).execute(context) == {"asked": False, "approved_by": None}  # type: ignore[arg-type]


def test_nobody_is_asked_about_what_is_paid_already(context: dict[str, Any]) -> None:
    forecast = forecast_xcom(forecast_classification(10_000, 60_000, paid_units=60_000))
    assert operator(forecast=forecast).execute(context) == {"asked": False, "approved_by": None}  # type: ignore[arg-type]


def test_the_question_has_the_numbers_and_says_what_a_no_does() -> None:
    task = operator()
    question = task._question(29.99, datetime(2026, 11, 20, 22, 35, tzinfo=timezone.utc))
    for text in (
        "10,000",
        "60,000",
        "30.00 USD",
        "29.99 USD",
        "classify a day of tickets",
        "Without an answer by 2026-11-20 22:35 UTC the run fails too",
        "**Reject** fails",
    ):
        assert text in question
    assert task.response_timeout is not None
    assert task.response_timeout.total_seconds() == 12 * 3600


def test_the_subject_has_the_cost_the_budget_and_the_time_of_the_end(
    context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of required actions shows the subject alone."""
    monkeypatch.setattr(ApprovalOperator, "execute", lambda task, _: task.subject)
    before = datetime.now(timezone.utc).replace(second=0, microsecond=0)
    subject = operator().execute(context)  # type: ignore[arg-type]
    text, _, until = str(subject).partition("? Until ")
    assert text == "Approve 30.00 USD (budget 29.99 USD) to classify a day of tickets"
    end = datetime.strptime(until, "%Y-%m-%d %H:%M UTC").replace(tzinfo=timezone.utc)
    assert before <= end - timedelta(hours=12) <= datetime.now(timezone.utc)


def test_of_a_training_the_question_has_both_ends_and_no_units() -> None:
    forecast = forecast_xcom(forecast_training(5_000, 2_000))
    question = operator(forecast=forecast, budget_usd=1.0)._question(1.0, datetime.now(timezone.utc))
    assert f"| Estimate | 1.50 USD to {forecast['most_usd']:,.2f} USD |" in question
    assert "Units" not in question.partition("\n\n")[0]


def test_an_approval_goes_on_and_says_whose_it_was(context: dict[str, Any]) -> None:
    given = operator().execute_complete(context, answer("Approve"))  # type: ignore[arg-type]
    assert given == {
        "asked": True,
        "approved_by": "ada",
        "approved_at": "2026-11-30T02:15:00+00:00",
        "approved_usd": 30.0,
    }


def test_a_no_fails_at_once_and_a_retry_would_not_ask_again(context: dict[str, Any]) -> None:
    with pytest.raises(
        CostNotApprovedError, match=r"Nothing was started: ada rejected the cost.*30\.00 USD"
    ) as refused:
        operator().execute_complete(context, answer("Reject"))  # type: ignore[arg-type]
    assert isinstance(refused.value, AirflowFailException)
    assert context["ti"].pushed[REFUSAL_KEY] == "ada rejected the cost to classify a day of tickets"


def test_no_answer_fails_at_once(context: dict[str, Any]) -> None:
    event = {"error": "The timeout has passed", "error_type": "timeout"}
    with pytest.raises(CostNotApprovedError, match=r"nobody approved .* within 12 hours"):
        operator().execute_complete(context, event)  # type: ignore[arg-type]


def parked(task: ApproveCostOperator, context: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Execute a task as far as its question; give what Airflow is told."""
    asked: dict[str, Any] = {}
    monkeypatch.setattr(hitl, "upsert_hitl_detail", lambda **told: asked.update(told))
    with pytest.raises(TaskAwaitingInput) as waiting:
        task.execute(context)
    return {**asked, "kwargs": waiting.value.kwargs, "timeout": waiting.value.timeout}


def test_without_approvers_whoever_may_answer_questions_is_asked(
    triggered: Callable[[str | None], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = parked(operator(), triggered("ada"), monkeypatch)
    assert not asked["assigned_users"]
    assert "May answer" not in asked["body"]
    given = operator().execute_complete(triggered("ada"), answer("Approve"))
    assert given["approved_by"] == "ada"


@pytest.mark.parametrize(
    ("user", "asked"), [(None, [ADA, GRACE]), ("ada", [GRACE]), ("somebody", [ADA, GRACE])]
)
def test_who_triggered_the_run_is_not_asked_about_it(
    user: str | None,
    asked: list[dict[str, str]],
    triggered: Callable[[str | None], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = parked(operator(approvers=[ADA, GRACE]), triggered(user), monkeypatch)
    assert told["assigned_users"] == asked
    names = " or ".join(each["name"] for each in asked)
    assert f"| May answer | {names} |" in told["body"]


def test_a_run_of_its_only_approver_fails_at_once_and_says_who_else_could_do_what(
    triggered: Callable[[str | None], Any],
) -> None:
    context = triggered("ada")
    with pytest.raises(CostNotApprovedError, match="ada triggered the run and is its only approver"):
        operator(approvers=[ADA]).execute(context)
    assert "nobody may approve" in context["ti"].pushed[REFUSAL_KEY]


def test_an_approver_approves_and_rejects(triggered: Callable[[str | None], Any]) -> None:
    task, context = operator(approvers=[ADA, GRACE]), triggered("ada")
    assert task.execute_complete(context, answer("Approve", GRACE))["approved_by"] == "grace"
    with pytest.raises(CostNotApprovedError, match="grace rejected"):
        task.execute_complete(context, answer("Reject", GRACE))


@pytest.mark.parametrize("option", ["Approve", "Reject"])
@pytest.mark.parametrize(
    ("approvers", "user"),
    [
        # The spec has the wrong name for an id: Airflow, which compares ids, takes the answer.
        ([{"id": "1", "name": "hopper"}, GRACE], ADA),
        # Airflow lets everybody answer where all users are administrators.
        ([ADA, GRACE], {"id": "3", "name": "eve"}),
        ([ADA, GRACE], None),
    ],
    ids=["who triggered it", "no approver", "nobody"],
)
def test_an_answer_that_does_not_count_is_taken_back_and_the_question_waits_for_the_rest_of_its_time(
    approvers: list[dict[str, str]],
    user: dict[str, str] | None,
    option: str,
    triggered: Callable[[str | None], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: dict[str, Any] = {}
    monkeypatch.setattr(approval, "upsert_hitl_detail", lambda **given: told.update(given))
    until = datetime.now(timezone.utc) + timedelta(hours=2)
    with pytest.raises(TaskAwaitingInput) as waiting:
        operator(approvers=approvers).execute_complete(
            triggered("ada"), answer(option, user), until=until.isoformat()
        )
    assert told["ti_id"] == "the-task-instance"
    assert waiting.value.kwargs == {"until": until.isoformat()}
    assert timedelta(hours=1, minutes=59) < waiting.value.timeout <= timedelta(hours=2)


def test_the_time_for_the_answer_goes_with_the_question(
    triggered: Callable[[str | None], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = datetime.now(timezone.utc)
    asked = parked(operator(approvers=[ADA]), triggered(None), monkeypatch)
    until = datetime.fromisoformat(asked["kwargs"]["until"])
    assert before <= until - timedelta(hours=12) <= datetime.now(timezone.utc)
    assert asked["timeout"] == timedelta(hours=12)


def test_an_approval_covers_the_failed_documents_that_are_sent_again(
    triggered: Callable[[str | None], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = operator(share_sent_again=0.05)
    asked = parked(task, triggered(None), monkeypatch)
    assert "| With failed documents sent again, at most | 31.50 USD |" in asked["body"]
    assert task.execute_complete(triggered(None), answer("Approve"))["approved_usd"] == pytest.approx(31.5)


@pytest.mark.parametrize(("pulled", "pays"), [([{"asked": False}], True), ([None], False), (None, False)])
def test_a_task_that_pays_starts_nothing_after_a_success_that_somebody_set_by_hand(
    pulled: list[Any] | None, pays: bool
) -> None:
    context: Any = {"ti": SimpleNamespace(xcom_pull=lambda task_ids, key: pulled)}
    check = require_approval("approve_cost")
    if pays:
        check(context)
    else:
        with pytest.raises(CostNotApprovedError, match="Clear approve_cost and answer"):
            check(context)
