"""With IAM enforced, the policies of docs/iam/ are what the whole trip needs: all of it, and no more."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest
from botocore.exceptions import ClientError

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.classification_data import create_request, csv_bytes, labelled_rows, text_of
from tests.integration.iam_identities import EVERYTHING, LocalAwsUser, documented, grants, role, user, without
from tests.integration.local_aws_server import (
    REGION,
    ROLE,
    LocalAwsServer,
    answer_of,
    local_aws,
    wait_for_classifier,
)

# isort: split
from airflow.sdk.exceptions import AirflowException

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort_airflow.exceptions import BadInputError
from tests.integration.dag_steps import WORK, Stage, step_for
from tests.integration.operator_trips import BUCKET, Trip, as_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.integration

AIRFLOW = documented("airflow-policy.json", BUCKET)
DATA_ACCESS = documented("data-access-role-policy.json", BUCKET)
TRUST = documented("data-access-role-trust.json", BUCKET)
KEYS = documented("data-access-role-kms-policy.json", BUCKET)
NETWORK = documented("data-access-role-vpc-policy.json", BUCKET)


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
    objects = {
        "nightsort/tickets/training.csv": csv_bytes(labelled_rows(12)),
        "nightsort/tickets/batch.txt": f"{text_of('BUG', 1)}\n".encode(),
        "tickets/incoming/2026-11-18/a.jsonl": b'{"id": "1", "text": "one"}\n',
        "payroll/salaries.csv": b"id,salary\n",
        "tickets/labelled/a.jsonl": b"".join(
            json.dumps({"label": label, "text": text}).encode() + b"\n" for label, text in labelled_rows(12)
        ),
    }
    for key, body in objects.items():
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return somebody


@pytest.fixture(scope="module")
def identity(aws: LocalAwsServer) -> LocalAwsUser:
    return user(aws, "airflow", AIRFLOW)


@pytest.fixture
def airflow(identity: LocalAwsUser) -> Iterator[LocalAwsUser]:
    """The identity behind Airflow's connection, with the documented policies at first and in the end."""
    yield identity
    identity.may(AIRFLOW)
    role(identity, ROLE, DATA_ACCESS, TRUST)


@pytest.fixture(scope="module")
def classifier(admin: LocalAwsUser, identity: LocalAwsUser) -> str:
    comprehend = identity.client("comprehend")
    request = create_request("tickets-kept", f"{WORK}/training.csv", VersionName="v1")
    arn = str(comprehend.create_document_classifier(**request)["DocumentClassifierArn"])
    assert wait_for_classifier(comprehend, arn)["Status"] == "TRAINED"
    return arn


@pytest.fixture
def spec(admin: LocalAwsUser, airflow: LocalAwsUser, monkeypatch: pytest.MonkeyPatch) -> ClassifierSpec:
    monkeypatch.setenv("AIRFLOW_CONN_TRIP_AWS", airflow.connection)
    return ClassifierSpec.model_validate(
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
            "tags": {"team": "support"},
            "batch": {"max_documents": 20},
        }
    )


@pytest.fixture
def stage(spec: ClassifierSpec, admin: LocalAwsUser, classifier: str) -> Stage:
    return Stage(spec, admin, classifier)


def named(grant: tuple[str, str, str]) -> str:
    """A grant as the name of a test case."""
    sid, _, resource = grant
    return f"{sid}-{grant[1].partition(':')[2]}-{resource.rpartition(':')[2]}"


