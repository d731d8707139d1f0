"""docker-compose.yaml, run: both DAGs, a killed worker, restarts, and the data after them.

The tests follow one another. `make compose-test` runs them; docs/deployment.md says what came of it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nightsort_local import sample_corpus
from tests.compose.compose_stack import BY_HAND, ENDING, WORKERS, wait_until
from tests.deployment.compose_secrets import HOLDS

if TYPE_CHECKING:
    from tests.compose.compose_stack import ComposeStack
    from tests.process_list import WatchedProcesses

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1800)]

CLASSIFIER = "aws-services"
TRAIN, CLASSIFY = f"train_{CLASSIFIER}", f"classify_{CLASSIFIER}"
FIRST, SECOND, THIRD = (day.isoformat() for day in sample_corpus.days()[:3])
TEMPORARY = "/tmp"  # noqa: S108 - of a container
TAKEN_OVER = [(2, state) for state in ("running", "deferred", "success")]
RUNS = (
    "SELECT day::text, documents_in, classified, failed, rejected, state FROM nightsort.classification_runs"
)


def adds_up(stack: ComposeStack, day: str) -> bool:
    """Whether a night is complete, and each of its documents classified, failed or rejected."""
    (run,) = stack.query(f"{RUNS} WHERE day = '{day}'")
    accounted = run["classified"] + run["failed"] + run["rejected"]
    return bool(run["state"] == "complete" and run["documents_in"] == accounted > 100)


def jobs_of(stack: ComposeStack, before: list[str]) -> list[str]:
    """The jobs that were started since."""
    return sorted(set(stack.jobs()) - set(before))


def test_the_containers_have_few_rights_and_only_the_ui_is_published(stack: ComposeStack) -> None:
    published = {}
    for service in stack.services():
        container = stack.inspect(service)
        config, host = container["Config"], container["HostConfig"]
        assert config["User"] not in ("", "root", "0"), service
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert host["Memory"] > 0, service
        assert host["PidsLimit"] > 0, service
        assert host["LogConfig"]["Config"]["max-size"], service
        if service in WORKERS:
            (temporary,) = (mount for mount in container["Mounts"] if mount["Destination"] == TEMPORARY)
            assert temporary["Type"] == "volume", service
            assert not host.get("Tmpfs"), service
        for port, addresses in (host["PortBindings"] or {}).items():
            published[service, port] = {address["HostIp"] for address in addresses}
    assert published == {("api-server", "8080/tcp"): {"127.0.0.1"}}


def test_no_secret_was_in_the_list_of_processes(stack: ComposeStack, watched: WatchedProcesses) -> None:
    assert any(b"deployment.container.initialise" in line for line in watched.command_lines)
    assert any(b"deployment.container.local_setup" in line for line in watched.command_lines)
    shown = {
        name
        for name, secret in stack.secrets().items()
        for line in watched.command_lines
        if secret.encode() in line
    }
    assert not shown


@pytest.mark.parametrize("service", sorted({*HOLDS} - {*ENDING, *BY_HAND}))
def test_each_process_has_the_secrets_of_its_service_and_no_other(stack: ComposeStack, service: str) -> None:
    """Those of services that have ended are in the compose file's test."""
    environments = stack.environments(service)
    assert "PATH=" in environments
    assert {name for name, secret in stack.secrets().items() if secret in environments} == HOLDS[service]


GUEST = """
import os, psycopg
dsn = os.environ['AIRFLOW__DATABASE__SQL_ALCHEMY_CONN'].replace('+psycopg2', '')
with psycopg.connect(dsn, autocommit=True) as connection:
    for statement in ({statements}):
        try:
            connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege:
            print('refused')
        else:
            print('done')
"""


@pytest.mark.parametrize("service", ["dag-processor", "triggerer"])
def test_who_has_airflows_database_as_a_guest_makes_nobody_an_administrator(
    stack: ComposeStack, service: str
) -> None:
    statements = (
        "SELECT count(*) FROM job",
        "SELECT password FROM ab_user",
        "INSERT INTO ab_user_role (user_id, role_id) VALUES (1, 1)",
        "UPDATE connection SET host = 'elsewhere'",
        "CREATE TABLE mine (id int)",
    )
    program = GUEST.format(statements=", ".join(map(repr, statements)))
    assert stack.python(service, program).split() == ["done", *["refused"] * 4]


def test_the_role_that_workers_have_reaches_one_database_alone(stack: ComposeStack) -> None:
    reached = {
        row["datname"]: row["may"]
        for row in stack.query(
            "SELECT datname, has_database_privilege('nightsort', datname, 'CONNECT') AS may FROM pg_database"
            " WHERE datname IN ('airflow', 'nightsort')",
            "postgres",
        )
    }
    assert reached == {"airflow": False, "nightsort": True}


