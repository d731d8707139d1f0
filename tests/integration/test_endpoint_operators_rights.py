"""With IAM enforced, docs/iam/endpoint-policy.json is what endpoints need: all of it, and no more."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.classification_data import create_request, csv_bytes, labelled_rows, text_of
from tests.integration.iam_identities import EVERYTHING, LocalAwsUser, documented, grants, role, user, without
from tests.integration.local_aws_server import (
    ROLE,
    LocalAwsServer,
    local_aws,
    wait_for_classifier,
    wait_until,
)

# isort: split
from airflow.sdk.exceptions import AirflowException

from nightsort.naming import CLASSIFIER_TAG
from nightsort_airflow.hooks.endpoints import scalable
from nightsort_airflow.operators.comprehend import (
    ComprehendClassifyDocumentsOperator,
    ComprehendCreateEndpointOperator,
    ComprehendDeleteEndpointOperator,
    ComprehendUpdateEndpointOperator,
)
from nightsort_airflow.sensors.comprehend import ComprehendEndpointReadySensor
from tests.integration.operator_runs import OperatorRun

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

BUCKET = "rights"
POLICY = documented("endpoint-policy.json", BUCKET)
DATA_ACCESS = documented("data-access-role-policy.json", BUCKET)
TRUST = documented("data-access-role-trust.json", BUCKET)
TAGS = {"Tags": [{"Key": CLASSIFIER_TAG, "Value": "tickets"}]}
WAITING: dict[str, Any] = {"aws_conn_id": "rights_aws", "deferrable": True, "waiter_delay": 0.2}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws(environment={"NIGHTSORT_LOCAL_AWS_ENFORCE_IAM": "true"}) as server:
        role(server, ROLE, DATA_ACCESS, TRUST)
        yield server


@pytest.fixture(scope="module")
def admin(aws: LocalAwsServer) -> LocalAwsUser:
    somebody = user(aws, "admin", EVERYTHING)
    s3 = somebody.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="nightsort/training.csv", Body=csv_bytes(labelled_rows(12)))
    s3.put_object(Bucket=BUCKET, Key="tickets/new/a.txt", Body=f"{text_of('BUG', 1)}\n".encode())
    return somebody


@pytest.fixture(scope="module")
def model(admin: LocalAwsUser) -> str:
    comprehend = admin.client("comprehend")
    request = create_request("tickets", f"s3://{BUCKET}/nightsort/training.csv", VersionName="v1")
    arn = str(comprehend.create_document_classifier(**request)["DocumentClassifierArn"])
    assert wait_for_classifier(comprehend, arn)["Status"] == "TRAINED"
    return arn


@pytest.fixture(scope="module")
def identity(aws: LocalAwsServer) -> LocalAwsUser:
    return user(aws, "airflow", POLICY)


@pytest.fixture
def airflow(identity: LocalAwsUser, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAwsUser]:
    """The identity behind Airflow's connection, with the documented policy at first and in the end."""
    monkeypatch.setenv("AIRFLOW_CONN_RIGHTS_AWS", identity.connection)
    yield identity
    identity.may(POLICY)


def fresh() -> str:
    return f"nightsort-tickets-{uuid.uuid4().hex[:8]}"


def opened(model: str, name: str) -> str:
    operator = ComprehendCreateEndpointOperator(
        task_id="open", endpoint_name=name, model_arn=model, endpoint_kwargs=TAGS, **WAITING
    )
    return str(OperatorRun().execute(operator)["endpoint_arn"])


def changed(arn: str, model: str) -> None:
    # Both are named, so that the model's permission is needed, too.
    other = f"{model.rpartition('/')[0]}/v2"
    OperatorRun().execute(
        ComprehendUpdateEndpointOperator(
            task_id="change", endpoint_arn=arn, desired_model_arn=other, desired_inference_units=2, **WAITING
        )
    )


def classified(arn: str) -> dict[str, Any]:
    operator = ComprehendClassifyDocumentsOperator(
        task_id="classify",
        endpoint_arn=arn,
        classification_name=uuid.uuid4().hex,
        input_data_config={"S3Uri": f"s3://{BUCKET}/tickets/new/", "InputFormat": "ONE_DOC_PER_LINE"},
        output_data_config={"S3Uri": f"s3://{BUCKET}/tickets/answers/"},
        aws_conn_id="rights_aws",
    )
    counts: dict[str, Any] = OperatorRun().execute(operator)
    return counts


