"""Rows of state are written whole, and the file says when it cannot be used."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from nightsort_local.local_aws.settings import SettingError
from nightsort_local.local_aws.state_file import StateFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nightsort_local.local_aws.state_file import Change


def test_rows_are_replaced_and_removed(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "state.sqlite")
    state.write([("object", "b", "k", b"1"), ("object", "a", "k", b"2"), ("bucket", "b", "", b"3")])
    state.write([("object", "b", "k", b"4"), ("bucket", "b", "", None)])
    state.close()
    again = StateFile(tmp_path / "state.sqlite")
    assert again.read("object") == [("a", "k", b"2"), ("b", "k", b"4")]
    assert again.read("bucket") == []


def test_a_write_that_fails_changes_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[Change]:
        yield ("bucket", "a", "", b"1")
        raise OSError("no space")

    state = StateFile(tmp_path / "state.sqlite")
    with pytest.raises(OSError, match="no space"):
        state.write(failing())
    state.write([("bucket", "b", "", b"2")])
    assert state.read("bucket") == [("b", "", b"2")]


def test_nothing_is_acknowledged_after_the_end(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "state.sqlite")
    state.close()
    with pytest.raises(sqlite3.ProgrammingError):
        state.write([("bucket", "a", "", b"1")])


def test_without_a_file_nothing_is_kept() -> None:
    state = StateFile(None)
    state.write([("bucket", "a", "", b"1")])
    state.close()
    assert (state.keeps, state.read("bucket")) == (False, [])


def test_a_second_server_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nightsort_local.local_aws.state_file.PATIENCE_SECONDS", 0.01)
    first = StateFile(tmp_path / "state.sqlite")
    with pytest.raises(SettingError, match="another server uses it"):
        StateFile(tmp_path / "state.sqlite")
    first.close()


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"no database" * 100)
    with pytest.raises(SettingError, match="text cannot be used"):
        StateFile(tmp_path / "text")
    with sqlite3.connect(tmp_path / "newer") as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(SettingError, match="newer version"):
        StateFile(tmp_path / "newer")
