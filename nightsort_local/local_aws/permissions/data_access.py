"""The data access role: assume it, and check its permissions on keys and the network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from nightsort.comprehend.iam_policies import Access, UnknownConditionError, Verdict, judge
from nightsort.comprehend.role import COMPREHEND, OF_AN_AWS_SERVICE, vpc_permissions
from nightsort_local.local_aws.account import ACCOUNT_ID
from nightsort_local.local_aws.permissions.identities import identity_of
from nightsort_local.local_aws.task_errors import TaskError
from nightsort_local.local_aws.work.object_store import no_read_access, no_write_access
from nightsort_local.local_aws.work.tasks import Credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SAMPLES_ROLE = "NightsortComprehendDataAccess"
"""The role of the sample specs in ``nightsort_local/samples``."""

_PARTITION = "aws"
_SESSION_SECONDS = 3_600


def assume_data_access_role(properties: Mapping[str, Any], source_arn: str) -> Credentials:
    """Return credentials of the data access role, as Comprehend does when work starts.

    :param properties: of the classifier or the job.
    :param source_arn: its ARN.
    :raises TaskError: the role does not exist, does not trust Comprehend, or lacks a permission on a key or
        the network.
    """
    role_arn, region = properties["DataAccessRoleArn"], source_arn.split(":")[3]
    try:
        role = iam_backends[ACCOUNT_ID][_PARTITION].get_role_by_arn(role_arn)
    except NotFoundException as error:
        raise no_read_access(f"There is no role {role_arn}.") from error
    context = {"aws:SourceAccount": ACCOUNT_ID, "aws:SourceArn": source_arn}
    access = Access("sts:AssumeRole", role_arn, context, service=COMPREHEND)
    if not _allowed([json.loads(role.assume_role_policy_document)], access):
        raise no_read_access(
            f"The trust policy of {role_arn} does not let {COMPREHEND} do sts:AssumeRole for {source_arn}."
        )
    session = sts_backends[ACCOUNT_ID][_PARTITION].assume_role(
        region_name=region,
        role_session_name="comprehend",
        role_arn=role_arn,
        policy="",
        duration=_SESSION_SECONDS,
        external_id="",
    )
    policies = identity_of(session.access_key_id, session.session_token).policies
    for needed, refusal in _needed_permissions(properties, region):
        if not _allowed(policies, needed):
            raise refusal
    return Credentials(session.access_key_id, session.secret_access_key, session.session_token)


def create_sample_role() -> None:
    """Create the role of the sample specs, for programs that look it up where IAM is not enforced.

    A role of this name that an earlier server has kept stays.
    """
    if SAMPLES_ROLE in {role.name for role in iam_backends[ACCOUNT_ID][_PARTITION].roles.values()}:
        return
    trust = {"Effect": "Allow", "Principal": {"Service": COMPREHEND}, "Action": "sts:AssumeRole"}
    iam_backends[ACCOUNT_ID][_PARTITION].create_role(
        role_name=SAMPLES_ROLE,
        assume_role_policy_document=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
        path="/",
        permissions_boundary="",
        description="The data access role of the sample specs",
        tags=[],
        max_session_duration=str(_SESSION_SECONDS),
    )


def _allowed(policies: Iterable[Mapping[str, Any]], access: Access) -> bool:
    try:
        return judge(policies, access) is Verdict.ALLOWED
    except UnknownConditionError as error:
        raise TaskError(f"INTERNAL_ERROR: {error}.") from error


def _needed_permissions(properties: Mapping[str, Any], region: str) -> Iterator[tuple[Access, TaskError]]:
    """Yield each permission that the work needs besides S3, with the error if it is missing."""
    volume, output = properties.get("VolumeKmsKeyId"), properties["OutputDataConfig"].get("KmsKeyId")
    if volume is not None:
        access = Access("kms:CreateGrant", _key_arn(volume, region), dict(OF_AN_AWS_SERVICE))
        yield (
            access,
            TaskError(
                "NOT_ENOUGH_ACCESS_TO_KMS_KEY: The provided data access role does not have kms:CreateGrant "
                f"permission on {access.resource}."
            ),
        )
    # Aliases are not resolved here, so a policy cannot be checked for their key.
    if output is not None and "alias/" not in output:
        access = Access("kms:GenerateDataKey", _key_arn(output, region))
        yield access, no_write_access(f"It lacks kms:GenerateDataKey on {access.resource}.")
    subnets = properties["VpcConfig"]["Subnets"] if "VpcConfig" in properties else None
    for action, resource, context in vpc_permissions(_ec2(region), subnets) if subnets else ():
        problem = f"The provided data access role does not have {action} permission."
        yield Access(action, resource, dict(context)), TaskError(f"NOT_ENOUGH_ACCESS_TO_VPC: {problem}")


def _ec2(region: str) -> str:
    return f"arn:{_PARTITION}:ec2:{region}:{ACCOUNT_ID}"


def _key_arn(key: str, region: str) -> str:
    return key if key.startswith("arn:") else f"arn:aws:kms:{region}:{ACCOUNT_ID}:key/{key}"
