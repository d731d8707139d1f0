"""Plays an act of the crash matrix: one run of a DAG that is struck at one point after the other."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import psutil

from nightsort_local.local_aws.control.client import ControlError
from tests.integration.crash_airflow import kill
from tests.integration.crash_cases import DEFERS, OVER, WAITS, WHILE, Case
from tests.integration.crash_points import (
    AFTER,
    AWS,
    BACKFILL,
    CLEAR,
    EXCEPTION,
    POSTGRES,
    SCHEDULER,
    SECOND_RUN,
    TASK,
    TRIGGERER,
    WORKER,
    WORKER_ALONE,
    Complete,
    Hang,
    Lost,
    Point,
    Waiting,
)
from tests.integration.crash_world import DAY, Outcome, World

if TYPE_CHECKING:
    from collections.abc import Iterator

ZOMBIE_SECONDS = 30


class Act:
    """One run.

    :param name: of its classifier.
    :param cases: its strikes, in their order.
    """

    kind: ClassVar[str] = ""

    def __init__(self, world: World, name: str, cases: list[Case]) -> None:
        self.world, self.name, self.cases = world, name, cases
        self.airflow = world.airflow
        self.dag_id = f"{self.kind or cases[0].kind}_{self.name}"
        self.run_id = ""
        self._stuck: dict[str, ExitStack] = {}

    def play(self) -> Outcome:
        """Be struck at each point, go on to the end, and say what is left.

        :raises AssertionError: the run did not end in success.
        """
        kind = self.cases[0].kind
        self.world.new_classifier(
            self.name,
            kind,
            asks=any(case.name == "approve_cost" for case in self.cases),
            small=self.cases[0].small,
        )
        if self.cases[0].loses:
            self.world.lose_documents(self.name)
        for case in self.cases:
            if case.name not in self._stuck and _waits(case):
                self._stuck[case.name] = ExitStack()
                self._inject(self._stuck[case.name], "stuck", resource=WAITS[case.name], name=self.name)
        for number, case in enumerate(self.cases):
            with self._arranged(case):
                if not self.run_id:
                    self.run_id = self.airflow.call("start_run", self.dag_id, DAY)
                self.airflow.wait_until(lambda case=case: self._is_at(case) or self._is_over(), str(case))
                assert self._is_at(case), f"The run was over before {case}:\n{self.airflow.said()}"
                self._strike(case)
            if case.name not in {later.name for later in self.cases[number + 1 :]}:
                self._release(case.name)
        self.airflow.wait_until(self._is_over, "the end")
        assert self.airflow.state(self.dag_id, self.run_id) == "success", self.airflow.said()
        return self.world.outcome(self.name)

    def _is_over(self) -> bool:
        return self.airflow.state(self.dag_id, self.run_id) in ("success", "failed")

    @contextmanager
    def _arranged(self, case: Case) -> Iterator[None]:
        """Have the task meet its point."""
        place = case.place
        with ExitStack() as faults:
            self.fault = None
            point = place if isinstance(place, Point) else None
            if isinstance(place, Hang):
                point = place.since
                self._hang = partial(
                    self._inject, faults, "hang_after", operation=place.operation, seconds=60
                )
                if point is None:
                    self.fault = self._hang()
            elif isinstance(place, Lost):
                self.fault = self._inject(faults, "reset_after", operation=place.operation)
            self.airflow.plan(case.task, point, raises=case.means == EXCEPTION)
            yield

    def _inject(self, faults: ExitStack, kind: str, **members: object) -> str:
        return faults.enter_context(self._injected(kind, **members))

    @contextmanager
    def _injected(self, kind: str, **members: object) -> Iterator[str]:
        # A fault dies with its server, and is not there to be taken out.
        with suppress(ControlError), self.world.aws.control.injected(kind, **members) as fault:
            yield fault

    def _release(self, name: str) -> None:
        """Let what a task waits for come to its end."""
        self._stuck.pop(name, ExitStack()).close()

    def _is_at(self, case: Case) -> bool:
        """Whether the task is at its point."""
        place = case.place
        if isinstance(place, Complete):
            return self.airflow.state(self.dag_id, self.run_id) == "success"
        if isinstance(place, Waiting):
            return self._is_deferred(case)
        if isinstance(place, Point):
            if case.point in (OVER, AFTER) and self._is_deferred(case):
                self._release(case.name)
            return self.airflow.was_struck()
        if self.fault is None:
            if not self.airflow.was_struck():
                return False
            self.fault = self._hang()
            self.airflow.let_it_live_on()
            self.airflow.plan(None)
        return self.world.aws.control.struck(self.fault) == 1

    def _is_deferred(self, case: Case) -> bool:
        return self.airflow.task_states(self.dag_id, self.run_id, case.task) == {"deferred"}

    def _strike(self, case: Case) -> None:
        means, airflow = case.means, self.airflow
        if means in (TASK, WORKER, WORKER_ALONE):
            task = self._struck_task()
            worker = psutil.Process(task.ppid())
            kill(*{TASK: [task], WORKER: [worker, task], WORKER_ALONE: [worker]}[means])
            if means == WORKER_ALONE:
                airflow.let_it_live_on()
                psutil.wait_procs([task], timeout=ZOMBIE_SECONDS)
        elif means == SCHEDULER:
            airflow.kill_scheduler()
        elif means == TRIGGERER:
            airflow.kill_triggerer()
        elif means == POSTGRES:
            task = self._struck_task()
            self.world.kill_postgres()
            airflow.let_it_live_on()
            psutil.wait_procs([task], timeout=ZOMBIE_SECONDS)
        elif means == AWS:
            self.world.kill_aws()
            airflow.let_it_live_on()
        elif means == CLEAR:
            airflow.call("clear", self.dag_id, self.run_id, case.task)
        elif means in (SECOND_RUN, BACKFILL):
            self._give_up(case)
            self.run_id = airflow.call("backfill" if means == BACKFILL else "again", self.dag_id, DAY)

    def _struck_task(self) -> psutil.Process:
        return self.airflow.reached() or self.airflow.running_task()

    def _give_up(self, case: Case) -> None:
        """Have nobody go on with the first run."""
        if isinstance(case.place, Complete):
            return
        if not isinstance(case.place, Waiting):
            kill(self._struck_task())
        self.airflow.call("give_up", self.dag_id, self.run_id)


def _waits(case: Case) -> bool:
    return case.name in WAITS and case.point in (DEFERS, WHILE, OVER, AFTER)
