"""Read one night, and put together what its page shows: in Airflow, and as a file by itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from nightsort.tables.night_reports import night_report
from nightsort.tables.overview import spent_in_month
from nightsort.tables.run_summaries import neighbours
from nightsort_airflow.ui.views import night as view
from nightsort_airflow.ui.views.verdict import judge

if TYPE_CHECKING:
    import psycopg

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.tables.night_reports import NightReport
    from nightsort.tables.overview import Spending
    from nightsort_airflow.ui.addresses import Addresses
    from nightsort_airflow.ui.airflow_state import RunFacts


@dataclass(frozen=True)
class NightRead:
    """
    One night as the tables have it.

    :param neighbours: the keys of the nights before and after.
    :param began: when it began; of an older one only the day is known.
    :param month: what the classifier cost in the month in which the night began.
    """

    report: NightReport
    neighbours: tuple[str | None, str | None]
    began: datetime
    month: Spending


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
        neighbours=neighbours(connection, name, run_key),
        began=began.astimezone(timezone.utc),
        month=spent_in_month(connection, [name], began)[name],
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
    no_files = spec.no_files if spec else "warn"
    jobs = view.jobs(report, report.version_arn)
    failed = next((row.job.job_id for row in jobs if row.job.attempt is None), None)
    previous, following = found.neighbours
    return {
        "title": f"{run.classifier}, {run.day}",
        "name": run.classifier,
        "spec": spec,
        "run": run,
        "report": report,
        "verdict": judge(run, facts, no_files),
        "links": addresses.run_links(run, facts, report.version_arn, failed),
        "run_address": addresses.dag_run(run.dag_id, run.run_id) if run.dag_id and run.run_id else None,
        "reasons": view.reasons(report),
        "jobs": jobs,
        "labels": view.labels(report) if report.counted else None,
        "unsure": view.least_confident(report),
        "previous": previous,
        "following": following,
        "month": found.month,
        "month_budget": found.month.budget(spec.budget.run_usd if spec else None),
        "began": found.began,
        "rejects_file": view.rejects_file(spec, run, report.version_arn),
    }
