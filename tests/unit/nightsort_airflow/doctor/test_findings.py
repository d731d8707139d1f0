"""One check, one line: how it stands, what was seen, what to do."""

from __future__ import annotations

import json

from nightsort_airflow.doctor.findings import Finding, State, counted, report_lines

FINDINGS = [
    Finding("AWS", "bucket a", State.OK, "is there"),
    Finding("AWS", "bucket bcd", State.FAILED, "there is no such bucket", "create it"),
    Finding("database", "schema", State.CANNOT_TELL, "nobody answers", "look there"),
]


def test_the_report_has_a_heading_for_each_group_and_a_line_for_each_check_with_the_remedy_below() -> None:
    assert [line for _, line in report_lines(FINDINGS)] == [
        "AWS",
        "  ok          bucket a    is there",
        "  failed      bucket bcd  there is no such bucket",
        "                          -> create it",
        "database",
        "  cannot tell schema      nobody answers",
        "                          -> look there",
    ]


def test_each_line_carries_its_state_so_that_it_can_be_coloured_or_logged_by_it() -> None:
    assert [state for state, _ in report_lines(FINDINGS)] == [
        None,
        State.OK,
        State.FAILED,
        State.FAILED,
        None,
        State.CANNOT_TELL,
        State.CANNOT_TELL,
    ]


def test_what_cannot_be_told_is_counted_by_itself_and_not_as_ok() -> None:
    assert counted(FINDINGS) == {"ok": 1, "warning": 0, "failed": 1, "cannot tell": 1}
    assert counted([]) == {"ok": 0, "warning": 0, "failed": 0, "cannot tell": 0}


def test_a_finding_survives_the_way_through_json() -> None:
    for finding in FINDINGS:
        assert Finding.from_dict(json.loads(json.dumps(finding.to_dict()))) == finding
