"""The operators of ``serve_<name>``: open a classifier's endpoint, watch it, and close it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final, NoReturn

from airflow.sdk.exceptions import AirflowSkipException

from nightsort_airflow.alerts import notify_warning
from nightsort_airflow.aws_errors import REAL_TIME_POLICY
from nightsort_airflow.exceptions import EndpointBrokenError, logged
from nightsort_airflow.operators.spec_operator import SpecOperator
from nightsort_airflow.run_day import BY_HAND, refuse_unknown_keys
from nightsort_airflow.settings import poll_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from nightsort.opening.keeper import Outcome, Visit

CHANGE_SECONDS: Final = 30
"""Seconds between two looks while AWS opens, changes or closes an endpoint, which takes it minutes."""

WATCH_SECONDS: Final = 300
"""Seconds between two looks at an open endpoint, if nothing is due before."""

HOURS_BY_HAND: Final = 1.0
"""How long a run by hand outside of the hours keeps the endpoint open, if it does not say."""


class EndpointVisitOperator(SpecOperator):
    """
    Look at a classifier's endpoint, do what is to be done, and wait in the triggerer until the next look.

    Not for use by itself. Each look is a short task in a worker. It holds no state: what it needs is on AWS
    and in the table ``endpoint_hours``, so whatever dies, the next look goes on.

    :param spec: The classifier spec, with ``real_time``.
    """

    endpoint_policy = REAL_TIME_POLICY

    def execute(self, context: Context) -> Any:
        """Look for the first time."""
        return self._look(context, may_open=True)

    def execute_complete(
        self, context: Context, event: Mapping[str, Any] | None = None, *, may_open: bool = False
    ) -> Any:
        """Look again."""
        return self._look(context, may_open=may_open)

    def _look(self, context: Context, *, may_open: bool) -> Any:
        raise NotImplementedError

    def _visit(self, visit: Visit) -> Outcome:
        from nightsort.opening.keeper import attend
        from nightsort.tables.endpoint_hours import TablesBook, endpoint_alone
        from nightsort_airflow.hooks.endpoint_service import EndpointService

        spec, service = self.spec, EndpointService(self.spec)
        if spec.real_time is None:
            raise ValueError(f"the spec {spec.name} has no real_time")
        with (
            self.fail_on_input_errors(f"look after the endpoint of {spec.name}"),
            self.database() as connection,
        ):
            connection.autocommit = True
            with endpoint_alone(connection, spec.name):
                outcome = attend(
                    service,
                    TablesBook(connection, spec.name),
                    spec.real_time,
                    spec.timezone,
                    visit,
                    classifier=spec.name,
                    endpoint_arn=service.arn,
                    clock=lambda: datetime.now(timezone.utc),
                )
        self.log.info("%s", outcome)
        return outcome

    def _look_again(self, after: timedelta, *, may_open: bool = False) -> NoReturn:
        from nightsort_airflow.triggers.comprehend import EndpointVisitTrigger

        moment = datetime.now(timezone.utc) + after
        self.defer(
            trigger=EndpointVisitTrigger(moment=moment.isoformat()),
            method_name="execute_complete",
            kwargs={"may_open": may_open},
        )

    def _look_again_soon(self, *, may_open: bool = False) -> NoReturn:
        self._look_again(timedelta(seconds=poll_seconds(CHANGE_SECONDS)), may_open=may_open)


class OpenEndpointOperator(EndpointVisitOperator):
    """
    Open the endpoint of a classifier if it should be open now, and wait until it serves the active version.

    An open endpoint of another version is moved, and the former version answers meanwhile. If Comprehend
    cannot serve the new version, the former one stays, and the spec's notifiers are called. From then on the
    run holds the endpoint; the run that held it before ends.

    A run by hand also opens outside of the hours; the run of a promotion opens nothing. Where nothing is to
    be open, what is open is closed, and the task is skipped.

    :param spec: The classifier spec, with ``real_time``.
    :param open_hours: How many hours a run by hand keeps it open. (default: until its hours end, or one hour
        outside of them) (templated)
    :param close: ``True`` in a run by hand that closes it now. (default: not) (templated)
    """

    template_fields: Sequence[str] = ("open_hours", "close")
    ui_color = "#66c3ff"

    def __init__(self, *, open_hours: str = "", close: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.open_hours = open_hours
        self.close = close

    def _look(self, context: Context, *, may_open: bool) -> dict[str, Any]:
        from nightsort.opening.keeper import Visit

        refuse_unknown_keys(context)
        run = context["dag_run"]
        by_hand = run.run_type in BY_HAND
        visit = Visit(
            run.run_id,
            may_open=may_open and run.run_type != "asset_triggered",
            by_hand_until=self._until(run.run_after) if by_hand else None,
            why="by hand" if by_hand else "by its hours",
            close="closed by hand" if self.close == "True" else None,
        )
        outcome = self._visit(visit)
        if not outcome.settled:
            self._look_again_soon(may_open=may_open and not outcome.opened)
        if not outcome.plan.open:
            self._refuse_or_skip(run.run_id, outcome)
        self._warn_of_a_refused_version(context, outcome)
        return outcome.to_dict()

    def _until(self, triggered: datetime) -> datetime | None:
        """Return until when a run by hand keeps it open; None: its hours decide."""
        real_time = self.spec.real_time
        if self.close == "True" or real_time is None:
            return None
        if self.open_hours:
            return triggered + timedelta(hours=float(self.open_hours))
        within = real_time.opening_hours(self.spec.timezone).period_at(triggered)
        return None if within else triggered + timedelta(hours=HOURS_BY_HAND)

    def _refuse_or_skip(self, run_id: str, outcome: Outcome) -> NoReturn:
        record = outcome.record
        ours = record is not None and record.held_by == run_id
        if outcome.refused and ours:
            raise logged(
                EndpointBrokenError(
                    f"Comprehend cannot serve the active version of {self.spec.name}: the endpoint ended "
                    "FAILED and was deleted. Train again or promote another version, then run this DAG. "
                    f"{outcome.refused}"
                )
            )
        why = record.closing_why if record is not None and ours else None
        raise AirflowSkipException(f"The endpoint is closed: {why or outcome.plan.why}.")

    def _warn_of_a_refused_version(self, context: Context, outcome: Outcome) -> None:
        if outcome.refused:
            warning = (
                f"Comprehend cannot serve the active version of {self.spec.name} at its endpoint, so the "
                f"former version goes on answering: {outcome.refused}"
            )
            self.log.warning("%s.", warning)
            notify_warning(self.spec, context, warning)


class WatchEndpointOperator(EndpointVisitOperator):
    """
    Wait in the triggerer until the endpoint has to be closed, or is gone.

    It is closed after its hours, when its budget is spent, and when nobody asked for long. The task ends too
    when another run holds the endpoint.

    :param spec: The classifier spec, with ``real_time``.
    :param watch_seconds: Seconds between two looks, if nothing is due before. (default: 300)
    """

    ui_color = "#66c3ff"

    def __init__(self, *, watch_seconds: int = WATCH_SECONDS, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.watch_seconds = watch_seconds

    def _look(self, context: Context, *, may_open: bool) -> dict[str, Any]:
        from nightsort.opening.keeper import Visit

        outcome = self._visit(Visit(context["dag_run"].run_id, only_if_held=True, only_watch=True))
        if outcome.held and outcome.plan.open:
            if not outcome.settled:
                self._look_again_soon()
            left = timedelta(seconds=self.watch_seconds)
            if outcome.plan.until is not None:
                left = min(left, outcome.plan.until - datetime.now(timezone.utc))
            self._look_again(max(left, timedelta(seconds=1)))
        return outcome.to_dict()


class CloseEndpointOperator(EndpointVisitOperator):
    """
    Close the endpoint and wait until it is gone, unless another run holds it.

    It has to run whatever became of the run, also when a person marks the run as failed: a teardown.

    :param spec: The classifier spec, with ``real_time``.
    """

    ui_color = "#66c3ff"

    def _look(self, context: Context, *, may_open: bool) -> dict[str, Any]:
        from nightsort.opening.keeper import Visit

        visit = Visit(context["dag_run"].run_id, only_if_held=True, close="its run ended early")
        outcome = self._visit(visit)
        if outcome.held and outcome.endpoint is not None:
            self._look_again_soon()
        return outcome.to_dict()
