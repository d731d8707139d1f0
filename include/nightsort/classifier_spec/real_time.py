"""The part of a classifier spec about its endpoint: size, opening hours, and what ends them early."""

from __future__ import annotations

from typing import Final

from pydantic import Field, field_validator, model_validator
from typing_extensions import Self

from nightsort.classifier_spec.opening_hours import (
    ALWAYS,
    MINUTES_OF_DAY,
    OpeningHours,
    days_problem,
    hours_problem,
    weekdays,
)
from nightsort.classifier_spec.problems import Problem, refuse, refuse_keys, shown
from nightsort.classifier_spec.source import SpecPart
from nightsort.comprehend import limits

MOST_UNITS: Final = 50
"""Inference units of one endpoint: the newest quota, L-70EC2949; older accounts have 10."""


class Autoscale(SpecPart):
    """Inference units that follow the load, by Application Auto Scaling.

    :param min: the fewest units.
    :param max: the most units.
    :param target: the share of the units that is to be used; above it units are added.
    """

    min: int = Field(1, ge=1, le=MOST_UNITS, strict=True)
    max: int = Field(..., ge=1, le=MOST_UNITS, strict=True)
    target: float = Field(0.7, ge=0.1, le=1, strict=True)

    @model_validator(mode="after")
    def _check_bounds(self) -> Self:
        if self.max <= self.min:
            raise refuse_keys(
                [
                    Problem(
                        "max", f"must be more than min ({self.min}); for a fixed number use inference_units"
                    )
                ]
            )
        return self


class RealTime(SpecPart):
    """An endpoint of the active version that is open at certain hours.

    :param inference_units: a fixed number of units; or `autoscale`.
    :param hours: ``HH:MM-HH:MM`` in the spec's time zone, or ``always``.
    :param days: the days of the week on which it opens.
    :param idle_minutes: it closes when nobody asked for so long; ``None``: it does not.
    :param budget_usd_day: it closes when the day has cost so much; ``None``: no limit.
    """

    inference_units: int | None = Field(None, ge=1, le=MOST_UNITS, strict=True)
    autoscale: Autoscale | None = None
    hours: str
    days: str = "mon-sun"
    idle_minutes: int | None = Field(30, ge=5, le=MINUTES_OF_DAY, strict=True)
    budget_usd_day: float | None = Field(20.0, gt=0, allow_inf_nan=False, strict=True)

    @field_validator("hours")
    @classmethod
    def _check_hours(cls, hours: str) -> str:
        if message := hours_problem(hours):
            raise refuse(message)
        return hours

    @field_validator("days")
    @classmethod
    def _check_days(cls, days: str) -> str:
        if message := days_problem(days):
            raise refuse(message)
        return days

    @model_validator(mode="after")
    def _check_keys_fit(self) -> Self:
        problems = []
        if self.inference_units is not None and self.autoscale is not None:
            message = "does not go with autoscale, which chooses the units; remove one of them"
            problems.append(Problem("inference_units", message))
        every_day = len(weekdays(self.days)) == 7
        if self.hours == ALWAYS and not every_day:
            message = f"{shown(self.days)} does not go with hours: always; remove days, or name the hours"
            problems.append(Problem("days", message))
        if self.hours != ALWAYS and min(self.opening_hours("UTC").minutes_open()) == MINUTES_OF_DAY:
            message = f"{shown(self.hours)} on every day never close; write always, if you mean that"
            problems.append(Problem("hours", message))
        least, _ = self.usd_of_longest_day()
        if self.budget_usd_day is not None and least > self.budget_usd_day:
            message = (
                f"{_usd(self.budget_usd_day)} is less than the least that its longest day costs "
                f"({_usd(least)}), so it would close early each time; raise it, shorten the hours, or "
                "write null for no limit"
            )
            problems.append(Problem("budget_usd_day", message))
        if problems:
            raise refuse_keys(problems)
        return self

    @property
    def units(self) -> tuple[int, int]:
        """The fewest and the most inference units."""
        if self.autoscale is not None:
            return self.autoscale.min, self.autoscale.max
        units = self.inference_units or 1
        return units, units

    def opening_hours(self, zone: str) -> OpeningHours:
        """Return the opening hours in a time zone.

        :param zone: the spec's.
        """
        return OpeningHours(self.hours, self.days, zone)

    def usd_of_longest_day(self) -> tuple[float, float]:
        """Return what its longest day costs: with the fewest and with the most units, in USD."""
        seconds = 60 * max(self.opening_hours("UTC").minutes_open())
        least, most = self.units
        return seconds * least * limits.ENDPOINT_UNIT_USD, seconds * most * limits.ENDPOINT_UNIT_USD

    def forecast(self) -> str:
        """Return a sentence on what its longest day costs."""
        hours = max(self.opening_hours("UTC").minutes_open()) / 60
        least, most = self.usd_of_longest_day()
        units = f"{self.units[0]}" if self.autoscale is None else f"{self.units[0]} to {self.units[1]}"
        usd = _usd(least) if least == most else f"{_usd(least)} to {_usd(most)}"
        unit_hour = limits.ENDPOINT_UNIT_USD * 3600
        budget = self.budget_usd_day
        limit = "" if budget is None else f"; it closes when it has cost {_usd(budget)} (budget_usd_day)"
        return (
            f"A day of {hours:g} h with {units} inference unit{'' if units == '1' else 's'} at "
            f"{unit_hour:.2f} USD an hour costs {usd}{limit}."
        )


# Not that of the prices: DAG files read specs every few seconds, and prices need numpy.
def _usd(usd: float) -> str:
    return f"{usd:,.2f} USD"
