"""What a fault may say."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from nightsort_local.local_aws.faults.fault_types import (
    ErrorAnswer,
    LostLines,
    RequestFault,
    ResetAfter,
    Stuck,
    WorkFault,
    parse_fault,
)
from nightsort_local.local_aws.settings import SettingError


def test_a_fault_strikes_once_unless_it_says_otherwise() -> None:
    fault = parse_fault({"kind": "reset_after", "operation": "CreateDocumentClassifier"})
    assert fault == ResetAfter(operation="CreateDocumentClassifier", times=1, rate=1.0, after=0)


@pytest.mark.parametrize(
    ("pattern", "operation", "matches"),
    [
        ("*", "DescribeEndpoint", True),
        ("*", "s3:GetObject", False),
        ("s3:*", "s3:GetObject", True),
        ("s3:*", "DescribeEndpoint", False),
        ("Describe*", "DescribeDocumentClassifier", True),
        ("Describe*", "CreateDocumentClassifier", False),
        ("s3:GetObject", "s3:GetObject", True),
        ("s3:GetObject", "s3:GetObjectAcl", False),
    ],
)
def test_an_operation_is_one_of_its_service(pattern: str, operation: str, matches: bool) -> None:
    fault = parse_fault({"kind": "reset_before", "operation": pattern})
    assert isinstance(fault, RequestFault)
    assert fault.matches(operation) is matches


@pytest.mark.parametrize(
    ("name", "resource", "of", "matches"),
    [
        (None, "job", "", True),
        ("00001", "job", "night-00001-g1", True),
        ("00001", "job", "night-00002-g1", False),
        (None, "training", "night", False),
    ],
)
def test_work_is_struck_by_its_kind_and_a_part_of_its_name(
    name: str | None, resource: str, of: str, matches: bool
) -> None:
    fault = parse_fault({"kind": "stuck", "resource": "job", "name": name})
    assert isinstance(fault, WorkFault)
    assert fault.matches(resource, of) is matches


def test_a_fault_reaches_a_worker_process_as_it_is() -> None:
    for fault in (
        Stuck(resource="job", seconds=None),
        LostLines(lines=(1, 2)),
        ErrorAnswer(operation="*", code="X"),
    ):
        assert pickle.loads(pickle.dumps(fault)) == fault  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("stuck", "'stuck' is not a fault"),
        ({}, "{} is not a fault: .*discriminator 'kind'"),
        ({"kind": "stuck"}, "resource of stuck: Field required"),
        ({"kind": "stuck", "resource": "job", "seconds": "soon"}, "seconds of stuck: .*valid number"),
        ({"kind": "stuck", "resource": "job", "times": 0}, "times of stuck: .*greater than or equal to 1"),
        ({"kind": "stuck", "resource": "job", "after": -1}, "after of stuck"),
        (
            {"kind": "stuck", "resource": "job", "minutes": 1},
            "stuck has no member 'minutes'; its members are .*seconds",
        ),
        ({"kind": "lost_lines", "share": 0}, "share of lost_lines: .*greater than 0"),
        ({"kind": "lost_lines", "lines": [-1]}, r"lines\.0 of lost_lines"),
        ({"kind": "error", "operation": "*", "code": "<b>"}, "code of error"),
        ({"kind": "error", "operation": "*", "code": "X", "status": 200}, "status of error: .*400"),
    ],
)
def test_what_is_no_fault_is_refused_by_member(content: Any, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        parse_fault(content)
