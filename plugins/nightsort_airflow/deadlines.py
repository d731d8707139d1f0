"""The time of day by which a night has to be loaded, as a reference for Airflow's deadlines."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from airflow.sdk.definitions.deadline import BaseDeadlineReference

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class NightLoadedBy(BaseDeadlineReference):
    """
    The first ``loaded_by`` o'clock after a scheduled run was due.

    Airflow's own references cannot express this. They add a fixed time to the start of the data interval,
    which is wrong over a weekend without runs and when clocks change, or to the moment when the run was
    queued, which is late when the scheduler was down. They also count for every run, so that a backfill
    would alert for each of its days.

    The scheduler rebuilds it through the plugin's ``deadline_references``.

    :param loaded_by: the time of day, as HH:MM.
    :param timezone: the time zone that it is meant in.
    """

    required_kwargs = frozenset({"dag_id", "run_id"})

    def __init__(self, loaded_by: str, timezone: str) -> None:
        self.loaded_by = loaded_by
        self.timezone = timezone

    def serialize_reference(self) -> dict[str, Any]:
        """Return the fields that the database keeps."""
        return {**super().serialize_reference(), "loaded_by": self.loaded_by, "timezone": self.timezone}

    @classmethod
    def deserialize_reference(cls, reference_data: dict[str, Any]) -> NightLoadedBy:
        """Rebuild the reference from the fields that the database keeps."""
        return cls(reference_data["loaded_by"], reference_data["timezone"])

    def after(self, due: datetime) -> datetime:
        """
        Return the moment by which a run has to be complete.

        :param due: when the run was due; with a time zone.
        """
        zone = ZoneInfo(self.timezone)
        night = due.astimezone(zone)
        moment = datetime.combine(night.date(), time.fromisoformat(self.loaded_by), zone)
        if moment < night:
            moment = datetime.combine(night.date() + timedelta(days=1), moment.time(), zone)
        return moment.astimezone(ZoneInfo("UTC"))

    def _evaluate_with(self, *, session: Session, dag_id: str, run_id: str) -> datetime | None:
        # Only the scheduler may import Airflow's models.
        from airflow.models.dagrun import DagRun
        from airflow.utils.types import DagRunType
        from sqlalchemy import select

        due = session.scalar(
            select(DagRun.run_after).where(
                DagRun.dag_id == dag_id, DagRun.run_id == run_id, DagRun.run_type == DagRunType.SCHEDULED
            )
        )
        return None if due is None else self.after(due)
