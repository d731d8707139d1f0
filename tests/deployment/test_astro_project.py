"""The tree is an Astro project: `astro dev start` and `astro deploy` take it as it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from tests.deployment.airflow_installations import (
    DAG_IDS,
    REPOSITORY,
    SAMPLES,
    TRIGGERS,
    AirflowInstallation,
    packages_alone,
    write_plugin_of_a_team,
)

FOLDERS = ("dags", "include", "plugins")


def test_the_tree_has_what_an_astro_project_has() -> None:
    for name in ("Dockerfile", ".dockerignore", "packages.txt", "requirements.txt"):
        assert (REPOSITORY / name).is_file(), name
    for name in (*FOLDERS, "tests"):
        assert (REPOSITORY / name).is_dir(), name


def test_the_astro_cli_takes_the_folder_for_a_project() -> None:
    # It looks for nothing but this file (astro-cli, config.IsProjectDir), and names containers by it.
    settings = yaml.safe_load((REPOSITORY / ".astro" / "config.yaml").read_text(encoding="utf-8"))
    assert settings == {"project": {"name": "nightsort"}}


def test_with_include_on_the_path_every_dag_parses_and_every_trigger_imports(
    tmp_path: Path,
) -> None:
    home = tmp_path / "astro"
    for name in FOLDERS:
        shutil.copytree(REPOSITORY / name, home / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(SAMPLES, home / "include" / "classifiers", dirs_exist_ok=True)
    theirs = write_plugin_of_a_team(home / "plugins")
    # Astro's images set AIRFLOW_HOME to the one folder that the project is copied into; the Dockerfile leads
    # PYTHONPATH to its include/.
    programs = packages_alone(tmp_path / "environment")
    seen = AirflowInstallation(home, pythonpath=home / "include", programs=programs).look_around()
    assert seen["import_errors"] == {}
    assert seen["dag_ids"] == DAG_IDS
    assert {*TRIGGERS} <= {*seen["triggers"]}
    assert sorted(seen["plugins"]) == ["my_own_plugin", "nightsort"]
    assert seen["executed"] == ["airflow_plugin", *theirs], "one file of ours, and all of theirs"
    assert Path(seen["nightsort"]) == home / "include" / "nightsort"
