"""
Write ``.env``, which docker-compose.yaml takes its secrets from: ``make env``.

Needs nothing but Python. A file that is there is kept: its passwords are those of running databases.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import sys
from pathlib import Path

TEMPLATE = """\
# Secrets of docker-compose.yaml, made by `make env` for this machine alone. Never commit this file.
POSTGRES_PASSWORD={postgres}
AIRFLOW_DB_PASSWORD={airflow_db}
NIGHTSORT_DB_PASSWORD={nightsort_db}
REDIS_PASSWORD={redis}
AIRFLOW_FERNET_KEY={fernet}
AIRFLOW_JWT_SECRET={jwt}
AIRFLOW_API_SECRET_KEY={api}
# Of the user `admin`, at http://localhost:8080.
AIRFLOW_ADMIN_PASSWORD={admin}

# Settings; all of them may be left as they are (docs/deployment.md).
#AIRFLOW_UI_ADDRESS=127.0.0.1:8080
#COMPREHEND_ACTIVE_JOBS=10
#CLASSIFIERS=include/classifiers
#NIGHTSORT_POLL_SECONDS=1
#AWS_DEFAULT_REGION=us-east-1
#AIRFLOW_CONN_AWS_DEFAULT={{"conn_type":"aws","extra":{{"role_arn":"arn:aws:iam::123456789012:role/Airflow"}}}}
"""


def new_secrets() -> dict[str, str]:
    """Return a new secret for each place in the template; none needs quoting, in a file or in a URL."""
    names = ("postgres", "airflow_db", "nightsort_db", "redis", "jwt", "api")
    made = {name: secrets.token_urlsafe(48) for name in names}
    made["fernet"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    made["admin"] = secrets.token_urlsafe(18)
    return made


def write_env(path: Path) -> bool:
    """
    Write the file, readable by its owner alone, unless there is one.

    :returns: whether it was written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(TEMPLATE.format(**new_secrets()))
    return True


def main(arguments: list[str] | None = None) -> int:
    """Write the file that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deployment.compose_env", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=Path(".env"))
    file: Path = parser.parse_args(arguments).file
    if write_env(file):
        print(f"Wrote {file} with new secrets; the password of Airflow's admin is in it.")
    else:
        print(f"{file} is there already and is kept: its passwords are those of the databases.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