def test_the_whole_trip_passes_with_exactly_the_documented_policies(
    spec: ClassifierSpec, admin: LocalAwsUser, empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TRIP_DB", json.dumps(as_connection(empty_database)))
    trip = Trip(admin, empty_database, spec)
    trip.label(40)
    trip.bring(50)
    assert trip.train()["promoted"]
    assert trip.classify()["classified"] == 50


@pytest.mark.parametrize("step", [Stage.prepare, Stage.bring, Stage.train, Stage.stop, Stage.classify])
def test_each_step_passes_with_the_documented_policies(stage: Stage, step: Callable[[Stage], None]) -> None:
    step(stage)


@pytest.mark.parametrize("grant", grants(AIRFLOW), ids=named)
def test_without_one_grant_of_airflows_policy_a_step_fails_and_names_the_right(
    stage: Stage, airflow: LocalAwsUser, grant: tuple[str, str, str]
) -> None:
    airflow.may(without(AIRFLOW, grant))
    _, action, resource = grant
    with pytest.raises((AirflowException, BadInputError)) as caught:
        step_for(grant)(stage)
    said = str(caught.value)
    if action == "s3:GetObject" and "nightsort" in resource:
        # What is looked for first is an object's head, which S3 refuses without a word.
        assert "Forbidden" in said
    else:
        assert f"user/airflow is not authorized to perform: {action}" in said
        assert resource == "*" or resource.rstrip("*") in said
    assert "docs/iam/airflow-policy.json" in said


FINDING = next(statement for statement in AIRFLOW["Statement"] if statement["Action"] == "s3:ListBucket")
PREFIXES = FINDING["Condition"]["StringLike"]["s3:prefix"]


@pytest.mark.parametrize("prefix", PREFIXES[:2])
def test_without_one_prefix_of_the_folders_that_may_be_listed_a_step_fails(
    stage: Stage, airflow: LocalAwsUser, prefix: str
) -> None:
    left = {"StringLike": {"s3:prefix": [each for each in PREFIXES if each != prefix]}}
    others = [statement for statement in AIRFLOW["Statement"] if statement is not FINDING]
    airflow.may({**AIRFLOW, "Statement": [*others, {**FINDING, "Condition": left}]})
    step = Stage.prepare if prefix == "tickets/labelled/*" else Stage.bring
    with pytest.raises(BadInputError, match=r"(s3:ListBucket|Forbidden).*docs/iam/airflow-policy\.json"):
        step(stage)


def test_what_belongs_to_others_is_out_of_reach(admin: LocalAwsUser, airflow: LocalAwsUser) -> None:
    s3, comprehend = airflow.client("s3"), airflow.client("comprehend")
    with admin.control.injected("stuck", resource="training"):
        request = create_request("payroll", f"{WORK}/training.csv", VersionName="v1")
        arn = admin.client("comprehend").create_document_classifier(**request)["DocumentClassifierArn"]
        refused: list[tuple[Any, str, dict[str, Any]]] = [
            (comprehend, "stop_training_document_classifier", {"DocumentClassifierArn": arn}),
            (comprehend, "describe_document_classifier", {"DocumentClassifierArn": arn}),
            (comprehend, "create_document_classifier", {**request, "VersionName": "v2"}),
            (s3, "get_object", {"Key": "payroll/salaries.csv"}),
            (s3, "list_objects_v2", {}),
            (s3, "list_objects_v2", {"Prefix": ""}),
            (s3, "list_objects_v2", {"Prefix": "payroll/"}),
            (s3, "list_objects_v2", {"Prefix": "tickets/"}),
            (s3, "put_object", {"Key": "tickets/labelled/mine.jsonl", "Body": b""}),
            (s3, "delete_object", {"Key": "nightsort/tickets/training.csv"}),
        ]
        for client, operation, request in refused:
            where = {"Bucket": BUCKET} if client is s3 else {}
            with pytest.raises(ClientError, match="AccessDenied"):
                getattr(client, operation)(**where, **request)
        admin.client("comprehend").stop_training_document_classifier(DocumentClassifierArn=arn)


def test_s3_says_that_an_object_is_missing_to_who_may_list_names_like_its_own(
    admin: LocalAwsUser, airflow: LocalAwsUser
) -> None:
    with pytest.raises(ClientError, match="NoSuchKey"):
        airflow.client("s3").get_object(Bucket=BUCKET, Key="nightsort/none")
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    airflow.may({**AIRFLOW, "Statement": [read]})
    with pytest.raises(ClientError, match=r"AccessDenied.*s3:ListBucket"):
        airflow.client("s3").get_object(Bucket=BUCKET, Key="nightsort/none")


@pytest.mark.parametrize("grant", grants(DATA_ACCESS), ids=named)
def test_without_one_grant_of_the_data_access_role_the_work_fails_later_and_names_the_right(
    stage: Stage, airflow: LocalAwsUser, grant: tuple[str, str, str]
) -> None:
    role(airflow, ROLE, without(DATA_ACCESS, grant), TRUST)
    _, action, resource = grant
    code = "NO_WRITE_ACCESS_TO_OUTPUT" if action == "s3:PutObject" else "NO_READ_ACCESS_TO_INPUT"
    for step in (Stage.train, Stage.classify):
        with pytest.raises(AirflowException) as caught:
            step(stage)
        said = str(caught.value)
        assert f"{code}: The provided data access role does not have" in said
        assert f"NightsortComprehendDataAccess/comprehend is not authorized to perform: {action}" in said
        assert resource.rstrip("*") in said


VOLUME_KEY, OUTPUT_KEY = (statement["Resource"] for statement in KEYS["Statement"])


def trained_with_keys_in_a_network(admin: LocalAwsUser, *policies: dict[str, Any]) -> dict[str, Any]:
    """A classifier after its training, with a data access role that has these policies."""
    statements = [statement for policy in policies for statement in policy["Statement"]]
    role(admin, ROLE, {**DATA_ACCESS, "Statement": statements}, TRUST)
    request = create_request(
        "guarded",
        f"{WORK}/training.csv",
        VersionName=f"v{uuid4().hex}",
        VolumeKmsKeyId=VOLUME_KEY.rpartition("/")[2],
        OutputDataConfig={"S3Uri": f"{WORK}/metrics/", "KmsKeyId": OUTPUT_KEY},
        VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-11111111"]},
    )
    comprehend = admin.client("comprehend")
    arn = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
    return wait_for_classifier(comprehend, arn)


def test_keys_and_a_network_need_their_policies_and_no_more(
    admin: LocalAwsUser, airflow: LocalAwsUser
) -> None:
    assert trained_with_keys_in_a_network(admin, DATA_ACCESS, KEYS, NETWORK)["Status"] == "TRAINED"


@pytest.mark.parametrize("grant", [*grants(KEYS), *grants(NETWORK)], ids=named)
def test_without_one_grant_on_keys_or_network_the_training_fails_and_names_the_right(
    admin: LocalAwsUser, airflow: LocalAwsUser, grant: tuple[str, str, str]
) -> None:
    properties = trained_with_keys_in_a_network(
        admin, DATA_ACCESS, *(without(policy, grant) for policy in (KEYS, NETWORK))
    )
    assert properties["Status"] == "IN_ERROR"
    assert re.match(
        r"(NOT_ENOUGH|NO_WRITE)_ACCESS_TO_\w+: The provided data access role", properties["Message"]
    )
    assert grant[1] in properties["Message"]


@pytest.mark.parametrize(
    ("condition", "step"),
    [
        ({"StringEquals": {"aws:SourceAccount": "999999999999"}}, Stage.train),
        (
            {"ArnLike": {"aws:SourceArn": TRUST["Statement"][0]["Condition"]["ArnLike"]["aws:SourceArn"][1]}},
            Stage.train,
        ),
        (
            {"ArnLike": {"aws:SourceArn": TRUST["Statement"][0]["Condition"]["ArnLike"]["aws:SourceArn"][0]}},
            Stage.classify,
        ),
    ],
    ids=["another account", "jobs alone", "classifiers alone"],
)
def test_the_conditions_of_the_trust_policy_hold(
    stage: Stage, airflow: LocalAwsUser, condition: dict[str, Any], step: Callable[[Stage], None]
) -> None:
    (statement,) = TRUST["Statement"]
    role(airflow, ROLE, DATA_ACCESS, {**TRUST, "Statement": [{**statement, "Condition": condition}]})
    with pytest.raises(AirflowException, match=r"NO_READ_ACCESS_TO_INPUT.*trust policy of .*sts:AssumeRole"):
        step(stage)


def test_the_role_can_be_passed_to_comprehend_alone(stage: Stage, airflow: LocalAwsUser) -> None:
    text = json.dumps(AIRFLOW).replace('"comprehend.amazonaws.com"', '"sagemaker.amazonaws.com"')
    airflow.may(json.loads(text))
    with pytest.raises(
        AirflowException, match="not authorized to perform: iam:PassRole on resource: " + ROLE
    ):
        stage.train()


# --- what a caller sees -------------------------------------------------------------------------------------


def test_a_denied_call_is_answered_as_comprehend_does(airflow: LocalAwsUser) -> None:
    with pytest.raises(ClientError) as caught:
        airflow.client("comprehend").list_document_classifiers()
    answer: Any = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert answer["Error"] == {
        "Code": "AccessDeniedException",
        "Message": "User: arn:aws:iam::123456789012:user/airflow is not authorized to perform: "
        "comprehend:ListDocumentClassifiers because no identity-based policy allows the "
        "comprehend:ListDocumentClassifiers action",
    }


def test_a_denial_outdoes_what_is_allowed(airflow: LocalAwsUser, classifier: str) -> None:
    denial = {"Effect": "Deny", "Action": "comprehend:Describe*", "Resource": "*"}
    airflow.may({**EVERYTHING, "Statement": [*EVERYTHING["Statement"], denial]})
    with pytest.raises(ClientError, match=re.escape(f"on resource: {classifier} with an explicit deny")):
        airflow.client("comprehend").describe_document_classifier(DocumentClassifierArn=classifier)


def test_a_condition_that_cannot_be_judged_is_named_and_not_passed_over(airflow: LocalAwsUser) -> None:
    (everything,) = EVERYTHING["Statement"]
    condition = {"NumericLessThan": {"s3:max-keys": "10"}}
    airflow.may({**EVERYTHING, "Statement": [{**everything, "Condition": condition}]})
    with pytest.raises(ClientError, match=r"AccessDeniedException.*condition NumericLessThan on s3:max-keys"):
        airflow.client("comprehend").list_document_classifiers()
    with pytest.raises(ClientError, match=r"AccessDenied\).*condition NumericLessThan on s3:max-keys"):
        airflow.client("s3").list_buckets()


def test_a_role_that_is_not_there_shows_later(admin: LocalAwsUser) -> None:
    comprehend = admin.client("comprehend")
    request = create_request("nobody", f"{WORK}/training.csv", DataAccessRoleArn=f"{ROLE}Nobody")
    arn = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
    properties = wait_for_classifier(comprehend, arn)
    assert properties["Status"] == "IN_ERROR"
    assert properties["Message"].endswith(f"There is no role {ROLE}Nobody.")


def test_a_session_of_a_role_may_what_the_role_may(admin: LocalAwsUser) -> None:
    arn = "arn:aws:iam::123456789012:role/reader"
    read = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/tickets/*"}
    role(admin, arn, {**EVERYTHING, "Statement": [read]}, TRUST)
    keys = admin.client("sts").assume_role(RoleArn=arn, RoleSessionName="night")["Credentials"]
    s3 = boto3.client(
        "s3",
        endpoint_url=admin.url,
        region_name=REGION,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    assert s3.get_object(Bucket=BUCKET, Key="tickets/labelled/a.jsonl")["Body"].read()
    with pytest.raises(ClientError, match=r"AccessDenied.*assumed-role/reader/night.*s3:GetObject"):
        s3.get_object(Bucket=BUCKET, Key="nightsort/tickets/training.csv")
    url = s3.generate_presigned_url(
        "get_object", Params={"Bucket": BUCKET, "Key": "tickets/labelled/a.jsonl"}
    )
    assert answer_of("GET", url).status_code == 200


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("s3", "list_buckets", "InvalidAccessKeyId"),
        ("comprehend", "list_endpoints", "UnrecognizedClientException"),
    ],
)
def test_somebody_unknown_may_nothing(aws: LocalAwsServer, service: str, operation: str, code: str) -> None:
    with pytest.raises(ClientError, match=code):
        getattr(aws.client(service), operation)()


def test_an_unsigned_request_is_refused(aws: LocalAwsServer, admin: LocalAwsUser) -> None:
    answer = answer_of("GET", f"{aws.url}/{BUCKET}/tickets/labelled/a.jsonl")
    assert answer.status_code == 403
    assert "AccessDenied" in answer.text
