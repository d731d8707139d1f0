"""What a DAG run was asked for: its day, and the keys of its configuration."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from nightsort.classifier_spec.schedule import last_complete_day
from nightsort.naming import run_key
from nightsort.wording import did_you_mean
from nightsort_airflow.exceptions import BadInputError

if TYPE_CHECKING:
    from airflow.sdk import Context

BY_HAND: Final = ("manual", "operator_triggered")
"""The types of runs that a person or another DAG started."""


def resolve_run_day(context: Context, *, given: str | None, timezone: str) -> date:
    """
    Return the day whose documents a run is about.

    It is the Param ``day``, if it is set. For a scheduled run and for a backfill it is the day on which the
    data interval starts, in the spec's time zone. For every other run it is the last complete day, whatever
    interval Airflow infers: before the hour of the schedule that would be the day before.

    :param context: the task's context.
    :param given: the Param, as YYYY-MM-DD, or None.
    :param timezone: the spec's time zone.
    :raises BadInputError: when the Param is not a date.
    """
    return _day_of(context["dag_run"], given, timezone)


def run_key_of(run: Any, timezone: str) -> str | None:
    """
    Return the key of the run that a DAG run of a nightly DAG makes, whether or not its row was written.

    :param run: the DAG run, of a task's context or of Airflow's database.
    :param timezone: the spec's time zone.
    :returns: None if there is none: its Param ``day`` is no date.
    """
    conf = getattr(run, "conf", None) or {}
    try:
        return run_key(_day_of(run, conf.get("day"), timezone), conf.get("source_uri") or None)
    except BadInputError:
        return None


def _day_of(run: Any, given: object, timezone: str) -> date:
    if given:
        try:
            return date.fromisoformat(str(given))
        except ValueError:
            raise BadInputError(
                f"The Param `day` is {given!r}: enter a date as YYYY-MM-DD, or leave it empty."
            ) from None
    start, end = run.data_interval_start, run.data_interval_end
    # A DAG without schedule has intervals of no length.
    if start and end and start < end and getattr(run, "run_type", None) not in BY_HAND:
        day: date = start.astimezone(ZoneInfo(timezone)).date()
        return day
    return last_complete_day(timezone, run.run_after)


def refuse_unknown_keys(context: Context) -> None:
    """
    Refuse a run whose configuration has a key that is no Param of its DAG; Airflow itself ignores such keys.

    :param context: the task's context.
    :raises BadInputError: when there is such a key.
    """
    given = getattr(context.get("dag_run"), "conf", None)
    if not given:
        return
    params = list(context["dag"].params)
    unknown = [key for key in given if key not in params]
    if not unknown:
        return
    remedy = "with the right key" if params else "without a configuration"
    sentences = [
        f"The run's configuration has the unknown key {unknown[0]!r}.",
        did_you_mean(unknown[0], params),
        f"This DAG has {', '.join(params) or 'no Params'}.",
        f"Nothing was started; trigger the DAG again {remedy}.",
    ]
    raise BadInputError(" ".join(filter(None, sentences)))
