"""Keep users, roles, policies, access keys and sessions: each change is stored before it is answered."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from nightsort_local.local_aws import pickles
from nightsort_local.local_aws.account import ACCOUNT_ID

if TYPE_CHECKING:
    from nightsort_local.local_aws.state_file import StateFile

IDENTITIES = "identities"

_PARTITION: Final = "aws"
_NOT_KEPT = ("aws_managed_policies", "account_summary", "policy_arn_regex")
"""Attributes of moto's IAM that it makes itself, and that lead back to it."""


class KeptIdentities:
    """Store what moto's IAM and STS hold, and restore it.

    :param state: keeps it.
    """

    def __init__(self, state: StateFile) -> None:
        self._state = state
        self._stored = b""

    def restore(self) -> None:
        """Restore what an earlier server stored."""
        for _, _, content in self._state.read(IDENTITIES):
            iam, sessions = pickles.load(content)
            vars(iam_backends[ACCOUNT_ID][_PARTITION]).update(iam)
            sts_backends[ACCOUNT_ID][_PARTITION].assumed_roles[:] = sessions
            self._stored = content

    def store(self) -> None:
        """Store all of it, if it has changed: an account has few users and roles."""
        if not self._state.keeps:
            return
        iam: dict[str, Any] = {
            name: value
            for name, value in vars(iam_backends[ACCOUNT_ID][_PARTITION]).items()
            if name not in _NOT_KEPT
        }
        sessions = sts_backends[ACCOUNT_ID][_PARTITION].assumed_roles
        yesterday = utcnow() - timedelta(days=1)
        sessions[:] = [session for session in sessions if session.expiration > yesterday]
        content = pickles.dump((iam, sessions))
        if content != self._stored:
            self._state.write([(IDENTITIES, ACCOUNT_ID, "", content)])
            self._stored = content
