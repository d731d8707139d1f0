"""Commands say what is wrong and what to do, and their exit codes can be relied on."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nightsort_local.home import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


def stack(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NIGHTSORT_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "nightsort_local", *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["status"], 1, "The local stack is down"),
        (["down"], 0, "No local stack was up"),
        (["down", "--remove"], 0, "removed"),
        (["env"], 1, "No stack was ever up here: `make run`"),
        (["doctor", "--json"], 1, "No stack was ever up here: `make run`"),
        (["run-dag", "train_x"], 1, "The stack is down"),
        (["put", ".", "s3://bucket/x/"], 1, "The stack is down"),
        (["run-dag", "train_x", "--conf", "{day"], 1, "--conf is not JSON"),
        (["run-dag", "train_x", "--conf", "[]"], 1, "--conf must be a JSON object, not []"),
    ],
)
def test_without_a_stack_every_command_says_so(
    tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    done = stack(tmp_path / "home", *arguments)
    assert done.returncode == code, done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists()


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-C", str(REPOSITORY), *arguments], capture_output=True, text=True, check=False
    )


def test_make_alone_lists_what_it_can_do() -> None:
    done = make()
    for target in ("run", "test", "check", "stop", "clean", "lock"):
        assert f"make {target}" in done.stdout


def test_a_python_that_will_not_do_is_refused_by_name_before_anything_is_made(tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\ncase "$1" in --version) echo Python 3.9.1;; *) exit 1;; esac\n')
    old.chmod(0o755)
    venv = tmp_path / "venv"
    done = make(f"VENV={venv}", f"PYTHON={old}", f"{venv}/bin/python")
    assert done.returncode != 0
    assert "Nightsort runs on Python 3.10 to 3.13" in done.stderr
    assert "Python 3.9.1" in done.stderr
    assert not venv.exists()


def test_the_users_own_settings_do_not_reach_what_make_starts() -> None:
    foreign = {"AWS_PROFILE": "production", "PYTHONPATH": "/nowhere", "PYTEST_ADDOPTS": "--x"}
    done = subprocess.run(
        ["make", "-C", str(REPOSITORY), "-f", "Makefile", "-f", "-", "shown"],
        input="shown:\n\t@env\n",
        env={**os.environ, **foreign},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not [name for name in foreign if f"{name}=" in done.stdout]
