"""What `make mwaa-bundle` writes is what Amazon MWAA takes, and there it all imports."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deployment.mwaa_bundle import AIRFLOW, CONSTRAINTS, write_bundle
from tests.deployment.airflow_installations import (
    DAG_IDS,
    REPOSITORY,
    SAMPLES,
    SPECS,
    TRIGGERS,
    AirflowInstallation,
    packages_alone,
    startup_environment,
    write_plugin_of_a_team,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist") / "mwaa"
    done = subprocess.run(
        [sys.executable, "-m", "deployment.mwaa_bundle", str(folder)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "docs/deployment.md" in done.stdout
    return folder


def plugin_members(bundle: Path) -> list[str]:
    with ZipFile(bundle / "plugins.zip") as archive:
        return archive.namelist()


def requirements(bundle: Path) -> list[Requirement]:
    _, *lines = (bundle / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines]


def test_the_bundle_is_the_three_things_that_mwaa_takes(bundle: Path) -> None:
    assert sorted(path.name for path in bundle.iterdir()) == ["dags", "plugins.zip", "requirements.txt"]
    assert sorted(path.name for path in (bundle / "dags").iterdir()) == sorted(
        path.name for path in (REPOSITORY / "dags").iterdir() if path.name != "__pycache__"
    )


def test_the_plugin_scanners_ignore_file_comes_first_in_each_package_and_hides_nothing_else(
    bundle: Path,
) -> None:
    """So no moment of unzipping shows the scanner a file that it may not execute."""
    members = plugin_members(bundle)
    for package in ("nightsort", "nightsort_airflow"):
        assert next(name for name in members if name.startswith(f"{package}/")) == f"{package}/.airflowignore"
    assert ".airflowignore" not in members


def test_the_samples_do_not_travel_into_a_deployment(bundle: Path) -> None:
    assert SPECS
    assert not [name for name in plugin_members(bundle) if Path(name).stem in SPECS]


def test_the_archive_holds_the_plugin_and_the_domain_and_nothing_of_the_local_stack(bundle: Path) -> None:
    members = plugin_members(bundle)
    roots = {name.split("/")[0] for name in members}
    assert roots == {"classifiers", "nightsort", "nightsort_airflow"}
    assert "nightsort_airflow/waiters/comprehend.json" in members
    assert "nightsort/tables/migrations/0001_first_tables.sql" in members
    assert not [name for name in members if "__pycache__" in name or name.endswith(".pyc")]


def test_the_same_tree_gives_the_same_archive_so_that_mwaa_is_not_updated_for_nothing(
    bundle: Path, tmp_path: Path
) -> None:
    write_bundle(tmp_path / "again")
    assert (tmp_path / "again" / "plugins.zip").read_bytes() == (bundle / "plugins.zip").read_bytes()


def test_a_new_bundle_replaces_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "gone.py").touch()
    write_bundle(tmp_path)
    assert not (tmp_path / "dags" / "gone.py").exists()


def test_the_requirements_leave_every_version_to_the_constraints_of_mwaas_airflow(bundle: Path) -> None:
    constraint, *_ = (bundle / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert constraint == f'--constraint "{CONSTRAINTS}"'
    assert AIRFLOW in CONSTRAINTS
    wanted = requirements(bundle)
    assert not [str(package) for package in wanted if package.specifier]
    assert "apache-airflow" not in {package.name for package in wanted}


def test_what_the_bundle_requires_is_what_the_mwaa_test_installs(bundle: Path) -> None:
    lock = (REPOSITORY / "deployment" / "mwaa" / "environment.txt").read_text(encoding="utf-8")
    pinned = {
        canonicalize_name(line.split("==")[0])
        for line in lock.splitlines()
        if line[:1].isalnum() and "==" in line
    }
    assert {canonicalize_name(package.name) for package in requirements(bundle)} <= pinned


def test_the_bundle_is_small_so_that_an_environment_starts_soon(bundle: Path) -> None:
    # AWS recommends less than 1 GB, and ends a start whose files are not in place after ten minutes.
    assert (bundle / "plugins.zip").stat().st_size < 2_000_000


def test_the_startup_script_sets_nothing_that_mwaa_keeps_for_itself() -> None:
    exported = startup_environment("/usr/local/airflow")
    assert exported == {"NIGHTSORT_SPECS": "/usr/local/airflow/dags/classifiers"}
    # amazon-mwaa-docker-images, mwaa/config/setup_environment.py: what a script exports of these is dropped.
    assert not {*exported} & {"AIRFLOW_HOME", "AWS_DEFAULT_REGION", "AWS_REGION", "PYTHONPATH"}
    assert not [name for name in exported if name.startswith("MWAA__")]


def test_with_only_the_plugins_folder_on_the_path_every_dag_parses_and_every_trigger_imports(
    bundle: Path, tmp_path: Path
) -> None:
    home = tmp_path / "airflow"
    shutil.copytree(bundle / "dags", home / "dags")
    with ZipFile(bundle / "plugins.zip") as archive:
        archive.extractall(home / "plugins")
    shutil.copytree(SAMPLES, home / "plugins" / "classifiers", dirs_exist_ok=True)
    theirs = write_plugin_of_a_team(home / "plugins")
    programs = packages_alone(tmp_path / "environment")
    seen = AirflowInstallation(home, pythonpath=tmp_path / "python", programs=programs).look_around()
    assert seen["import_errors"] == {}
    assert seen["dag_ids"] == DAG_IDS
    assert {*TRIGGERS} <= {*seen["triggers"]}
    assert sorted(seen["plugins"]) == ["my_own_plugin", "nightsort"]
    assert seen["executed"] == ["airflow_plugin", *theirs], "one file of ours, and all of theirs"
    assert Path(seen["nightsort"]) == home / "plugins" / "nightsort"
    assert not seen["local_stack"]
