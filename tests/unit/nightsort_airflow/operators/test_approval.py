from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowFailException

from nightsort.comprehend.prices import forecast_classification, forecast_training
from nightsort_airflow.exceptions import CostNotApprovedError
from nightsort_airflow.operators.approval import ApproveCostOperator, forecast_xcom

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


def answer(option: str) -> dict[str, Any]:
    return {
        "chosen_options": [option],
        "params_input": {},
        "responded_at": datetime.now(timezone.utc),
        "responded_by_user": {"id": "1", "name": "ada"},
    }


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
    assert given == {"asked": True, "approved_by": "ada"}


def test_a_no_fails_at_once_and_a_retry_would_not_ask_again(context: dict[str, Any]) -> None:
    with pytest.raises(
        CostNotApprovedError, match=r"ada rejected.*nothing was started.*30\.00 USD"
    ) as refused:
        operator().execute_complete(context, answer("Reject"))  # type: ignore[arg-type]
    assert isinstance(refused.value, AirflowFailException)


def test_no_answer_fails_at_once(context: dict[str, Any]) -> None:
    event = {"error": "The timeout has passed", "error_type": "timeout"}
    with pytest.raises(CostNotApprovedError, match=r"Nobody approved .* within 12 hours"):
        operator().execute_complete(context, event)  # type: ignore[arg-type]
