"""What the forecasts promise: exact units, AWS's list prices, a text that a person understands."""

from __future__ import annotations

import pyarrow as pa
import pytest

from nightsort.comprehend.prices import (
    OverBudgetError,
    budget_text,
    check_budget,
    classification_cost,
    document_units,
    endpoint_cost,
    forecast_classification,
    forecast_training,
    training_cost,
    usd_text,
)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("", 3),
        ("x" * 299, 3),
        ("x" * 300, 3),
        ("x" * 301, 4),
        ("x" * 1_000, 10),
        ("ü" * 301, 4),
        ("😀" * 300, 3),
    ],
)
def test_a_unit_is_a_hundred_characters_and_a_document_has_at_least_three(text: str, units: int) -> None:
    assert document_units(pa.array([text], pa.string())).tolist() == [units]


def test_prices() -> None:
    assert classification_cost(60_000) == 30.0
    assert classification_cost(3) == 0.0015
    assert training_cost(40 * 60) == 2.0
    assert training_cost(20 * 3600) == 60.0


def test_a_forecast_tells_its_arithmetic() -> None:
    assert str(forecast_classification(10_000, 60_000)) == (
        "10,000 documents = 60,000 units of 100 characters, at least 3 per document, "
        "at 0.0005 USD each = 30.00 USD."
    )
    assert str(forecast_classification(0, 0)) == "Nothing to classify: 0.00 USD."
    assert forecast_classification(10_000, 60_000).to_dict() == {
        "documents": 10_000,
        "units": 60_000,
        "usd": 30.0,
        "paid_usd": 0.0,
        "repeated": 0,
        "reused": 0,
        "saved_usd": 0.0,
    }
    assert str(forecast_classification(10, 30, repeated=5, saved_units=15)).endswith(
        "= 0.0150 USD. 5 further documents with the same texts cost nothing: 0.0075 USD saved."
    )
    assert str(forecast_classification(0, 0, reused=1_000, saved_units=3_000)) == (
        "Nothing to send: 0.00 USD. 1,000 further documents with texts that were classified before cost "
        "nothing: 1.50 USD saved."
    )
    assert str(forecast_classification(10, 30, repeated=2, reused=3, saved_units=15)).endswith(
        " 5 further documents with the same texts or texts that were classified before cost nothing: "
        "0.0075 USD saved."
    )


def test_the_forecast_of_a_training_is_a_range_around_what_was_published() -> None:
    small, large = forecast_training(5_573), forecast_training(1_000_000)
    assert small.hours[0] <= 38 / 60 <= small.hours[1]
    assert large.hours[0] <= 0.5
    assert large.hours[1] >= 19.5
    assert small.usd == (training_cost(small.hours[0] * 3600), training_cost(small.hours[1] * 3600))
    assert "5,573 documents" in str(small)
    assert "0.50 USD a month" in str(small)


def test_a_run_above_the_budget_is_refused_with_the_numbers() -> None:
    forecast = forecast_classification(10_000, 60_000)
    check_budget(forecast, 30.0)
    check_budget(forecast, None)
    with pytest.raises(
        OverBudgetError, match=r"30\.00 USD\. This is above the budget of 29\.99 USD.*budget\.run_usd"
    ):
        check_budget(forecast, 29.99)


def test_what_was_paid_before_counts_for_the_budget_as_long_as_anything_is_left_to_pay() -> None:
    forecast = forecast_classification(10_000, 60_000, paid_units=59_000)
    assert str(forecast).endswith("30.00 USD. Already paid: 29.50 USD; still to pay: 0.50 USD.")
    with pytest.raises(OverBudgetError, match=r"Already paid: 29\.50 USD"):
        check_budget(forecast, 29.99)
    check_budget(forecast_classification(10_000, 60_000, paid_units=60_000), 29.99)


def test_of_a_training_the_upper_end_counts_with_the_scoring_of_the_active_version() -> None:
    forecast = forecast_training(5_573, test_units=2_000)
    assert forecast.most_usd == pytest.approx(forecast.usd[1] + 1.0)
    assert "1.00 USD more" in str(forecast)
    check_budget(forecast, forecast.most_usd)
    with pytest.raises(
        OverBudgetError, match=r"above the budget of 3\.00 USD per training.*budget\.training_usd"
    ):
        check_budget(forecast, 3.0)


def test_the_budget_is_named_with_its_verdict() -> None:
    night, training = forecast_classification(10_000, 60_000), forecast_training(5_573)
    paid = forecast_classification(10_000, 60_000, paid_units=60_000)
    assert budget_text(night, 30.0) == "The budget of 30.00 USD per run (budget.run_usd) allows it."
    assert budget_text(night, 29.99) == "The budget of 29.99 USD per run (budget.run_usd) does not allow it."
    assert budget_text(paid, 29.99).endswith("allows it.")
    assert budget_text(training, 1.0).startswith("The budget of 1.00 USD per training (budget.training_usd)")
    assert budget_text(training, None) == "No budget limits a training (budget.training_usd is null)."


@pytest.mark.parametrize(("usd", "text"), [(0, "0.00 USD"), (0.0315, "0.0315 USD"), (1234.5, "1,234.50 USD")])
def test_amounts(usd: float, text: str) -> None:
    assert usd_text(usd) == text


@pytest.mark.parametrize(
    ("seconds", "units", "usd"),
    [(1, 1, 0.03), (60, 2, 0.06), (60.2, 1, 0.0305), (3600, 1, 1.8), (0, 1, 0.03)],
)
def test_an_endpoint_costs_by_the_second_and_at_least_a_minute(
    seconds: float, units: int, usd: float
) -> None:
    assert endpoint_cost(seconds, units) == usd
