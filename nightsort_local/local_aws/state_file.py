"""The state of the server in one SQLite file: what was answered survives the death of the process."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from nightsort_local.local_aws.settings import SettingError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

Change = tuple[str, str, str, bytes | None]
"""Kind, name, second part of the name (often empty), and the content; None removes the row."""

PATIENCE_SECONDS = 5
"""How long a start waits for another server to end, such as one that is just being stopped."""

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (
    kind TEXT NOT NULL, name TEXT NOT NULL, part TEXT NOT NULL, content BLOB NOT NULL,
    PRIMARY KEY (kind, name, part)
) WITHOUT ROWID
"""


class StateFile:
    """Rows of state, each with a kind and a name. The rooms of the server decide what is in them.

    A transaction is in the operating system's hands when :meth:`write` returns: it survives SIGKILL, and
    after a power failure the last ones can be missing (SQLite, "PRAGMA synchronous": NORMAL with a
    write-ahead log). Waiting for the disk would make each small PUT several milliseconds slower.

    :param file: the file; None keeps nothing.
    :raises SettingError: the file is not one of ours, or another server uses it.
    """

    def __init__(self, file: Path | None) -> None:
        self._lock = threading.Lock()
        self._connection = None if file is None else _connected(file)

    @property
    def keeps(self) -> bool:
        """Whether anything is kept."""
        return self._connection is not None

    def read(self, kind: str) -> list[tuple[str, str, bytes]]:
        """Return the rows of a kind: name, part, content; in the order of name and part."""
        if self._connection is None:
            return []
        query = "SELECT name, part, content FROM state WHERE kind = ? ORDER BY name, part"
        with self._lock, closing(self._connection.execute(query, [kind])) as rows:
            return rows.fetchall()

    def write(self, changes: Iterable[Change]) -> None:
        """Write and remove rows, all or none. Afterwards the change survives a kill."""
        if self._connection is None:
            return
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                for kind, name, part, content in changes:
                    if content is None:
                        self._connection.execute(
                            "DELETE FROM state WHERE kind = ? AND name = ? AND part = ?", [kind, name, part]
                        )
                    else:
                        self._connection.execute(
                            "INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)", [kind, name, part, content]
                        )
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file; its write-ahead log goes into it. Writing is an error from now on."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()


def _connected(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        file, timeout=PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        # Held until the process ends: a second server would not see this one's changes.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise SettingError(f"{file} was written by a newer version: update, or use another --data.")
        connection.execute(f"PRAGMA user_version = {_VERSION}")
        connection.execute(_SCHEMA)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise SettingError(
            f"{file} cannot be used ({error}): if another server uses it, stop that one; otherwise "
            "restore the file, or use another --data."
        ) from error
    return connection
