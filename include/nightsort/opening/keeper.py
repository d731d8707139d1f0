"""Attend to a classifier's endpoint once: look, write down, decide, do the next step, look again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from nightsort.classifier_spec.opening_hours import day_of
from nightsort.comprehend.prices import usd_text
from nightsort.opening.plan import Plan, Step, plan
from nightsort.opening.record import REPLACED, Record, facts_of, follow, with_usage
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nightsort.classifier_spec.real_time import Autoscale, RealTime
    from nightsort.opening.plan import Endpoint

MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Seen:
    """An endpoint as Comprehend described it, and its CreationTime."""

    endpoint: Endpoint
    created: datetime


class Service(Protocol):
    """What is asked of AWS about one endpoint."""

    def look(self) -> Seen | None:
        """Return the endpoint; ``None``: there is none."""

    def open(self, model_arn: str, units: int) -> None:
        """Create it; nothing happens if it is there."""

    def change(self, *, model_arn: str | None = None, units: int | None = None) -> bool:
        """Give it a model or units; ``False``: it is being changed already."""

    def close(self) -> bool:
        """Delete it; ``False``: it is being changed, which has to end first."""

    def scale(self, autoscale: Autoscale) -> None:
        """Let its units follow the load; nothing happens if they do."""

    def unscale(self) -> None:
        """Let its units stay as they are; nothing happens if they do."""

    def used(self, since: datetime, until: datetime) -> Sequence[tuple[datetime, float]]:
        """Return the inference units that were used in each minute, by its begin; it may be gone."""


class Book(Protocol):
    """What is known of a classifier in the tables."""

    def latest(self) -> Record | None:
        """Return the latest opening."""

    def save(self, record: Record) -> None:
        """Write an opening."""

    def spent(self, since: datetime, until: datetime) -> float:
        """Return what the openings cost in a span of time, in USD."""

    def active_model(self) -> str | None:
        """Return the ARN of the active version."""


@dataclass(frozen=True)
class Visit:
    """Who attends to the endpoint, and what they may do.

    :param run_id: the run that attends; it holds the endpoint from now on, unless `only_if_held`.
    :param may_open: whether it opens an endpoint that is closed; else it only looks after an open one.
    :param only_if_held: do nothing where another run holds the endpoint.
    :param by_hand_until: until when a person wants it open.
    :param why: why it is opened, where the plan has no better reason.
    :param close: why it has to be closed, whatever the plan says.
    :param only_watch: leave the closing to another task of the run.
    """

    run_id: str
    may_open: bool = False
    only_if_held: bool = False
    by_hand_until: datetime | None = None
    why: str | None = None
    close: str | None = None
    only_watch: bool = False


@dataclass(frozen=True)
class Outcome:
    """What is true after a visit.

    :param plan: what should be true.
    :param endpoint: the endpoint; ``None``: there is none.
    :param record: the latest opening; ``None``: there was none.
    :param spent_usd: what this day cost up to now.
    :param active_model: ARN of the active version.
    :param held: whether the run of the visit holds the endpoint.
    :param opened: whether the visit has opened it.
    """

    plan: Plan
    endpoint: Endpoint | None
    record: Record | None
    spent_usd: float
    active_model: str | None
    held: bool
    opened: bool = False

    @property
    def settled(self) -> bool:
        """Whether nothing is under way, and nothing is left to do."""
        return self.plan.step is Step.KEEP

    @property
    def refused(self) -> str | None:
        """The active version's ARN, where Comprehend could not serve it; else ``None``."""
        refused = None if self.record is None else self.record.refused_model
        return refused if refused == self.active_model else None

    def to_dict(self) -> dict[str, Any]:
        """Return what matters of it as JSON-safe values."""
        record = self.record
        return {
            "open": self.plan.open,
            "why": self.plan.why,
            "until": None if self.plan.until is None else self.plan.until.isoformat(),
            "endpoint_arn": None if record is None else record.endpoint_arn,
            "model_arn": None if self.endpoint is None else self.endpoint.model_arn,
            "inference_units": 0 if self.endpoint is None else self.endpoint.units,
            "spent_usd": self.spent_usd,
        }

    def __str__(self) -> str:
        spent = f"Its day cost {usd_text(self.spent_usd)} so far."
        if self.endpoint is None:
            return f"The endpoint is closed: {self.plan.why}. {spent}"
        version = self.endpoint.model_arn.partition(":document-classifier/")[2]
        units = number_of(max(self.endpoint.units, self.endpoint.desired_units), "inference unit")
        state = f"The endpoint is {self.endpoint.status}, {version} with {units}"
        if not self.held:
            return f"{state}; another run looks after it. {spent}"
        until = "" if self.plan.until is None else f", at the longest until {self.plan.until:%H:%M} UTC"
        wish = f"is to be open{until}" if self.plan.open else "is to be closed"
        return f"{state}; it {wish}: {self.plan.why}. {spent}"


def attend(
    service: Service,
    book: Book,
    real_time: RealTime,
    zone: str,
    visit: Visit,
    *,
    classifier: str,
    endpoint_arn: str,
    clock: Callable[[], datetime],
) -> Outcome:
    """Attend to the endpoint once. The caller lets nobody else do so meanwhile.

    Each step writes first what it is about to do where that would be lost, and what came of it is read from
    the service. So a death between any two lines is mended by the next visit.

    :param service: AWS.
    :param book: the tables.
    :param real_time: of the spec.
    :param zone: the spec's time zone.
    :param visit: who attends.
    :param classifier: name of the spec.
    :param endpoint_arn: the ARN that the endpoint has or will have.
    :param clock: tells the time.
    """
    look = _Look(service, book, classifier, endpoint_arn, clock)
    look.again()
    held = _take(look, visit)
    if held and real_time.autoscale is None:
        _unscale(look)
    first = decided = _decide(look, book, real_time, zone, visit)
    if held and _do(look, first, visit):
        look.again()
        decided = _decide(look, book, real_time, zone, visit)
    settled = held and decided.open and decided.step is Step.KEEP
    if settled and real_time.autoscale is not None and not visit.only_watch:
        _scale(look, real_time.autoscale)
    return Outcome(
        decided,
        look.endpoint,
        look.latest,
        look.spent(zone),
        book.active_model(),
        held,
        opened=first.step is Step.OPEN,
    )


