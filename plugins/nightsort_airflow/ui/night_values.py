"""Read one night, and put together what its page shows: in Airflow, and as a file by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from nightsort.tables.night_reports import night_report
from nightsort_airflow.ui import queries
from nightsort_airflow.ui.views import night as view
from nightsort_airflow.ui.views.verdict import judge

if TYPE_CHECKING:
    import psycopg

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.tables.night_reports import NightReport
    from nightsort_airflow.ui.addresses import Addresses
    from nightsort_airflow.ui.airflow_state import RunFacts
    from nightsort_airflow.ui.queries import Spending


@dataclass(frozen=True)
class NightRead:
    """
    One night as the tables have it.

    :param neighbours: the keys of the nights before and after.
    :param month: what the nights of its month cost.
    :param arn: of the version that classified.
    """

    report: NightReport
    neighbours: tuple[str | None, str | None]
    month: Spending | None
    arn: str | None


def read_night(connection: psycopg.Connection[Any], name: str, run_key: str) -> NightRead | None:
    """
    Return one night; None if it has no row.

    :param connection: the database.
    :param name: the classifier.
    :param run_key: the run.
    """
    report = night_report(connection, name, run_key)
    if report is None:
        return None
    run = report.run
    began = run.started_at or datetime.combine(run.day, datetime.min.time(), timezone.utc)
    return NightRead(
        report=report,
        neighbours=queries.neighbours(connection, name, run_key),
        month=queries.spent_since(connection, [name], month_of(began)).get(name),
        arn=queries.arn_of(connection, name, run.version),
    )


def night_values(
    found: NightRead, spec: ClassifierSpec | None, facts: RunFacts | None, addresses: Addresses
) -> dict[str, Any]:
    """
    Return what the template of a night shows.

    :param found: the night.
    :param spec: the spec as it is now.
    :param facts: the DAG run, if Airflow knows it.
    :param addresses: for the links.
    """
    report, run = found.report, found.report.run
    jobs = view.jobs(report, found.arn)
    failed = next((row.job.job_id for row in jobs if row.job.attempt is None), None)
    previous, following = found.neighbours
    return {
        "title": f"{run.classifier}, {run.day}",
        "name": run.classifier,
        "spec": spec,
        "run": run,
        "report": report,
        "missing": view.missing(run),
        "verdict": judge(run, facts),
        "links": addresses.run_links(run, facts, found.arn, failed),
        "reasons": view.reasons(report),
        "jobs": jobs,
        "labels": view.labels(report) if report.counted else None,
        "unsure": view.least_confident(report),
        "previous": previous,
        "following": following,
        "month": found.month,
        "rejects_file": view.rejects_file(spec, run, found.arn),
    }


def month_of(moment: datetime) -> datetime:
    """Return the beginning of a moment's month, in UTC."""
    return moment.astimezone(timezone.utc).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
