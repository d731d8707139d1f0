"""The services of docker-compose.yaml, as a project of the tests' own, and what a person would do to them."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from deployment.compose_env import SECRETS, write_env
from nightsort_local.airflow_api import AirflowApi
from nightsort_local.errors import StackError
from tests.compose.engine import image_names, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from nightsort_local.airflow_api import DagRun

PROJECT = "nightsort-compose-test"
ENDING = ("init", "local-setup")
"""Services that do their work and end."""
BY_HAND = ("doctor", "serve")
"""Services that nothing starts but a person."""
WORKERS = ("worker-1", "worker-2")
HEALTHY_SECONDS = 420
RUN_SECONDS = 420
INJECT = (
    "from nightsort_local.local_aws.control.client import LocalAwsControl as C;"
    "C('http://localhost:4566').inject({kind!r}, **{members!r})"
)


@dataclass(frozen=True)
class ComposeStack:
    """The compose file with its profile `local`.

    :param env_file: what `make env` wrote, with the tests' own port.
    :param url: where Airflow is.
    """

    env_file: Path
    url: str

    @classmethod
    def with_new_secrets(cls, env_file: Path) -> ComposeStack:
        """Write an .env as `make env` does, and let the UI have a free port."""
        write_env(env_file)
        images = image_names()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        with env_file.open("a", encoding="utf-8") as file:
            file.write(f"AIRFLOW_UI_ADDRESS={address}\nNIGHTSORT_POLL_SECONDS=1\n")
            file.write(f"CLASSIFIERS=nightsort_local/samples\nAIRFLOW_IMAGE={images['airflow']}\n")
        # Stand-ins have no digest that the compose file could name.
        services = {name: {"image": images[name]} for name in ("postgres", "redis")}
        env_file.with_name("stand-ins.yaml").write_text(yaml.safe_dump({"services": services}))
        return cls(env_file, f"http://{address}")

    def compose(self, *arguments: str) -> str:
        """Call docker-compose."""
        stand_ins = str(self.env_file.with_name("stand-ins.yaml"))
        files = ("--file", "docker-compose.yaml", "--file", stand_ins, "--project-directory", ".")
        known = ("--env-file", str(self.env_file), "--project-name", PROJECT, "--profile", "local")
        return run("docker-compose", *files, *known, *arguments)

    def secrets(self) -> dict[str, str]:
        """The secrets of the .env."""
        lines = self.env_file.read_text(encoding="utf-8").splitlines()
        values = dict(line.split("=", 1) for line in lines if line[:1].isalpha())
        return {name: values[name] for name in SECRETS}

    def api(self) -> AirflowApi:
        """Airflow's REST API, with the administrator's password."""
        return AirflowApi(self.url, self.secrets()["AIRFLOW_ADMIN_PASSWORD"])

    def services(self) -> list[str]:
        """All services that `up` starts."""
        return sorted(set(self.compose("config", "--services").split()) - {*BY_HAND})

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container."""
        container = self.compose("ps", "--quiet", service).strip()
        found: list[dict[str, Any]] = json.loads(run("docker", "inspect", container))
        return found[0]

    def unready(self) -> dict[str, str]:
        """The services that are not yet healthy, or have not yet ended well."""
        found = {}
        for service in self.services():
            state = self.inspect(service)["State"]
            if service in ENDING:
                ready = state["Status"] == "exited" and state["ExitCode"] == 0
            else:
                ready = state.get("Health", {}).get("Status") == "healthy"
            if not ready:
                found[service] = f"{state['Status']} {state.get('Health', {}).get('Status', '')}"
        return found

    def up(self) -> None:
        """Start all services and wait until each is ready."""
        self.compose("up", "--detach", "--no-build")
        deadline = time.monotonic() + HEALTHY_SECONDS
        while unready := self.unready():
            assert time.monotonic() < deadline, {
                service: (state, self.compose("logs", "--tail", "30", service))
                for service, state in unready.items()
            }
            time.sleep(2)

    def inside(self, service: str, *command: str) -> str:
        """Run a program in a service's container; one that fails is an error."""
        return run("docker", "exec", self.inspect(service)["Id"], *command)

    def python(self, service: str, program: str) -> str:
        """Run a line of Python in a service's container."""
        return self.inside(service, "python", "-c", program)

    def environments(self, service: str) -> str:
        """The variables of all processes of a service, as root of the machine sees them."""
        listed = run("docker", "top", self.inspect(service)["Id"], "-eo", "pid").split()
        files = (Path("/proc", pid, "environ") for pid in listed if pid.isdigit())
        return "".join(file.read_text(encoding="utf-8", errors="replace") for file in files if file.exists())

    def doctor(self) -> str:
        """Run the doctor's own service; one that finds something missing is an error."""
        return self.compose("run", "--rm", "--no-deps", "doctor")

    def inject(self, kind: str, **members: Any) -> None:
        """Have the local AWS fail as told."""
        self.python("local-aws", INJECT.format(kind=kind, members=members))

    def jobs(self) -> list[str]:
        """The names of all classification jobs that Comprehend was ever asked for."""
        program = (
            "import boto3, json;"
            "c = boto3.client('comprehend', endpoint_url='http://localhost:4566', region_name='us-east-1',"
            " aws_access_key_id='test', aws_secret_access_key='test');"
            "pages = c.get_paginator('list_document_classification_jobs').paginate();"
            "print(json.dumps([j['JobName'] for p in pages"
            " for j in p['DocumentClassificationJobPropertiesList']]))"
        )
        names: list[str] = json.loads(self.python("local-aws", program))
        return sorted(names)

    def query(self, statement: str, database: str = "nightsort") -> list[dict[str, Any]]:
        """Ask a database, in its container; give the rows."""
        as_json = f"SELECT coalesce(json_agg(row_to_json(answer)), '[]') FROM ({statement}) AS answer"  # noqa: S608
        options = ("--username=postgres", f"--dbname={database}", "--no-align", "--tuples-only")
        rows: list[dict[str, Any]] = json.loads(
            self.inside("postgres", "psql", *options, "--command", as_json)
        )
        return rows

    def kill(self, service: str) -> None:
        """End a container's first process by SIGKILL, and so all of it, as a lack of memory would.

        Not `docker kill`, which tells the engine that a person wants the service down.
        """
        os.kill(self.inspect(service)["State"]["Pid"], signal.SIGKILL)

    def try_of(self, run: DagRun, task_id: str) -> tuple[int, str, str]:
        """The number of a task's newest try, its state, and the service whose container had it last."""
        (row,) = self.query(
            f"SELECT try_number, state, hostname FROM task_instance WHERE dag_id = '{run.dag_id}'"  # noqa: S608
            f" AND run_id = '{run.run_id}' AND task_id = '{task_id}'",
            database="airflow",
        )
        workers = {self.inspect(name)["Config"]["Hostname"]: name for name in WORKERS}
        return row["try_number"], row["state"], workers.get(row["hostname"], "")

    def log_lines(self, run: DagRun, task_id: str) -> list[str]:
        """The log of a task's newest try, as the UI shows it."""
        api = self.api()
        tasks = api.task_instances(run.dag_id, run.run_id)
        (task,) = (task for task in tasks if task.task_id == task_id)
        return api.log_lines(run.dag_id, run.run_id, task)

    def start_run(self, dag_id: str, conf: dict[str, Any]) -> DagRun:
        """Trigger a DAG, and unpause it."""
        api = self.api()
        run = api.trigger(dag_id, conf)
        api.unpause(dag_id)
        return run

    def succeed(self, run: DagRun) -> None:
        """Wait until a run has succeeded; an API that does not answer may be restarting."""
        api = self.api()
        deadline = time.monotonic() + RUN_SECONDS
        while time.monotonic() < deadline:
            with suppress(StackError):
                found = api.run(run.dag_id, run.run_id)
                if found.is_over:
                    assert found.state == "success", self._failures(run)
                    return
            time.sleep(1)
        raise AssertionError(f"{run.run_id} of {run.dag_id} is not over after {RUN_SECONDS} s")

    def _failures(self, run: DagRun) -> dict[str, list[str]]:
        """The end of the log of each task that failed."""
        api = self.api()
        tasks = api.task_instances(run.dag_id, run.run_id)
        failed = [task for task in tasks if task.state == "failed"]
        return {task.label: api.log_lines(run.dag_id, run.run_id, task)[-25:] for task in failed}


def wait_until(what: str, condition: Callable[[], bool], within: float) -> float:
    """
    Wait for something; give the seconds that it took.

    :param within: seconds.
    """
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < within, f"{what}: not within {within:.0f} s"
        time.sleep(0.5)
    return time.monotonic() - began
