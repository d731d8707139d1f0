"""The command line as a module: the steps without Airflow, and the doctor, which says what it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[3]
WITHOUT = """
import runpy, sys
sys.modules["{}"] = None
sys.argv = ["nightsort", *sys.argv[1:]]
runpy.run_module("nightsort", run_name="__main__")
"""
WITHOUT_AIRFLOW = WITHOUT.format("airflow")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env={
            "PATH": os.environ["PATH"],
            "COLUMNS": "120",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_doctor_is_among_the_commands() -> None:
    told = run("-c", WITHOUT_AIRFLOW, "--help")
    assert told.returncode == 0, told.stderr
    for command in ("doctor", "validate-spec", "init-db"):
        assert command in told.stdout


def test_without_airflow_it_says_where_to_run_it() -> None:
    told = run("-c", WITHOUT_AIRFLOW, "doctor")
    assert told.returncode == 2
    assert "there is none here" in told.stderr
    assert "of your workers" in told.stderr
    assert "Traceback" not in told.stderr


def test_an_airflow_that_does_not_see_the_plugin_is_told_which_setting(tmp_path: Path) -> None:
    told = run("-c", WITHOUT.format("nightsort_airflow.doctor"), "doctor", AIRFLOW_HOME=str(tmp_path))
    assert told.returncode == 2, told.stdout
    assert "plugins_folder" in told.stderr
    assert "nightsort_airflow" in told.stderr
    assert "Traceback" not in told.stderr
