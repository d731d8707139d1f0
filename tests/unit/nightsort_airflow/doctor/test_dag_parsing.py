"""Both ways to parse the DAG files say the same, whatever this process has imported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from nightsort_airflow import dag_parts
from nightsort_airflow.doctor import dag_parsing
from nightsort_airflow.doctor.dag_parsing import ParseError, begin_parse_in_fork, parse_in_new_process
from nightsort_airflow.doctor.deployed_code import dags
from nightsort_airflow.doctor.findings import State
from tests.airflow_environment import SAMPLE_SPECS

if TYPE_CHECKING:
    from pathlib import Path


def test_a_fork_finds_the_dags_that_a_new_process_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(SAMPLE_SPECS))
    in_fork = begin_parse_in_fork()()
    in_new_process = parse_in_new_process()
    assert sorted(in_fork.dags) == sorted(in_new_process.dags)
    assert in_fork.errors == in_new_process.errors == {}


def test_a_fork_sees_nothing_of_what_this_process_imported_of_nightsort(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(SAMPLE_SPECS))
    monkeypatch.delattr(dag_parts, "DEFAULT_ARGS")
    found, errors = begin_parse_in_fork()()
    assert "nightsort_doctor" in found
    assert errors == {}


def test_an_import_error_in_a_fork_is_reported_with_its_last_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(tmp_path / "nowhere"))
    outcome = dags(["aws-services"], begin_parse_in_fork())
    assert outcome.state is State.FAILED
    assert "check_specs.py" in outcome.says
    assert "there is no such folder" in outcome.says


def test_a_fork_that_dies_is_a_failed_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag_parsing, "_forget_nightsort", lambda: os._exit(9))
    with pytest.raises(ParseError, match="code 9"):
        begin_parse_in_fork()()


def test_a_fork_that_raises_is_a_failed_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks() -> None:
        raise OSError("disk on fire")

    monkeypatch.setattr(dag_parsing, "_forget_nightsort", breaks)
    assert dags([], begin_parse_in_fork()).says == "the parse failed: OSError: disk on fire"


def test_a_fork_that_takes_too_long_is_a_failed_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dag_parsing, "PARSE_SECONDS", 0.0)
    outcome = dags([], begin_parse_in_fork())
    assert outcome.state is State.FAILED
    assert outcome.says.startswith("not parsed within")
