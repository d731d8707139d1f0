"""Callers: users and role sessions with their policies, from moto's IAM and STS."""

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
    """No user and no role session has this access key."""


@dataclass(frozen=True)
class Identity:
    """A user or a role session.

    :param arn: its ARN, as error messages show it.
    :param policies: the documents of all its policies.
    """

    arn: str
    policies: tuple[Mapping[str, Any], ...]


def identity_of(access_key_id: str, session_token: str | None) -> Identity:
    """Return the owner of an access key. Signatures are not checked.

    :raises UnknownIdentityError: the key has no owner.
    """
    headers = {} if session_token is None else {"X-Amz-Security-Token": session_token}
    try:
        key = create_access_key(ACCOUNT_ID, _PARTITION, access_key_id, headers)
    except CreateAccessKeyFailure as error:
        raise UnknownIdentityError(access_key_id) from error
    return Identity(key.arn, tuple(_document(policy) for policy in key.collect_policies()))


def policies_of(arn: str) -> tuple[Mapping[str, Any], ...]:
    """Return the documents of all policies of a user or a role.

    :raises NotFoundException: no user and no role has this ARN.
    """
    backend = iam_backends[ACCOUNT_ID][_PARTITION]
    name = arn.rpartition("/")[2]
    # moto collects policies from an access key object, of which it reads only these attributes.
    if ":role/" in arn:
        backend.get_role_by_arn(arn)
        role: Any = SimpleNamespace(backend=backend, _owner_role_name=name)
        return tuple(_document(policy) for policy in AssumedRoleAccessKey.collect_policies(role))
    backend.get_user(name)
    user: Any = SimpleNamespace(backend=backend, _owner_user_name=name)
    return tuple(_document(policy) for policy in IAMUserAccessKey.collect_policies(user))


def _document(policy: Any) -> Mapping[str, Any]:
    # moto has three forms: inline policies of roles, inline policies of users and groups, managed policies.
    if isinstance(policy, Policy):
        text = next(version.document for version in policy.versions if version.is_default)
    else:
        text = policy if isinstance(policy, str) else policy["policy_document"]
    document: Mapping[str, Any] = json.loads(text)
    return document
