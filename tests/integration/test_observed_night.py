"""What a night tells other tools: metrics to StatsD and OpenTelemetry, from real tasks over real sockets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml

from nightsort.classifier_spec.model import ClassifierSpec
from tests.integration.local_aws_server import ROLE
from tests.integration.observed_airflow import (
    NAME,
    PAGE,
    airflow_environment,
    bring_documents,
    run_both_dags,
)
from tests.integration.otlp_receiver import otlp_receiver
from tests.integration.udp_listener import udp_listener
from tests.made_texts import nightly_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration

METRIC = re.compile(r"^\| `(nightsort\.night\.\w+)` \|", re.MULTILINE)


@dataclass
class Observed:
    """A night, and what was told of it.

    :param statsd: the gauges that StatsD got, by name; a tag is part of the name there.
    :param otlp: the gauges that OpenTelemetry got, by name and tags.
    :param row: the night's row and statistics.
    :param texts: the documents' texts.
    :param dsn: the database.
    """

    statsd: dict[str, float]
    otlp: dict[tuple[str, tuple[tuple[str, str], ...]], float]
    row: dict[str, Any]
    texts: list[str]
    dsn: str


@pytest.fixture(scope="module")
def observed(
    aws: LocalAwsServer, postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Observed]:
    """Train and classify a night, and count it once more for each way to send metrics."""
    database = "observed_night"
    dsn = psycopg.conninfo.make_conninfo(postgres_dsn, dbname=database)
    with psycopg.connect(postgres_dsn, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {database}".encode())
    texts = bring_documents(aws)
    environment = airflow_environment(aws, dsn, tmp_path_factory.mktemp("airflow"))
    with otlp_receiver() as collector:
        with udp_listener() as statsd:
            to_statsd = {
                "AIRFLOW__METRICS__STATSD_ON": "True",
                "AIRFLOW__METRICS__STATSD_PORT": f"{statsd.port}",
            }
            run_both_dags(
                {**environment, **to_statsd},
                {"AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED": "True"},
                {
                    "AIRFLOW__METRICS__STATSD_ON": "False",
                    "AIRFLOW__METRICS__OTEL_ON": "True",
                    "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
                },
            )
        sent = dict(line.removesuffix("|g").rsplit(":", 1) for line in statsd.lines if "nightsort" in line)
    with psycopg.connect(dsn, row_factory=psycopg.rows.dict_row) as connection:
        row = connection.execute(
            "SELECT * FROM nightsort.classification_runs JOIN nightsort.run_statistics"
            " USING (classifier, run_key)"
        ).fetchone()
    assert row is not None
    yield Observed({name: float(value) for name, value in sent.items()}, collector.gauges, row, texts, dsn)
    with psycopg.connect(postgres_dsn, autocommit=True) as server:
        server.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())


def test_the_table_of_the_page_names_what_is_sent_and_nothing_else(observed: Observed) -> None:
    documented = METRIC.findall(PAGE)
    assert len(documented) == len(set(documented)) > 10
    plain = {f"airflow.{name}.{NAME}" for name in documented}
    tagged = {f"airflow.{name},classifier={NAME}" for name in documented}
    assert set(observed.statsd) == plain | tagged
    ours = {key: value for key, value in observed.otlp.items() if "nightsort" in key[0]}
    assert set(ours) == {(f"airflow.{name}", (("classifier", NAME),)) for name in documented}


def test_the_figures_are_those_of_the_nights_row(observed: Observed) -> None:
    row, documents = observed.row, sum(observed.row["documents"])
    scored = row["histograms"]
    low = sum(scored[start + n] for start in range(0, len(scored), 20) for n in range(10))
    figures = {
        "complete": 1,
        "documents": 31,
        "classified": 30,
        "rejected": 1,
        "failed": 0,
        "missing": 0,
        "retried": 0,
        "batches": 1,
        "units": row["units"],
        "cost_usd": float(row["cost_usd"]),
        "forecast_usd": float(row["forecast_usd"]),
        "mean_score": sum(row["score_sums"]) / documents,
        "low_score_share": low / documents,
        "drift_judged": 0,
        "drifted": 0,
        "drift_psi": 0,
    }
    assert 0 < figures["mean_score"] < 1
    for name, expected in figures.items():
        for sent in (
            observed.statsd[f"airflow.nightsort.night.{name}.{NAME}"],
            observed.statsd[f"airflow.nightsort.night.{name},classifier={NAME}"],
            observed.otlp[f"airflow.nightsort.night.{name}", (("classifier", NAME),)],
        ):
            assert sent == pytest.approx(expected), name
    ended = observed.otlp["airflow.nightsort.night.ended_timestamp_seconds", (("classifier", NAME),)]
    assert ended == pytest.approx(row["finished_at"].timestamp())
    assert observed.statsd[f"airflow.nightsort.night.duration_seconds.{NAME}"] > 0


def test_no_label_and_no_text_is_in_a_metric(observed: Observed) -> None:
    told = [*observed.statsd, *map(str, observed.otlp)]
    for secret in (*observed.row["labels"], *observed.texts):
        assert not [line for line in told if secret in line]


def test_the_queries_of_the_page_find_a_bad_night_and_no_good_one(observed: Observed) -> None:
    alerts = PAGE.partition("## Alerts")[2].partition("\n## ")[0]
    bad_nights, without_night = re.findall(r"```sql\n(.+?)```", alerts, re.DOTALL)
    with psycopg.connect(observed.dsn) as connection:

        def found(query: str) -> list[str]:
            return [row[0] for row in connection.execute(query.encode())]

        def change(assignment: str) -> None:
            connection.execute(f"UPDATE nightsort.classification_runs SET {assignment}".encode())  # noqa: S608

        change("day = current_date - 1")
        assert found(bad_nights) == found(without_night) == []
        change("failed = 2")
        assert (found(bad_nights), found(without_night)) == ([NAME], [])
        change("failed = 0, state = 'incomplete'")
        assert found(bad_nights) == found(without_night) == [NAME]
        change("state = 'complete', day = current_date - 3")
        assert (found(bad_nights), found(without_night)) == ([], [NAME])
        connection.rollback()


def test_the_spec_of_the_page_is_one() -> None:
    (example,) = re.findall(r"```yaml\n(.+?)```", PAGE, re.DOTALL)
    spec = ClassifierSpec.model_validate(yaml.safe_load(nightly_spec("tickets", "documents", ROLE) + example))
    assert spec.drift == "notify"
    assert spec.loaded_by is not None
    assert len(spec.notifiers) == 1
