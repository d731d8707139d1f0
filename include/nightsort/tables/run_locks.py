"""Keep the loading and the forgetting of a run's files apart.

Whoever reads the files of a run and writes rows takes the lock together with others; whoever rewrites the
files takes it alone. So no rows are written from files as they were before.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg


@contextmanager
def files_unchanged(conn: psycopg.Connection[Any], classifier: str, run_key: str) -> Iterator[None]:
    """Let nobody rewrite the files of a run, for a transaction; wait until nobody does.

    :param conn: the database.
    :param classifier: name of the spec.
    :param run_key: the run.
    """
    with conn.transaction():
        conn.execute(
            "SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", (_key(classifier, run_key),)
        )
        yield


@contextmanager
def files_alone(conn: psycopg.Connection[Any], classifier: str, run_key: str) -> Iterator[None]:
    """Rewrite the files of a run alone; wait until nobody loads or exports it.

    :param conn: the database, in no transaction, with autocommit.
    :param classifier: name of the spec.
    :param run_key: the run.
    """
    key = (_key(classifier, run_key),)
    conn.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", key)
    try:
        yield
    finally:
        conn.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", key)


def _key(classifier: str, run_key: str) -> str:
    return f"files/{classifier}/{run_key}"
