"""What dies on a real Airflow in the middle of a night, and how long until all is well again by itself."""

from __future__ import annotations

import json
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import psutil
import psycopg
import pytest

from nightsort_local import postgres
from nightsort_local.local_aws.control.client import LocalAwsControl
from nightsort_local.stack_settings import ADMIN
from tests.made_texts import WORDS, nightly_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nightsort_local.stack import LocalStack

    Told = Callable[[str, float], None]

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1_800)]

BUCKET = "nights"
DAY = "2026-11-18"
ROLE = "arn:aws:iam::123456789012:role/NightsortComprehendDataAccess"
DOCUMENTS = 30
LONGEST_SECONDS = 600
TRAINED = "triggerer"
NIGHTS = ("aws", "postgres", "scheduler", "task", "worker", "clear", "again")
START_JOB, LOAD = "classify_batch.start_job", "classify_batch.load_predictions"
# The threshold is some times the heartbeat: a scheduler that takes itself for dead resets its own tasks.
PATIENCE = {"task_instance_heartbeat_timeout": 30, "task_instance_heartbeat_timeout_detection_interval": 2,
            "scheduler_heartbeat_sec": 1, "scheduler_health_check_threshold": 30,
            "orphaned_tasks_check_interval": 5}  # fmt: skip


@pytest.fixture(scope="module")
def specs(make_home: Callable[[str], Path]) -> Path:
    """A folder with a small classifier for each disaster."""
    folder = make_home("crash-specs")
    folder.mkdir()
    for name in (TRAINED, *NIGHTS):
        (folder / f"{name}.yaml").write_text(nightly_spec(name, BUCKET, ROLE))
    return folder


