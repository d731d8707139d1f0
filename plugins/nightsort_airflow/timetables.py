"""Schedules that Airflow has not: each day of a sparse one, and openings and closings of an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.timezone import coerce_datetime, utcnow
from airflow.timetables.base import DagRunInfo, DataInterval, Timetable
from airflow.timetables.interval import CronDataIntervalTimetable
from croniter import croniter  # type: ignore[import-untyped]  # has no types

from nightsort.classifier_spec.opening_hours import OpeningHours

if TYPE_CHECKING:
    from airflow.timetables.base import TimeRestriction
    from airflow.utils.types import DagRunType
    from pendulum import DateTime


class EveryDayTimetable(CronDataIntervalTimetable):
    """
    One run for each day; the runs of days on which the schedule starts nothing wait for its next start.

    ``0 2 * * 1-5`` for instance starts three runs on Monday: of Friday, Saturday and Sunday. The data
    intervals are those of a daily schedule at the same time. The scheduler rebuilds it through the plugin's
    ``timetables``.

    :param cron: the schedule, with one minute and one hour.
    :param timezone: the time zone that it is meant in.
    """

    def __init__(self, cron: str, timezone: Any) -> None:
        super().__init__(cron, timezone)
        (minute,), (hour,), *_ = croniter.expand(self._expression)[0]
        self._daily = CronDataIntervalTimetable(f"{minute} {hour} * * *", timezone)
        self.description = f"{self.description}; one run for each day since the start before"

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next day's run; without catchup, none of before the last but one start."""
        if not restriction.catchup:
            earliest = self._skip_to_latest(restriction.earliest)
            restriction = restriction._replace(earliest=earliest, catchup=True)
        info = self._daily.next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )
        if info is None or info.data_interval is None:
            return None
        return info._replace(run_after=self._align_to_next(info.data_interval.end))

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the last complete day."""
        return self._daily.infer_manual_data_interval(run_after=run_after)

    def generate_run_id(
        self, *, run_type: DagRunType, run_after: DateTime, data_interval: DataInterval | None, **extra: Any
    ) -> str:
        """Name a run by the end of its day, as a daily schedule would: several runs start at one time."""
        if data_interval is not None and run_type in ("scheduled", "backfill"):
            run_after = data_interval.end
        return super().generate_run_id(
            run_type=run_type, run_after=run_after, data_interval=data_interval, **extra
        )


class OpeningHoursTimetable(Timetable):
    """
    One run at each opening and one at each closing of an endpoint; of ``always``, one at each midnight.

    A run makes true what should be true when it runs, so of missed ones only the last is started. The run of
    a closing finds the endpoint closed, unless the run before has died. The scheduler rebuilds it through the
    plugin's ``timetables``.

    :param hours: as of :class:`~nightsort.classifier_spec.opening_hours.OpeningHours`, like `days`, `zone`.
    """

    def __init__(self, hours: str, days: str, zone: str) -> None:
        self._opening = OpeningHours(hours, days, zone)
        self.description = f"At each opening and closing: {self._opening}"

    @property
    def summary(self) -> str:
        """The hours, which the UI shows as the schedule."""
        return str(self._opening)

    def serialize(self) -> dict[str, Any]:
        """Return the fields that the database keeps."""
        return {"hours": self._opening.hours, "days": self._opening.days, "zone": self._opening.zone}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> OpeningHoursTimetable:
        """Rebuild the timetable from the fields that the database keeps."""
        return cls(data["hours"], data["days"], data["zone"])

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the moment at which a run by hand is started."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the next opening or closing; of missed ones the last."""
        moment = self._opening.last_change(utcnow())
        if last_automated_data_interval is not None:
            moment = max(moment, self._opening.next_change(last_automated_data_interval.end))
        if restriction.earliest is not None and moment < restriction.earliest:
            moment = self._opening.next_change(restriction.earliest)
        if restriction.latest is not None and moment > restriction.latest:
            return None
        return DagRunInfo.exact(coerce_datetime(moment))
