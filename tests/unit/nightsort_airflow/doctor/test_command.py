"""The command prints the report, or JSON and nothing else, and its exit code says whether a line failed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nightsort_airflow.doctor.command import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_specs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With nothing but versions, code and Airflow to look at, it is quick; the DAG files lie elsewhere."""
    monkeypatch.setenv("NIGHTSORT_SPECS", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path))


def test_json_has_every_finding_and_the_counts_and_the_exit_code_follows_the_failed_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = run([], as_json=True, seconds=30)
    report = json.loads(capsys.readouterr().out)
    assert sum(report["counts"].values()) == len(report["findings"])
    assert {"group", "subject", "state", "says", "remedy"} == set(report["findings"][0])
    assert code == (1 if report["counts"]["failed"] else 0) == 1


def test_the_report_ends_with_the_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([], as_json=False, seconds=30) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "versions"
    assert " failed, " in lines[-1]
