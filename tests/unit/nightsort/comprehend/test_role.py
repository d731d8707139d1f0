"""The rights that the code names are those that the documented policies grant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nightsort.comprehend.role import COMPREHEND, VPC_ACTIONS

IAM = Path(__file__).parents[4] / "docs" / "iam"


def only_statement(name: str) -> dict[str, Any]:
    (statement,) = json.loads((IAM / name).read_text())["Statement"]
    found: dict[str, Any] = statement
    return found


def test_the_network_policy_grants_what_comprehend_needs_and_no_more() -> None:
    assert tuple(only_statement("data-access-role-vpc-policy.json")["Action"]) == VPC_ACTIONS


def test_the_trust_policy_trusts_comprehend() -> None:
    assert only_statement("data-access-role-trust.json")["Principal"] == {"Service": COMPREHEND}
