"""With IAM enforced, docs/iam/airflow-real-time-policy.json is what an endpoint needs, and no more."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.classification_data import create_request, csv_bytes, labelled_rows
from tests.integration.iam_identities import EVERYTHING, LocalAwsUser, documented, grants, role, user, without
from tests.integration.local_aws_server import (
    ROLE,
    LocalAwsServer,
    local_aws,
    wait_for_classifier,
    wait_until,
)

# isort: split
from botocore.exceptions import ClientError

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.classifier_spec.real_time import Autoscale
from nightsort_airflow.hooks.endpoint_service import EndpointService

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

POLICY = documented("airflow-real-time-policy.json", "rights")
SPEC = ClassifierSpec.model_validate(
    {
        "name": "tickets",
        "mode": "MULTI_CLASS",
        "labelled": {"uri": "s3://rights/labelled/", "format": "csv"},
        "incoming": {"uri": "s3://rights/incoming/{day}/", "format": "jsonl", "id_column": "id"},
        "work_uri": "s3://rights/work",
        "data_access_role_arn": ROLE,
        "aws_conn_id": "rights_aws",
    }
)


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws(environment={"NIGHTSORT_LOCAL_AWS_ENFORCE_IAM": "true"}) as server:
        yield server


@pytest.fixture(scope="module")
def admin(aws: LocalAwsServer) -> LocalAwsUser:
    return user(aws, "admin", EVERYTHING)


@pytest.fixture(scope="module")
def model(admin: LocalAwsUser) -> str:
    admin.client("s3").create_bucket(Bucket="rights")
    admin.client("s3").put_object(Bucket="rights", Key="a.csv", Body=csv_bytes(labelled_rows(12)))
    role(
        admin, ROLE, documented("data-access-role-policy.json", "rights") | EVERYTHING,
        documented("data-access-role-trust.json", "rights"),
    )  # fmt: skip
    comprehend = admin.client("comprehend")
    arn: str = comprehend.create_document_classifier(**create_request("tickets", "s3://rights/a.csv"))[
        "DocumentClassifierArn"
    ]
    wait_for_classifier(comprehend, arn)
    return arn


def life_of_an_endpoint(service: EndpointService, model: str) -> None:
    """Everything that the DAG, the doctor and the command ask for."""

    def ready() -> bool:
        seen = service.look()
        return seen is not None and seen.endpoint.status == "IN_SERVICE"

    service.open(model, 1)
    wait_until(ready, "the endpoint is ready")
    service.used(datetime.now(timezone.utc) - timedelta(minutes=5), datetime.now(timezone.utc))
    service.scale(Autoscale(max=2))
    assert service.change(model_arn=model)
    wait_until(ready, "the endpoint has changed")
    assert [ours.classifier for ours in service.hook.our_endpoints()] == ["tickets"]
    service.unscale()
    assert service.close()
    wait_until(lambda: service.look() is None, "the endpoint is gone")


def test_an_endpoint_needs_exactly_the_documented_policy(
    aws: LocalAwsServer, admin: LocalAwsUser, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = user(aws, "airflow", POLICY)
    monkeypatch.setenv("AIRFLOW_CONN_RIGHTS_AWS", airflow.connection)
    service, clean_up = EndpointService(SPEC), admin.client("comprehend")
    life_of_an_endpoint(service, model)
    for grant in grants(POLICY):
        airflow.may(without(POLICY, grant))
        with pytest.raises(ClientError, match=f"user/airflow is not authorized to perform: {grant[1]}"):
            life_of_an_endpoint(service, model)
        airflow.may(POLICY)
        if service.look() is not None:
            wait_until(service.close, "the endpoint can be deleted")
            wait_until(
                lambda: not clean_up.list_endpoints()["EndpointPropertiesList"], "the endpoint is gone"
            )
        service.unscale()
