"""A role that Comprehend would not get is told, with the reason, before a training fails on it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nightsort.comprehend.iam_policies import UnknownConditionError
from nightsort_airflow.doctor.trust_policies import trust_problem
from tests.airflow_environment import ROOT

ACCOUNT = "123456789012"
CLASSIFIER = f"arn:aws:comprehend:us-east-1:{ACCOUNT}:document-classifier/tickets/version/v0"
JOB = f"arn:aws:comprehend:us-east-1:{ACCOUNT}:document-classification-job/{'0' * 32}"
DOCUMENTED = json.loads((ROOT / "docs" / "iam" / "data-access-role-trust.json").read_text())


def problem(*statements: dict[str, Any], sources: tuple[str, ...] = (CLASSIFIER, JOB)) -> str | None:
    return trust_problem({"Statement": list(statements)}, account=ACCOUNT, sources=sources)


def statement(**changes: Any) -> dict[str, Any]:
    basis = {
        "Effect": "Allow",
        "Principal": {"Service": "comprehend.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return {**basis, **changes}


def test_the_documented_policy_is_good_in_its_region_and_account() -> None:
    assert trust_problem(DOCUMENTED, account=ACCOUNT, sources=[CLASSIFIER, JOB]) is None
    elsewhere = CLASSIFIER.replace("us-east-1", "eu-west-1")
    assert elsewhere in str(trust_problem(DOCUMENTED, account=ACCOUNT, sources=[elsewhere]))
    assert "999999999999" in str(trust_problem(DOCUMENTED, account="999999999999", sources=[JOB]))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Principal": "*"},
        {"Principal": {"Service": ["ec2.amazonaws.com", "comprehend.amazonaws.com"]}},
        {"Action": ["sts:TagSession", "sts:Assume*"]},
        {"Condition": {"StringLike": {"aws:SourceAccount": "1234*"}}},
        {"Condition": {"StringEqualsIfExists": {"AWS:sourceaccount": ["1", ACCOUNT]}}},
        {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:comprehend:*:*:document-class*/*"}}},
        {"Condition": {"StringNotEquals": {"aws:SourceAccount": "1"}}},
        {"Condition": {"ArnNotLike": {"aws:SourceArn": "arn:aws:comprehend:*:*:entity-recognizer/*"}}},
    ],
)
def test_what_lets_comprehend_in_is_no_problem(changes: dict[str, Any]) -> None:
    assert problem(statement(**changes)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"Principal": {"Service": "ec2.amazonaws.com"}},
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
        {"Action": "sts:TagSession"},
    ],
)
def test_a_policy_of_somebody_else_does_not_let_comprehend_in(changes: dict[str, Any]) -> None:
    assert problem(statement(**changes)) == (
        "its trust policy does not let comprehend.amazonaws.com do sts:AssumeRole"
    )


def test_a_policy_for_jobs_alone_names_the_classifier_that_it_leaves_out() -> None:
    jobs = {"ArnLike": {"aws:SourceArn": "arn:aws:comprehend:*:*:document-classification-job/*"}}
    assert CLASSIFIER in str(problem(statement(Condition=jobs)))


def test_two_statements_may_share_the_work_and_a_denial_outdoes_both() -> None:
    def only(kind: str) -> dict[str, Any]:
        return statement(Condition={"ArnLike": {"aws:SourceArn": f"arn:aws:comprehend:*:*:{kind}/*"}})

    both = only("document-classifier"), only("document-classification-job")
    assert problem(*both) is None
    assert "denies" in str(problem(*both, statement(Effect="Deny")))


def test_a_denial_of_all_that_is_not_named_is_seen() -> None:
    deny = statement(Effect="Deny", NotAction="sts:TagSession")
    del deny["Action"]
    assert "denies" in str(problem(statement(), deny))
    others = statement(Effect="Deny", Condition={"StringNotEquals": {"aws:SourceAccount": ACCOUNT}})
    assert problem(statement(), others) is None


@pytest.mark.parametrize(
    "condition",
    [
        {"NumericLessThan": {"aws:SourceAccount": "1"}},
        {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
        {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}},
        {"Null": {"aws:PrincipalOrgID": "true"}},
    ],
)
def test_a_condition_that_is_unknown_here_is_named_and_not_guessed(condition: dict[str, Any]) -> None:
    with pytest.raises(UnknownConditionError, match=r"\w+ on aws:\w+"):
        problem(statement(Condition=condition))
