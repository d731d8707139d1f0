"""With IAM enforced, docs/iam/airflow-export-policy.json is what the export needs: all of it, and no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.iam_identities import EVERYTHING, documented, grants, user, without
from tests.integration.local_aws_server import LocalAwsServer, local_aws
from tests.integration.local_nights import DAY, Nights
from tests.integration.operator_trips import as_connection

# isort: split
from nightsort_airflow.exceptions import BadInputError
from nightsort_airflow.operators.classification import ExportPredictionsOperator
from tests.integration.operator_runs import OperatorRun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

pytestmark = pytest.mark.integration

POLICY = documented("airflow-export-policy.json", "your-bucket")
EARLY = {f"doc-{n}": f"text {n}" for n in range(6)}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws(environment={"NIGHTSORT_LOCAL_AWS_ENFORCE_IAM": "true"}) as server:
        yield server


def test_the_export_passes_with_exactly_the_documented_policy_and_names_what_is_missing(
    aws: LocalAwsServer,
    empty_database: str,
    database: psycopg.Connection[Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user(aws, "admin", EVERYTHING).client("s3").create_bucket(Bucket="your-lake")
    airflow = user(aws, "airflow", POLICY)
    monkeypatch.setenv("AIRFLOW_CONN_LAKE_AWS", airflow.connection)
    monkeypatch.setenv("AIRFLOW_CONN_LAKE_DB", json.dumps(as_connection(empty_database)))
    nights = Nights(
        tmp_path,
        database,
        aws_conn_id="lake_aws",
        db_conn_id="lake_db",
        export={"uri": "s3://your-lake/nightsort/predictions"},
    )

    def export() -> Any:
        run = {"run_key": "20261118", "day": DAY.isoformat()}
        return OperatorRun().execute(
            ExportPredictionsOperator(task_id="export_predictions", spec=nights.spec, run=run)
        )

    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    assert export()["files"] == 2
    # All documents of the second batch are gone, and so is the reason for its file.
    nights.arrives("m.jsonl", {name: text for name, text in EARLY.items() if name < "doc-4"})
    nights.classify()
    for grant in grants(POLICY):
        airflow.may(without(POLICY, grant))
        with pytest.raises(BadInputError, match=r"docs/iam/.*airflow-export-policy\.json") as caught:
            export()
        assert f"user/airflow is not authorized to perform: {grant[1]}" in str(caught.value)
    airflow.may(POLICY)
    assert export()["removed"] == 1
