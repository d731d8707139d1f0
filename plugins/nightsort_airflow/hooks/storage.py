"""What the domain may reach from a task: files through the AWS connection, SQL sources through their own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import BaseHook, ObjectStoragePath
from upath import UPath

from include.nightsort.access import Access

if TYPE_CHECKING:
    from collections.abc import Iterator

S3_SCHEMES = ("s3://", "s3a://", "s3n://")


def task_access(aws_conn_id: str | None) -> Access:
    """
    Make the domain's access to the outer world, for use in a task.

    :param aws_conn_id: the AWS connection for ``s3://`` paths. With None, or with a connection without keys,
        boto's own chain of credentials counts (role of the worker, environment). Other schemes take their
        connection from the URI (``gs://conn_id@bucket/key``), as Airflow's ``ObjectStoragePath`` does; a path
        without a scheme is local.
    """

    def path(uri: str) -> UPath:
        if "://" not in uri:
            return UPath(uri)
        connection = aws_conn_id if uri.startswith(S3_SCHEMES) else None
        # ObjectStoragePath is a proxy with UPath's interface, not a subclass.
        return cast("UPath", ObjectStoragePath(uri, conn_id=connection))

    return Access(path=path, connect=connect_sql)


@contextmanager
def connect_sql(conn_id: str) -> Iterator[Any]:
    """
    Open the DBAPI connection of an SQL source, by the hook that its Airflow connection type names.

    :param conn_id: the Airflow connection.
    """
    connection = BaseHook.get_hook(conn_id).get_conn()
    try:
        yield connection
    finally:
        connection.close()
