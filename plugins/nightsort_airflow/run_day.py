"""Which day a DAG run is about."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from nightsort_airflow.exceptions import BadInputError

if TYPE_CHECKING:
    from airflow.sdk import Context


def resolve_run_day(context: Context, *, given: str | None, timezone: str) -> date:
    """
    Return the day whose documents a run is about.

    It is the Param ``day``, if it is set. Otherwise it is the day on which the run's data interval starts, in
    the spec's time zone. A manual run without an interval is about the day before the run.

    :param context: the task's context.
    :param given: the Param, as YYYY-MM-DD, or None.
    :param timezone: the spec's time zone.
    :raises BadInputError: when the Param is not a date.
    """
    if given:
        try:
            return date.fromisoformat(given)
        except ValueError:
            raise BadInputError(
                f"The Param `day` is {given!r}: enter a date as YYYY-MM-DD, or leave it empty."
            ) from None
    run = context["dag_run"]
    zone = ZoneInfo(timezone)
    start, end = run.data_interval_start, run.data_interval_end
    # A DAG without schedule has intervals of no length.
    if start and end and start < end:
        return start.astimezone(zone).date()
    return run.run_after.astimezone(zone).date() - timedelta(days=1)
