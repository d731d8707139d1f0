"""Count the commands that use the endpoint which one of them opened: the last one closes it.

Each holds a lock of the database for as long as its session lives, so one that is killed does not count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg


def use_endpoint(conn: psycopg.Connection[Any], classifier: str) -> None:
    """Use a classifier's endpoint, with others, until the session ends; wait while the last user closes it.

    :param conn: the database, with autocommit.
    :param classifier: name of the spec.
    """
    conn.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", (_key(classifier),))


def is_last_user(conn: psycopg.Connection[Any], classifier: str) -> bool:
    """Use the endpoint no more; return whether nobody else does. Then nobody begins until the session ends.

    :param conn: what was given to :func:`use_endpoint`.
    :param classifier: name of the spec.
    """
    key = (_key(classifier),)
    conn.execute("SELECT pg_advisory_unlock_shared(hashtextextended(%s, 0))", key)
    row = conn.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", key).fetchone()
    return bool(row and row[0])


def _key(classifier: str) -> str:
    return f"endpoint users/{classifier}"
