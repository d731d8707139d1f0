"""Files through the AWS connection and SQL sources through their connections, for the domain."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.io import attach

from nightsort.layout import S3
from nightsort.storage import S3_OPTIONS, Access, open_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from upath import UPath


def task_access(aws_conn_id: str | None, *, local: bool = True) -> Access:
    """
    Make the domain's access to storage and SQL databases, for use in a task.

    :param aws_conn_id: the AWS connection for ``s3://`` paths. With None, or where the connection has no
        keys, boto's own chain of credentials counts: the role of the worker, or the environment.
    :param local: whether files on the worker's disk may be read and written, too.
    """

    def path(uri: str) -> UPath:
        if not uri.startswith(S3):
            return open_path(uri, {}, local=local)
        # A plain UPath with Airflow's file system for the connection. An ObjectStoragePath would write the
        # connection's id into its text (s3://conn@bucket/key) and report each read to the lineage collector.
        options = attach("s3", aws_conn_id).fs.storage_options
        config = {**S3_OPTIONS["config_kwargs"], **options.get("config_kwargs", {})}
        return open_path(uri, {**options, "config_kwargs": config})

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
