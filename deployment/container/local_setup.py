"""
``python -m deployment.container.local_setup``: lead the compose file's Airflow to its local AWS.

Creates the connection ``aws_default``, unless there is one, and uploads the sample corpus. It needs
``AWS_ENDPOINT_URL`` and credentials, which for the local AWS may be any.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

from nightsort.storage import plain_access
from nightsort_local import sample_corpus

CONNECTION = "aws_default"


def connect_airflow() -> None:
    """Create the connection unless there is one."""
    there = subprocess.run(  # noqa: S603 - our own arguments
        ["airflow", "connections", "get", CONNECTION],  # noqa: S607
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    if there.returncode == 0:
        print(f"The connection {CONNECTION} is there already; it is kept.")
        return
    connection = {
        "conn_type": "aws",
        "login": os.environ["AWS_ACCESS_KEY_ID"],
        "password": os.environ["AWS_SECRET_ACCESS_KEY"],
        "extra": {
            "region_name": os.environ["AWS_DEFAULT_REGION"],
            "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
        },
    }
    subprocess.run(  # noqa: S603 - our own arguments
        ["airflow", "connections", "add", CONNECTION, "--conn-json", json.dumps(connection)],  # noqa: S607
        check=True,
    )


def main() -> int:
    """Create the connection and upload the sample; return the exit code."""
    connect_airflow()
    sample_corpus.upload(plain_access(), progress=print)
    print("Ready: run the DAG train_aws-services, then classify_aws-services.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
