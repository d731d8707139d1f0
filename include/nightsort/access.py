"""How the domain reaches what lies outside: object storage and databases, handed in by the caller.

The domain knows no connections. Airflow hands in paths bound to a connection, the command line plain
ones, and a test a folder; the code between is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from upath import UPath

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

Progress = Callable[[str, int], None]
"""Called now and then with what is being done (one line for a person) and how many documents are behind
it."""


@dataclass(frozen=True)
class Access:
    """The two ways out of the domain.

    :param path: turns a URI (``s3://bucket/key``, ``file:///x``, a local path) into a path with the UPath
        interface.
    :param connect: opens the DBAPI connection of a connection id, closed at the end of the ``with``; ``None``
        where sources by SQL are not possible.
    """

    path: Callable[[str], UPath]
    connect: Callable[[str], AbstractContextManager[Any]] | None = None


def plain_access() -> Access:
    """Access by what the environment says (``AWS_ENDPOINT_URL``, ``AWS_REGION``, …), without databases."""
    return Access(path=UPath)
