"""Who may approve a cost: users of Airflow, by the name that is their id too, or by both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from nightsort.classifier_spec.budget import MAX_USER, Approver, Budget
from nightsort.classifier_spec.model import SpecError, load_spec

if TYPE_CHECKING:
    from pathlib import Path

SPEC = {
    "name": "tickets",
    "mode": "MULTI_CLASS",
    "labelled": {"uri": "s3://bucket/labelled/", "format": "csv"},
    "incoming": {"uri": "s3://bucket/incoming/{day}/", "format": "jsonl"},
    "work_uri": "s3://bucket/work",
    "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
}


def problems(tmp_path: Path, **budget: Any) -> dict[str, str]:
    file = tmp_path / "tickets.yaml"
    file.write_text(yaml.safe_dump({**SPEC, "budget": budget}), encoding="utf-8")
    with pytest.raises(SpecError) as refused:
        load_spec(file)
    return {problem.key: problem.message for problem in refused.value.problems}


def test_a_user_is_named_alone_or_with_an_id() -> None:
    budget = Budget.model_validate(
        {"when_over": "ask", "approvers": ["ada", {"name": "grace", "id": "7"}, {"name": "hopper"}]}
    )
    assert budget.approvers == (
        Approver(name="ada", id="ada"),
        Approver(name="grace", id="7"),
        Approver(name="hopper", id="hopper"),
    )


def test_without_the_key_nobody_in_particular_is_asked() -> None:
    assert Budget(when_over="ask").approvers is None


@pytest.mark.parametrize("name", ["", " ", " ada", "ada\n", "a\tda", "ada\x1b[31m", "a" * (MAX_USER + 1)])
def test_what_cannot_be_a_user_is_refused(tmp_path: Path, name: str) -> None:
    found = problems(tmp_path, when_over="ask", approvers=["grace", name])
    assert found.keys() == {"budget.approvers.1.name", "budget.approvers.1.id"}
    assert "cannot be a user of Airflow" in found["budget.approvers.1.name"]
    assert "\x1b" not in found["budget.approvers.1.name"]


@pytest.mark.parametrize("value", [7, True, None, ["ada"]])
def test_a_value_that_is_no_text_is_refused(tmp_path: Path, value: Any) -> None:
    found = problems(tmp_path, when_over="ask", approvers=[value])
    assert "put it in quotes" in found["budget.approvers.0"]


@pytest.mark.parametrize(
    ("budget", "key", "told"),
    [
        ({"approvers": []}, "budget.approvers", "names nobody, so no cost could be approved"),
        ({"approvers": "ada"}, "budget.approvers", "must be a list"),
        ({"approvers": ["ada", "ada"]}, "budget.approvers", 'has the name "ada" 2 times'),
        (
            {"approvers": [{"name": "ada", "id": "7"}, {"name": "grace", "id": "7"}]},
            "budget.approvers",
            'has the id "7" 2 times',
        ),
        ({"approvers": [{"id": "7"}]}, "budget.approvers.0.name", "is missing"),
        ({"approvers": [{"name": "ada", "id": 7}]}, "budget.approvers.0.id", "put it in quotes"),
        ({"approvers": [{"name": "ada", "mail": "x"}]}, "budget.approvers.0.mail", "not a key of the spec"),
    ],
)
def test_a_list_that_does_not_do_is_refused(
    tmp_path: Path, budget: dict[str, Any], key: str, told: str
) -> None:
    assert told in problems(tmp_path, when_over="ask", **budget)[key]


def test_approvers_are_for_a_budget_that_asks(tmp_path: Path) -> None:
    found = problems(tmp_path, approvers=["ada"])
    assert "is only for when_over: ask" in found["budget.approvers"]
