"""Who calls: users and sessions of roles, with their policies, out of moto's IAM and STS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from moto.iam.access_control import (
    AssumedRoleAccessKey,
    CreateAccessKeyFailure,
    IAMUserAccessKey,
    create_access_key,
)
from moto.iam.models import Policy, iam_backends

from nightsort_local.local_aws.account import ACCOUNT_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARTITION = "aws"


class UnknownIdentityError(Exception):
    """No user and no role's session has this access key."""


@dataclass(frozen=True)
class Identity:
    """A user, or a role's session.

    :param arn: its ARN, as error messages say it.
    :param policies: the documents of all policies that it has.
    """

    arn: str
    policies: tuple[Mapping[str, Any], ...]


def identity_of(access_key_id: str, session_token: str | None) -> Identity:
    """Return who has an access key; signatures are not checked.

    :raises UnknownIdentityError: nobody has it.
    """
    headers = {} if session_token is None else {"X-Amz-Security-Token": session_token}
    try:
        key = create_access_key(ACCOUNT_ID, _PARTITION, access_key_id, headers)
    except CreateAccessKeyFailure as error:
        raise UnknownIdentityError(access_key_id) from error
    return Identity(key.arn, tuple(_document(policy) for policy in key.collect_policies()))


def policies_of(arn: str) -> tuple[Mapping[str, Any], ...]:
    """Return the documents of all policies that a user or a role has.

    :raises NotFoundException: there is none of this ARN.
    """
    backend = iam_backends[ACCOUNT_ID][_PARTITION]
    name = arn.rpartition("/")[2]
    # moto collects policies for the owner of an access key, and looks at no more of the key than this.
    if ":role/" in arn:
        backend.get_role_by_arn(arn)
        role: Any = SimpleNamespace(backend=backend, _owner_role_name=name)
        return tuple(_document(policy) for policy in AssumedRoleAccessKey.collect_policies(role))
    backend.get_user(name)
    user: Any = SimpleNamespace(backend=backend, _owner_user_name=name)
    return tuple(_document(policy) for policy in IAMUserAccessKey.collect_policies(user))


def _document(policy: Any) -> Mapping[str, Any]:
    # moto has three forms: inline policies of roles, inline policies of users and groups, managed ones.
    if isinstance(policy, Policy):
        text = next(version.document for version in policy.versions if version.is_default)
    else:
        text = policy if isinstance(policy, str) else policy["policy_document"]
    document: Mapping[str, Any] = json.loads(text)
    return document
