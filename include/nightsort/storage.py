"""How the domain reaches what lies outside: object storage and databases, handed in by the caller.

The domain knows no connections. Airflow hands in paths bound to a connection, the command line plain
ones, and a test a folder; the code between is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from upath import UPath

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

Progress = Callable[[str, int], None]
"""Called now and then with what is being done (one line for a person) and how many documents are behind
it."""

S3_OPTIONS: Final[dict[str, Any]] = {"config_kwargs": {"max_pool_connections": 32}}
"""How s3fs is opened: by itself it has 10 connections, and whatever is asked at once waits for one of them.
With 30 ms for an answer, 245 small objects a second are written with 10 connections, 610 with 32."""


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
    return Access(path=lambda uri: UPath(uri, **(S3_OPTIONS if uri.startswith("s3://") else {})))
