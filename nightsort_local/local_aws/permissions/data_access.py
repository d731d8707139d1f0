"""The role that trainings and jobs work with: whether Comprehend gets it, and its rights besides S3."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from nightsort.comprehend.iam_policies import Access, UnknownConditionError, Verdict, judge
from nightsort.comprehend.role import COMPREHEND, VPC_ACTIONS
from nightsort_local.local_aws.account import ACCOUNT_ID
from nightsort_local.local_aws.permissions.identities import identity_of
from nightsort_local.local_aws.task_errors import TaskError
from nightsort_local.local_aws.work.object_store import no_read_access, no_write_access
from nightsort_local.local_aws.work.tasks import Credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SAMPLES_ROLE = "NightsortComprehendDataAccess"
"""The role that the specs in ``include/classifiers`` name."""

_PARTITION = "aws"
_SESSION_SECONDS = 3_600


def use_data_access_role(properties: Mapping[str, Any], source_arn: str) -> Credentials:
    """Return credentials of the data access role, as Comprehend gets them when the work begins.

    :param properties: of the classifier or the job.
    :param source_arn: its ARN.
    :raises TaskError: the role is not there, does not trust Comprehend, or lacks a right on keys or the
        network.
    """
    role_arn, region = properties["DataAccessRoleArn"], source_arn.split(":")[3]
    try:
        role = iam_backends[ACCOUNT_ID][_PARTITION].get_role_by_arn(role_arn)
    except NotFoundException as error:
        raise no_read_access(f"There is no role {role_arn}.") from error
    context = {"aws:SourceAccount": ACCOUNT_ID, "aws:SourceArn": source_arn}
    access = Access("sts:AssumeRole", role_arn, context, service=COMPREHEND)
    if not _may([json.loads(role.assume_role_policy_document)], access):
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
    for needed, refusal in _needed(properties, region):
        if not _may(policies, needed):
            raise refusal
    return Credentials(session.access_key_id, session.secret_access_key, session.session_token)


def have_the_samples_role() -> None:
    """Make the role that the sample specs name, for whoever looks for it where IAM is not in force."""
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


def _may(policies: Iterable[Mapping[str, Any]], access: Access) -> bool:
    try:
        return judge(policies, access) is Verdict.ALLOWED
    except UnknownConditionError as error:
        raise TaskError(f"INTERNAL_ERROR: {error}.") from error


def _needed(properties: Mapping[str, Any], region: str) -> Iterator[tuple[Access, TaskError]]:
    """Yield the rights that the work needs besides S3, each with the error for its absence."""
    volume, output = properties.get("VolumeKmsKeyId"), properties["OutputDataConfig"].get("KmsKeyId")
    if volume is not None:
        access = Access("kms:CreateGrant", _key_arn(volume, region))
        yield (
            access,
            TaskError(
                "NOT_ENOUGH_ACCESS_TO_KMS_KEY: The provided data access role does not have kms:CreateGrant "
                f"permission on {access.resource}."
            ),
        )
    # What key an alias stands for is not known here.
    if output is not None and "alias/" not in output:
        access = Access("kms:GenerateDataKey", _key_arn(output, region))
        yield access, no_write_access(f"It lacks kms:GenerateDataKey on {access.resource}.")
    for action in VPC_ACTIONS if "VpcConfig" in properties else ():
        said = f"The provided data access role does not have {action} permission."
        yield Access(action, "*"), TaskError(f"NOT_ENOUGH_ACCESS_TO_VPC: {said}")


def _key_arn(key: str, region: str) -> str:
    return key if key.startswith("arn:") else f"arn:aws:kms:{region}:{ACCOUNT_ID}:key/{key}"