class Airflow:
    """The stack's Airflow, as a user sees it and as a crash finds it."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.aws = LocalAwsControl(stack.aws_url, stack.aws_key)
        self._client = httpx.Client(base_url=stack.airflow_url, timeout=240, trust_env=False)
        token = self._client.post("/auth/token", json={"username": ADMIN, "password": stack.password})
        self._client.headers["Authorization"] = f"Bearer {token.json()['access_token']}"

    def ask(self, method: str, path: str, content: Any = None) -> Any:
        """Use the REST API, as the UI does."""
        answer = self._client.request(method, f"/api/v2{path}", json=content)
        assert not answer.is_error, answer.text
        return answer.json()

    def query(self, statement: str, *values: Any, database: str = "nightsort") -> list[tuple[Any, ...]]:
        with postgres.connect(self.stack.home, database) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def begin(self, dag_id: str) -> str:
        """Start a run by hand."""
        self.ask("PATCH", f"/dags/{dag_id}", {"is_paused": False})
        # The labelled source has no day, so the other DAG has no such Param and refuses it.
        given = {"day": DAY} if dag_id.startswith("classify_") else {}
        body = {"logical_date": None, "conf": given}
        return str(self.ask("POST", f"/dags/{dag_id}/dagRuns", body)["dag_run_id"])

    def task(self, dag_id: str, task_id: str) -> tuple[str | None, int, int | None]:
        """State, try and process of the only instance of a task."""
        ((state, attempt, pid),) = self.query(
            "SELECT state, try_number, pid FROM task_instance WHERE dag_id = %s AND task_id = %s"
            " ORDER BY map_index DESC LIMIT 1",
            dag_id,
            task_id,
            database="airflow",
        )
        return state, attempt, pid

    def process_of(self, dag_id: str, task_id: str) -> psutil.Process:
        """The process of a task, as soon as it runs."""
        found: list[int] = []

        def runs() -> bool:
            state, _, pid = self.task(dag_id, task_id)
            # Without a number psutil would give the process of the tests themselves, to be killed.
            found[:] = [pid] if state == "running" and pid else []
            return bool(found)

        wait_until(runs, f"{task_id} of {dag_id} runs")
        return psutil.Process(found[0])

    def wait_until_task(self, dag_id: str, task_id: str, state: str) -> None:
        wait_until(lambda: self.task(dag_id, task_id)[0] == state, f"{task_id} of {dag_id} {state}")

    def wait_until_done(self, dag_id: str, runs: int = 1) -> None:
        statement = "SELECT state FROM dag_run WHERE dag_id = %s"
        done = [("success",)] * runs
        wait_until(
            lambda: self.query(statement, dag_id, database="airflow") == done,
            f"{runs} successful runs of {dag_id}",
        )

    def jobs(self, name: str) -> int:
        """How many jobs a classifier has, of whatever state."""
        pages = self._comprehend().get_paginator("list_document_classification_jobs").paginate()
        jobs = [job for page in pages for job in page["DocumentClassificationJobPropertiesList"]]
        return sum(job["JobName"].startswith(f"{name}-") for job in jobs)

    def trainings(self, name: str) -> int:
        """How many versions a classifier has, of whatever state."""
        answer = self._comprehend().list_document_classifiers(Filter={"DocumentClassifierName": name})
        return len(answer["DocumentClassifierPropertiesList"])

    def _comprehend(self) -> Any:
        return client(self.stack, "comprehend")

    def seconds_until_done(self, dag_id: str, since: float) -> float:
        """The seconds from a moment to the end of a run that is over."""
        ((ago,),) = self.query(
            "SELECT extract(epoch FROM now() - end_date)::float8 FROM dag_run WHERE dag_id = %s",
            dag_id,
            database="airflow",
        )
        return time.monotonic() - since - float(ago)

    def kill(self, component: str) -> float:
        """Kill a component of the stack; its supervisor starts it anew. Give the moment."""
        wait_until(lambda: self.stack.status()[component].pid > 0, f"{component} runs")
        psutil.Process(self.stack.status()[component].pid).kill()
        return time.monotonic()

    @contextmanager
    def table_locked(self) -> Iterator[None]:
        """Let every load stand still in its transaction; what only reads goes on."""
        with postgres.connect(self.stack.home, "nightsort") as connection, connection.transaction():
            connection.execute("LOCK TABLE nightsort.predictions IN EXCLUSIVE MODE")
            yield

    def wait_until_loads_stand_still(self, loads: int) -> None:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = 'nightsort' AND wait_event_type = 'Lock'"
        )
        wait_until(lambda: self.query(waiting) == [(loads,)], f"{loads} loads at the lock")


def client(stack: LocalStack, service: Any) -> Any:
    return boto3.client(
        service,
        endpoint_url=stack.aws_url,
        region_name="us-east-1",
        aws_access_key_id=stack.aws_key[0],
        aws_secret_access_key=stack.aws_key[1],
    )


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LONGEST_SECONDS
    while True:
        try:
            if condition():
                return
        except (psycopg.OperationalError, ValueError):
            pass  # PostgreSQL is on its way up, or there is no such task yet.
        assert time.monotonic() < end, f"not in {LONGEST_SECONDS} s: {what}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def airflow(whole_stack: LocalStack) -> Airflow:
    """A stack with documents, and a version for each classifier; it notices deaths sooner than by default."""
    found = Airflow(whole_stack)
    s3 = client(whole_stack, "s3")
    s3.create_bucket(Bucket=BUCKET)
    labelled = [{"label": label, "text": f"{words} {n}"} for n in range(15) for label, words in WORDS.items()]
    incoming = [{"id": f"d{n}", "text": f"{list(WORDS.values())[n % 3]} {n}"} for n in range(DOCUMENTS)]
    for key, rows in (("labelled/a.jsonl", labelled), (f"incoming/{DAY}/a.jsonl", incoming)):
        s3.put_object(Bucket=BUCKET, Key=key, Body="".join(json.dumps(row) + "\n" for row in rows).encode())
    settings = whole_stack.home.airflow_home / "airflow.cfg"
    text = settings.read_text(encoding="utf-8")
    kept = [line for line in text.splitlines() if line.partition(" ")[0] not in PATIENCE]
    place = kept.index("[scheduler]") + 1
    kept[place:place] = [f"{name} = {seconds}" for name, seconds in PATIENCE.items()]
    settings.write_text("\n".join(kept) + "\n", encoding="utf-8")
    found.kill("scheduler")
    ours = {f"{kind}_{name}" for kind in ("train", "classify") for name in (TRAINED, *NIGHTS)}
    wait_until(lambda: ours <= {dag["dag_id"] for dag in found.ask("GET", "/dags")["dags"]}, "all DAGs")
    return found


@pytest.fixture(scope="module")
def trained(airflow: Airflow) -> float:
    """A version for all classifiers; give the seconds that its training took after the triggerer's death."""
    dag_id = f"train_{TRAINED}"
    with airflow.aws.injected("stuck", resource="training", name=TRAINED, times=None):
        airflow.begin(dag_id)
        airflow.wait_until_task(dag_id, "wait_for_training", "deferred")
        killed = airflow.kill("triggerer")
    airflow.wait_until_done(dag_id)
    seconds = time.monotonic() - killed
    for name in NIGHTS:
        airflow.query(
            "INSERT INTO nightsort.classifier_versions (classifier, version, arn, mode, language, active)"
            " SELECT %s, version, arn, mode, language, active FROM nightsort.classifier_versions"
            " WHERE classifier = %s RETURNING 1",
            name,
            TRAINED,
        )
    return seconds


@pytest.fixture(scope="module")
def struck_while_loading(airflow: Airflow, trained: float) -> dict[str, float]:
    """When the task of one night was killed, and the worker of another, in the middle of their loads."""
    names, moments = ("task", "worker"), {}
    with airflow.table_locked():
        for name in names:
            airflow.begin(f"classify_{name}")
        airflow.wait_until_loads_stand_still(len(names))
        for name in names:
            task = airflow.process_of(f"classify_{name}", LOAD)
            victims = [task] if name == "task" else [psutil.Process(task.ppid()), task]
            for victim in victims:
                victim.send_signal(signal.SIGKILL)
            moments[name] = time.monotonic()
    return moments


@pytest.fixture
def told(record_property: Callable[[str, object], None]) -> Told:
    """Takes what was killed, and the seconds until the run was done, for the end of the tests' output."""
    return lambda what, seconds: record_property("recovery", [what, seconds])


