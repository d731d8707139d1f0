"""What is looked at: everything, or what one spec needs; broken specs are lines of their own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nightsort_airflow.doctor.all_checks import deployment_checks
from nightsort_airflow.doctor.findings import State
from nightsort_airflow.doctor.run_checks import examine
from tests.airflow_environment import SAMPLE_SPECS

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort_airflow.doctor.findings import Finding

GROUPS = [
    "versions", "specs", "code", "Airflow", "AWS", "quotas", "endpoints", "roles",
    "buckets and documents", "database",
]  # fmt: skip


@pytest.fixture(autouse=True)
def samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(SAMPLE_SPECS))


def subjects(*names: str, in_a_task: bool = False) -> list[str]:
    return [check.subject for check in deployment_checks(names, in_a_task=in_a_task)]


def specs_of_report(*names: str) -> list[Finding]:
    checks = [check for check in deployment_checks(names, in_a_task=True) if check.group == "specs"]
    return list(examine(checks))


def test_the_report_goes_from_the_packages_to_the_tables_and_looks_at_what_is_shared_once() -> None:
    checks = list(deployment_checks(in_a_task=False))
    assert list(dict.fromkeys(check.group for check in checks)) == GROUPS
    assert len({check.subject for check in checks}) == len(checks)
    assert subjects().count("connection aws_default") == subjects().count("connection nightsort_db") == 1


def test_one_spec_brings_only_what_it_needs() -> None:
    wanted = subjects("aws-topics")
    assert "aws-topics: incoming documents" in wanted
    assert not [subject for subject in wanted if "aws-services" in subject]


def test_a_task_leaves_out_what_only_airflows_database_knows() -> None:
    command, task = set(subjects()), set(subjects(in_a_task=True))
    assert task < command
    assert command - task == {"database", "scheduler", "DAG processor", "triggerer", "DAGs in the database"}


def test_a_broken_spec_is_a_failed_line_with_file_and_key_and_the_others_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "reviews.yaml").write_text("name: reviews\n")
    monkeypatch.setenv("NIGHTSORT_SPECS", os.pathsep.join([str(SAMPLE_SPECS), str(tmp_path)]))
    by_state = {finding.state: finding for finding in specs_of_report()}
    assert set(by_state) == {State.OK, State.FAILED}
    assert "reviews.yaml" in by_state[State.FAILED].says
    assert "work_uri" in by_state[State.FAILED].says
    assert [finding.state for finding in specs_of_report("aws-services")] == [State.OK]


def test_a_spec_that_is_not_there_is_told_with_those_that_are() -> None:
    (finding,) = specs_of_report("tickets")
    assert finding.state is State.FAILED
    assert "aws-services, aws-topics" in finding.says


def test_no_spec_at_all_is_a_warning_that_names_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(tmp_path))
    (finding,) = specs_of_report()
    assert finding.state is State.WARNING
    assert str(tmp_path) in finding.says
