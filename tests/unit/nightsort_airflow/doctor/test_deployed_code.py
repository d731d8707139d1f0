"""Where the code lies is where every Airflow process looks for it."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

import nightsort_airflow
from nightsort_airflow.doctor import deployed_code
from nightsort_airflow.doctor.deployed_code import dags, package, plugin
from nightsort_airflow.doctor.findings import State
from tests.airflow_environment import ROOT, SAMPLE_SPECS

if TYPE_CHECKING:
    from pathlib import Path

SPECS = ("aws-services", "aws-topics")
DAG_IDS = [f"{kind}_{name}" for name in SPECS for kind in ("train", "classify")]
# The interpreter that the tests' environment was made with.
WITHOUT_PACKAGES = getattr(sys, "_base_executable", sys.executable)


def test_where_it_is_installed_every_process_finds_the_same_package() -> None:
    outcome = package()
    assert outcome.state is State.OK
    assert str(ROOT / "include" / "nightsort") in outcome.says


def test_with_its_folder_on_the_path_every_process_finds_the_same_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "executable", WITHOUT_PACKAGES)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "include"))
    outcome = package()
    assert outcome.state is State.OK
    assert str(ROOT / "include" / "nightsort") in outcome.says


def test_what_only_this_process_finds_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", WITHOUT_PACKAGES)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    outcome = package()
    assert outcome.state is State.FAILED
    assert f"PYTHONPATH to {ROOT / 'include'}," in outcome.remedy


def test_another_copy_on_the_path_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "nightsort").mkdir()
    (tmp_path / "nightsort" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    outcome = package()
    assert outcome.state is State.FAILED
    assert str(tmp_path) in outcome.says
    assert str(ROOT) in outcome.says


def test_the_installed_plugin_is_loaded() -> None:
    outcome = plugin()
    assert outcome.state is State.OK
    assert (
        outcome.says
        == f"nightsort {version('nightsort')}, installed: {ROOT / 'plugins' / 'nightsort_airflow'}"
    )


def test_a_plugin_that_is_there_twice_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PLUGINS_FOLDER", str(ROOT / "plugins"))
    outcome = plugin()
    assert outcome.state is State.FAILED
    assert "twice" in outcome.says
    assert str(ROOT / "plugins" / "nightsort_airflow") in outcome.remedy


@pytest.fixture
def not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployed_code, "entry_points", lambda **_: ())


@pytest.mark.usefixtures("not_installed")
def test_without_a_wheel_the_plugin_is_loaded_from_airflows_plugins_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PLUGINS_FOLDER", str(ROOT / "plugins"))
    assert plugin().says == str(ROOT / "plugins")
    assert plugin().state is State.OK
    monkeypatch.setenv("AIRFLOW__CORE__PLUGINS_FOLDER", str(tmp_path))
    outcome = plugin()
    assert outcome.state is State.FAILED
    assert str(tmp_path) in outcome.says


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch, not_installed: None, tmp_path: Path) -> Path:
    """A plugins folder with a copy of the plugin, which is the one that is imported."""
    package = tmp_path / "nightsort_airflow"
    package.mkdir()
    (package / ".airflowignore").write_text("*.py\n!airflow_plugin.py\n")
    monkeypatch.setattr(nightsort_airflow, "__file__", str(package / "__init__.py"))
    monkeypatch.setenv("AIRFLOW__CORE__PLUGINS_FOLDER", str(tmp_path))
    return tmp_path


def test_a_package_whose_ignore_file_was_not_copied_is_reported(copied: Path) -> None:
    assert plugin().state is State.OK
    (copied / "nightsort").mkdir()
    outcome = plugin()
    assert outcome.state is State.FAILED
    assert outcome.says.startswith(f"{copied / 'nightsort'} has no .airflowignore")


def test_an_ignore_file_that_hides_the_teams_own_plugins_is_reported(copied: Path) -> None:
    (copied / "team").mkdir()
    (copied / "team" / "macros.py").touch()
    assert plugin().state is State.OK
    (copied / ".airflowignore").write_text("# Of an earlier Nightsort.\n*.py\n!airflow_plugin.py\n")
    outcome = plugin()
    assert outcome.state is State.WARNING
    assert outcome.says.endswith("hides your own plugins: team/macros.py")
    # A team's own rules are its own affair.
    (copied / ".airflowignore").write_text("*.py\n")
    assert plugin().state is State.OK


def test_a_spec_whose_dags_are_missing_where_the_files_are_parsed_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(SAMPLE_SPECS))
    # As in a task, whose own file is parsed for one DAG alone, and which may not ask Airflow's database.
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "nightsort_doctor")
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "airflow-db-not-allowed:///")
    missing = dags([*DAG_IDS, "train_tickets", "classify_tickets"])
    assert missing.state is State.FAILED
    assert "train_tickets, classify_tickets" in missing.says


def test_an_import_error_is_told_with_its_last_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(tmp_path / "nowhere"))
    outcome = dags(DAG_IDS)
    assert outcome.state is State.FAILED
    assert "check_specs.py" in outcome.says
    assert "there is no such folder" in outcome.says


def test_dags_that_lie_elsewhere_cannot_be_judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(tmp_path))
    outcome = dags(DAG_IDS)
    assert outcome.state is State.CANNOT_TELL
    assert "train_classifier.py" in outcome.says
