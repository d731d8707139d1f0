"""Stacks of the tests' own: short paths, ports that nobody's real stack has, and nothing left at the end."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from nightsort_local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEMPORARY = Path("/tmp")  # noqa: S108 - TMPDIR may be too deep for a socket
PREFIX = "nightsort-e2e-"


def clear_up_after_killed_tests() -> None:
    """End the stacks of test runs that were killed, which nobody else would ever end."""
    for root in TEMPORARY.glob(f"{PREFIX}*-*"):
        owner = root.name.removeprefix(PREFIX).split("-")[0]
        ours = root.stat().st_uid == os.getuid() and owner.isdecimal()
        if ours and not psutil.pid_exists(int(owner)):
            for home in root.iterdir():
                LocalStack(home).down()
            # What ends only now may still write or remove files; the next run tries again.
            shutil.rmtree(root, ignore_errors=True)


def processes_of(home: Path) -> list[psutil.Process]:
    """Return the processes that work in the home or were started with a path in it."""
    found = []
    for process in psutil.process_iter():
        try:
            told = [process.cwd(), *process.cmdline()]
        except psutil.Error:
            continue
        if process.status() != psutil.STATUS_ZOMBIE and any(str(home) in part for part in told):
            found.append(process)
    return found


@pytest.fixture(scope="session")
def make_home() -> Iterator[Callable[[str], Path]]:
    """Yield homes in a short temporary folder, and see at the end that no process of theirs is left."""
    clear_up_after_killed_tests()
    root = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=TEMPORARY))
    homes: list[Path] = []

    def make(name: str) -> Path:
        homes.append(root / name)
        return homes[-1]

    yield make
    left = processes_of(root)
    for process in left:
        process.kill()
    shutil.rmtree(root)
    assert not left


@pytest.fixture(scope="session")
def specs(make_home: Callable[[str], Path]) -> Path:
    """A folder for the tests' own specs; the stack has the samples by itself."""
    folder = make_home("specs")
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def whole_stack(make_home: Callable[[str], Path], specs: Path) -> Iterator[LocalStack]:
    """The whole stack, up, with this checkout's DAGs."""
    stack = LocalStack(make_home("whole"), [specs], first_slot=70)
    stack.up()
    yield stack
    stack.remove()
