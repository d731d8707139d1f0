"""Where the trip meets people: they are asked about money, told of bad nights, and read the logs."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from sample_stack import FIRST, SERVICES, TOPICS, comprehend

from include.local_stack import postgres, sample_corpus
from include.local_stack.environment import SECRET_KEY
from include.local_stack.home import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from include.local_stack.stack import LocalStack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def spec_like(stack: LocalStack, specs: Path, sample: str, name: str, **keys: str) -> Path:
    """Write a spec on the sample's documents under another name, and wait until Airflow has its DAGs."""
    file = specs / f"{name}.yaml"
    text = (specs / f"{sample}.yaml").read_text(encoding="utf-8")
    text = text.replace(f"name: {sample}", f"name: {name}").replace(f"{sample}/work", f"{name}/work")
    kept = [line for line in text.splitlines() if line.partition(":")[0] not in keys]
    file.write_text("\n".join([*kept, *(f"{key}: {value}" for key, value in keys.items()), ""]), "utf-8")
    for dag_id in (f"train_{name}", f"classify_{name}"):
        until(lambda dag_id=dag_id: stack.api.dag(dag_id), f"{dag_id} is not parsed")  # type: ignore[misc]
        stack.api.unpause(dag_id)
    return file


def until(found: Callable[[], Any], problem: str, seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, problem
        time.sleep(0.3)
    return result


SCHEDULED_RUN = """
from datetime import datetime, timedelta, timezone
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
due = datetime.now(timezone.utc).replace(hour=2, minute=0, second=0, microsecond=0) - timedelta(days=1)
with create_session() as session:
    SerializedDagModel.get_dag("classify_late", session=session).create_dagrun(
        run_id="scheduled__night", logical_date=due - timedelta(days=1), run_after=due,
        data_interval=(due - timedelta(days=1), due), run_type=DagRunType.SCHEDULED,
        triggered_by=DagRunTriggeredByType.TEST, state=DagRunState.QUEUED, session=session,
    )
"""


def test_a_night_that_is_late_and_fails_is_told_to_the_specs_notifier(
    trained_topics: LocalStack, specs: Path, tmp_path: Path
) -> None:
    """The run is made as the scheduler makes it, due yesterday at two; the stack itself starts none."""
    told = tmp_path / "told.txt"
    text = "{{ nightsort.event }} {{ nightsort.classifier }} {{ dag_run.dag_id }} {{ dag_run.run_id }}"
    notifier = (
        f'{{import_path: tests.file_notifier.FileNotifier, arguments: {{path: {told}, text: "{text}"}}}}'
    )
    spec = spec_like(trained_topics, specs, SERVICES, "late", loaded_by='"06:30"', notifiers=f"[{notifier}]")
    try:
        subprocess.run(
            [sys.executable, "-c", SCHEDULED_RUN],
            env=trained_topics.environment(),
            cwd=REPOSITORY,
            check=True,
        )
        lines = until(
            lambda: (
                told.exists() and len(told.read_text().splitlines()) >= 2 and told.read_text().splitlines()
            ),
            "nobody was told",
        )
        assert sorted(lines) == [
            "failed late classify_late scheduled__night",
            "late late classify_late scheduled__night",
        ]
    finally:
        spec.unlink()


def test_a_person_is_asked_above_the_budget_and_nobody_within_it(
    trained_topics: LocalStack, specs: Path
) -> None:
    stack = trained_topics
    budget = "{training_usd: 0.01, when_over: ask}"
    spec = spec_like(stack, specs, TOPICS, "asking", budget=budget)

    def question(run_id: str) -> Any:
        path = f"/dags/train_asking/dagRuns/{run_id}/hitlDetails"
        found = stack.api._json("GET", path, params={"response_received": False})["hitl_details"]
        return found[0] if found else None

    def answer(run_id: str, option: str) -> None:
        path = f"/dags/train_asking/dagRuns/{run_id}/taskInstances/approve_cost/-1/hitlDetails"
        stack.api._json("PATCH", path, json={"chosen_options": [option], "params_input": {}})

    def over(run_id: str) -> Any:
        run = stack.api.run("train_asking", run_id)
        return run if run.is_over else None

    try:
        run_id = stack.api.trigger("train_asking", {}).run_id
        asked = until(lambda: question(run_id), "nobody is asked")
        assert asked["subject"] == "Approve the cost of a training of asking"
        assert "| budget | 0.01 USD |" in asked["body"]
        assert not [name for name in trained_versions(stack) if name == "asking"]
        answer(run_id, "Reject")
        assert until(lambda: over(run_id), "the run does not end").state == "failed"

        body = {"task_ids": ["approve_cost"], "dag_run_id": run_id, "dry_run": False}
        body |= {"include_downstream": True, "only_failed": False, "reset_dag_runs": True}
        stack.api._json("POST", "/dags/train_asking/clearTaskInstances", json=body)
        until(lambda: question(run_id), "nobody is asked again")
        answer(run_id, "Approve")
        assert until(lambda: over(run_id), "the run does not end", 180).state == "success"
        assert trained_versions(stack) >= {"asking"}

        night = stack.run_dag("classify_asking", {"day": FIRST.isoformat()})
        assert night.succeeded, night.log_tails
        (approval,) = (task for task in night.tasks if task.task_id == "approve_cost")
        assert approval.state == "success"
        assert approval.seconds is not None
        print(f"approve_cost within the budget took {approval.seconds:.2f} s")
    finally:
        spec.unlink()


def trained_versions(stack: LocalStack) -> set[str]:
    found = comprehend(stack).list_document_classifiers()["DocumentClassifierPropertiesList"]
    return {model["DocumentClassifierArn"].split("/")[1] for model in found}


def test_no_text_and_no_secret_is_in_the_logs_or_in_airflows_database(trained_topics: LocalStack) -> None:
    """Of all that ran before: two trainings, several nights, runs that failed."""
    documents = [*sample_corpus.aws_services().incoming[FIRST], *sample_corpus.aws_topics().incoming[FIRST]]
    canaries = {document.text[:60] for document in documents if len(document.text) > 80}
    assert len(canaries) > 100
    places = {
        str(file): file.read_text(encoding="utf-8", errors="replace")
        for file in trained_topics.home.logs.rglob("*.log*")
        if "local_aws" not in file.name
    }
    assert any("prepare_batches" in name for name in places)
    with postgres.connect(trained_topics.home, "airflow") as connection:
        for table in ("xcom", "rendered_task_instance_fields", "task_state_store", "deadline", "callback"):
            rows = connection.execute(f"SELECT t::text FROM {table} t").fetchall()  # noqa: S608
            places[table] = "\n".join(row[0] for row in rows)
    assert "batch" in places["xcom"]
    assert "documents_in" in places["xcom"]
    assert "run_key" in places["rendered_task_instance_fields"]
    for place, text in places.items():
        assert SECRET_KEY not in text, place
        assert not [canary for canary in canaries if canary in text], place
