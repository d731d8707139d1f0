"""docker-compose.yaml, run: both DAGs, a killed worker, restarts, and the data after them.

The tests follow one another. `make compose-test` runs them; docs/deployment.md says what came of it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nightsort_local import sample_corpus
from tests.compose.compose_stack import ENDING, WORKERS, wait_until

if TYPE_CHECKING:
    from tests.compose.compose_stack import ComposeStack

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1800)]

CLASSIFIER = "aws-services"
TRAIN, CLASSIFY = f"train_{CLASSIFIER}", f"classify_{CLASSIFIER}"
FIRST, SECOND, THIRD = (day.isoformat() for day in sample_corpus.days()[:3])
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
        for port, addresses in (host["PortBindings"] or {}).items():
            published[service, port] = {address["HostIp"] for address in addresses}
    assert published == {("api-server", "8080/tcp"): {"127.0.0.1"}}


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


def test_the_doctor_finds_nothing_missing_from_a_shell_and_as_a_dag(stack: ComposeStack) -> None:
    report = stack.inside("worker-1", "python", "-m", "nightsort", "doctor")
    print(report)
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
