"""
``python -m deployment.container.local_setup``: lead the compose file's Airflow to its local AWS.

Creates the connection ``aws_default``, unless there is one, and uploads the sample corpus. It needs
``AWS_ENDPOINT_URL`` and credentials, which for the local AWS may be any.
"""

from __future__ import annotations

import os
import sys

from airflow.models.connection import Connection
from airflow.utils.session import create_session
from sqlalchemy import select

from nightsort.storage import plain_access
from nightsort_local import sample_corpus

CONNECTION = "aws_default"


def connect_airflow() -> None:
    """Create the connection unless there is one; in this process, since a command line is no secret."""
    with create_session() as session:
        if session.scalar(select(Connection.id).where(Connection.conn_id == CONNECTION)) is not None:
            print(f"The connection {CONNECTION} is there already; it is kept.")
            return
        session.add(
            Connection(
                conn_id=CONNECTION,
                conn_type="aws",
                login=os.environ["AWS_ACCESS_KEY_ID"],
                password=os.environ["AWS_SECRET_ACCESS_KEY"],
                extra={
                    "region_name": os.environ["AWS_DEFAULT_REGION"],
                    "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
                },
            )
        )


def main() -> int:
    """Create the connection and upload the sample; return the exit code."""
    connect_airflow()
    sample_corpus.upload(plain_access(), progress=print)
    print("Ready: run the DAG train_aws-services, then classify_aws-services.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
