"""Whoever dies, and whenever: the next visits make true what should be, and the book has what is billed."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightsort.classifier_spec.real_time import Autoscale, RealTime
from nightsort.opening.bill import Change, Opening, spent, unit_cost
from nightsort.opening.keeper import Outcome, Seen, Visit, attend
from nightsort.opening.plan import Endpoint, Facts, Step, plan
from nightsort.opening.record import BY_OTHERS, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

V1, V2, BAD = "arn:v1", "arn:v2", "arn:bad"
MORNING = datetime(2026, 11, 18, 8, tzinfo=timezone.utc)
EVENING = MORNING + timedelta(hours=10)
ARN = "arn:endpoint"


class KilledError(Exception):
    """A worker that dies here."""


@dataclass
class World:
    """AWS, the tables and the clock, in which a visit dies at a chosen call."""

    now: datetime = MORNING
    active: str | None = V1
    endpoint: Endpoint | None = None
    created: datetime = MORNING
    truth: list[Opening] = field(default_factory=list)
    rows: dict[datetime, Record] = field(default_factory=dict)
    asked: list[datetime] = field(default_factory=list)
    scaled: list[bool] = field(default_factory=list)
    calls: int = 0
    dies_at: int | None = None
    changes_take: timedelta = timedelta(minutes=5)
    changing_until: datetime = MORNING

    # --- time and death

    def clock(self) -> datetime:
        return self.now

    def pass_by(self, time: timedelta) -> None:
        self.now += time
        if self.endpoint is not None and self.now >= self.changing_until:
            self._settle(self.endpoint)

    def _settle(self, endpoint: Endpoint) -> None:
        wanted = endpoint.desired_model_arn
        if endpoint.status == "DELETING":
            self.endpoint = None
        elif endpoint.status in ("CREATING", "UPDATING") and wanted == BAD:
            self.endpoint = replace(endpoint, status="FAILED")
        elif endpoint.status in ("CREATING", "UPDATING"):
            units = endpoint.desired_units
            self.endpoint = replace(endpoint, status="IN_SERVICE", model_arn=wanted, units=units)

    def _call(self, does: Callable[[], Any] = lambda: None) -> Any:
        self.calls += 1
        if self.calls == self.dies_at:
            raise KilledError
        answer = does()
        self.calls += 1
        if self.calls == self.dies_at:
            raise KilledError
        return answer

    # --- the service

    def look(self) -> Seen | None:
        seen: Seen | None = self._call(lambda: Seen(self.endpoint, self.created) if self.endpoint else None)
        return seen

    def open(self, model_arn: str, units: int) -> None:
        def create() -> None:
            if self.endpoint is None:
                self.created, self.changing_until = self.now, self.now + self.changes_take
                self.endpoint = Endpoint("CREATING", model_arn, model_arn, 0, units)
                self.truth.append(Opening([Change(self.now, units, model_arn)], None))

        self._call(create)

    def change(self, *, model_arn: str | None = None, units: int | None = None) -> bool:
        def update() -> bool:
            found = self.endpoint
            if found is None or found.status != "IN_SERVICE":
                return False
            self.changing_until = self.now + self.changes_take
            wanted = model_arn or found.desired_model_arn
            self.endpoint = replace(found, status="UPDATING", desired_model_arn=wanted)
            return True

        return bool(self._call(update))

    def close(self) -> bool:
        def delete() -> bool:
            found = self.endpoint
            if found is None or found.status in ("CREATING", "UPDATING"):
                return found is None
            self.endpoint = replace(found, status="DELETING")
            self.changing_until = self.now + self.changes_take
            self.truth[-1] = Opening(self.truth[-1].changes, self.now)
            return True

        return bool(self._call(delete))

    def used(self, since: datetime, until: datetime) -> Sequence[tuple[datetime, float]]:
        used: list[tuple[datetime, float]] = self._call(
            lambda: [(at, 0.5) for at in self.asked if since <= at < until]
        )
        return used

    def scale(self, autoscale: Autoscale) -> None:
        self._call(lambda: self.scaled.append(True))

    def unscale(self) -> None:
        self._call(lambda: self.scaled.append(False))

    # --- the tables

    def latest(self) -> Record | None:
        latest: Record | None = self._call(lambda: self.rows[max(self.rows)] if self.rows else None)
        return latest

    def save(self, record: Record) -> None:
        self._call(lambda: self.rows.__setitem__(record.opened_at, record))

    def spent(self, since: datetime, until: datetime) -> float:
        return spent((record.opening for record in self.rows.values()), since, until)

    def active_model(self) -> str | None:
        return self.active

    # --- visits

    def visit(self, **visit: Any) -> Outcome:
        return attend(
            self,
            self,
            real_time(),
            "UTC",
            Visit(**{"run_id": "run", **visit}),
            classifier="tickets",
            endpoint_arn=ARN,
            clock=self.clock,
        )

    def until_settled(self, **visit: Any) -> Outcome:
        for _ in range(20):
            outcome = self.visit(**visit)
            if outcome.settled:
                return outcome
            if outcome.opened:
                visit["may_open"] = False
            self.pass_by(timedelta(minutes=1))
        raise AssertionError(f"never settles: {outcome}")


def real_time(**keys: Any) -> RealTime:
    given = {"hours": "08:00-18:00", "idle_minutes": None, "budget_usd_day": None, **keys}
    return RealTime.model_validate(given)


def test_a_day() -> None:
    world = World()
    opened = world.until_settled(may_open=True)
    assert (opened.plan.open, opened.plan.until) == (True, EVENING)
    assert world.endpoint is not None
    assert world.endpoint.model_arn == V1
    world.now = EVENING
    assert world.until_settled().endpoint is None
    [row] = world.rows.values()
    assert (row.opened_at, row.closed_at, row.closing_why) == (
        MORNING, EVENING, "outside of its hours, 08:00-18:00 (UTC)"
    )  # fmt: skip
    assert row.opened_why == "within its hours"


def test_a_promotion_moves_it_without_a_gap() -> None:
    world = World()
    world.until_settled(may_open=True)
    world.active = V2
    assert world.visit(run_id="promotion").plan.step is Step.WAIT
    assert world.endpoint is not None
    assert world.endpoint.status == "UPDATING"
    world.until_settled(run_id="promotion")
    assert world.endpoint.model_arn == V2
    [row] = world.rows.values()
    assert [change.model_arn for change in row.changes] == [V1, V2]


def test_a_version_that_fails_gives_way_to_the_former_one() -> None:
    world = World()
    world.until_settled(may_open=True)
    world.active = BAD
    outcome = world.until_settled(run_id="promotion")
    assert world.endpoint is not None
    assert world.endpoint.model_arn == V1
    assert outcome.record is not None
    assert outcome.record.refused_model == BAD
    world.active = V2
    world.until_settled(run_id="next promotion")
    assert world.endpoint.model_arn == V2


def test_a_version_that_cannot_be_opened_leaves_nothing_open() -> None:
    world = World(active=BAD)
    outcome = world.until_settled(may_open=True)
    assert (world.endpoint, outcome.plan.open) == (None, False)
    assert outcome.record is not None
    assert outcome.record.closing_why == "Comprehend could not open it with the active version"


def test_what_somebody_deleted_stays_closed_until_it_is_opened_again() -> None:
    world = World()
    world.until_settled(may_open=True)
    world.close()
    world.pass_by(timedelta(minutes=6))
    assert world.until_settled().endpoint is None
    assert world.rows[MORNING].closing_why == BY_OTHERS
    assert world.until_settled(may_open=True).plan.open


def test_only_the_newest_run_holds_it() -> None:
    world = World()
    world.until_settled(may_open=True, run_id="first")
    world.visit(run_id="second")
    world.now = EVENING
    assert not world.visit(run_id="first", only_if_held=True, close="the watch has failed").held
    assert world.endpoint is not None
    assert world.endpoint.status == "IN_SERVICE"
    world.until_settled(run_id="second", only_if_held=True)
    assert world.endpoint is None


def test_a_run_without_a_watch_closes_it() -> None:
    world = World()
    world.until_settled(may_open=True)
    world.until_settled(only_if_held=True, close="its watch has failed")
    assert world.endpoint is None
    assert world.rows[MORNING].closing_why == "its watch has failed"


def test_by_hand_it_is_open_beyond_its_hours() -> None:
    world = World(now=EVENING)
    until = EVENING + timedelta(hours=1)
    world.until_settled(may_open=True, by_hand_until=until)
    world.pass_by(timedelta(minutes=50))
    assert world.visit().plan.open
    world.now = until
    assert world.until_settled().endpoint is None


def test_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(World.visit.__globals__, "real_time", _with(idle_minutes=30))
    world = World()
    opened = world.until_settled(may_open=True)
    assert opened.record is not None
    ready = opened.record.ready_at
    assert ready is not None
    world.asked = [MORNING + timedelta(minutes=15)]
    world.now = ready + timedelta(minutes=31)
    assert world.visit().plan.open
    world.now = MORNING + timedelta(minutes=46)
    outcome = world.until_settled()
    assert outcome.endpoint is None
    assert outcome.record is not None
    assert outcome.record.closing_why == "nobody asked for 30 minutes (idle_minutes)"


def test_the_budget_closes_it_and_keeps_it_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(World.visit.__globals__, "real_time", _with(budget_usd_day=18.0))
    world = World()
    midnight, early = MORNING - timedelta(hours=8), MORNING - timedelta(hours=4)
    world.rows[midnight] = Record(
        "tickets", ARN, midnight, "by hand", (Change(midnight, 1, V1),), early, closed_at=early
    )  # fmt: skip
    opened = world.until_settled(may_open=True)
    # 4 of 10 paid hours are gone.
    assert opened.plan.until is not None
    assert abs(opened.plan.until - (MORNING + timedelta(hours=6))) < timedelta(seconds=2)
    world.now = opened.plan.until
    world.pass_by(timedelta(seconds=2))
    assert world.until_settled(may_open=True).endpoint is None
    refused = world.until_settled(may_open=True)
    assert "(budget_usd_day)" in refused.plan.why
    tomorrow = World(now=MORNING + timedelta(days=1), rows=world.rows)
    assert tomorrow.until_settled(may_open=True).plan.open


def test_units_that_are_being_added_count_for_the_budget() -> None:
    spec, now = _with(autoscale={"max": 4}, budget_usd_day=18.0)(), MORNING + timedelta(hours=1)
    facts = Facts(now, Endpoint("UPDATING", V1, V1, 1, 4), V1, spent_usd=10.8)
    until = plan(spec, "UTC", facts).until
    assert until is not None
    assert abs(until - (now + timedelta(hours=1))) < timedelta(seconds=1)


def test_units_follow_the_load_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(World.visit.__globals__, "real_time", _with(autoscale={"max": 4}))
    world = World()
    world.until_settled(may_open=True)
    world.visit(only_watch=True, only_if_held=True)
    assert world.scaled == [True]
    # The spec has no autoscale any more: it was asked for, so it is taken back all the same.
    monkeypatch.setitem(World.visit.__globals__, "real_time", _with())
    world.now = EVENING
    world.until_settled()
    assert world.scaled == [True, False]


def test_units_of_an_endpoint_that_somebody_deleted_are_not_scaled_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(World.visit.__globals__, "real_time", _with(autoscale={"max": 4}))
    world = World()
    world.until_settled(may_open=True)
    world.endpoint = None
    world.visit(only_if_held=True)
    world.visit(only_if_held=True)
    assert world.scaled == [True, False]
    assert not world.rows[MORNING].scaled


@pytest.mark.parametrize("only_watch", [False, True])
def test_units_stay_as_soon_as_the_spec_has_no_autoscale_any_more(
    monkeypatch: pytest.MonkeyPatch, only_watch: bool
) -> None:
    monkeypatch.setitem(World.visit.__globals__, "real_time", _with(autoscale={"max": 4}))
    world = World()
    world.until_settled(may_open=True)
    monkeypatch.setitem(World.visit.__globals__, "real_time", _with())
    for _ in range(2):
        assert world.visit(only_watch=only_watch, only_if_held=True).plan.open
    assert world.scaled == [True, False]
    assert not world.rows[MORNING].scaled
    assert world.visit(run_id="another", only_if_held=True).held is False


def test_a_death_before_the_units_follow_is_mended_by_the_next_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(World.visit.__globals__, "real_time", _with(autoscale={"max": 4}))
    world = World()
    opened = world.visit(may_open=True)
    assert opened.endpoint is not None
    world.pass_by(timedelta(minutes=6))
    for call in range(1, 30):
        world.calls, world.dies_at = 0, call
        with contextlib.suppress(KilledError):
            world.visit()
            break
    world.dies_at = None
    world.until_settled()
    assert world.scaled[-1]
    assert world.rows[MORNING].scaled


def test_a_closing_that_never_reached_aws_is_not_its_end() -> None:
    world = World()
    world.until_settled(may_open=True)
    world.now = EVENING
    world.rows[MORNING] = replace(world.rows[MORNING], closing_at=EVENING, closing_why="x")
    world.pass_by(timedelta(hours=1))
    world.until_settled()
    assert world.rows[MORNING].closed_at == EVENING + timedelta(hours=1)


def test_a_watch_leaves_the_closing_to_the_run() -> None:
    world = World()
    world.until_settled(may_open=True)
    world.now = EVENING
    outcome = world.visit(only_watch=True, only_if_held=True)
    assert (outcome.plan.open, outcome.endpoint and outcome.endpoint.status) == (False, "IN_SERVICE")


def test_the_last_answer_of_what_somebody_deleted_is_its_end() -> None:
    world = World()
    world.until_settled(may_open=True)
    world.asked = [MORNING + timedelta(minutes=50)]
    world.pass_by(timedelta(hours=1))
    world.close()
    world.pass_by(timedelta(hours=8))
    world.until_settled()
    assert world.rows[MORNING].closed_at == MORNING + timedelta(minutes=50)


def _with(make: Callable[..., RealTime] = real_time, **keys: Any) -> Callable[[], RealTime]:
    # Not the name, which a test may have set before.
    made = make(**keys)
    return lambda: made


DEATHS = st.lists(
    st.tuples(
        st.integers(1, 30),  # the call at which the visit dies
        st.sampled_from([0, 1, 4, 6, 60, 590]),  # minutes until the next visit
        st.sampled_from([V1, V2, BAD]),  # the active version
        st.booleans(),
    ),
    max_size=8,
)


@settings(max_examples=300, deadline=None)
@given(DEATHS, st.booleans())
def test_whatever_dies_the_next_visits_mend_it(
    deaths: list[tuple[int, int, str, bool]], evening: bool
) -> None:
    world = World()
    for call, minutes, active, may_open in deaths:
        world.calls, world.dies_at, world.active = 0, call, active
        with contextlib.suppress(KilledError):
            world.visit(may_open=may_open)
        world.pass_by(timedelta(minutes=minutes))
    world.dies_at, world.active = None, V2
    # The night in between closes it, as the run at its end does.
    if evening and world.now < EVENING:
        world.now = EVENING
        world.pass_by(timedelta(minutes=6))
    outcome = world.until_settled(may_open=True)
    within = real_time().opening_hours("UTC").period_at(world.now) is not None
    assert (world.endpoint is not None) == within == outcome.plan.open
    if world.endpoint is not None:
        assert (world.endpoint.status, world.endpoint.model_arn) == ("IN_SERVICE", V2)
        world.until_settled(close="the end of the test")
    # The book has every opening, and its bill, to the second.
    assert len(world.rows) == len(world.truth)
    end = world.now + timedelta(minutes=2)
    billed = unit_cost(sum(row.opening.unit_seconds(MORNING, end) for row in world.rows.values()))
    true = unit_cost(sum(opening.unit_seconds(MORNING, end) for opening in world.truth))
    assert billed == true


@pytest.mark.parametrize("call", range(1, 30))
def test_no_death_while_opening_makes_a_second_endpoint(call: int) -> None:
    world = World(dies_at=call)
    with contextlib.suppress(KilledError):
        world.visit(may_open=True)
    world.dies_at = None
    world.until_settled(may_open=True)
    assert len(world.truth) == len(world.rows) == 1
