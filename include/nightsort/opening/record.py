"""What is written down of one opening of an endpoint, kept up with what Comprehend says of it.

The record follows the service: an endpoint without a record gets one from its own times, whoever opened it,
and the record of an endpoint that is gone is closed. So a crash between a call and its record loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from nightsort.opening.bill import Change, Opening
from nightsort.opening.plan import IN_SERVICE, Facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from nightsort.opening.plan import Endpoint

BY_OTHERS: Final = "not by this DAG"
REPLACED: Final = "it failed and is opened again with the former version"


@dataclass(frozen=True)
class Record:
    """One opening of an endpoint, a row of ``endpoint_hours``.

    :param classifier: name of the spec.
    :param endpoint_arn: the endpoint.
    :param opened_at: its CreationTime.
    :param opened_why: why it was opened.
    :param changes: its units and models, in order of time.
    :param seen_at: when it was last seen.
    :param ready_at: when it was first seen ready.
    :param last_asked_at: when somebody last asked it.
    :param usage: inference units used in each minute in which there were any, by its begin.
    :param by_hand_until: until when a person keeps it open.
    :param held_by: the run that looks after it; the newest run is.
    :param moving_to: the model that it was last asked to take.
    :param refused_model: the model with which it failed.
    :param scaled: whether Application Auto Scaling was asked to change its units.
    :param closing_at: when its deletion was last asked for, with `closing_why`.
    :param closed_at: when its deletion began; ``None``: it is open.
    """

    classifier: str
    endpoint_arn: str
    opened_at: datetime
    opened_why: str
    changes: tuple[Change, ...]
    seen_at: datetime
    ready_at: datetime | None = None
    last_asked_at: datetime | None = None
    usage: Mapping[datetime, float] = field(default_factory=dict)
    by_hand_until: datetime | None = None
    held_by: str | None = None
    moving_to: str | None = None
    refused_model: str | None = None
    scaled: bool = False
    closing_at: datetime | None = None
    closing_why: str | None = None
    closed_at: datetime | None = None

    @property
    def opening(self) -> Opening:
        """What is billed."""
        return Opening(self.changes, self.closed_at)

    @property
    def served_model(self) -> str | None:
        """The last model that answered and did not fail."""
        served = (change.model_arn for change in reversed(self.changes))
        return next((arn for arn in served if arn != self.refused_model), None) if self.ready_at else None

    def close(self, at: datetime) -> Record:
        """Return it closed, for the reason that was noted, or for one that is not known.

        :param at: when its deletion began, where this was not noted.
        """
        closed_at = max(self.opened_at, at if self.closing_at is None else self.closing_at)
        return replace(self, closed_at=closed_at, closing_why=self.closing_why or BY_OTHERS)


def follow(
    latest: Record | None,
    endpoint: Endpoint | None,
    now: datetime,
    *,
    classifier: str,
    endpoint_arn: str,
    created: datetime | None,
    last_used: datetime | None = None,
) -> list[Record]:
    """Return the records after a look at the endpoint: those that closed, and last the open one.

    :param latest: the record of the latest opening, open or closed; ``None``: there is none.
    :param endpoint: what Comprehend said; ``None``: there is no endpoint.
    :param now: when it said so.
    :param classifier: name of the spec.
    :param endpoint_arn: the endpoint's ARN.
    :param created: its CreationTime, where there is an endpoint.
    :param last_used: when an endpoint that is gone last answered.
    """
    found: list[Record] = []
    record = None if latest is None or latest.closed_at is not None else latest
    if record is not None and (endpoint is None or created != record.opened_at):
        gone = max(filter(None, (record.seen_at, last_used)))
        found.append(record.close(gone))
        record = None
    if endpoint is None or created is None:
        return found
    units, model = max(endpoint.units, endpoint.desired_units), endpoint.model_arn
    if record is None:
        if endpoint.status == "DELETING":
            return found
        change = Change(created, units, model)
        refused = latest.refused_model if latest and latest.closing_why == REPLACED else None
        record = Record(classifier, endpoint_arn, created, BY_OTHERS, (change,), now, refused_model=refused)
    if (record.changes[-1].units, record.changes[-1].model_arn) != (units, model):
        record = replace(record, changes=(*record.changes, Change(now, units, model)))
    record = replace(record, seen_at=now)
    if endpoint.status == "DELETING":
        return [*found, record.close(now)]
    # It was asked for in vain, or never reached AWS.
    record = replace(record, closing_at=None, closing_why=None)
    if endpoint.status == IN_SERVICE and record.ready_at is None:
        record = replace(record, ready_at=now)
    if endpoint.desired_model_arn != model and endpoint.status == "UPDATING":
        record = replace(record, moving_to=endpoint.desired_model_arn)
    if refused := _refused(record, endpoint):
        record = replace(record, refused_model=refused, moving_to=None)
    if record.moving_to == model:
        record = replace(record, moving_to=None)
    return [*found, record]


def _refused(record: Record, endpoint: Endpoint) -> str | None:
    """Return the model with which the endpoint failed; ``None``: it did not."""
    if endpoint.status == "FAILED":
        return endpoint.desired_model_arn
    if endpoint.status == IN_SERVICE and record.moving_to not in (None, endpoint.model_arn):
        return record.moving_to
    return None


def facts_of(
    latest: Record | None,
    endpoint: Endpoint | None,
    now: datetime,
    *,
    active_model: str | None,
    spent_usd: float,
) -> Facts:
    """Return what is known at one moment, for the plan.

    :param latest: the record of the latest opening, after :func:`follow`.
    :param endpoint: what Comprehend said.
    :param now: the moment.
    :param active_model: ARN of the active version.
    :param spent_usd: what the day's openings cost up to now.
    """
    facts = Facts(now, endpoint, active_model, spent_usd)
    if latest is None or (latest.closed_at is not None and latest.closing_why != REPLACED):
        return facts
    asked = max(filter(None, (latest.ready_at, latest.last_asked_at)), default=None)
    return replace(
        facts,
        last_asked=asked if latest.closed_at is None else None,
        by_hand_until=latest.by_hand_until,
        refused_model=latest.refused_model,
        served_model=latest.served_model,
    )


def with_usage(record: Record, used: Sequence[tuple[datetime, float]], period: timedelta) -> Record:
    """Return a record with more of its usage.

    :param record: the record.
    :param used: inference units used in each period that CloudWatch has, by its begin.
    :param period: the length of a period.
    """
    usage = {at: units for at, units in used if units > 0}
    if not usage:
        return record
    asked = max(usage) + period
    last = asked if record.last_asked_at is None else max(asked, record.last_asked_at)
    return replace(record, usage={**record.usage, **usage}, last_asked_at=min(last, record.seen_at))
