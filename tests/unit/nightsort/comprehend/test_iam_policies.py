"""IAM's rule: what no statement allows is not allowed, and one that denies it wins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nightsort.comprehend.iam_policies import Access, UnknownConditionError, Verdict, judge

OBJECT = "arn:aws:s3:::bucket/folder/key.txt"
READ = Access("s3:GetObject", OBJECT, {"aws:RequestedRegion": "eu-west-1", "s3:prefix": "night/1"})
ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def verdict(*statements: dict[str, Any], access: Access = READ) -> Verdict:
    return judge([{"Version": "2012-10-17", "Statement": list(statements)}], access)


@pytest.mark.parametrize(
    ("action", "resource", "allowed"),
    [
        ("s3:GetObject", OBJECT, True),
        ("S3:getobject", OBJECT, True),
        ("s3:Get*", "arn:aws:s3:::bucket/*", True),
        (["s3:PutObject", "s3:GetObject"], [OBJECT], True),
        ("s3:GetObjec?", "arn:aws:s3:::bucket/????er/*", True),
        ("s3:GetObject", "arn:aws:s3:::bucket/folder/keyXtxt", False),
        ("s3:GetObject", "arn:aws:s3:::BUCKET/*", False),
        ("s3:GetObject", "arn:aws:s3:::bucket", False),
        ("s3:PutObject", "*", False),
        ([], "*", False),
    ],
)
def test_action_and_resource_must_match(action: Any, resource: Any, allowed: bool) -> None:
    found = verdict({"Effect": "Allow", "Action": action, "Resource": resource})
    assert found is (Verdict.ALLOWED if allowed else Verdict.NOT_ALLOWED)


def test_a_single_statement_need_not_be_in_a_list() -> None:
    assert judge([{"Statement": ALLOW_ALL}], READ) is Verdict.ALLOWED


def test_a_denial_wins_wherever_it_stands() -> None:
    deny = {"Effect": "Deny", "Action": "s3:Get*", "Resource": "*"}
    assert verdict(ALLOW_ALL, deny) is Verdict.DENIED
    assert judge([{"Statement": [deny]}, {"Statement": [ALLOW_ALL]}], READ) is Verdict.DENIED
    assert verdict(ALLOW_ALL, {**deny, "Action": "s3:Put*"}) is Verdict.ALLOWED


def test_not_action_and_not_resource_mean_all_others() -> None:
    assert verdict({"Effect": "Allow", "NotAction": "s3:Put*", "Resource": "*"}) is Verdict.ALLOWED
    assert verdict({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}) is Verdict.NOT_ALLOWED
    assert verdict({"Effect": "Allow", "Action": "*", "NotResource": f"{OBJECT}*"}) is Verdict.NOT_ALLOWED


def test_without_policies_nothing_is_allowed() -> None:
    assert judge([], READ) is Verdict.NOT_ALLOWED


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, True),
        ({"StringEquals": {"AWS:requestedregion": ["us-east-1", "eu-west-1"]}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "EU-WEST-1"}}, False),
        ({"StringEqualsIgnoreCase": {"aws:RequestedRegion": "EU-WEST-1"}}, True),
        ({"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}, True),
        ({"StringNotEquals": {"aws:RequestedRegion": ["us-east-1", "eu-west-1"]}}, False),
        ({"StringLike": {"s3:prefix": "night/*"}}, True),
        ({"StringLike": {"s3:prefix": "day/*"}}, False),
        ({"StringNotLike": {"s3:prefix": "day/*"}}, True),
        ({"StringEquals": {"aws:SourceArn": "arn:x"}}, False),
        ({"StringNotEquals": {"aws:SourceArn": "arn:x"}}, True),
        ({"StringEqualsIfExists": {"aws:SourceArn": "arn:x"}}, True),
        ({"StringEqualsIfExists": {"aws:RequestedRegion": "us-east-1"}}, False),
        ({"Null": {"aws:SourceArn": "true"}}, True),
        ({"Null": {"s3:prefix": "true"}}, False),
        ({"StringLike": {"s3:prefix": "night/*"}, "Null": {"aws:SourceArn": "false"}}, False),
    ],
)
def test_all_conditions_must_hold(condition: dict[str, Any], holds: bool) -> None:
    found = verdict({**ALLOW_ALL, "Condition": condition})
    assert found is (Verdict.ALLOWED if holds else Verdict.NOT_ALLOWED)


def test_a_condition_that_does_not_hold_denies_nothing() -> None:
    condition = {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}
    assert verdict(ALLOW_ALL, {**ALLOW_ALL, "Condition": condition}) is Verdict.ALLOWED


def test_a_condition_that_cannot_be_judged_is_never_passed_over() -> None:
    for key in ("aws:RequestedRegion", "s3:max-keys"):
        condition = {"NumericLessThan": {key: "7"}}
        with pytest.raises(UnknownConditionError, match="NumericLessThan"):
            verdict({**ALLOW_ALL, "Condition": condition})


def test_a_key_that_the_request_may_have_cannot_be_judged_unless_its_value_is_known() -> None:
    access = replace(READ, complete=False)
    known = {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}, "Null": {"s3:prefix": "false"}}
    assert verdict({**ALLOW_ALL, "Condition": known}, access=access) is Verdict.ALLOWED
    for operator in ("StringEquals", "StringEqualsIfExists", "ArnNotLike", "Null"):
        with pytest.raises(UnknownConditionError, match=f" {operator} on aws:SourceArn "):
            verdict({**ALLOW_ALL, "Condition": {operator: {"aws:SourceArn": "true"}}}, access=access)


@pytest.mark.parametrize(
    ("principal", "allowed"),
    [
        ({"Service": "comprehend.amazonaws.com"}, True),
        ({"Service": ["ec2.amazonaws.com", "comprehend.amazonaws.com"]}, True),
        ({"Service": "ec2.amazonaws.com"}, False),
        ({"AWS": "arn:aws:iam::123456789012:root"}, False),
        ("*", True),
    ],
)
def test_a_role_trusts_the_services_that_it_names(principal: Any, allowed: bool) -> None:
    access = Access("sts:AssumeRole", "arn:aws:iam::123456789012:role/r", service="comprehend.amazonaws.com")
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    assert (verdict(statement, access=access) is Verdict.ALLOWED) is allowed
