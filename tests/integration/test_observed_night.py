"""What a night tells other tools, from real tasks: StatsD, OpenTelemetry and OpenLineage."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent
from openlineage.client.facet_v2 import (
    base_subset_dataset,
    column_lineage_dataset,
    dataset_version_dataset,
    output_statistics_output_dataset,
    schema_dataset,
)

from nightsort.classifier_spec.model import ClassifierSpec
from tests.integration.local_aws_server import ROLE
from tests.integration.observed_airflow import (
    BUCKET,
    NAME,
    PAGE,
    SECRET,
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

DATABASE = "observed_night"
METRIC = re.compile(r"^\| `(nightsort\.night\.\w+)` \|", re.MULTILINE)


@dataclass
class Observed:
    """A night, and what was told of it.

    :param statsd: the gauges that StatsD got, by name; a tag is part of the name there.
    :param otlp: the gauges that OpenTelemetry got, by name and tags.
    :param row: the night's row and statistics.
    :param texts: the documents' texts.
    :param dsn: the database.
    :param events: what OpenLineage's file transport wrote.
    """

    statsd: dict[str, float]
    otlp: dict[tuple[str, tuple[tuple[str, str], ...]], float]
    row: dict[str, Any]
    texts: list[str]
    dsn: str
    events: list[dict[str, Any]]


@pytest.fixture(scope="module")
def observed(
    aws: LocalAwsServer, postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Observed]:
    """Train and classify a night, and count it once more for each way to send metrics."""
    dsn = psycopg.conninfo.make_conninfo(postgres_dsn, dbname=DATABASE)
    with psycopg.connect(postgres_dsn, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {DATABASE}".encode())
    texts = bring_documents(aws)
    home = tmp_path_factory.mktemp("airflow")
    environment = airflow_environment(aws, dsn, home)
    transport = {"type": "file", "log_file_path": str(home / "events.jsonl"), "append": True}
    environment["AIRFLOW__OPENLINEAGE__TRANSPORT"] = json.dumps(transport)
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
    events = [json.loads(line) for line in (home / "events.jsonl").read_text().splitlines()]
    yield Observed(
        {name: float(value) for name, value in sent.items()}, collector.gauges, row, texts, dsn, events
    )
    with psycopg.connect(postgres_dsn, autocommit=True) as server:
        server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)".encode())


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


# --- lineage ------------------------------------------------------------------------------------------------

S3, FILES = f"s3://{BUCKET}", f"work/{NAME}"
CLASSIFIER = ("arn:aws:comprehend:us-east-1:123456789012", f"document-classifier/{NAME}")
TABLES = ("postgres://localhost:5432", f"{DATABASE}.nightsort")
FACETS: dict[str, Any] = {
    "schema": schema_dataset.SchemaDatasetFacet,
    "version": dataset_version_dataset.DatasetVersionDatasetFacet,
    "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet,
    "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
}
SUBSETS: dict[str, Any] = {
    "inputFacets": base_subset_dataset.InputSubsetInputDatasetFacet,
    "outputFacets": base_subset_dataset.OutputSubsetOutputDatasetFacet,
}


def files(*names: str) -> set[tuple[str, str]]:
    return {(S3, f"{FILES}/{name}") for name in names}


def tables(*names: str) -> set[tuple[str, str]]:
    return {(TABLES[0], f"{TABLES[1]}.{name}") for name in names}


LINEAGE: dict[str, tuple[set[tuple[str, str]], set[tuple[str, str]]]] = {
    f"train_{NAME}.prepare_training_data": (
        {(S3, "labelled")},
        files("training/training.csv", "training/test.csv"),
    ),
    f"train_{NAME}.create_classifier": (
        files("training/training.csv", "training/test.csv"),
        {CLASSIFIER},
    ),
    f"train_{NAME}.evaluate_classifier": ({CLASSIFIER}, tables("classifier_versions")),
    f"train_{NAME}.promote_classifier": (
        tables("classifier_versions"),
        tables("classifier_versions", "promotion_decisions"),
    ),
    f"classify_{NAME}.prepare_batches": (
        {(S3, "incoming"), *tables("classifier_versions")},
        files("runs/input", "runs/manifests"),
    ),
    f"classify_{NAME}.classify_batch.start_job": (
        {*files("runs/input"), CLASSIFIER},
        files("runs/output"),
    ),
    f"classify_{NAME}.classify_batch.load_predictions": (
        files("runs/output", "runs/manifests"),
        tables("predictions"),
    ),
    f"classify_{NAME}.reconcile_run": (
        {*files("runs/rejects.jsonl"), *tables("predictions")},
        tables("predictions", "classification_runs", "run_statistics"),
    ),
    f"classify_{NAME}.export_predictions": (
        {*files("runs/output", "runs/manifests"), *tables("classification_runs")},
        files(f"predictions/classifier={NAME}"),
    ),
}


def of_job(observed: Observed, job: str) -> dict[str, Any]:
    """The last event of a task that succeeded."""
    (*_, event) = (
        event for event in observed.events if event["job"]["name"] == job and event["eventType"] == "COMPLETE"
    )
    return event


def named(datasets: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(dataset["namespace"], dataset["name"]) for dataset in datasets}


@pytest.mark.parametrize("job", sorted(LINEAGE))
def test_a_task_tells_what_it_read_and_wrote(observed: Observed, job: str) -> None:
    event = of_job(observed, job)
    assert (named(event["inputs"]), named(event["outputs"])) == LINEAGE[job]


def test_columns_lead_from_the_tables_and_files_of_predictions_back_to_the_documents(
    observed: Observed,
) -> None:
    made_of: dict[tuple[str, str, str], set[tuple[str, str, str]]] = {}
    for event in observed.events:
        for dataset in event["outputs"]:
            fields = dataset["facets"].get("columnLineage", {"fields": {}})["fields"]
            for name, field in fields.items():
                made_of.setdefault((dataset["namespace"], dataset["name"], name), set()).update(
                    (each["namespace"], each["name"], each["field"]) for each in field["inputFields"]
                )

    def origins(column: tuple[str, str, str]) -> set[tuple[str, str, str]]:
        before = made_of.get(column, set()) - {column}
        return set().union(*map(origins, before)) if before else {column}

    text, identity = (S3, "incoming", "text"), (S3, "incoming", "id")
    rejected = (S3, f"{FILES}/runs/rejects.jsonl", "document_id")
    (table,), (exported,) = tables("predictions"), files(f"predictions/classifier={NAME}")
    for (namespace, name), identities in ((table, {identity, rejected}), (exported, {identity})):
        for column in ("label", "score", "labels", "scores", "accepted"):
            assert origins((namespace, name, column)) == {text}
        assert origins((namespace, name, "document_id")) == identities
    for file in ("training.csv", "test.csv"):
        assert origins((S3, f"{FILES}/training/{file}", "label")) == {(S3, "labelled", "label")}
        assert origins((S3, f"{FILES}/training/{file}", "text")) == {(S3, "labelled", "text")}


def test_an_event_says_which_part_and_how_many(observed: Observed) -> None:
    (loaded,) = of_job(observed, f"classify_{NAME}.classify_batch.load_predictions")["outputs"]
    assert loaded["outputFacets"]["outputStatistics"]["rowCount"] == 30
    inputs, _ = of_job(observed, f"classify_{NAME}.prepare_batches")["outputs"]
    run = f"s3://{BUCKET}/{FILES}/runs/20261118"
    assert inputs["outputFacets"]["subset"]["outputCondition"] == {
        "type": "location",
        "locations": [f"{run}/input/"],
    }
    (classifier,) = of_job(observed, f"train_{NAME}.create_classifier")["outputs"]
    assert classifier["facets"]["version"]["datasetVersion"] == observed.row["version"]


def test_events_have_the_form_of_openlineages_own_classes(observed: Observed) -> None:
    checked = set()
    for event in observed.events:
        run = Run(event["run"]["runId"])
        job = Job(event["job"]["namespace"], event["job"]["name"])
        RunEvent(eventTime=event["eventTime"], producer=event["producer"], run=run, job=job)
        for side, kind in (("inputs", InputDataset), ("outputs", OutputDataset)):
            for dataset in event[side]:
                kind(dataset["namespace"], dataset["name"])
                extra = f"{side[:-1]}Facets"
                for name, facet in {**dataset["facets"], **dataset.get(extra, {})}.items():
                    cls = FACETS.get(name) or SUBSETS[extra]
                    given = {key: value for key, value in facet.items() if not key.startswith("_")}
                    assert facet["_schemaURL"] == cls(**given)._schemaURL
                    checked.add(name)
    assert checked == {*FACETS, "subset"}


def test_no_text_and_no_secret_is_in_an_event(observed: Observed) -> None:
    told = json.dumps(observed.events)
    assert len(told) > 10_000
    for secret in (*observed.texts, SECRET):
        assert secret not in told
