"""
Write ``.env``, which docker-compose.yaml takes its secrets from: ``make env``.

Needs nothing but Python. Secrets that are there are kept: they are those of running databases. Those that a
newer compose file needs besides are added.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import secrets
import sys
from pathlib import Path

HEADER = (
    "# Secrets of docker-compose.yaml, made by `make env` for this machine alone. Never commit this file.\n"
)

SECRETS = (
    "POSTGRES_PASSWORD",
    "AIRFLOW_DB_PASSWORD",
    "AIRFLOW_DAG_PROCESSOR_DB_PASSWORD",
    "AIRFLOW_TRIGGERER_DB_PASSWORD",
    "AIRFLOW_DOCTOR_DB_PASSWORD",
    "NIGHTSORT_DB_PASSWORD",
    "REDIS_PASSWORD",
    "AIRFLOW_FERNET_KEY",
    "AIRFLOW_JWT_SECRET",
    "AIRFLOW_API_SECRET_KEY",
    "NIGHTSORT_SERVE_TOKEN",
    "AIRFLOW_ADMIN_PASSWORD",
)
"""What the compose file needs. The last is the password of the user ``admin``, at http://localhost:8080."""

SETTINGS = """
# Settings; all of them may be left as they are (docs/deployment.md).
#AIRFLOW_UI_ADDRESS=127.0.0.1:8080
#COMPREHEND_ACTIVE_JOBS=10
#CLASSIFIERS=include/classifiers
#SERVE_CLASSIFIERS=tickets
#SERVE_ADDRESS=127.0.0.1:8090
#NIGHTSORT_POLL_SECONDS=1
#AWS_DEFAULT_REGION=us-east-1
#AIRFLOW_CONN_AWS_DEFAULT={"conn_type":"aws","extra":{"role_arn":"arn:aws:iam::123456789012:role/Airflow"}}
"""


def new_secret(name: str) -> str:
    """
    Return a new secret; none needs quoting, in a file or in a URL.

    :param name: one of :data:`SECRETS`.
    """
    if name == "AIRFLOW_FERNET_KEY":
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(18 if name == "AIRFLOW_ADMIN_PASSWORD" else 48)


def lines_of(names: list[str]) -> str:
    """Return a line with a new secret for each name."""
    return "".join(f"{name}={new_secret(name)}\n" for name in names)


def write_env(path: Path) -> list[str]:
    """
    Write the file, readable by its owner alone, or add to it what it lacks.

    :returns: the names of the secrets that were written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        text = path.read_text(encoding="utf-8")
        missing = [name for name in SECRETS if not re.search(rf"^{name}=", text, re.MULTILINE)]
        if missing:
            with path.open("a", encoding="utf-8") as file:
                file.write(("" if text.endswith("\n") or not text else "\n") + lines_of(missing))
        return missing
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(HEADER + lines_of(list(SECRETS)) + SETTINGS)
    return list(SECRETS)


def main(arguments: list[str] | None = None) -> int:
    """Write the file that the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deployment.compose_env", description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=Path(".env"))
    file: Path = parser.parse_args(arguments).file
    written = write_env(file)
    if len(written) == len(SECRETS):
        print(f"Wrote {file} with new secrets; the password of Airflow's admin is in it.")
    elif written:
        print(f"Added to {file}: {', '.join(written)}. What was there is kept.")
    else:
        print(f"{file} is there already and is kept: its passwords are those of the databases.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
