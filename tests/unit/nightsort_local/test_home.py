"""What a stack keeps is private, survives, and fits where sockets fit."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from nightsort_local import home as home_module
from nightsort_local.errors import StackError
from nightsort_local.home import LONGEST_SOCKET_NAME, MAX_SOCKET_PATH, Home, State, home_from_environment

if TYPE_CHECKING:
    from pathlib import Path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_home_is_in_the_checkout_unless_the_environment_names_one(tmp_path: Path) -> None:
    assert home_from_environment({}) == home_module.REPOSITORY / ".nightsort"
    assert home_from_environment({"NIGHTSORT_HOME": str(tmp_path / "x")}) == (tmp_path / "x").resolve()


def test_nobody_else_may_read_secrets_state_or_data(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    home.secrets()
    home.write_state(State(slot=3))
    for folder in (home.root, home.logs, home.airflow_home, home.local_aws_data, home.sockets):
        assert mode_of(folder) == 0o700, folder
    for file in (home.root / "secrets.json", home.root / "state.json", home.passwords_file):
        assert mode_of(file) == 0o600, file


def test_secrets_are_drawn_once_and_differ_between_homes(tmp_path: Path) -> None:
    first = Home(tmp_path / "a").secrets()
    assert Home(tmp_path / "a").secrets() == first
    assert Home(tmp_path / "b").secrets().admin_password != first.admin_password
    assert len(first.jwt_secret) >= 64
    assert first.admin_password not in repr(first)


def test_a_home_of_before_gets_what_it_lacks_and_keeps_what_it_has(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    before = asdict(home.secrets())
    file = home.root / "secrets.json"
    kept = {name: value for name, value in before.items() if not name.startswith("aws_")}
    file.write_text(json.dumps(kept))
    after = asdict(home.secrets())
    assert kept.items() < after.items()
    assert after["aws_secret_access_key"] not in ("", before["aws_secret_access_key"])
    assert (json.loads(file.read_text()), mode_of(file)) == (after, 0o600)
    assert asdict(home.secrets()) == after


def test_airflow_knows_the_password_that_the_home_shows(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    password = home.secrets().admin_password
    home.passwords_file.write_text("{}")
    home.secrets()
    assert json.loads(home.passwords_file.read_text()) == {"admin": password}


def test_damaged_secrets_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.secrets()
    (home.root / "secrets.json").write_text("{")
    with pytest.raises(StackError, match=r"secrets\.json cannot be read: run `make clean`"):
        home.secrets()


def test_state_is_read_as_written_and_a_damaged_or_newer_one_does_not_stop_the_stack(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    assert home.read_state() == State()
    home.write_state(State(slot=1, api_port=8081, aws_port=5567, specs=["/x"]))
    assert home.read_state() == State(slot=1, api_port=8081, aws_port=5567, specs=["/x"])
    (home.root / "state.json").write_text('{"slot": 2, "a_later_field": true}')
    assert home.read_state() == State(slot=2)
    (home.root / "state.json").write_text('{"slot": 2')
    assert home.read_state() == State()


@pytest.mark.parametrize("name", ["d" * 100, "a,b"])
def test_sockets_go_elsewhere_where_the_path_will_not_do(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / name)
    longest = home.sockets / "postgres" / LONGEST_SOCKET_NAME
    assert len(os.fsencode(longest)) <= MAX_SOCKET_PATH
    assert "," not in str(home.sockets)
    assert home.sockets != Home(tmp_path / f"{name}2").sockets
    home.prepare()
    assert mode_of(home.sockets) == 0o700
    home.remove()
    assert not home.sockets.exists()
    assert not home.root.exists()


def test_sockets_stay_in_a_home_that_is_not_deep() -> None:
    home = Home(home_module.REPOSITORY.__class__("/srv/nightsort/.nightsort"))
    assert home.sockets.parent == home.root


def test_a_shared_folder_that_others_may_write_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setattr(home_module, "SHARED_FOLDER", str(open_to_all))
    with pytest.raises(StackError, match="is not a folder that only you can write to"):
        home_module.shared_folder()


def test_a_home_that_cannot_be_made_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"Cannot create .*file.*set NIGHTSORT_HOME"):
        Home(tmp_path / "file" / "home").prepare()


def test_two_commands_on_one_home_take_turns(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    seen: list[str] = []
    said: list[str] = []

    def second() -> None:
        with Home(home.root).locked(said.append):
            seen.append("second")

    with home.locked(said.append):
        other = threading.Thread(target=second)
        other.start()
        while not said:
            time.sleep(0.01)
        seen.append("first")
    other.join()
    assert seen == ["first", "second"]
    assert said == ["waiting for another command that starts or stops this stack"]