class _Look:
    """The endpoint and the latest opening, kept alike."""

    def __init__(
        self, service: Service, book: Book, classifier: str, endpoint_arn: str, clock: Callable[[], datetime]
    ) -> None:
        self.service, self.book, self.clock = service, book, clock
        self._classifier, self._arn = classifier, endpoint_arn
        self.latest = book.latest()
        self.endpoint: Endpoint | None = None
        self.now = clock()

    def again(self) -> None:
        """Ask the service, and write down what it says."""
        seen = self.service.look()
        self.now = self.clock()
        self.endpoint = None if seen is None else seen.endpoint
        was_open = self.latest is not None and self.latest.closed_at is None
        records = follow(
            self.latest,
            self.endpoint,
            self.now,
            classifier=self._classifier,
            endpoint_arn=self._arn,
            created=None if seen is None else seen.created,
            last_used=self._last_used() if was_open and seen is None else None,
        )
        for record in records:
            if record.closed_at is not None and record.scaled:
                # Whoever deleted it may have left it, and the next endpoint of the name would be scaled.
                self.service.unscale()
                record = replace(record, scaled=False)
            self.note(self._with_usage(record))

    def note(self, record: Record) -> None:
        """Write an opening, if anything of it is new."""
        if record != self.latest:
            self.book.save(record)
        self.latest = record

    def spent(self, zone: str) -> float:
        """Return what this day cost up to now."""
        return self.book.spent(day_of(self.now, zone)[0], self.now)

    def _last_used(self) -> datetime | None:
        """When an endpoint that is gone last answered; it was there until then."""
        if self.latest is None or self.latest.closing_at is not None:
            return None
        used = self.service.used(self.latest.seen_at, self.now)
        return max((at for at, _ in used), default=None)

    def _with_usage(self, record: Record) -> Record:
        if record.ready_at is None:
            return record
        # What CloudWatch has not counted yet is asked for again the next time.
        since = record.last_asked_at or record.ready_at
        begin = since.replace(second=0, microsecond=0) - 10 * MINUTE
        return with_usage(record, self.service.used(begin, self.now), MINUTE)


def _take(look: _Look, visit: Visit) -> bool:
    """Let the run of the visit hold the endpoint; return whether it does."""
    record = look.latest
    if record is None or record.closed_at is not None:
        return True
    if visit.only_if_held:
        return record.held_by == visit.run_id
    until = max(filter(None, (record.by_hand_until, visit.by_hand_until)), default=None)
    look.note(replace(record, held_by=visit.run_id, by_hand_until=until))
    return True


def _decide(look: _Look, book: Book, real_time: RealTime, zone: str, visit: Visit) -> Plan:
    facts = facts_of(
        look.latest,
        look.endpoint,
        look.now,
        active_model=book.active_model(),
        spent_usd=look.spent(zone),
    )
    if visit.by_hand_until is not None and facts.by_hand_until is None:
        facts = replace(facts, by_hand_until=visit.by_hand_until)
    decided = plan(real_time, zone, facts)
    if visit.close is not None and decided.open:
        return plan(real_time, zone, replace(facts, must_close=visit.close))
    replaced = look.latest is not None and look.latest.closing_why == REPLACED
    if decided.step is Step.OPEN and not (visit.may_open or replaced):
        return replace(decided, open=False, why="it is closed until it is opened again", step=Step.KEEP)
    return decided


def _do(look: _Look, decided: Plan, visit: Visit) -> bool:
    """Do the next step of a plan; return whether the service was asked for a change."""
    service, record = look.service, look.latest
    match decided.step:
        case Step.OPEN if decided.model_arn is not None:
            service.open(decided.model_arn, decided.units)
            look.again()
            record = look.latest
            if record is not None and record.closed_at is None:
                look.note(
                    replace(
                        record,
                        opened_why=visit.why or decided.why,
                        held_by=visit.run_id,
                        by_hand_until=visit.by_hand_until,
                    )
                )
        case Step.MOVE if record is not None and decided.model_arn is not None:
            if service.change(model_arn=decided.model_arn):
                look.note(replace(record, moving_to=decided.model_arn))
        case Step.RESIZE:
            service.change(units=decided.units)
        case Step.CLOSE if visit.only_watch:
            return False
        case Step.CLOSE | Step.REPLACE if record is not None:
            if record.scaled:
                service.unscale()
            why = REPLACED if decided.step is Step.REPLACE else decided.why
            look.note(replace(record, closing_at=look.clock(), closing_why=why, scaled=False))
            service.close()
        case _:
            return False
    return True


def _scale(look: _Look, autoscale: Autoscale) -> None:
    # Noted first, so that it is taken back whatever dies; asked for each time, so that no death skips it.
    if look.latest is not None:
        look.note(replace(look.latest, scaled=True))
        look.service.scale(autoscale)


def _unscale(look: _Look) -> None:
    # The spec may have had `autoscale` when it was opened.
    record = look.latest
    if record is not None and record.closed_at is None and record.scaled:
        look.service.unscale()
        look.note(replace(record, scaled=False))
