"""The permissions of two identities: of the connection, and of Comprehend's data access role."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from nightsort.comprehend.iam_policies import UnknownConditionError
from nightsort.comprehend.role import COMPREHEND, OF_AN_AWS_SERVICE, vpc_permissions
from nightsort.layout import WorkLayout
from nightsort.naming import endpoint_name
from nightsort_airflow.aws_errors import REAL_TIME_POLICY, SMALL_NIGHTS_POLICY, error_code
from nightsort_airflow.doctor.aws_access import UNREACHABLE
from nightsort_airflow.doctor.findings import Check, cannot_tell, failed, ok
from nightsort_airflow.doctor.permissions import (
    Permission,
    check_permissions,
    iam_unanswered,
    simulated_principal,
)
from nightsort_airflow.doctor.trust_policies import trust_problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort_airflow.doctor.aws_access import AwsAccess
    from nightsort_airflow.doctor.findings import Outcome

GROUP: Final = "roles"
AIRFLOW_POLICY: Final = "airflow-policy.json"

EXAMPLE_ACCOUNT: Final = "123456789012"
"""The account of AWS's examples, and of the samples' role."""
EXAMPLE_REMEDY: Final = f"; {EXAMPLE_ACCOUNT} is AWS's example, so if this spec is a copied sample, remove it"


def role_checks(access: AwsAccess, specs: Sequence[ClassifierSpec], needs: Check) -> Iterator[Check]:
    """
    Return the checks of the connection's permissions, and of each data access role.

    :param access: the AWS connection.
    :param specs: those that use it.
    :param needs: the check of the connection.
    """
    real_time = [spec for spec in specs if spec.real_time is not None]
    small_nights = [spec for spec in specs if spec.batch.endpoint_below is not None]
    for doing, policy_file, users, permissions in (
        ("train and classify", AIRFLOW_POLICY, specs, comprehend_permissions),
        ("open and close endpoints", REAL_TIME_POLICY, real_time, endpoint_permissions),
        ("send small nights", SMALL_NIGHTS_POLICY, small_nights, small_night_permissions),
    ):
        if users:
            # The connection is asked for its region by the check, not here: it may have none.
            look = partial(_callers_permissions, access, permissions(access, users), policy_file)
            yield Check(GROUP, f"{access.conn_id}: may {doing}", look, (needs,))
    for arn in dict.fromkeys(spec.data_access_role_arn for spec in specs):
        users = [spec for spec in specs if spec.data_access_role_arn == arn]
        yield from _checks_of_role(access, arn, users, needs)


def _checks_of_role(
    access: AwsAccess, arn: str, users: Sequence[ClassifierSpec], needs: Check
) -> Iterator[Check]:
    name = arn.rpartition("/")[2]
    trusted = Check(GROUP, f"{name}: trusts Comprehend", lambda: _trust(access, arn, users), (needs,))
    passing = Permission("iam:PassRole", arn, (("iam:PassedToService", COMPREHEND),))
    yield trusted
    yield Check(
        GROUP, f"{name}: may be passed", lambda: _callers_permissions(access, [passing]), (needs, trusted)
    )
    yield Check(
        GROUP,
        f"{name}: permissions on data",
        lambda: _permissions_of_role(access, arn, users),
        (needs, trusted),
    )


def _callers_permissions(
    access: AwsAccess, permissions: Iterable[Permission], policy_file: str = AIRFLOW_POLICY
) -> Outcome:
    by_hand = f"compare the connection's permissions with docs/iam/{policy_file}"
    if access.caller is None:
        return cannot_tell("the connection's identity is unknown, because STS does not answer", by_hand)
    iam = access.client("iam")
    try:
        principal = simulated_principal(iam, access.caller)
    except (ClientError, *UNREACHABLE) as error:
        return iam_unanswered(error, by_hand)
    if principal is None:
        return cannot_tell(f"{access.caller} is neither a user nor a role of IAM", by_hand)
    return check_permissions(iam, principal, permissions, policy_file)


def _trust(access: AwsAccess, arn: str, users: Sequence[ClassifierSpec]) -> Outcome:
    account = arn.split(":")[4]
    if access.account is not None and account != access.account:
        return failed(
            f"{arn} is a role of another account than {access.caller}, and cannot be passed",
            "name a role of the connection's account in data_access_role_arn"
            + (EXAMPLE_REMEDY if account == EXAMPLE_ACCOUNT else ""),
        )
    by_hand = f"read the trust policy of {arn}: docs/iam/data-access-role-trust.json"
    try:
        role = access.client("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]
    except UNREACHABLE as error:
        return iam_unanswered(error, by_hand)
    except ClientError as error:
        if error_code(error) == "NoSuchEntity":
            return failed(f"there is no role {arn}", "create it: docs/iam/README.md; or correct the spec")
        return iam_unanswered(error, by_hand)
    if role["Arn"] != arn:
        return failed(
            f"there is no role {arn}, but {role['Arn']}", "correct data_access_role_arn in the spec"
        )
    work = f"arn:{arn.split(':')[1]}:comprehend:{access.region}:{account}"
    sources = [f"{work}:document-classifier/{spec.name}/version/v0" for spec in users]
    sources.append(f"{work}:document-classification-job/{'0' * 32}")
    try:
        problem = trust_problem(role["AssumeRolePolicyDocument"], account=account, sources=sources)
    except UnknownConditionError as error:
        return cannot_tell(f"in its trust policy {error}", by_hand)
    if problem is not None:
        return failed(problem, "set the trust policy docs/iam/data-access-role-trust.json")
    return ok(f"{arn}, for classifiers and jobs in {access.region}")


def _permissions_of_role(access: AwsAccess, arn: str, users: Sequence[ClassifierSpec]) -> Outcome:
    permissions = [permission for spec in users for permission in data_permissions(spec, access.region)]
    return check_permissions(access.client("iam"), arn, permissions, "data-access-role-policy.json")


def comprehend_permissions(access: AwsAccess, specs: Sequence[ClassifierSpec]) -> Iterator[Permission]:
    """
    Return the connection's permissions that otherwise only a paid call would test.

    :param access: the AWS connection.
    :param specs: those that use it.
    """
    for spec in specs:
        work = _arn_prefix(access, spec, "comprehend")
        version = f"{work}:document-classifier/{spec.name}/version/v0"
        job = f"{work}:document-classification-job/*"
        yield Permission("comprehend:CreateDocumentClassifier", version)
        yield Permission("comprehend:StartDocumentClassificationJob", version)
        yield Permission("comprehend:StartDocumentClassificationJob", job)
        if spec.stop_training_on_kill or spec.training_time_limit_hours:
            yield Permission("comprehend:StopTrainingDocumentClassifier", version)
        if spec.tags:
            yield Permission("comprehend:TagResource", version)
            yield Permission("comprehend:TagResource", job)


def endpoint_permissions(access: AwsAccess, specs: Sequence[ClassifierSpec]) -> Iterator[Permission]:
    """
    Return what the connection needs for the endpoints of specs with ``real_time``.

    :param access: the AWS connection.
    :param specs: those that use it.
    """
    for spec in specs:
        if spec.real_time is None:
            continue
        version = f"{_arn_prefix(access, spec, 'comprehend')}:document-classifier/{spec.name}/version/v0"
        endpoint = _endpoint(access, spec)
        for action in ("Create", "Describe", "Update", "Delete"):
            yield Permission(f"comprehend:{action}Endpoint", endpoint)
        yield Permission("comprehend:TagResource", endpoint)
        yield Permission("comprehend:CreateEndpoint", version)
        yield Permission("comprehend:UpdateEndpoint", version)
        yield Permission("cloudwatch:GetMetricData", "*")
        if spec.real_time.autoscale is None:
            continue
        target = f"{_arn_prefix(access, spec, 'application-autoscaling')}:scalable-target/doctor"
        for action in ("RegisterScalableTarget", "PutScalingPolicy", "DeregisterScalableTarget"):
            yield Permission(f"application-autoscaling:{action}", target)
        for action in ("PutMetricAlarm", "DescribeAlarms", "DeleteAlarms"):
            yield Permission(f"cloudwatch:{action}", "*")
        partition, account = spec.data_access_role_arn.split(":")[1], spec.data_access_role_arn.split(":")[4]
        scaling = "comprehend.application-autoscaling.amazonaws.com"
        yield Permission(
            "iam:CreateServiceLinkedRole",
            f"arn:{partition}:iam::{account}:role/aws-service-role/{scaling}/"
            "AWSServiceRoleForApplicationAutoScaling_ComprehendEndpoint",
            (("iam:AWSServiceName", scaling),),
        )


def small_night_permissions(access: AwsAccess, specs: Sequence[ClassifierSpec]) -> Iterator[Permission]:
    """
    Return what the connection needs for the nights of specs with ``batch.endpoint_below``.

    :param access: the AWS connection.
    :param specs: those that use it.
    """
    for spec in specs:
        if spec.batch.endpoint_below is not None:
            yield Permission("comprehend:DescribeEndpoint", _endpoint(access, spec))
            yield Permission("comprehend:ClassifyDocument", _endpoint(access, spec))


def _endpoint(access: AwsAccess, spec: ClassifierSpec) -> str:
    return (
        f"{_arn_prefix(access, spec, 'comprehend')}:document-classifier-endpoint/{endpoint_name(spec.name)}"
    )


def _arn_prefix(access: AwsAccess, spec: ClassifierSpec, service: str) -> str:
    """Return the begin of the ARNs of a service: a role can be passed within its own account only."""
    parts = spec.data_access_role_arn.split(":")
    return f"arn:{parts[1]}:{service}:{access.region}:{parts[4]}"


def data_permissions(spec: ClassifierSpec, region: str) -> Iterator[Permission]:
    """
    Return the permissions that a spec's data access role needs.

    :param spec: the spec.
    :param region: Comprehend's region; a key that is named by its id is taken to be there.
    """
    partition, account = spec.data_access_role_arn.split(":")[1], spec.data_access_role_arn.split(":")[4]
    work = f"arn:{partition}:s3:::{spec.work_uri.removeprefix('s3://')}"
    run = WorkLayout(work).run("doctor")
    batch = run.input("batch", per_file=False)
    prefix = (("s3:prefix", batch.rpartition(":")[2].partition("/")[2]),)
    yield Permission("s3:ListBucket", work.partition("/")[0], prefix)
    yield Permission("s3:GetObject", batch)
    yield Permission("s3:PutObject", f"{run.output}output.tar.gz")

    def key_arn(key: str) -> str:
        return key if key.startswith("arn:") else f"arn:{partition}:kms:{region}:{account}:key/{key}"

    if spec.kms.volume_key_id:
        yield Permission("kms:CreateGrant", key_arn(spec.kms.volume_key_id), OF_AN_AWS_SERVICE)
    # An alias is not resolved, because that needs one more permission that nothing else needs.
    if spec.kms.output_key_id and "alias/" not in spec.kms.output_key_id:
        yield Permission("kms:GenerateDataKey", key_arn(spec.kms.output_key_id))
    if spec.vpc:
        ec2 = f"arn:{partition}:ec2:{region}:{account}"
        yield from (Permission(*needed) for needed in vpc_permissions(ec2, spec.vpc.subnets))
