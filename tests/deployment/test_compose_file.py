"""The policies of docker-compose.yaml, seen in the file: no engine is needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployment.compose_env import SECRETS, new_secret, write_env
from deployment.container.database_roles import GUESTS, rights_of
from deployment.container.health import COMPONENTS, component_of
from deployment.container.initialise import POOL
from nightsort.comprehend import limits
from tests.deployment.compose_secrets import HOLDS

REPOSITORY = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
AIRFLOW = {
    "init",
    "api-server",
    "scheduler",
    "dag-processor",
    "triggerer",
    "worker-1",
    "worker-2",
    "doctor",
    "serve",
    "local-setup",
}
LOCAL = {"local-aws", "local-setup"}
WORKERS = ("worker-1", "worker-2")
CALL_AWS = {"dag-processor", "triggerer", "worker-1", "worker-2", "doctor", "serve"}
# What has two dollars is the shell's in the container.
REFERENCE = re.compile(r"(?<!\$)\$\{(\w+)(?::([-?])([^}]*))?\}")

every_service = pytest.mark.parametrize("service", sorted(SERVICES))


def test_these_are_the_services() -> None:
    assert set(SERVICES) == AIRFLOW | {"postgres", "redis", "local-aws"}
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    by_hand = {name: [name] for name in ("doctor", "serve")}
    assert profiles == {"local-aws": ["local"], "local-setup": ["local"], **by_hand}


@every_service
def test_each_service_has_a_health_check_limits_and_rotated_logs_and_comes_back(service: str) -> None:
    found = SERVICES[service]
    assert found["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert found["restart"] in ("unless-stopped", "on-failure") or service == "doctor"
    assert found["mem_limit"]
    assert found["cpus"]
    assert found["pids_limit"]
    assert found["logging"]["options"]["max-size"]


@every_service
def test_each_service_is_no_root_and_writes_only_to_its_volumes(service: str) -> None:
    found = SERVICES[service]
    assert found["user"] not in ("root", "0", "0:0")
    assert found["read_only"]
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert {volume.partition(":")[0] for volume in found.get("volumes", [])} <= set(COMPOSE["volumes"])


def test_only_the_ui_and_the_service_are_published_and_by_default_on_loopback() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published == {
        "api-server": ["${AIRFLOW_UI_ADDRESS:-127.0.0.1:8080}:8080"],
        "serve": ["${SERVE_ADDRESS:-127.0.0.1:8090}:8090"],
    }


def test_all_of_airflow_has_the_same_settings_and_one_image() -> None:
    given = COMPOSE["x-airflow"]["environment"]
    for name in AIRFLOW:
        assert given.items() <= SERVICES[name]["environment"].items(), name
    assert {SERVICES[name]["image"] for name in AIRFLOW - LOCAL} == {"nightsort:local"}


@every_service
def test_each_service_holds_the_secrets_that_it_needs_and_no_other(service: str) -> None:
    found = SERVICES[service]
    # All of it: an argument would be in the list of processes besides.
    held = {name for name, _, _ in REFERENCE.findall(yaml.safe_dump(found))} & set(SECRETS)
    assert held == HOLDS[service]
    assert "env_file" not in found
    anywhere = REFERENCE.findall(yaml.safe_dump({**found, "environment": {}}))
    assert not {name for name, _, _ in anywhere} & set(SECRETS)


@pytest.mark.parametrize("service", [*WORKERS, "serve"])
def test_a_worker_reaches_neither_airflows_database_nor_its_keys(service: str) -> None:
    environment = SERVICES[service]["environment"]
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == "sqlite://"
    assert not {"AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY"} & set(environment)
    assert not {name for name in environment if name.startswith("AIRFLOW__API_AUTH__")}


@pytest.mark.parametrize("service", [*WORKERS, "scheduler"])
def test_what_a_worker_writes_for_the_scheduler_is_json(service: str) -> None:
    """In a database, Celery keeps the result of a task as a pickle, which the scheduler would load."""
    assert SERVICES[service]["environment"]["AIRFLOW__CELERY__RESULT_BACKEND"].startswith("redis://")


def test_access_to_aws_is_given_to_those_that_call_it() -> None:
    given = {name for name in AIRFLOW if "AIRFLOW_CONN_AWS_DEFAULT" in SERVICES[name]["environment"]}
    assert given == CALL_AWS


@pytest.mark.parametrize("guest", sorted(GUESTS))
def test_a_guest_of_airflows_database_neither_sees_users_nor_changes_what_people_decide(guest: str) -> None:
    for table in ("ab_user", "ab_user_role", "session"):
        assert rights_of(guest, table) == ()
    for table in ("connection", "variable", "ab_permission_view_role", "alembic_version_fab_auth_manager"):
        assert rights_of(guest, table) == ("SELECT",)
    assert rights_of("airflow_doctor", "dag") == ("SELECT",)
    assert "UPDATE" in rights_of("airflow_triggerer", "job")


@pytest.mark.parametrize("service", WORKERS)
def test_batches_wait_for_their_upload_on_a_disk_that_is_no_memory(service: str) -> None:
    found = SERVICES[service]
    assert f"{service}-tmp:/tmp" in found["volumes"]
    assert not found.get("tmpfs")
    assert "TMPDIR" not in found["environment"]
    # A worker that was killed left its batches behind.
    (command,) = found["entrypoint"][2:]
    assert command.startswith("find /tmp -mindepth 1 -user 50000 -delete; exec airflow celery worker")


@pytest.mark.parametrize("service", sorted(AIRFLOW - {"init", "serve"}))
def test_each_component_waits_for_init(service: str) -> None:
    assert SERVICES[service]["depends_on"]["init"] == {"condition": "service_completed_successfully"}


def test_public_images_are_pinned_by_an_exact_tag() -> None:
    base = SERVICES["init"]["build"]["args"]["AIRFLOW_IMAGE"]
    dockerfile = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    default = re.search(r"^ARG AIRFLOW_IMAGE=(\S+)$", dockerfile, re.MULTILINE)
    assert default is not None
    assert base == f"${{AIRFLOW_IMAGE:-{default[1]}}}"
    for image in (SERVICES["postgres"]["image"], SERVICES["redis"]["image"], default[1]):
        assert re.search(r":[\w.-]*\d+\.\d+(\.\d+)?-[\w.]+(@sha256:[0-9a-f]{64})?$", image), image
    assert int(SERVICES["postgres"]["image"].partition(":")[2].partition(".")[0]) >= 16


def test_a_change_of_the_code_installs_nothing_anew_and_both_images_run_as_no_root() -> None:
    text = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8")
    stages = {
        name: body.splitlines()
        for name, body in re.findall(r"^FROM \S+ AS (\S+)$(.*?)(?=^FROM|\Z)", text, re.MULTILINE | re.DOTALL)
    }
    # What is built once more after a change: a stage's lines from the first that copies code.
    for name in ("airflow", "local-aws"):
        start = stages[name].index("COPY --from=code /code/ ./")
        assert not [line for line in stages[name][start:] if line.startswith(("RUN", "USER"))], name
        wheel = stages[name].index("COPY --from=wheel /tmp/wheel/ /tmp/wheel/")
        (install,) = (line for line in stages[name][wheel:] if line.startswith("RUN"))
        assert "--no-index" in install, name
    assert not [line for line in stages["packages"] if re.match(r"COPY (?!\$\{REQUIREMENTS\} )", line)]
    users = {name: [line for line in lines if line.startswith("USER")] for name, lines in stages.items()}
    assert users["packages"][-1] == users["local-aws"][-1] == "USER 50000"


def test_the_airflow_of_the_image_is_the_airflow_of_the_requirements() -> None:
    requirements = (REPOSITORY / "requirements" / "celery.txt").read_text(encoding="utf-8")
    airflow = re.search(r"^apache-airflow==(\S+)", requirements, re.MULTILINE)
    celery = re.search(r"^celery==(\d+)\.(\d+)", requirements, re.MULTILINE)
    assert airflow is not None
    assert celery is not None
    assert f"slim-{airflow[1]}-" in SERVICES["init"]["build"]["args"]["AIRFLOW_IMAGE"]
    assert (int(celery[1]), int(celery[2])) < (5, 7)


def test_a_dead_worker_is_noticed_in_time_and_a_busy_one_is_not_taken_for_dead() -> None:
    environment = COMPOSE["x-airflow"]["environment"]
    # Workers say every 5 s that they live, and the scheduler looks every 10 s (Airflow's defaults).
    assert 20 <= int(environment["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"]) <= 45


def test_no_secret_has_a_default_and_make_env_writes_each_of_them(tmp_path: Path) -> None:
    text = (REPOSITORY / "docker-compose.yaml").read_text(encoding="utf-8")
    secret = {name for name, _, _ in REFERENCE.findall(text) if re.search("PASSWORD|SECRET|KEY|TOKEN", name)}
    required = {name for name, kind, _ in REFERENCE.findall(text) if kind == "?"}
    assert secret == required == set(SECRETS)
    assert write_env(tmp_path / ".env") == list(SECRETS)
    written = (tmp_path / ".env").read_text(encoding="utf-8")
    assert secret == set(re.findall(r"^(\w+)=.{24,}$", written, re.MULTILINE))
    assert {name for name, _, _ in REFERENCE.findall(text)} - secret <= {
        *re.findall(r"#?(\w+)=", written)
    } | {
        "AIRFLOW_IMAGE",
        "AIRFLOW_BASE_URL",
    }


def test_make_env_makes_new_secrets_that_only_their_owner_reads_and_never_replaces_old_ones(
    tmp_path: Path,
) -> None:
    file = tmp_path / ".env"
    assert write_env(file)
    written = file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o600
    assert not write_env(file)
    assert file.read_text(encoding="utf-8") == written
    assert len({new_secret(name) for name in SECRETS for _ in range(2)}) == 2 * len(SECRETS)


def test_make_env_adds_what_a_newer_compose_file_needs_to_a_file_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("POSTGRES_PASSWORD=old\n#REDIS_PASSWORD=none\nCOMPREHEND_ACTIVE_JOBS=3", encoding="utf-8")
    file.chmod(0o600)
    added = write_env(file)
    assert added == [name for name in SECRETS if name != "POSTGRES_PASSWORD"]
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["POSTGRES_PASSWORD=old", "#REDIS_PASSWORD=none", "COMPREHEND_ACTIVE_JOBS=3"]
    assert [line.partition("=")[0] for line in lines[3:]] == added
    assert file.stat().st_mode & 0o777 == 0o600


def test_git_and_the_images_never_see_the_secrets() -> None:
    assert ".env" in (REPOSITORY / ".gitignore").read_text(encoding="utf-8").splitlines()
    first = next(
        line
        for line in (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    )
    assert first == "*", "everything is left out but what is named"


def test_init_makes_the_pool_that_the_dags_wait_in() -> None:
    assert POOL[0] == limits.POOL


@pytest.mark.parametrize(
    ("command_line", "component"),
    [
        (b"/sbin/docker-init\0--\0airflow\0scheduler\0", "scheduler"),
        (b"airflow api_server -- host:0.0.0.0 port:8080", "api-server"),
        (b"/usr/bin/dumb-init\0--\0/entrypoint\0celery\0worker\0", "celery"),
        (b"/sbin/docker-init\0--\0airflow\0db\0migrate\0", None),
    ],
)
def test_the_health_check_knows_which_component_a_container_runs(
    command_line: bytes, component: str | None
) -> None:
    assert component_of(command_line) == component
    assert component is None or component in COMPONENTS


def test_each_component_of_the_file_has_a_health_check() -> None:
    started = AIRFLOW - {"init", "local-setup", "doctor", "serve"}
    commands = {
        component_of(" ".join([*SERVICES[name]["entrypoint"], *SERVICES[name]["command"]]).encode())
        for name in started
    }
    assert commands == set(COMPONENTS)
