"""Up, down, crashes and neighbours, with the real supervisor and the real database."""

from __future__ import annotations

import os
import shutil
import signal
import time
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from nightsort_local import postgres
from nightsort_local.errors import StackError, StillStartingError
from nightsort_local.home import SAMPLES, Home
from nightsort_local.stack import LocalStack
from nightsort_local.supervision import supervisor_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PATIENCE_SECONDS = 240


def database_stack(home: Path) -> LocalStack:
    return LocalStack(home, components=["postgres"], first_slot=50)


@pytest.fixture(scope="module")
def home(make_home: Callable[[str], Path]) -> Iterator[Path]:
    """A home whose path is as awkward as paths get, in a folder that only its owner may enter."""
    closed = make_home("closed")
    closed.mkdir(mode=0o700)
    awkward = closed / 'it\'s 100% a "home", and a deep one' / ("d" * 60)
    yield awkward
    database_stack(awkward).remove()


@pytest.fixture
def stack(home: Path) -> LocalStack:
    """The stack, up."""
    made = database_stack(home)
    made.up()
    return made


def query(stack: LocalStack, statement: str) -> list[tuple[object, ...]]:
    with postgres.connect(stack.home, "nightsort") as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.1)


def answers(stack: LocalStack) -> bool:
    try:
        query(stack, "SELECT 1")
    except psycopg.OperationalError:
        return False
    return True


def supervisor_of(stack: LocalStack) -> psutil.Process:
    # Never from a number that may be missing: to kill "process 0" is to kill the tests.
    supervisor = supervisor_process(stack.home.read_state())
    assert supervisor is not None
    return supervisor


def test_up_twice_is_harmless(stack: LocalStack) -> None:
    wait_for(stack.is_up)
    before = stack.status()["postgres"].pid
    assert database_stack(stack.home.root).up() is False
    assert stack.status()["postgres"].pid == before


def test_down_ends_every_process_and_keeps_the_data(stack: LocalStack) -> None:
    query(stack, "CREATE TABLE kept AS SELECT 42 AS answer")
    supervisor = supervisor_of(stack)
    family = [supervisor, *supervisor.children(recursive=True)]
    assert len(family) > 3
    assert stack.down() is True
    assert [process for process in family if process.is_running()] == []
    assert stack.status() == {}
    assert stack.down() is False
    stack.up()
    assert query(stack, "TABLE kept") == [(42,)]


def test_a_component_that_dies_is_started_again(stack: LocalStack) -> None:
    before = stack.status()["postgres"].pid
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: stack.is_up() and stack.status()["postgres"].pid != before)
    wait_for(lambda: answers(stack))


def test_after_the_supervisor_was_killed_up_clears_up_and_starts_anew(stack: LocalStack) -> None:
    server = psutil.Process(stack.status()["postgres"].pid)
    supervisor_of(stack).kill()
    wait_for(lambda: stack.status() == {})
    assert server.is_running(), "what the supervisor left behind"
    assert stack.up() is True
    assert not server.is_running()
    assert query(stack, "SELECT 1") == [(1,)]


def test_after_the_supervisor_was_killed_down_ends_what_it_left(stack: LocalStack) -> None:
    server = psutil.Process(stack.status()["postgres"].pid)
    supervisor_of(stack).kill()
    assert stack.down() is True
    assert not server.is_running()


def test_a_stale_lock_file_whose_number_is_now_a_strangers_does_no_harm(stack: LocalStack) -> None:
    stack.down()
    # As after a crash of the machine: the number in the lock file belongs to another process by now.
    (stack.home.postgres_data / "postmaster.pid").write_text(f"{os.getpid()}\n{stack.home.postgres_data}\n")
    (stack.home.supervisor_socket).touch()
    stack.up()
    assert query(stack, "SELECT 1") == [(1,)]


def test_a_cluster_that_was_half_made_is_made_anew(make_home: Callable[[str], Path]) -> None:
    fresh = database_stack(make_home("half"))
    fresh.home.prepare()
    half = fresh.home.postgres_data
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    fresh.up()
    assert query(fresh, "SELECT 1") == [(1,)]
    fresh.remove()
    assert not fresh.home.root.exists()


