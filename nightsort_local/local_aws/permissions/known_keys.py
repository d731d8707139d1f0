"""The access keys that may sign: the server's own, those of users, and those of sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from nightsort_local.local_aws.account import ACCOUNT_ID

if TYPE_CHECKING:
    from datetime import datetime

_PARTITION = "aws"


@dataclass(frozen=True)
class KnownKey:
    """An access key.

    :param secret: the secret access key.
    :param token: of a session: its token, which each request must have.
    :param expiration: of a session: its end, in UTC and without a time zone, as moto has it.
    """

    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expiration: datetime | None = None


def key_of_account(access_key_id: str) -> KnownKey | None:
    """Return an active access key of a user, or the one of a session; None if there is none."""
    for user in iam_backends[ACCOUNT_ID][_PARTITION].users.values():
        for key in user.access_keys:
            if key.access_key_id == access_key_id and key.status == "Active":
                return KnownKey(key.secret_access_key)
    for session in sts_backends[ACCOUNT_ID][_PARTITION].assumed_roles:
        if session.access_key_id == access_key_id:
            return KnownKey(session.secret_access_key, session.session_token, session.expiration)
    return None
