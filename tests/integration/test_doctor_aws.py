"""What the doctor says of an AWS account with IAM in force, in each state in which nights would fail."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.classification_data import create_request, csv_bytes, labelled_rows
from tests.integration.iam_identities import EVERYTHING, LocalAwsUser, documented, grants, role, user, without
from tests.integration.local_aws_server import (
    ROLE,
    LocalAwsServer,
    aws_connection,
    local_aws,
    wait_for_classifier,
)

# isort: split
from nightsort.classifier_spec.model import ClassifierSpec
from nightsort_airflow.doctor.aws_access import AwsAccess, aws_checks
from nightsort_airflow.doctor.buckets import bucket_checks
from nightsort_airflow.doctor.findings import State
from nightsort_airflow.doctor.quotas import quota_checks
from nightsort_airflow.doctor.roles import role_checks
from nightsort_airflow.doctor.run_checks import examine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort_airflow.doctor.findings import Finding

pytestmark = pytest.mark.integration

BUCKET = "examined"
AIRFLOW = documented("airflow-policy.json", BUCKET)
OPTIONAL = json.loads(
    json.dumps(documented("doctor.json", BUCKET)).replace("role/YOUR-AIRFLOW-ROLE", "user/airflow")
)
DATA_ACCESS = documented("data-access-role-policy.json", BUCKET)
TRUST = documented("data-access-role-trust.json", BUCKET)
PASSING = ("HandTheDataAccessRoleToComprehend", "iam:PassRole", ROLE)
PROBE = "nightsort/tickets/_nightsort_doctor_probe"
ROLE_NAME = ROLE.rpartition("/")[2]
WORK, LABELLED = f"work_uri s3://{BUCKET}/nightsort/tickets", "tickets: labelled documents"


def both(*policies: dict[str, Any]) -> dict[str, Any]:
    return {**AIRFLOW, "Statement": [part for policy in policies for part in policy["Statement"]]}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws(environment={"NIGHTSORT_LOCAL_AWS_ENFORCE_IAM": "true"}) as server:
        yield server


@pytest.fixture(scope="module")
def admin(aws: LocalAwsServer) -> LocalAwsUser:
    somebody = user(aws, "admin", EVERYTHING)
    s3 = somebody.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    elsewhere = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket="in-frankfurt", CreateBucketConfiguration=elsewhere)
    s3.put_object(Bucket=BUCKET, Key="tickets/labelled/a.csv", Body=csv_bytes(labelled_rows(12)))
    return somebody


@pytest.fixture(scope="module")
def identity(aws: LocalAwsServer) -> LocalAwsUser:
    return user(aws, "airflow", both(AIRFLOW, OPTIONAL))


@pytest.fixture
def airflow(
    admin: LocalAwsUser, identity: LocalAwsUser, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalAwsUser]:
    """The identity behind the connection, with all rights that are documented at first and in the end."""
    identity.may(both(AIRFLOW, OPTIONAL))
    role(admin, ROLE, DATA_ACCESS, TRUST)
    connect(monkeypatch, identity.url, identity.access_key_id, identity.secret_access_key)
    yield identity
    admin.client("s3").delete_object(Bucket=BUCKET, Key=PROBE)


def connect(monkeypatch: pytest.MonkeyPatch, url: str, key: str, secret: str, **more: str) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DOCTOR_AWS", aws_connection(url, key, secret, **more))


SHARED = AwsAccess("doctor_aws")
"""Of one identity all through, as in a run of the doctor; making the clients takes longer than the rest."""


def look(slots: int | None = None, access: AwsAccess = SHARED, **changes: Any) -> dict[str, Finding]:
    """Examine the connection for one spec; the findings by their subjects."""
    settings = {
        "name": "tickets",
        "mode": "MULTI_CLASS",
        "labelled": {"uri": f"s3://{BUCKET}/tickets/labelled/", "format": "csv"},
        "incoming": {"uri": f"s3://{BUCKET}/tickets/incoming/{{day}}/", "format": "jsonl", "id_column": "id"},
        "work_uri": f"s3://{BUCKET}/nightsort/tickets",
        "data_access_role_arn": ROLE,
        "aws_conn_id": "doctor_aws",
    }
    spec = ClassifierSpec.model_validate({**settings, **changes})
    checks = aws_checks(access, [spec])
    checks += quota_checks(access, lambda: slots, checks[0])
    checks += role_checks(access, [spec], checks[0])
    checks += bucket_checks(access, [spec], checks[0])
    return {finding.subject.removeprefix("doctor_aws: "): finding for finding in examine(checks)}


def told(found: dict[str, Finding], *states: State) -> set[str]:
    return {subject for subject, finding in found.items() if finding.state in states}


def test_with_all_documented_rights_everything_is_ok_and_nothing_is_left_behind_or_paid_for(
    airflow: LocalAwsUser, admin: LocalAwsUser
) -> None:
    found = look()
    assert told(found, State.FAILED, State.CANNOT_TELL) == set()
    assert told(found, State.WARNING) == {"tickets: incoming documents"}
    assert "user/airflow, region us-east-1" in found["connection doctor_aws"].says
    assert found["Comprehend"].says == "answers in us-east-1; no active jobs"
    assert found[WORK].says == "list, write, read and delete"
    assert "Contents" not in admin.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="nightsort/")
    comprehend = admin.client("comprehend")
    assert comprehend.list_document_classifiers()["DocumentClassifierPropertiesList"] == []
    assert comprehend.list_document_classification_jobs()["DocumentClassificationJobPropertiesList"] == []


def test_without_the_optional_rights_it_cannot_tell_and_says_which_file_grants_them(
    airflow: LocalAwsUser, admin: LocalAwsUser
) -> None:
    airflow.may(AIRFLOW)
    found = look()
    assert told(found, State.FAILED) == set()
    unknown = told(found, State.CANNOT_TELL)
    assert unknown == {
        "may train and classify",
        f"{ROLE_NAME}: trusts Comprehend",
        f"{ROLE_NAME}: may be passed",
        f"{ROLE_NAME}: permissions on data",
    }
    for subject in unknown:
        assert found[subject].says.startswith("the connection may not call iam:")
        assert "docs/iam/doctor.json" in found[subject].remedy
    # Nightsort itself never deletes, so that the probe stays is told, and no fault.
    assert found[WORK].state is State.OK
    assert "_nightsort_doctor_probe stays" in found[WORK].says
    kept = admin.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="nightsort/")["Contents"]
    assert [item["Key"] for item in kept] == [PROBE]


def test_a_spec_with_an_endpoint_is_told_which_of_its_policies_is_missing(airflow: LocalAwsUser) -> None:
    settings: dict[str, Any] = {
        "real_time": {"hours": "08:00-18:00", "autoscale": {"max": 2}},
        "batch": {"endpoint_below": 500},
    }
    files = {
        "may open and close endpoints": "airflow-real-time-policy.json",
        "may send small nights": "airflow-small-nights-policy.json",
    }
    policies = [documented(file, BUCKET) for file in files.values()]
    found = look(**settings)
    assert told(found, State.FAILED) == set(files)
    for subject, file in files.items():
        assert found[subject].remedy == f"grant it: docs/iam/{file}"
    airflow.may(both(AIRFLOW, OPTIONAL, *policies))
    assert told(look(**settings), State.FAILED, State.CANNOT_TELL) == set()
    airflow.may(both(AIRFLOW, OPTIONAL, policies[0]))
    found = look(**settings)
    assert told(found, State.FAILED) == {"may send small nights"}
    assert "comprehend:ClassifyDocument on" in found["may send small nights"].says


@pytest.mark.parametrize("grant", grants(DATA_ACCESS), ids=lambda grant: grant[1])
def test_a_right_that_the_data_access_role_lacks_is_named(
    airflow: LocalAwsUser, admin: LocalAwsUser, grant: tuple[str, str, str]
) -> None:
    role(admin, ROLE, without(DATA_ACCESS, grant), TRUST)
    found = look()
    assert told(found, State.FAILED) == {f"{ROLE_NAME}: permissions on data"}
    assert (
        f"is not allowed {grant[1]} on arn:aws:s3:::{BUCKET}"
        in found[f"{ROLE_NAME}: permissions on data"].says
    )


@pytest.mark.parametrize("grant", grants(AIRFLOW), ids=lambda grant: f"{grant[1]} {grant[2][-12:]}")
def test_a_right_that_the_connection_lacks_fails_a_line_that_names_it(
    airflow: LocalAwsUser, admin: LocalAwsUser, grant: tuple[str, str, str]
) -> None:
    airflow.may(both(without(AIRFLOW, grant), OPTIONAL))
    arrived = {"Bucket": BUCKET, "Key": "tickets/incoming/2026-11-18/a.jsonl"}
    admin.client("s3").put_object(**arrived, Body=b"{}")
    found = look(tags={"team": "support"})
    admin.client("s3").delete_object(**arrived)
    failed = [finding for finding in found.values() if finding.state is State.FAILED]
    assert failed
    # HeadBucket is refused without a word: S3 says no more than 403.
    said = [f"{finding.says} {finding.remedy}" for finding in failed]
    assert any(grant[1] in text and "docs/iam/airflow-policy.json" in text for text in said), said


@pytest.mark.parametrize(
    ("trust", "says"),
    [
        ({"Principal": {"Service": "sagemaker.amazonaws.com"}}, "does not let comprehend.amazonaws.com"),
        (
            {"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}},
            "conditions of its trust policy",
        ),
    ],
)
def test_a_role_that_comprehend_would_not_get_fails(
    airflow: LocalAwsUser, admin: LocalAwsUser, trust: dict[str, Any], says: str
) -> None:
    (statement,) = TRUST["Statement"]
    role(admin, ROLE, DATA_ACCESS, {**TRUST, "Statement": [{**statement, **trust}]})
    found = look()
    assert found[f"{ROLE_NAME}: trusts Comprehend"].state is State.FAILED
    assert says in found[f"{ROLE_NAME}: trusts Comprehend"].says
    assert "data-access-role-trust.json" in found[f"{ROLE_NAME}: trusts Comprehend"].remedy
    assert found[f"{ROLE_NAME}: may be passed"].state is State.CANNOT_TELL


def test_a_condition_that_is_unknown_here_is_not_taken_for_good_or_bad(
    airflow: LocalAwsUser, admin: LocalAwsUser
) -> None:
    (statement,) = TRUST["Statement"]
    condition = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    role(admin, ROLE, DATA_ACCESS, {**TRUST, "Statement": [{**statement, "Condition": condition}]})
    trusts = look()[f"{ROLE_NAME}: trusts Comprehend"]
    assert trusts.state is State.CANNOT_TELL
    assert "StringEquals on aws:PrincipalOrgID" in trusts.says


def test_a_role_that_is_not_there_or_somebody_elses_fails(airflow: LocalAwsUser) -> None:
    airflow.may(EVERYTHING)
    nobody = look(data_access_role_arn=f"{ROLE}Nobody")[f"{ROLE_NAME}Nobody: trusts Comprehend"]
    assert nobody.state is State.FAILED
    assert f"there is no role {ROLE}Nobody" in nobody.says
    foreign = "arn:aws:iam::999999999999:role/Theirs"
    theirs = look(data_access_role_arn=foreign)["Theirs: trusts Comprehend"]
    assert theirs.state is State.FAILED
    assert "another account" in theirs.says


def test_a_bucket_that_is_not_there_fails_and_what_lies_in_it_is_not_looked_for(
    airflow: LocalAwsUser,
) -> None:
    airflow.may(EVERYTHING)
    found = look(work_uri="s3://nobody-made-it/work")
    assert found["bucket nobody-made-it"].state is State.FAILED
    assert found["bucket nobody-made-it"].says == "there is no such bucket"
    assert found["work_uri s3://nobody-made-it/work"].state is State.CANNOT_TELL
    assert found[f"bucket {BUCKET}"].state is State.OK


def test_a_work_bucket_in_another_region_fails_and_a_source_there_is_a_warning(airflow: LocalAwsUser) -> None:
    airflow.may(EVERYTHING)
    work = look(work_uri="s3://in-frankfurt/work")["bucket in-frankfurt"]
    assert work.state is State.FAILED
    assert "is in eu-central-1, but Comprehend works in us-east-1" in work.says
    source = look(labelled={"uri": "s3://in-frankfurt/labelled/", "format": "csv"})
    assert source["bucket in-frankfurt"].state is State.WARNING
    assert source[LABELLED].state is State.WARNING
    assert "there is nothing at s3://in-frankfurt/labelled/" in source[LABELLED].says


def test_an_export_needs_the_right_to_remove_what_an_earlier_attempt_left(airflow: LocalAwsUser) -> None:
    lacking = look(export="parquet")[f"export s3://{BUCKET}/nightsort/tickets/predictions"]
    assert lacking.state is State.FAILED
    assert "s3:DeleteObject" in lacking.says
    assert "docs/iam/airflow-export-policy.json" in lacking.remedy
    export = json.dumps(documented("airflow-export-policy.json", BUCKET)).replace("your-lake", BUCKET)
    airflow.may(both(AIRFLOW, OPTIONAL, json.loads(export)))
    written = look(export={"uri": f"s3://{BUCKET}/nightsort/predictions"})
    assert written[f"export s3://{BUCKET}/nightsort/predictions"].says == "list, write and delete"


def test_jobs_that_are_active_now_are_counted(airflow: LocalAwsUser, admin: LocalAwsUser) -> None:
    s3, comprehend = admin.client("s3"), admin.client("comprehend")
    s3.put_object(Bucket=BUCKET, Key="nightsort/training.csv", Body=csv_bytes(labelled_rows(12)))
    s3.put_object(Bucket=BUCKET, Key="nightsort/batch.txt", Body=b"one document\n")
    request = create_request("busy", f"s3://{BUCKET}/nightsort/training.csv", VersionName="v1")
    arn = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
    assert wait_for_classifier(comprehend, arn)["Status"] == "TRAINED"
    with admin.control.injected("stuck", resource="job"):
        comprehend.start_document_classification_job(
            DocumentClassifierArn=arn,
            InputDataConfig={
                "S3Uri": f"s3://{BUCKET}/nightsort/batch.txt",
                "InputFormat": "ONE_DOC_PER_LINE",
            },
            OutputDataConfig={"S3Uri": f"s3://{BUCKET}/nightsort/output/"},
            DataAccessRoleArn=ROLE,
        )
        assert "; 1 " in look()["Comprehend"].says


@pytest.mark.parametrize(
    ("operation", "code", "message", "subject"),
    [
        (
            "*",
            "NotAuthorizedException",
            "Your account is not authorized to make this call.",
            "Comprehend",
        ),
        (
            "DescribeDocumentClassifier",
            "NotAuthorizedException",
            "Your account is not authorized to make this call.",
            "may describe jobs and versions",
        ),
        (
            "ListDocumentClassificationJobs",
            "InvalidRequestException",
            "UNSUPPORTED_OPERATION: This operation is not supported in this region.",
            "Comprehend",
        ),
        (
            "DescribeDocumentClassifier",
            "InvalidRequestException",
            "UNSUPPORTED_OPERATION: This operation is not supported in this region.",
            "may describe jobs and versions",
        ),
    ],
)
def test_a_region_without_custom_classification_is_not_a_missing_permission(
    airflow: LocalAwsUser, admin: LocalAwsUser, operation: str, code: str, message: str, subject: str
) -> None:
    """icearp/disco-cli, a scanner of live accounts, met both answers."""
    refusal = {"operation": operation, "code": code, "message": message}
    with admin.control.injected("error", times=None, **refusal):
        found = look()[subject]
    assert found.state is State.FAILED
    assert message in found.says
    assert "use another region" in found.remedy
    assert "docs/iam" not in found.remedy


def test_a_pool_that_is_larger_than_the_quota_is_a_warning_with_the_command(airflow: LocalAwsUser) -> None:
    jobs = look(slots=20)["active classification jobs"]
    assert jobs.state is State.WARNING
    assert "airflow pools set comprehend_jobs 10" in jobs.remedy
    assert look(slots=10)["active classification jobs"].says == "10 at once"


def test_keys_that_nobody_knows_fail_the_connection_and_stay_secret(
    airflow: LocalAwsUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, airflow.url, "AKIANOBODYKNOWSTHIS0", "secret-canary-91")
    found = look(access=AwsAccess("doctor_aws"))
    failed = [finding for finding in found.values() if finding.state is State.FAILED]
    assert failed
    text = " ".join(f"{finding.says} {finding.remedy}" for finding in found.values())
    assert "secret-canary-91" not in text
    assert "correct the connection" in text.lower()


def test_a_session_of_a_role_is_judged_by_the_role_with_the_documents_as_they_are(
    airflow: LocalAwsUser, admin: LocalAwsUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = "arn:aws:iam::123456789012:role/YOUR-AIRFLOW-ROLE"
    role(admin, arn, both(AIRFLOW, documented("doctor.json", BUCKET)), TRUST)
    session = admin.client("sts").assume_role(RoleArn=arn, RoleSessionName="worker")["Credentials"]
    connect(
        monkeypatch,
        airflow.url,
        session["AccessKeyId"],
        session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    found = look(access=AwsAccess("doctor_aws"))
    assert "assumed-role/YOUR-AIRFLOW-ROLE/worker" in found["connection doctor_aws"].says
    assert told(found, State.FAILED, State.CANNOT_TELL) == set()
    role(admin, arn, without(both(AIRFLOW, documented("doctor.json", BUCKET)), PASSING), TRUST)
    passed = look(access=AwsAccess("doctor_aws"))[f"{ROLE_NAME}: may be passed"]
    assert passed.state is State.FAILED
    assert f"{arn} is not allowed iam:PassRole" in passed.says