def begin_and_wait(airflow: Airflow, name: str) -> None:
    """Start a night whose job does not end, and wait until it is waited for."""
    airflow.begin(f"classify_{name}")
    airflow.wait_until_task(f"classify_{name}", START_JOB, "deferred")


def check_night(airflow: Airflow, name: str) -> None:
    """One job, every document with its label, sums that add up."""
    assert airflow.jobs(name) == 1
    sums = airflow.query(
        "SELECT state, documents_in, classified, failed, rejected FROM nightsort.classification_runs"
        " WHERE classifier = %s",
        name,
    )
    assert sums == [("complete", DOCUMENTS, DOCUMENTS, 0, 0)]
    rows = airflow.query(
        "SELECT document_id, label FROM nightsort.predictions WHERE classifier = %s ORDER BY line", name
    )
    assert rows == [(f"d{n}", list(WORDS)[n % 3]) for n in range(DOCUMENTS)]


def test_a_training_goes_on_when_the_triggerer_that_waits_for_it_is_killed(
    airflow: Airflow, trained: float, told: Told
) -> None:
    told("the triggerer, while a training is waited for", trained)
    assert airflow.trainings(TRAINED) == 1
    assert airflow.query(
        "SELECT active FROM nightsort.classifier_versions WHERE classifier = %s", TRAINED
    ) == [(True,)]


def test_a_night_goes_on_when_the_local_aws_is_killed_under_its_job(
    airflow: Airflow, struck_while_loading: dict[str, float], told: Told
) -> None:
    # The fault dies with the server that it was told to.
    airflow.aws.inject("stuck", resource="job", name="aws-", times=None)
    begin_and_wait(airflow, "aws")
    killed = airflow.kill("local_aws")
    airflow.wait_until_done("classify_aws")
    told("the local AWS, while a job is waited for", time.monotonic() - killed)
    check_night(airflow, "aws")


def test_a_cleared_task_takes_its_job_over(
    airflow: Airflow, struck_while_loading: dict[str, float], told: Told
) -> None:
    with airflow.aws.injected("stuck", resource="job", name="clear-", times=None):
        begin_and_wait(airflow, "clear")
        airflow.ask(
            "POST",
            "/dags/classify_clear/clearTaskInstances",
            {"dry_run": False, "task_ids": [START_JOB], "only_failed": False},
        )
        cleared = time.monotonic()
        wait_until(lambda: airflow.task("classify_clear", START_JOB)[1] > 1, "a second try")
        airflow.wait_until_task("classify_clear", START_JOB, "deferred")
    airflow.wait_until_done("classify_clear")
    told("a clear over the REST API, while a job is waited for", time.monotonic() - cleared)
    check_night(airflow, "clear")


def test_a_second_run_of_the_day_and_a_backfill_over_it_change_nothing_and_cost_nothing(
    airflow: Airflow, struck_while_loading: dict[str, float]
) -> None:
    airflow.begin("classify_again")
    airflow.begin("classify_again")
    airflow.wait_until_done("classify_again", runs=2)
    check_night(airflow, "again")
    backfill = {
        "dag_id": "classify_again",
        "from_date": f"{DAY}T00:00:00Z",
        "to_date": f"{DAY}T23:00:00Z",
        "reprocess_behavior": "completed",
        "max_active_runs": 1,
    }
    airflow.ask("POST", "/backfills", backfill)
    airflow.wait_until_done("classify_again", runs=3)
    check_night(airflow, "again")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("task", "the task, in the middle of a load (30 s of it are the retry's delay)"),
        ("worker", "the worker, in the middle of a load"),
    ],
)
def test_a_load_is_done_again_after_a_kill(
    airflow: Airflow, struck_while_loading: dict[str, float], name: str, what: str, told: Told
) -> None:
    airflow.wait_until_done(f"classify_{name}")
    told(what, airflow.seconds_until_done(f"classify_{name}", struck_while_loading[name]))
    check_night(airflow, name)


def test_a_night_goes_on_when_postgresql_is_killed(airflow: Airflow, trained: float, told: Told) -> None:
    """It holds Airflow's own database too: scheduler and triggerer go down with it."""
    with airflow.aws.injected("stuck", resource="job", name="postgres-", times=None):
        begin_and_wait(airflow, "postgres")
        killed = airflow.kill("postgres")
    airflow.wait_until_done("classify_postgres")
    told("PostgreSQL with Airflow's own database, while a job is waited for", time.monotonic() - killed)
    check_night(airflow, "postgres")


def test_a_night_goes_on_when_the_scheduler_is_killed_with_all_below_it(
    airflow: Airflow, trained: float, told: Told
) -> None:
    with airflow.table_locked():
        airflow.begin("classify_scheduler")
        airflow.wait_until_loads_stand_still(1)
        scheduler = psutil.Process(airflow.stack.status()["scheduler"].pid)
        for process in [scheduler, *scheduler.children(recursive=True)]:
            process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
    airflow.wait_until_done("classify_scheduler")
    told("the scheduler with its workers and a task in the middle of a load", time.monotonic() - killed)
    check_night(airflow, "scheduler")
