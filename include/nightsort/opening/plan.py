"""Decide what is to be done about a classifier's endpoint, from what is known of it.

:func:`plan` is a pure function of the moment. Whoever calls it, and whatever died before, it names the next
step towards what should be true now: so each run mends what the one before has left.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Final

from nightsort.classifier_spec.opening_hours import day_of
from nightsort.comprehend.prices import usd_text
from nightsort.opening.bill import usd_per_hour
from nightsort.wording import number_of

if TYPE_CHECKING:
    from nightsort.classifier_spec.real_time import RealTime

IN_SERVICE: Final = "IN_SERVICE"
CHANGING: Final = frozenset({"CREATING", "UPDATING", "DELETING"})


class Step(str, Enum):
    """What is to be done next."""

    KEEP = "keep"
    """It is as it should be, open or closed."""

    WAIT = "wait"
    """AWS is changing it, and takes no other change meanwhile."""

    OPEN = "open"
    MOVE = "move"
    """Give it the plan's model; the former one answers until the new one is ready."""

    RESIZE = "resize"
    CLOSE = "close"
    REPLACE = "replace"
    """It failed and cannot be changed: delete it; the next step opens it again."""


@dataclass(frozen=True)
class Endpoint:
    """An endpoint as Comprehend described it.

    :param status: its state.
    :param model_arn: the model that answers; `desired_model_arn` the one that it is being given.
    :param units: inference units that are ready; `desired_units` those that were asked for.
    """

    status: str
    model_arn: str
    desired_model_arn: str
    units: int
    desired_units: int


@dataclass(frozen=True)
class Facts:
    """What is known at one moment.

    :param now: the moment, with a time zone.
    :param endpoint: the endpoint; ``None``: there is none.
    :param active_model: ARN of the active version; ``None``: no version is active.
    :param spent_usd: what this day's openings cost up to now.
    :param last_asked: when somebody last asked, or when it was ready; ``None``: not known.
    :param by_hand_until: until when a person has opened it; ``None``: nobody has.
    :param refused_model: a model with which the endpoint failed: it is not tried again in this opening.
    :param served_model: the model that answered before that; ``None``: none has.
    :param must_close: why it has to be closed, whatever else is true; ``None``: it has not.
    """

    now: datetime
    endpoint: Endpoint | None
    active_model: str | None
    spent_usd: float = 0.0
    last_asked: datetime | None = None
    by_hand_until: datetime | None = None
    refused_model: str | None = None
    served_model: str | None = None
    must_close: str | None = None

    @property
    def model(self) -> str | None:
        """The model that should answer: the active version's, or the former one where that has failed."""
        return self.served_model if self.active_model == self.refused_model else self.active_model


@dataclass(frozen=True)
class Plan:
    """What should be true, and the next step towards it.

    :param open: whether the endpoint should be open.
    :param why: the reason, as part of a sentence.
    :param step: what is to be done now.
    :param model_arn: the model that it should have.
    :param units: the inference units that it is opened with.
    :param until: when the answer changes by the clock or the budget; ``None``: that is not known.
    """

    open: bool
    why: str
    step: Step
    model_arn: str | None = None
    units: int = 0
    until: datetime | None = None


def plan(real_time: RealTime, zone: str, facts: Facts) -> Plan:
    """Return what should be true of an endpoint now, and the next step.

    :param real_time: of the spec.
    :param zone: the spec's time zone.
    :param facts: what is known.
    """
    why_closed = _why_closed(real_time, zone, facts)
    if why_closed is not None:
        return Plan(False, why_closed, _step_to_close(facts.endpoint), until=_next(real_time, zone, facts))
    least, _ = real_time.units
    why = "opened by hand" if _by_hand(facts) else "within its hours"
    step = _step_to_open(real_time, facts.endpoint, facts.model)
    return Plan(True, why, step, facts.model, least, _closes(real_time, zone, facts))


def _why_closed(real_time: RealTime, zone: str, facts: Facts) -> str | None:
    """Return why the endpoint should be closed; ``None``: it should be open."""
    if facts.must_close is not None:
        return facts.must_close
    if facts.active_model is None:
        return "no version is active"
    if facts.model is None:
        return "Comprehend could not open it with the active version"
    hours = real_time.opening_hours(zone)
    if hours.period_at(facts.now) is None and not _by_hand(facts):
        return f"outside of its hours, {hours}"
    budget = real_time.budget_usd_day
    if budget is not None and facts.spent_usd >= budget:
        return f"the day has cost {usd_text(facts.spent_usd)} of {usd_text(budget)} (budget_usd_day)"
    idle = real_time.idle_minutes
    ready = facts.endpoint is not None and facts.endpoint.status == IN_SERVICE
    if idle is None or not ready or facts.last_asked is None:
        return None
    if facts.now - facts.last_asked < timedelta(minutes=idle):
        return None
    return f"nobody asked for {number_of(idle, 'minute')} (idle_minutes)"


def _step_to_close(endpoint: Endpoint | None) -> Step:
    if endpoint is None:
        return Step.KEEP
    return Step.WAIT if endpoint.status in CHANGING else Step.CLOSE


def _step_to_open(real_time: RealTime, endpoint: Endpoint | None, model: str | None) -> Step:
    if endpoint is None:
        return Step.OPEN
    if endpoint.status in CHANGING:
        return Step.WAIT
    if endpoint.status != IN_SERVICE:
        return Step.REPLACE
    if endpoint.model_arn != model:
        return Step.MOVE
    least, most = real_time.units
    return Step.KEEP if least <= endpoint.desired_units <= most else Step.RESIZE


def _closes(real_time: RealTime, zone: str, facts: Facts) -> datetime | None:
    """Return when an open endpoint has to be closed at the latest, as far as that is known."""
    period = real_time.opening_hours(zone).period_at(facts.now)
    by_clock = period.end if period is not None else facts.now
    if facts.by_hand_until is not None and by_clock is not None:
        by_clock = max(by_clock, facts.by_hand_until)
    known = [] if by_clock is None else [by_clock]
    if real_time.budget_usd_day is not None:
        found = facts.endpoint
        units = max(found.units, found.desired_units) if found else 0
        units = max(units, real_time.units[0])
        hours = (real_time.budget_usd_day - facts.spent_usd) / usd_per_hour(units)
        by_budget = facts.now + timedelta(hours=hours)
        # Tomorrow has a budget of its own.
        known += [by_budget] if by_budget < day_of(facts.now, zone)[1] else []
    if real_time.idle_minutes is not None and facts.last_asked is not None:
        known.append(facts.last_asked + timedelta(minutes=real_time.idle_minutes))
    return min(known, default=None)


def _next(real_time: RealTime, zone: str, facts: Facts) -> datetime:
    return real_time.opening_hours(zone).next_change(facts.now)


def _by_hand(facts: Facts) -> bool:
    return facts.by_hand_until is not None and facts.now < facts.by_hand_until
