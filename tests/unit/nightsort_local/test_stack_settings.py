"""The stack sees its own settings and nothing of the user's; a shell that asks sees the stack."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
import yaml

from nightsort_local.home import Home
from nightsort_local.stack_settings import (
    airflow_settings,
    component_environment,
    enter,
    shell_exports,
    write_airflow_configuration,
)
from nightsort_local.supervision import LOCAL_AWS, commands

OF_THE_USER = {
    "HOME": "/home/ada",
    "PATH": "/home/ada/bin",
    "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
    "AIRFLOW_HOME": "/home/ada/airflow",
    "AWS_PROFILE": "production",
    "AWS_SESSION_TOKEN": "secret",
    "AWS_ENDPOINT_URL_S3": "https://example.com",
    "PGPASSWORD": "secret",
    "PGHOST": "db.example.com",
    "PYTHONPATH": "/home/ada/lib",
    "https_proxy": "http://proxy:3128",
    "EDITOR": "vi",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "it's a 100% home")
    made.prepare()
    return made


def test_a_component_gets_nothing_of_the_user_but_who_they_are(home: Home) -> None:
    seen = component_environment(home, aws_port=5566, specs=["/a", "/b"], outer=OF_THE_USER)
    assert seen["HOME"] == "/home/ada"
    assert seen["AIRFLOW_HOME"] == str(home.airflow_home)
    assert seen["PGHOST"] == str(home.postgres_socket_folder)
    assert seen["NIGHTSORT_SPECS"] == "/a:/b"
    foreign = set(OF_THE_USER) - {"HOME", "PATH", "AIRFLOW_HOME", "PGHOST"}
    assert not foreign & set(seen)
    assert not [name for name in seen if name.startswith("AIRFLOW__")]
    assert "/home/ada" not in seen["PATH"]


def test_the_connections_lead_to_the_local_aws_and_the_local_database(home: Home) -> None:
    seen = component_environment(home, aws_port=5599, specs=[], outer={})
    aws = json.loads(seen["AIRFLOW_CONN_AWS_DEFAULT"])
    assert aws["conn_type"] == "aws"
    assert aws["extra"]["endpoint_url"] == seen["AWS_ENDPOINT_URL"] == "http://127.0.0.1:5599"
    database = json.loads(seen["AIRFLOW_CONN_NIGHTSORT_DB"])
    assert (database["conn_type"], database["schema"]) == ("postgres", "nightsort")
    assert database["host"] == str(home.postgres_socket_folder)


def test_a_shell_that_evaluates_the_exports_sees_the_stack_and_its_programs(home: Home) -> None:
    ours = component_environment(home, aws_port=5566, specs=["/specs"], outer=OF_THE_USER)
    exports = shell_exports(ours, OF_THE_USER)
    shell = subprocess.run(
        ["sh", "-eu", "-c", f"{exports}\n{exports}\nenv -0"],
        env={**OF_THE_USER, "PATH": os.environ["PATH"]},
        capture_output=True,
        check=True,
    )
    seen = dict(line.split("=", 1) for line in shell.stdout.decode().split("\0") if line)
    for name in ("AIRFLOW_HOME", "AIRFLOW_CONN_AWS_DEFAULT", "PGHOST", "NIGHTSORT_HOME"):
        assert seen[name] == ours[name], name
    for name in (
        "AIRFLOW__CORE__EXECUTOR",
        "AWS_PROFILE",
        "AWS_SESSION_TOKEN",
        "PGPASSWORD",
        "PYTHONPATH",
        "AWS_ENDPOINT_URL_S3",
    ):
        assert name not in seen
    assert seen["EDITOR"] == "vi"
    assert seen["HOME"] == "/home/ada"
    for program in ("psql", "aws", "airflow", "pytest"):
        found = subprocess.run(
            ["sh", "-c", f"command -v {program}"], env=seen, capture_output=True, text=True, check=True
        )
        assert found.stdout.strip().startswith(tuple(ours["PATH"].split(os.pathsep)[:2])), program


def test_all_of_the_stack_signs_with_the_key_of_its_home(home: Home) -> None:
    secrets = home.secrets()
    seen = component_environment(home, aws_port=1, specs=[], outer=OF_THE_USER)
    key = (secrets.aws_access_key_id, secrets.aws_secret_access_key)
    assert (seen["AWS_ACCESS_KEY_ID"], seen["AWS_SECRET_ACCESS_KEY"]) == key
    connection = json.loads(seen["AIRFLOW_CONN_AWS_DEFAULT"])
    assert (connection["login"], connection["password"]) == key
    assert "--check-keys" in commands(home, 1)[LOCAL_AWS]
    assert secrets.aws_secret_access_key not in " ".join(commands(home, 1)[LOCAL_AWS])


def test_no_other_secret_is_printed_into_a_shell(home: Home) -> None:
    secrets = home.secrets()
    exports = shell_exports(component_environment(home, aws_port=1, specs=[], outer={}), {})
    for secret in (secrets.admin_password, secrets.fernet_key, secrets.jwt_secret, secrets.api_secret_key):
        assert secret not in exports


def test_airflow_reads_the_settings_back_as_they_were_meant(home: Home) -> None:
    settings = airflow_settings(home, home.secrets(), api_port=8099, dags="/a%20b/dags", schedules=False)
    write_airflow_configuration(home, settings)
    asked = (
        "import json; from airflow.configuration import conf; "
        "print(json.dumps([conf.get(*key) for key in "
        "[('core', 'dags_folder'), ('core', 'executor'), ('core', 'simple_auth_manager_passwords_file'), "
        "('core', 'execution_api_server_url'), ('api_auth', 'jwt_secret'), "
        "('scheduler', 'use_job_schedule'), ('database', 'sql_alchemy_conn')]]))"
    )
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", asked],
        env=component_environment(home, aws_port=1, specs=[], outer=os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    dags, executor, passwords, execution_api, jwt_secret, use_schedule, database = json.loads(
        answer.stdout.splitlines()[-1]
    )
    assert (dags, executor, use_schedule) == ("/a%20b/dags", "LocalExecutor", "False")
    assert passwords == str(home.passwords_file)
    assert jwt_secret == home.secrets().jwt_secret
    assert execution_api == "http://127.0.0.1:8099/execution/"
    assert database.startswith("postgresql+psycopg2://postgres@/airflow?host=%2F")


def test_every_setting_is_one_that_airflow_knows(home: Home) -> None:
    spec = importlib.util.find_spec("airflow")
    assert spec is not None
    assert spec.origin is not None
    documented = Path(spec.origin).parent / "config_templates" / "config.yml"
    known = yaml.safe_load(documented.read_text(encoding="utf-8"))
    ours = airflow_settings(home, home.secrets(), api_port=1, dags="", schedules=True)
    for section, values in ours.items():
        assert not set(values) - set(known[section]["options"]), section


def test_long_log_lines_are_wrapped_and_airflows_own_deprecation_is_in_no_log(home: Home) -> None:
    settings = airflow_settings(home, home.secrets(), api_port=1, dags="", schedules=True)
    assert settings["api"]["default_wrap"] == "True"
    environment = component_environment(home, aws_port=1, specs=[], outer=os.environ)
    made = "from pathspec.patterns import GitWildMatchPattern; GitWildMatchPattern('*.py')"
    for how in (["-W", "always"], []):
        run = subprocess.run(
            [sys.executable, *how, "-c", made], env=environment, capture_output=True, text=True, check=True
        )
        assert ("GitWildMatchPattern" in run.stderr) == bool(how)


def test_what_enters_the_stack_leaves_the_user_behind(home: Home) -> None:
    # Takes back all of it at the end: what is removed here, other tests of this process need.
    with patch.dict(os.environ, OF_THE_USER):
        enter(component_environment(home, aws_port=1, specs=[], outer=os.environ))
        assert os.environ["AWS_ACCESS_KEY_ID"] == home.secrets().aws_access_key_id
        assert "AWS_PROFILE" not in os.environ
        assert "AIRFLOW__CORE__EXECUTOR" not in os.environ
        assert "https_proxy" not in os.environ
