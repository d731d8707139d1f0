"""The wheel, installed into clean environments outside the checkout: what each extra promises."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.deployment.airflow_installations import DAG_IDS, REPOSITORY, TRIGGERS, AirflowInstallation
from tests.integration.test_local_aws_pytest_plugin import BLOCKS, THEIRS
from tests.integration.test_operators_example import run_twice

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SPEC = REPOSITORY / "nightsort_local" / "samples" / "aws-services.yaml"


def run(*command: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program as somebody who knows nothing of this checkout."""
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(cwd), "COLUMNS": "120", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def uv(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "uv", "--quiet", *map(str, arguments)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--wheel", "--python", sys.executable, "--no-build-isolation", "--out-dir", folder)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make an environment with the wheel and what an extra brings; return the folder of its programs."""

    def environment(*extra: str, also: tuple[str, ...] = ()) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        python, locked = folder / "bin" / "python", folder / "locked.txt"
        uv("venv", "--python", sys.executable, "--clear", folder)
        uv("export", "--frozen", "--no-emit-project", *extra, "--output-file", locked)
        uv("pip", "install", "--python", python, "--require-hashes", "-r", locked)
        if also:
            uv(
                "export",
                "--frozen",
                "--no-emit-project",
                "--no-hashes",
                "--group",
                "dev",
                "--output-file",
                locked,
            )
            uv("pip", "install", "--python", python, "--constraint", locked, *also)
        uv("pip", "install", "--python", python, "--no-deps", wheel)
        uv("pip", "check", "--python", python)
        return python.parent

    return environment


def test_without_an_extra_the_command_line_works_without_airflow(
    install: Callable[..., Path], tmp_path: Path
) -> None:
    programs = install()
    shutil.copy(SPEC, tmp_path)
    done = run(programs / "nightsort", "validate-spec", SPEC.name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "train_aws-services, classify_aws-services" in done.stdout
    assert "Usage: nightsort " in run(programs / "nightsort", "--help", cwd=tmp_path).stdout
    doctor = run(programs / "nightsort", "doctor", cwd=tmp_path)
    assert doctor.returncode == 2
    assert "Airflow is not installed here" in doctor.stderr
    stack = run(programs / "nightsort-local", "status", cwd=tmp_path)
    assert stack.returncode == 1
    assert "install nightsort[local]" in stack.stderr
    assert "Traceback" not in doctor.stderr + stack.stderr


def test_with_airflow_dags_specs_and_a_dag_of_ones_own_run(
    install: Callable[..., Path], tmp_path: Path
) -> None:
    programs = install("--extra", "airflow")
    home, own = tmp_path / "airflow", tmp_path / "own"
    shutil.copytree(REPOSITORY / "dags", home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(SPEC.parent, home / "include" / "classifiers")
    installation = AirflowInstallation(home, pythonpath=tmp_path / "nothing", programs=programs)
    seen = installation.look_around()
    assert seen["import_errors"] == {}
    assert seen["dag_ids"] == DAG_IDS
    assert {*TRIGGERS} <= {*seen["triggers"]}
    assert seen["plugins"] == ["nightsort"]
    assert seen["executed"] == [], "there is no plugins folder"
    assert Path(seen["nightsort"]).is_relative_to(programs.parent)

    providers = json.loads(installation.run("airflow", "providers", "list", "--output", "json").stdout)
    assert [found["version"] for found in providers if found["package_name"] == "nightsort"] == ["0.1.0"]
    report = json.loads(installation.run("nightsort", "doctor", "--json", "--seconds", "60").stdout)
    code = {line["subject"]: line["state"] for line in report["findings"] if line["group"] == "code"}
    assert code == {"package nightsort": "ok", "plugin": "ok", "DAGs": "ok"}

    shutil.copytree(REPOSITORY / "docs" / "examples", own / "dags")
    run_twice(str(programs / "python"), own / "dags", own)


def test_with_the_local_aws_a_project_of_others_has_the_fixtures_and_no_line_of_ours(
    install: Callable[..., Path], tmp_path: Path
) -> None:
    programs = install("--extra", "local", also=("pytest",))
    (documented,) = [block for block in BLOCKS if "def test_my_pipeline" in block]
    (tmp_path / "test_documented.py").write_text(documented)
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    tested = run(programs / "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)
    assert tested.returncode == 0, tested.stdout[-3_000:] + tested.stderr[-1_000:]
    assert re.search(r"^6 passed", tested.stdout, re.MULTILINE)

    alone = run(programs / "nightsort-local", "aws", "--help", cwd=tmp_path)
    assert "usage: nightsort-local aws" in alone.stdout
    status = run(programs / "nightsort-local", "status", cwd=tmp_path)
    assert "The local stack is down: `nightsort-local up` starts it" in status.stdout


def test_a_project_that_does_not_use_the_fixtures_loads_none_of_what_they_need() -> None:
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, pytest; known = {*sys.modules}; import nightsort_local.local_aws.pytest_plugin\n"
            "print(*({*sys.modules} - known))",
        ],
        env={**os.environ},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    ours = ["nightsort_local", "nightsort_local.local_aws", "nightsort_local.local_aws.pytest_plugin"]
    assert sorted(loaded) == ours
