"""With IAM enforced, a small night needs docs/iam/airflow-small-nights-policy.json besides, and no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.iam_identities import EVERYTHING, documented, grants, role, user, without
from tests.integration.local_aws_server import ROLE, LocalAwsServer, local_aws, wait_until

# isort: split
from airflow.sdk.exceptions import AirflowException

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort_airflow.hooks.endpoint_service import EndpointService
from tests.integration.dag_steps import WORK
from tests.integration.operator_runs import OperatorRun
from tests.integration.operator_trips import BUCKET, Trip, as_connection

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

AIRFLOW, SMALL = (
    documented(name, BUCKET) for name in ("airflow-policy.json", "airflow-small-nights-policy.json")
)
BOTH = {**AIRFLOW, "Statement": [*AIRFLOW["Statement"], *SMALL["Statement"]]}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws(environment={"NIGHTSORT_LOCAL_AWS_ENFORCE_IAM": "true"}) as server:
        role(
            server,
            ROLE,
            documented("data-access-role-policy.json", BUCKET),
            documented("data-access-role-trust.json", BUCKET),
        )
        yield server


def test_a_small_night_needs_exactly_the_documented_policy(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, airflow = user(aws, "admin", EVERYTHING), user(aws, "airflow", BOTH)
    admin.client("s3").create_bucket(Bucket=BUCKET)
    monkeypatch.setenv("AIRFLOW_CONN_ADMIN_AWS", admin.connection)
    monkeypatch.setenv("AIRFLOW_CONN_TRIP_AWS", airflow.connection)
    monkeypatch.setenv("AIRFLOW_CONN_TRIP_DB", json.dumps(as_connection(empty_database)))
    spec = ClassifierSpec.model_validate(
        {
            "name": "tickets",
            "mode": "MULTI_CLASS",
            "labelled": {"uri": f"s3://{BUCKET}/tickets/labelled/", "format": "jsonl"},
            "incoming": {
                "uri": f"s3://{BUCKET}/tickets/incoming/{{day}}/",
                "format": "jsonl",
                "id_column": "id",
            },
            "work_uri": WORK,
            "data_access_role_arn": ROLE,
            "aws_conn_id": "trip_aws",
            "db_conn_id": "trip_db",
            "batch": {"endpoint_below": 50},
            "real_time": {"hours": "always", "budget_usd_day": None},
        }
    )
    trip = Trip(admin, empty_database, spec)
    trip.label(40)
    trip.train()
    opening = EndpointService(spec.model_copy(update={"aws_conn_id": "admin_aws"}))
    ((arn,),) = trip.query("SELECT arn FROM nightsort.classifier_versions WHERE active")
    opening.open(arn, 10)
    wait_until(
        lambda: (seen := opening.look()) is not None and seen.endpoint.status == "IN_SERVICE", "it is open"
    )
    for number, grant in enumerate(grants(SMALL)):
        trip.bring(10 + number)
        airflow.may(without(BOTH, grant))
        with pytest.raises(AirflowException) as caught:
            trip.classify(OperatorRun(run_id=f"manual__{number}"))
        assert f"user/airflow is not authorized to perform: {grant[1]}" in str(caught.value)
        assert "docs/iam/airflow-small-nights-policy.json" in str(caught.value)
    airflow.may(BOTH)
    counts = trip.classify(OperatorRun(run_id="manual__last"))
    assert (counts["classified"], counts["cost_usd"]) == (10 + number, 0)
    assert trip.jobs() == []