def closed(arn: str) -> None:
    OperatorRun().execute(ComprehendDeleteEndpointOperator(task_id="close", endpoint_arn=arn, **WAITING))


@pytest.fixture(scope="module")
def kept(admin: LocalAwsUser, model: str) -> str:
    """An endpoint that no test closes; with a second version to change to."""
    comprehend = admin.client("comprehend")
    request = create_request("tickets", f"s3://{BUCKET}/nightsort/training.csv", VersionName="v2")
    second = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
    assert wait_for_classifier(comprehend, second)["Status"] == "TRAINED"
    made = comprehend.create_endpoint(
        EndpointName="nightsort-tickets", ModelArn=model, DesiredInferenceUnits=1, **TAGS
    )
    arn = str(made["EndpointArn"])
    wait_until(
        lambda: comprehend.describe_endpoint(EndpointArn=arn)["EndpointProperties"]["Status"] == "IN_SERVICE",
        "the endpoint",
    )
    return arn


def test_an_endpoints_day_passes_with_exactly_the_documented_policy(
    airflow: LocalAwsUser, model: str, kept: str
) -> None:
    arn = opened(model, fresh())
    ready = ComprehendEndpointReadySensor(
        task_id="ready", endpoint_arn=arn, aws_conn_id="rights_aws", deferrable=True
    )
    assert OperatorRun().execute(ready)["endpoint_arn"] == arn
    changed(arn, model)
    assert classified(arn)["classified"] == 1
    closed(arn)


def named(grant: tuple[str, str, str]) -> str:
    return f"{grant[0]}-{grant[1].partition(':')[2]}-{grant[2].rpartition(':')[2]}"


SCALING = [grant for grant in grants(POLICY) if not grant[1].startswith(("comprehend:", "s3:"))]


@pytest.mark.parametrize("grant", SCALING, ids=named)
def test_without_a_grant_of_scaling_the_endpoint_is_closed_and_its_target_stays(
    admin: LocalAwsUser, airflow: LocalAwsUser, model: str, grant: tuple[str, str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    arn = opened(model, fresh())
    scaling = admin.client("application-autoscaling")
    scaling.register_scalable_target(**scalable(arn), MinCapacity=1, MaxCapacity=2)
    airflow.may(without(POLICY, grant))
    closed(arn)
    assert f"not authorized to perform: {grant[1]}" in capsys.readouterr().out
    assert scaling.describe_scalable_targets(ServiceNamespace="comprehend")["ScalableTargets"]
    scaling.deregister_scalable_target(**scalable(arn))


@pytest.mark.parametrize("grant", [each for each in grants(POLICY) if each not in SCALING], ids=named)
def test_without_one_grant_a_step_fails_and_names_the_right(
    airflow: LocalAwsUser, model: str, kept: str, grant: tuple[str, str, str]
) -> None:
    airflow.may(without(POLICY, grant))
    _, action, resource = grant
    steps: dict[str, Any] = {
        "comprehend:CreateEndpoint": lambda: opened(model, fresh()),
        "comprehend:TagResource": lambda: opened(model, fresh()),
        "comprehend:DescribeEndpoint": lambda: opened(model, fresh()),
        "comprehend:UpdateEndpoint": lambda: changed(kept, model),
        "comprehend:DeleteEndpoint": lambda: closed(kept),
    }
    with pytest.raises(AirflowException) as caught:
        steps.get(action, lambda: classified(kept))()
    said = str(caught.value)
    if action.startswith("comprehend:"):
        assert f"user/airflow is not authorized to perform: {action}" in said
        assert "docs/iam/README.md says who needs which" in said
        assert resource == "*" or resource.rstrip("*") in said
    else:
        # S3 refuses the head of an object without a word.
        assert action in said or "Forbidden" in said
        assert "docs/iam/endpoint-policy.json" in said


def test_what_belongs_to_others_is_out_of_reach(
    admin: LocalAwsUser, airflow: LocalAwsUser, model: str
) -> None:
    others = admin.client("comprehend").create_endpoint(
        EndpointName="payroll", ModelArn=model, DesiredInferenceUnits=1
    )["EndpointArn"]
    comprehend = airflow.client("comprehend")
    for operation, request in (
        ("describe_endpoint", {}),
        ("delete_endpoint", {}),
        ("update_endpoint", {"DesiredInferenceUnits": 2}),
        ("classify_document", {"Text": "x"}),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            getattr(comprehend, operation)(EndpointArn=others, **request)
