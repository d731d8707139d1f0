"""Plays an act of the crash matrix about endpoints: the life of one endpoint, which is struck on its way."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from nightsort_local.local_aws.control.client import ControlError
from tests.integration.crash_acts import Act
from tests.integration.crash_endpoint_cases import CLOSING, MOVING, OPENING, STAGES, stage_of
from tests.integration.crash_points import GIVE_UP, Waiting
from tests.integration.crash_world import DAY, Outcome

if TYPE_CHECKING:
    from tests.integration.crash_cases import Case
    from tests.integration.crash_world import World

SLOW_SECONDS = 3_600
_CHANGES = {OPENING: "endpoint_seconds", MOVING: "endpoint_seconds", CLOSING: "deletion_seconds"}


class EndpointAct(Act):
    """The life of one endpoint: opened by hand, moved by a promotion, closed when its time is over.

    :param cases: its strikes, in their order; without one nothing disturbs it.
    """

    kind = "serve"

    def __init__(self, world: World, name: str, cases: list[Case]) -> None:
        super().__init__(world, name, cases)
        self._runs: list[str] = []
        self._gave_up = False
        self._due = self._gone = datetime.max.replace(tzinfo=timezone.utc)
        self._openings: set[datetime] = set()
        self._asker = Asker(world, self.name)

    def play(self) -> Outcome:
        self.world.new_classifier(self.name, "serve", real_time=True)
        try:
            for stage in STAGES:
                if not self._gave_up:
                    self._play_stage(stage)
                if stage == OPENING and not self._gave_up:
                    self._asker.start()
        finally:
            self._asker.stop()
        self._check_row()
        still_open = 0 if self._status() in (None, "DELETING") else 1
        return Outcome(
            {}, {}, jobs=0, trainings=0, openings=len(self._openings), still_open=still_open,
            refused=self._asker.refused,
        )  # fmt: skip

    def _play_stage(self, stage: str) -> None:
        cases = [case for case in self.cases if stage_of(case.name, case.point) == stage]
        waits = [case for case in cases if isinstance(case.place, Waiting)]
        if waits and stage in _CHANGES:
            self.world.aws.control.set_behaviour(delays={_CHANGES[stage]: SLOW_SECONDS})
        begun = False
        for case in cases:
            with self._arranged(case):
                if not begun:
                    self._begin(stage)
                    begun = True
                self._wait_until(lambda case=case: self._is_at(case) or self._is_over(), str(case))
                assert self._is_at(case), f"The run was over before {case}:\n{self.airflow.said()}"
                self._strike(case)
            if waits and case == waits[-1]:
                self._hurry()
        if not begun:
            self._begin(stage)
        # The run that held the endpoint before a promotion moves it, too, or ends, when it looks again.
        self.airflow.let_hours_pass(stage in (MOVING, CLOSING))
        self._wait_until(lambda: self._is_through(stage), f"the end of {stage}")

    def _begin(self, stage: str) -> None:
        if stage == OPENING:
            self._runs.append(self.airflow.call("start_run", self.dag_id, DAY))
        elif stage == MOVING:
            self.world.promote_another_version(self.name)
            self._runs.append(self.airflow.call("promoted", self.dag_id))
        elif stage == CLOSING:
            self._asker.stop()
            self._due = datetime.now(timezone.utc)
            self.world.end_time_of_endpoint(self.name)
        self.run_id = self._runs[-1]
        self.airflow.let_hours_pass(stage == CLOSING)

    def _is_through(self, stage: str) -> bool:
        """Whether all that has to come of a stage is there."""
        if stage == CLOSING or self._gave_up:
            return all(map(self._has_ended, self._runs)) and self._status() is None
        model = self.world.another_version.arn if stage == MOVING else self.world.champion.arn
        found = self.world.endpoint(self.name)
        return (
            found is not None
            and found["Status"] == "IN_SERVICE"
            and found["ModelArn"] == model
            and self.airflow.task_states(self.dag_id, self.run_id, "watch_endpoint") == {"deferred"}
            and all(map(self._has_ended, self._runs[:-1]))
        )

    def _has_ended(self, run_id: str) -> bool:
        state = self.airflow.state(self.dag_id, run_id)
        if self._gave_up:
            # Of a run whose other tasks were not running at that moment, Airflow makes a success in the end.
            closed = self.airflow.task_states(self.dag_id, run_id, "close_endpoint") == {"success"}
            return closed and state in ("success", "failed")
        assert state != "failed", self.airflow.said()
        return state == "success"

    def _strike(self, case: Case) -> None:
        if case.means == GIVE_UP:
            self._gave_up = True
            self._asker.stop()
            self._due = datetime.now(timezone.utc)
            self.airflow.call("give_up", self.dag_id, self.run_id)
        else:
            super()._strike(case)

    def _hurry(self) -> None:
        with suppress(ControlError):
            self.world.aws.control.set_behaviour(delays={"profile": "fast"})

    # --- what AWS and the table say

    def _wait_until(self, condition: Any, what: str) -> None:
        def seen() -> bool:
            # A look notes what the endpoint is, also where the condition does not ask.
            self._status()
            return bool(condition())

        self.airflow.wait_until(seen, what)

    def _status(self) -> str | None:
        """The state of the endpoint now; what is seen is remembered."""
        found = self.world.endpoint(self.name)
        if found is None or found["Status"] == "DELETING":
            if self._openings:
                self._gone = min(self._gone, datetime.now(timezone.utc))
        else:
            self._openings.add(found["CreationTime"])
        return None if found is None else str(found["Status"])

    def _check_row(self) -> None:
        """The table has one opening, and what is paid for it ends when it has to."""
        (row,) = self.world.openings(self.name)
        assert self._openings == {row.opened_at}
        models = [self.world.champion.arn] + [self.world.another_version.arn] * (not self._gave_up)
        assert [change.model_arn for change in row.changes] == models
        assert row.closed_at is not None
        assert self._due <= row.closed_at <= self._gone


class Asker:
    """Asks an endpoint all the time while it is to be open, as a team's service does.

    Who gets no answer, because a server died, asks again: that is not counted.

    :param name: the classifier.
    """

    def __init__(self, world: World, name: str) -> None:
        self._world, self._name = world, name
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.answered = self.refused = 0

    def start(self) -> None:
        """Ask from now on."""
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask nothing any more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _ask(self) -> None:
        comprehend, arn = self._world.aws.client("comprehend"), self._world.endpoint_arn(self._name)
        while not self._stopped.wait(0.05):
            # Who met a dead server asks again.
            with suppress(BotoCoreError):
                self._ask_once(comprehend, arn)

    def _ask_once(self, comprehend: Any, arn: str) -> None:
        try:
            comprehend.classify_document(Text="invoice refund", EndpointArn=arn)
            self.answered += 1
        except ClientError as error:
            # It is not there, or it does not serve.
            self.refused += error.response["Error"]["Code"].startswith("Resource")
