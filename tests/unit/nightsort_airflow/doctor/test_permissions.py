"""Whose policies count, and what IAM is asked."""

from __future__ import annotations

from typing import Any

import pytest

from nightsort_airflow.doctor.findings import State
from nightsort_airflow.doctor.permissions import Permission, check_permissions, simulated_principal

NOBODY: Any = None
"""In place of a client of IAM: whoever asks it fails."""


@pytest.mark.parametrize(
    ("caller", "principal"),
    [
        ("arn:aws:iam::123456789012:user/team/airflow", "arn:aws:iam::123456789012:user/team/airflow"),
        ("arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:root"),
        ("arn:aws:sts::123456789012:federated-user/somebody", None),
    ],
)
def test_users_and_the_root_are_themselves_and_a_federated_user_has_no_policies_to_ask_for(
    caller: str, principal: str | None
) -> None:
    assert simulated_principal(NOBODY, caller) == principal


def test_the_root_user_may_everything_and_iam_need_not_be_asked() -> None:
    permission = Permission("iam:PassRole", "arn:aws:iam::123456789012:role/r")
    outcome = check_permissions(NOBODY, "arn:aws:iam::123456789012:root", [permission], "airflow-policy.json")
    assert outcome.state is State.OK