def test_init_made_the_pool_and_nobody_gets_in_without_the_password(stack: ComposeStack) -> None:
    pools = stack.query(
        "SELECT slots, include_deferred FROM slot_pool WHERE pool = 'comprehend_jobs'", "airflow"
    )
    assert pools == [{"slots": 10, "include_deferred": True}]
    assert {dag.dag_id for dag in stack.api().dags()} >= {TRAIN, CLASSIFY}


def test_both_dags_run(stack: ComposeStack) -> None:
    stack.succeed(stack.start_run(TRAIN, {}))
    stack.succeed(stack.start_run(CLASSIFY, {"day": FIRST}))
    assert adds_up(stack, FIRST)


RESULTS = """
import json, os, redis
results = redis.from_url(os.environ['AIRFLOW__CELERY__RESULT_BACKEND'])
states = {json.loads(results.get(key))['status'] for key in results.keys('celery-task-meta-*')}
print(*states)
"""


def test_what_workers_tell_the_scheduler_is_json(stack: ComposeStack) -> None:
    assert stack.python("scheduler", RESULTS).split() == ["SUCCESS"]


def test_the_doctor_finds_nothing_missing_as_a_service_and_as_a_dag(stack: ComposeStack) -> None:
    print(stack.doctor())
    stack.succeed(stack.start_run("nightsort_doctor", {}))


def test_what_tasks_need_is_imported_before_a_worker_forks(stack: ComposeStack) -> None:
    for worker in WORKERS:
        process = Path("/proc", str(stack.inspect(worker)["State"]["Pid"]))
        (celery,) = (process / "task" / process.name / "children").read_text(encoding="ascii").split()
        assert "pyarrow" in Path("/proc", celery, "maps").read_text(encoding="utf-8")


def test_a_worker_killed_in_the_middle_of_a_job_is_replaced_within_a_minute_and_nothing_is_paid_twice(
    stack: ComposeStack,
) -> None:
    before, task = stack.jobs(), "classify_batch.start_job"
    # The job is started, and the task waits for the answer: the most expensive moment to die.
    stack.inject("hang_after", operation="StartDocumentClassificationJob", seconds=240)
    run = stack.start_run(CLASSIFY, {"day": SECOND})
    wait_until("a job is started", lambda: bool(jobs_of(stack, before)), within=120)
    number, state, worker = stack.try_of(run, task)
    assert (number, state) == (1, "running")
    # Workers serve no logs, which would need a key of the API server's: it reads them from their volume.
    (line, *_) = stack.log_lines(run, task)
    assert "served logs" not in line
    # As the batches of a task that is killed.
    stack.inside(worker, "touch", f"{TEMPORARY}/left-behind")
    stack.kill(worker)
    killed = time.monotonic()
    wait_until("another try", lambda: stack.try_of(run, task)[:2] in TAKEN_OVER, within=90)
    seconds = time.monotonic() - killed
    print(f"\n{worker} was killed; another try ran {seconds:.0f} s later")
    assert seconds < 60
    stack.succeed(run)
    assert adds_up(stack, SECOND)
    assert len(jobs_of(stack, before)) == 1
    wait_until("the killed worker is back", lambda: worker not in stack.unready(), within=180)
    assert "left-behind" not in stack.inside(worker, "ls", TEMPORARY)


def test_a_night_outlives_a_restart_of_the_scheduler_and_of_postgresql(stack: ComposeStack) -> None:
    before = stack.jobs()
    # Long enough for both to be restarted while it runs.
    stack.inject("stuck", resource="job", seconds=20)
    run = stack.start_run(CLASSIFY, {"day": THIRD})
    wait_until("a job is started", lambda: bool(jobs_of(stack, before)), within=120)
    stack.compose("restart", "--timeout", "20", "postgres", "scheduler")
    stack.succeed(run)
    assert adds_up(stack, THIRD)
    assert len(jobs_of(stack, before)) == 1


def test_after_down_and_up_everything_is_still_there(stack: ComposeStack) -> None:
    def everything() -> tuple[object, ...]:
        return (
            stack.query("SELECT * FROM nightsort.predictions ORDER BY run_key, batch, line"),
            stack.query("SELECT dag_id, run_id, state FROM dag_run ORDER BY run_id", "airflow"),
            stack.jobs(),
        )

    before = everything()
    stack.compose("down", "--timeout", "30")
    stack.up()
    assert everything() == before
    assert not [service for service in ENDING if stack.inspect(service)["State"]["ExitCode"]]
