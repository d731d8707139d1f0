"""One stack for all tests here: they follow one another as the days of a deployment do."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.compose.compose_stack import ComposeStack
from tests.compose.engine import build_stand_ins, require_programs, running_engine
from tests.process_list import WatchedProcesses

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def engine() -> Iterator[None]:
    """A Docker engine that has what the compose file builds on."""
    require_programs()
    for _ in running_engine():
        with tempfile.TemporaryDirectory(prefix="nightsort-debian-") as folder:
            build_stand_ins(Path(folder))
        yield


@pytest.fixture(scope="session")
def watched() -> WatchedProcesses:
    """The processes that ran while the services started."""
    return WatchedProcesses()


@pytest.fixture(scope="session")
def stack(
    engine: None, watched: WatchedProcesses, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ComposeStack]:
    """The built services, up and healthy; at the end nothing of them is left but the images."""
    stack = ComposeStack.with_new_secrets(tmp_path_factory.mktemp("compose") / ".env")
    stack.compose("build", "init", "local-aws")
    stack.compose("down", "--volumes")
    try:
        with watched:
            stack.up()
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "20")
