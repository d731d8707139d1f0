"""
Send the figures of a night to Airflow's metrics: StatsD, Datadog or OpenTelemetry, as Airflow is set up.

Names and meanings: ``docs/monitoring.md``. Each figure is a gauge, so a night that is sent again changes no
sum. Names of labels are never sent: a classifier may have a thousand, and each would be a time series.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import psycopg

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.tables.run_rows import AirflowRun

PREFIX = "nightsort.night"

log = logging.getLogger(__name__)


def send_night(connection: psycopg.Connection[Any], spec: ClassifierSpec, run_key: str) -> None:
    """
    Send the figures of a night that was counted, if it is the newest one. An error is logged.

    A tool keeps the last value of a gauge, so an older day that is counted again sends nothing. Neither does
    a run whose source was given by hand, which is no night.

    :param connection: the database.
    :param spec: the classifier spec.
    :param run_key: the run.
    """

    def measures() -> Mapping[str, float]:
        from nightsort.reports.night_measures import night_measures
        from nightsort.tables.night_reports import night_report
        from nightsort.tables.run_summaries import is_newest_night

        report = night_report(connection, spec.name, run_key)
        if report is None or report.run.source_uri or not is_newest_night(connection, spec.name, run_key):
            return {}
        return night_measures(report, spec.no_files)

    _send(spec.name, measures)


def send_unsent_night(
    connection: psycopg.Connection[Any], classifier: str, airflow_run: AirflowRun, run_key: str | None
) -> None:
    """
    Send that the newest night ended before anything of it was classified. An error is logged.

    :param connection: the database.
    :param classifier: name of the spec.
    :param airflow_run: the DAG run. It may have no row; a row of the day that is another run's tells more.
    :param run_key: the run; None if its day is not known.
    """

    def measures() -> Mapping[str, float]:
        from nightsort.naming import is_night
        from nightsort.tables.run_summaries import is_newest_night

        if run_key is None or not is_night(run_key):
            return {}
        if not is_newest_night(connection, classifier, run_key, airflow_run):
            return {}
        return {"complete": 0.0, "ended_timestamp_seconds": time.time()}

    _send(classifier, measures)


def _send(classifier: str, measures: Callable[[], Mapping[str, float]]) -> None:
    """Send gauges. No figure is worth a task that fails, and its retry, for whatever the reason."""
    try:
        tagged = _carries_tags()
        if tagged is None:
            return
        from airflow.sdk.observability import stats

        for name, value in measures().items():
            if tagged:
                stats.gauge(f"{PREFIX}.{name}", value, tags={"classifier": classifier})
            else:
                stats.gauge(f"{PREFIX}.{name}.{classifier}", value)
    except Exception:  # Whatever the database or the metrics' client raises.
        log.warning("The night's metrics were not sent.", exc_info=True)


def _carries_tags() -> bool | None:
    """
    Return whether the tool that Airflow sends metrics to gets their tags; None if there is no tool.

    Plain StatsD has none: there Airflow puts into the name of a metric what is a tag elsewhere, for instance
    ``dagrun.duration.success.<dag_id>``.
    """
    if conf.getboolean("metrics", "statsd_datadog_enabled", fallback=False):
        return bool(conf.getboolean("metrics", "statsd_datadog_metrics_tags", fallback=True))
    if conf.getboolean("metrics", "statsd_on", fallback=False):
        return bool(conf.getboolean("metrics", "statsd_influxdb_enabled", fallback=False))
    return True if conf.getboolean("metrics", "otel_on", fallback=False) else None
