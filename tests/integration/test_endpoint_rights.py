"""With IAM enforced, the policy of each who has to do with an endpoint is what they need, and no more."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.classification_data import create_request, csv_bytes, labelled_rows
from tests.integration.iam_identities import EVERYTHING, LocalAwsUser, documented, grants, role, user, without
from tests.integration.local_aws_server import (
    REGION,
    ROLE,
    LocalAwsServer,
    local_aws,
    wait_for_classifier,
    wait_until,
)

# isort: split
from botocore.exceptions import ClientError

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.classifier_spec.real_time import Autoscale, RealTime
from nightsort_airflow import close_endpoints
from nightsort_airflow.aws_errors import remedy
from nightsort_airflow.doctor.aws_access import AwsAccess
from nightsort_airflow.doctor.endpoints import endpoint_checks
from nightsort_airflow.doctor.findings import Check, State, ok
from nightsort_airflow.doctor.run_checks import examine
from nightsort_airflow.hooks.endpoint_service import EndpointService
from nightsort_airflow.operators.serving import OpenEndpointOperator
from nightsort_airflow.serving import endpoint
from nightsort_airflow.serving.command import classify
from nightsort_airflow.serving.endpoint import EndpointError, ServedEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort_airflow.doctor.findings import Finding

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


def is_ready(service: EndpointService) -> bool:
    seen = service.look()
    return seen is not None and seen.endpoint.status == "IN_SERVICE"


def life_of_an_endpoint(service: EndpointService, model: str) -> None:
    """Everything that the DAG asks for."""
    service.open(model, 1)
    wait_until(lambda: is_ready(service), "the endpoint is ready")
    service.used(datetime.now(timezone.utc) - timedelta(minutes=5), datetime.now(timezone.utc))
    service.scale(Autoscale(max=2))
    assert service.change(model_arn=model)
    wait_until(lambda: is_ready(service), "the endpoint has changed")
    service.unscale()
    assert service.close()
    wait_until(lambda: service.look() is None, "the endpoint is gone")


def test_the_dag_needs_exactly_its_policy(
    aws: LocalAwsServer, admin: LocalAwsUser, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = user(aws, "airflow", POLICY)
    monkeypatch.setenv("AIRFLOW_CONN_RIGHTS_AWS", airflow.connection)
    service, clean_up = EndpointService(SPEC), admin.client("comprehend")
    life_of_an_endpoint(service, model)
    for grant in grants(POLICY):
        airflow.may(without(POLICY, grant))
        with pytest.raises(
            ClientError, match=f"user/airflow is not authorized to perform: {grant[1]}"
        ) as caught:
            life_of_an_endpoint(service, model)
        said = str(remedy(caught.value, OpenEndpointOperator.endpoint_policy))
        assert "docs/iam/airflow-real-time-policy.json" in said
        airflow.may(POLICY)
        if service.look() is not None:
            wait_until(service.close, "the endpoint can be deleted")
            wait_until(
                lambda: not clean_up.list_endpoints()["EndpointPropertiesList"], "the endpoint is gone"
            )
        service.unscale()


@pytest.fixture
def opened(admin: LocalAwsUser, model: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[EndpointService]:
    """The endpoint, opened by somebody else."""
    monkeypatch.setenv("AIRFLOW_CONN_ADMIN_AWS", admin.connection)
    service = EndpointService(SPEC.model_copy(update={"aws_conn_id": "admin_aws"}))
    service.open(model, 1)
    wait_until(lambda: is_ready(service), "the endpoint is ready")
    yield service
    wait_until(service.close, "the endpoint can be deleted")
    wait_until(lambda: service.look() is None, "the endpoint is gone")


def test_who_asks_needs_exactly_its_policy(
    aws: LocalAwsServer, opened: EndpointService, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = documented("serve-policy.json", "rights")
    asks = user(aws, "asks", policy)
    monkeypatch.setenv("AIRFLOW_CONN_RIGHTS_AWS", asks.connection)
    # On AWS the command neither opens nor closes an endpoint, so it needs no right for that.
    monkeypatch.setattr(endpoint, "is_local_stack", lambda hook: False)
    lines: list[str] = []
    assert classify(SPEC, ["bug"], lines.append, as_json=True) == 0
    served = ServedEndpoint(SPEC)
    assert served.look() is not None
    assert served.classify("bug").label == json.loads(lines[0])["label"]
    for grant in grants(policy):
        asks.may(without(policy, grant))
        with pytest.raises(EndpointError, match=r"AccessDenied.*docs/iam/serve-policy\.json"):
            classify(SPEC, ["bug"], lines.append, as_json=True)
    assert len(lines) == 1


def test_who_closes_what_was_forgotten_needs_exactly_their_policy(
    aws: LocalAwsServer,
    opened: EndpointService,
    model: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    policy = documented("close-endpoints-policy.json", "rights")
    closes = user(aws, "closes", policy)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", closes.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", closes.secret_access_key)

    def close() -> int:
        return close_endpoints.run(["tickets"], everything=False, yes=True, minutes=1)

    def is_open() -> bool:
        seen = opened.look()
        return seen is not None and seen.endpoint.status == "IN_SERVICE"

    for grant in grants(policy):
        if not is_open():
            # It is closed all the same where only its scaling may not be taken back.
            wait_until(lambda: opened.look() is None, "the endpoint is gone")
            opened.open(model, 1)
            wait_until(is_open, "the endpoint is ready")
        opened.scale(Autoscale(max=2))
        closes.may(without(policy, grant))
        assert close() > 0
        told = " ".join(capsys.readouterr().err.split())
        assert f"user/closes is not authorized to perform: {grant[1]}" in told
        assert "docs/iam/close-endpoints-policy.json" in told
    wait_until(lambda: opened.look() is None, "the endpoint is gone")
    opened.open(model, 1)
    wait_until(is_open, "the endpoint is ready")
    opened.scale(Autoscale(max=2))
    closes.may(policy)
    assert close() == 0
    wait_until(lambda: opened.look() is None, "the endpoint is gone")
    assert opened.hook.scaled() == []


def test_the_doctor_needs_exactly_its_policy(
    aws: LocalAwsServer, opened: EndpointService, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = documented("doctor.json", "rights")
    asked = [grant for grant in grants(policy) if grant[1].startswith(("comprehend:", "application-"))]
    assert len(asked) == 3
    looks = user(aws, "looks", policy)
    monkeypatch.setenv("AIRFLOW_CONN_RIGHTS_AWS", looks.connection)
    spec = SPEC.model_copy(
        update={
            "real_time": RealTime.model_validate(
                {"hours": "always", "budget_usd_day": None, "autoscale": {"max": 2}}
            )
        }
    )

    def look() -> Finding:
        connected = Check("connection", "rights_aws", lambda: ok(""))
        checks = endpoint_checks(AwsAccess("rights_aws"), [spec], {spec.name: spec}, connected)
        return list(examine([connected, *checks]))[-1]

    assert (look().state, look().says) == (
        State.OK,
        "tickets: IN_SERVICE, 1 inference unit, 43.20 USD a day",
    )
    for grant in asked:
        looks.may(without(policy, grant))
        assert look().state is State.CANNOT_TELL
        assert "docs/iam/doctor.json" in look().remedy
