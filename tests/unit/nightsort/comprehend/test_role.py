"""The rights that the code names are those that the documented policies grant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nightsort.comprehend.iam_policies import Access, Verdict, judge
from nightsort.comprehend.role import COMPREHEND, OF_AN_AWS_SERVICE, vpc_permissions

IAM = Path(__file__).parents[4] / "docs" / "iam"


EC2 = "arn:aws:ec2:us-east-1:123456789012"


def policy(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((IAM / name).read_text())
    return found


def test_the_network_policy_grants_what_comprehend_needs_and_no_more() -> None:
    network = policy("data-access-role-vpc-policy.json")
    needed = list(vpc_permissions(EC2, ["subnet-11111111"]))

    for action, resource, context in needed:
        assert judge([network], Access(action, resource, dict(context))) is Verdict.ALLOWED
    others, use = network["Statement"]
    assert {*others["Action"], use["Action"]} == {permission.action for permission in needed}


def test_another_subnet_and_a_grant_for_somebody_else_are_not_allowed() -> None:
    *_, use = vpc_permissions(EC2, ["subnet-2"])
    key = policy("data-access-role-kms-policy.json")["Statement"][0]["Resource"]
    keys = [policy("data-access-role-kms-policy.json")]

    network = [policy("data-access-role-vpc-policy.json")]
    assert judge(network, Access(use.action, use.resource, dict(use.context))) is Verdict.NOT_ALLOWED
    assert judge(keys, Access("kms:CreateGrant", key, dict(OF_AN_AWS_SERVICE))) is Verdict.ALLOWED
    assert judge(keys, Access("kms:CreateGrant", key)) is Verdict.NOT_ALLOWED


def test_the_trust_policy_trusts_comprehend() -> None:
    (statement,) = policy("data-access-role-trust.json")["Statement"]
    assert statement["Principal"] == {"Service": COMPREHEND}
