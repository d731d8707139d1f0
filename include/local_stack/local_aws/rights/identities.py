"""Who calls, and the role that Comprehend works with: out of moto's IAM and STS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.iam.access_control import CreateAccessKeyFailure, create_access_key
from moto.iam.exceptions import NotFoundException
from moto.iam.models import Policy, iam_backends
from moto.sts.models import sts_backends

from include.local_stack.local_aws.comprehend.arns import ACCOUNT_ID
from include.local_stack.local_aws.rights.policies import Access, Verdict, judge
from include.local_stack.local_aws.work.object_store import no_read_access
from include.local_stack.local_aws.work.tasks import Credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPREHEND = "comprehend.amazonaws.com"
"""The service principal that a data access role must trust."""

_PARTITION = "aws"
_SESSION_SECONDS = 3_600


class UnknownIdentityError(Exception):
    """No user and no role's session has this access key."""


@dataclass(frozen=True)
class Identity:
    """A user, or a role's session.

    Attributes:
        arn: its ARN, as error messages say it.
        policies: the documents of all policies that it has.
    """

    arn: str
    policies: tuple[Mapping[str, Any], ...]


def identity_of(access_key_id: str, session_token: str | None) -> Identity:
    """Return who has an access key; signatures are not checked.

    Raises:
        UnknownIdentityError: nobody has it.
    """
    headers = {} if session_token is None else {"X-Amz-Security-Token": session_token}
    try:
        key = create_access_key(ACCOUNT_ID, _PARTITION, access_key_id, headers)
    except CreateAccessKeyFailure as error:
        raise UnknownIdentityError(access_key_id) from error
    return Identity(key.arn, tuple(_document(policy) for policy in key.collect_policies()))


def assume_data_access_role(role_arn: str, source_arn: str) -> Credentials:
    """Return credentials of the data access role, as Comprehend gets them for a training or a job.

    Args:
        role_arn: the role.
        source_arn: the classifier or job that it is for.

    Raises:
        TaskError: the role is not there, or does not trust Comprehend.
    """
    try:
        role = iam_backends[ACCOUNT_ID][_PARTITION].get_role_by_arn(role_arn)
    except NotFoundException as error:
        raise no_read_access(f"There is no role {role_arn}.") from error
    context = {"aws:SourceAccount": ACCOUNT_ID, "aws:SourceArn": source_arn}
    access = Access("sts:AssumeRole", role_arn, context, service=COMPREHEND)
    if judge([json.loads(role.assume_role_policy_document)], access) is not Verdict.ALLOWED:
        raise no_read_access(
            f"The trust policy of {role_arn} does not let {COMPREHEND} do sts:AssumeRole for {source_arn}."
        )
    session = sts_backends[ACCOUNT_ID][_PARTITION].assume_role(
        region_name=source_arn.split(":")[3],
        role_session_name="comprehend",
        role_arn=role_arn,
        policy="",
        duration=_SESSION_SECONDS,
        external_id="",
    )
    return Credentials(session.access_key_id, session.secret_access_key, session.session_token)


def _document(policy: Any) -> Mapping[str, Any]:
    # moto has three forms: inline policies of roles, inline policies of users and groups, managed ones.
    if isinstance(policy, Policy):
        text = next(version.document for version in policy.versions if version.is_default)
    else:
        text = policy if isinstance(policy, str) else policy["policy_document"]
    document: Mapping[str, Any] = json.loads(text)
    return document
