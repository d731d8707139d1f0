"""The spec's key ``real_time``: what it takes, what it refuses and how it says so."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from nightsort.classifier_spec.problems import describe
from nightsort.classifier_spec.real_time import Autoscale, RealTime


def messages(**keys: Any) -> list[str]:
    with pytest.raises(ValidationError) as raised:
        RealTime.model_validate(keys)
    models: dict[str, type[BaseModel]] = {"": RealTime, "autoscale": Autoscale}
    return [f"{problem.key}: {problem.message}" for problem in describe(raised.value.errors(), models)]


def test_the_hours_alone_are_enough() -> None:
    spec = RealTime.model_validate({"hours": "08:00-18:00"})
    assert (spec.units, spec.days, spec.idle_minutes, spec.budget_usd_day) == ((1, 1), "mon-sun", 30, 20.0)


def test_the_hours_have_to_be_said() -> None:
    assert messages() == ['hours: is missing; add it, for instance  hours: "08:00-18:00"']


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"hours": "8-18"}, 'hours: "8-18" are no hours; write for instance "08:00-18:00", or always'),
        (
            {"hours": "08:00-18:00", "days": "weekdays"},
            'days: "weekdays" are no days of the week; write for instance "mon-fri" or "mon,wed,sat"',
        ),
        (
            {"hours": "00:00-24:00", "budget_usd_day": None},
            'hours: "00:00-24:00" on every day never close; write always, if you mean that',
        ),
        (
            {"hours": "always", "days": "mon-fri", "budget_usd_day": None},
            'days: "mon-fri" does not go with hours: always; remove days, or name the hours',
        ),
        (
            {"hours": "always"},
            "budget_usd_day: 20.00 USD is less than the least that its longest day costs (43.20 USD), so it "
            "would close early each time; raise it, shorten the hours, or write null for no limit",
        ),
        (
            {"hours": "08:00-18:00", "inference_units": 2, "autoscale": {"max": 2}, "budget_usd_day": None},
            "inference_units: does not go with autoscale, which chooses the units; remove one of them",
        ),
        (
            {"hours": "08:00-18:00", "autoscale": {"min": 2, "max": 2}},
            "autoscale.max: must be more than min (2); for a fixed number use inference_units",
        ),
        ({"hours": "08:00-18:00", "idle_minutes": 1}, "idle_minutes: must be at least 5, but is 1"),
    ],
)
def test_each_mistake_has_its_remedy(keys: dict[str, Any], expected: str) -> None:
    assert messages(**keys) == [expected]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            {"hours": "08:00-18:00"},
            "A day of 10 h with 1 inference unit at 1.80 USD an hour costs 18.00 USD; it closes when it "
            "has cost 20.00 USD (budget_usd_day).",
        ),
        (
            {"hours": "22:00-06:00", "autoscale": {"min": 1, "max": 4}, "budget_usd_day": None},
            "A day of 8 h with 1 to 4 inference units at 1.80 USD an hour costs 14.40 USD to 57.60 USD.",
        ),
    ],
)
def test_the_forecast_of_a_day(keys: dict[str, Any], expected: str) -> None:
    assert RealTime.model_validate(keys).forecast() == expected