def test_a_stack_whose_folder_was_deleted_is_found_and_ended(make_home: Callable[[str], Path]) -> None:
    lost = database_stack(make_home("lost"))
    lost.up()
    server = psutil.Process(lost.status()["postgres"].pid)
    shutil.rmtree(lost.home.root)
    assert lost.status() == {}
    assert lost.up() is True
    assert not server.is_running()
    assert query(lost, "SELECT 1") == [(1,)]
    shutil.rmtree(lost.home.root)
    assert lost.down() is True
    assert lost.down() is False


def test_two_stacks_side_by_side_do_not_meet(stack: LocalStack, make_home: Callable[[str], Path]) -> None:
    other = database_stack(make_home("other"))
    other.up()
    ours, theirs = stack.home.read_state(), other.home.read_state()
    assert ours.api_port != theirs.api_port
    assert ours.aws_port != theirs.aws_port
    query(other, "CREATE TABLE only_there ()")
    assert query(stack, "SELECT to_regclass('only_there')") == [(None,)]
    other.down()
    assert query(stack, "SELECT 1") == [(1,)]


def test_a_stack_keeps_its_ports(stack: LocalStack) -> None:
    before = stack.home.read_state()
    stack.down()
    stack.up()
    after = stack.home.read_state()
    assert (before.api_port, before.aws_port) == (after.api_port, after.aws_port)


def test_a_start_that_fails_says_why_and_leaves_nothing_running(make_home: Callable[[str], Path]) -> None:
    old = database_stack(make_home("old"))
    old.up()
    old.down()
    (old.home.postgres_data / "PG_VERSION").write_text("17\n")
    with pytest.raises(StackError, match=r"data of PostgreSQL 17, but this checkout uses 18"):
        old.up()
    assert old.status() == {}


def test_a_component_that_dies_at_once_is_reported_with_the_end_of_its_log(
    make_home: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = LocalStack(make_home("broken"), components=["local_aws"], first_slot=50)
    monkeypatch.setattr(
        "nightsort_local.supervision.commands",
        lambda home, aws_port: {"local_aws": ["/bin/sh", "-c", "echo no space left on the moon; exit 1"]},
    )
    with pytest.raises(
        StackError, match=r"local_aws ends as soon as it starts(.|\n)*no space left on the moon"
    ):
        broken.up()
    assert broken.status() == {}


def test_with_other_settings_a_stack_is_started_anew_with_its_data(stack: LocalStack, tmp_path: Path) -> None:
    query(stack, "CREATE TABLE stays AS SELECT 1 AS one")
    before = supervisor_of(stack).pid
    said: list[str] = []
    changed = LocalStack(stack.home.root, [tmp_path], components=["postgres"], report=said.append)
    assert changed.up() is True
    assert supervisor_of(stack).pid != before
    assert "starting anew, with other specs" in said
    assert query(stack, "TABLE stays") == [(1,)]
    assert LocalStack(stack.home.root).environment()["NIGHTSORT_SPECS"] == f"{SAMPLES}:{tmp_path}"
    # A shell that names no folders changes nothing, and neither does one that names the same.
    running = supervisor_of(stack).pid
    for specs in (None, [SAMPLES, tmp_path]):
        LocalStack(stack.home.root, specs, components=["postgres"]).up()
    assert supervisor_of(stack).pid == running


def test_a_start_without_progress_leaves_what_was_started_so_that_the_next_goes_on_from_there(
    make_home: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ready = tmp_path / "ready"
    slow = f"until [ -e {ready} ]; do sleep 0.1; done; exec python3 -m http.server --directory {tmp_path} $0"
    health = tmp_path / "_nightsort" / "health"
    health.parent.mkdir()
    health.touch()
    monkeypatch.setattr(
        "nightsort_local.supervision.commands",
        lambda home, aws_port: {"local_aws": ["/bin/sh", "-c", slow, str(aws_port)]},
    )
    stuck = LocalStack(make_home("stuck"), components=["local_aws"], first_slot=50)
    with monkeypatch.context() as changed:
        changed.setattr("nightsort_local.patience.STILL_SECONDS", 3)
        with pytest.raises(StillStartingError, match=r"local_aws is not ready(.|\n)*start again to go on"):
            stuck.up()
    pid = stuck.status()["local_aws"].pid
    ready.touch()
    stuck.up()
    assert stuck.status()["local_aws"].pid == pid
    stuck.down()


def test_the_home_of_the_tests_is_as_awkward_as_it_says(home: Path) -> None:
    assert Home(home).sockets.parent != home
