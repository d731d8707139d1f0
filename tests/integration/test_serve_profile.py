"""The service of the compose profile `serve`, as the file has it, started without an engine."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.integration.local_aws_server import aws_connection, wait_until
from tests.integration.serve_world import TOKEN, ServeWorld, serve_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration

FILE = Path(__file__).parents[2] / "docker-compose.yaml"
SERVICE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]["serve"]
SIMPLE = "airflow.api_fastapi.auth.managers.simple.simple_auth_manager"
PORT = 8090
TEXT = {"text": "a refund of my payment"}


@pytest.fixture(scope="module")
def world(
    aws: LocalAwsServer, postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServeWorld]:
    with serve_world(aws, postgres_dsn, tmp_path_factory.mktemp("profile")) as made:
        made.train("v1")
        yield made


def environment(world: ServeWorld, **given: str) -> dict[str, str]:
    """What compose gives the container, and the image; nothing else of this machine."""
    settings = {
        "SERVE_CLASSIFIERS": world.name,
        "NIGHTSORT_SERVE_TOKEN": TOKEN,
        "AIRFLOW_CONN_AWS_DEFAULT": aws_connection(world.aws.url),
        "NIGHTSORT_POLL_SECONDS": "1",
        **given,
    }
    found = {}
    for name, value in SERVICE["environment"].items():
        if value is None:
            # compose passes it on if it is set.
            found.update({name: settings[name]} if name in settings else {})
        else:
            found[name] = re.sub(
                r"\$\{(\w+)(?::.([^}]*))?\}", lambda part: settings.get(part[1], part[2]), value
            )
    ours = {
        # The image has it; this machine has Airflow without that provider.
        "AIRFLOW__CORE__AUTH_MANAGER": f"{SIMPLE}.SimpleAuthManager",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(world.folder / "logs"),
        "AIRFLOW_HOME": str(world.folder / "airflow"),
        "NIGHTSORT_SPECS": str(world.folder),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    return {**found, **ours}


def command(port: int) -> list[str]:
    """The entry point, on a port of the test's own."""
    *shell, line = SERVICE["entrypoint"]
    assert line.count("$$") == 1
    return [*shell, f"{line.replace('$$', '$')} --port {port}"]


def is_healthy(port: int) -> bool:
    """Whether the health check passes, as the engine asks."""
    kind, *check = SERVICE["healthcheck"]["test"]
    assert kind == "CMD"
    asked = [part.replace(f"localhost:{PORT}", f"localhost:{port}") for part in check]
    assert asked != check
    return subprocess.run([sys.executable, *asked[1:]], capture_output=True, check=False).returncode == 0


@contextmanager
def started(world: ServeWorld) -> Iterator[tuple[httpx.Client, int]]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with (world.folder / "profile.log").open("w") as log:
        process = subprocess.Popen(command(port), env=environment(world), stdout=log, stderr=log)

    def answers() -> bool:
        assert process.poll() is None, (world.folder / "profile.log").read_text()
        return is_healthy(port)

    try:
        wait_until(answers, "the health check")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=240) as client:
            yield client, port
    finally:
        process.terminate()
        assert process.wait(timeout=240) in (0, -signal.SIGTERM), (world.folder / "profile.log").read_text()


def test_it_answers_with_the_token_and_only_while_the_endpoint_is_open(world: ServeWorld) -> None:
    """It reaches no database, so it opens nothing; the DAG does."""
    assert not [name for name in environment(world) if "NIGHTSORT_DB" in name]
    token = {"Authorization": f"Bearer {TOKEN}"}
    with started(world) as (client, port):
        assert client.post("/classify", json=TEXT).status_code == 401
        closed = client.post("/classify", json=TEXT, headers=token)
        assert (closed.status_code, closed.headers["Retry-After"]) == (503, "60"), closed.text
        assert world.endpoints() == []
        arn = world.open(world.train("v2"))
        wait_until(lambda: client.post("/classify", json=TEXT, headers=token).status_code == 200, "an answer")
        (result,) = client.post("/classify", json=TEXT, headers=token).json()["results"]
        assert (result["label"], result["version"]) == ("BILLING", "v2")
        assert is_healthy(port)
    world.close(arn)


def test_without_a_token_or_a_classifier_it_ends_and_says_what_to_set(world: ServeWorld) -> None:
    for missing, said in (
        ("NIGHTSORT_SERVE_TOKEN", "NIGHTSORT_SERVE_TOKEN"),
        ("SERVE_CLASSIFIERS", "SERVE_CLASSIFIERS: SET IT IN .ENV"),
    ):
        ended = subprocess.run(
            command(PORT),
            env=environment(world, **{missing: ""}),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert ended.returncode > 0
        assert said in (ended.stdout + ended.stderr).upper()


def test_this_machine_alone_reaches_it_unless_the_user_says_otherwise() -> None:
    (published,) = SERVICE["ports"]
    assert published == f"${{SERVE_ADDRESS:-127.0.0.1:{PORT}}}:{PORT}"
    assert shlex.split(SERVICE["entrypoint"][-1])[1:4] == ["nightsort", "serve", "--host"]
