"""The whole trip through the real scheduler and triggerer, on both samples, as a person takes it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from nightsort_local import postgres, sample_corpus
from nightsort_local.airflow_api import AirflowApi
from nightsort_local.dag_runs import Silent, run_and_follow
from nightsort_local.home import REPOSITORY, SAMPLES
from tests.e2e.sample_stack import (
    DAGS,
    FIRST,
    SECOND,
    SERVICES,
    TOPICS,
    command,
    comprehend,
    job_ids,
    predictions,
    query,
    question,
    spec_like,
    until,
)
from tests.unreliable_server import unreliable

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort_local.stack import LocalStack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_800)]


@pytest.fixture(scope="module")
def first_demo(whole_stack: LocalStack) -> subprocess.CompletedProcess[str]:
    """What the first `make run` prints."""
    return command(whole_stack, "demo")


@pytest.fixture(scope="module")
def trained_topics(whole_stack: LocalStack, first_demo: subprocess.CompletedProcess[str]) -> LocalStack:
    """The stack with the sample uploaded and the multi-label classifier trained."""
    result = whole_stack.run_dag(f"train_{TOPICS}")
    assert result.succeeded, result.log_tails
    return whole_stack


def test_airflow_has_two_dags_for_each_spec_and_no_import_error(whole_stack: LocalStack) -> None:
    until(lambda: {dag.dag_id for dag in whole_stack.api.dags()} == DAGS, "the DAGs are others")
    assert whole_stack.api.import_problems() == []


def test_the_demo_trains_classifies_and_says_what_came_of_it(
    first_demo: subprocess.CompletedProcess[str], whole_stack: LocalStack
) -> None:
    told = first_demo.stdout
    assert first_demo.returncode == 0, told + first_demo.stderr
    assert "✔ train_aws-services" in told
    assert "✔ classify_aws-services" in told
    assert f"aws-services, {FIRST}, version v" in told
    found = re.search(r"accuracy (\d\.\d+), macro-F1 (\d\.\d+)", told)
    assert found is not None
    # 36 services, by guessing 0.03.
    assert min(float(found[1]), float(found[2])) > 0.6
    assert whole_stack.airflow_url in told
    assert whole_stack.password in told
    for way_on in ("psql -c", "make run", "make stop"):
        assert way_on in told


def test_every_document_of_the_night_is_accounted_for(
    first_demo: subprocess.CompletedProcess[str], whole_stack: LocalStack
) -> None:
    ((documents_in, classified, failed, rejected, reasons, state),) = query(
        whole_stack,
        "SELECT documents_in, classified, failed, rejected, reasons, state FROM nightsort.classification_runs"
        " WHERE classifier = %s AND day = %s",
        SERVICES,
        FIRST,
    )
    assert state == "complete"
    assert documents_in == classified + failed + rejected == len(predictions(whole_stack, SERVICES, FIRST))
    # The sample holds one blank document and one doubled id a night, on purpose.
    assert (failed, reasons) == (0, {"blank": 1, "duplicate_id": 1})


def test_a_second_demo_takes_the_next_day_and_trains_nothing(
    first_demo: subprocess.CompletedProcess[str], whole_stack: LocalStack
) -> None:
    second = command(whole_stack, "demo")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "The local stack was already up" in second.stdout
    assert "train_" not in second.stdout.split("What the same")[0]
    assert f"aws-services, {SECOND}, version v" in second.stdout


def test_the_same_night_again_leaves_the_same_table_and_starts_no_second_job(
    first_demo: subprocess.CompletedProcess[str], whole_stack: LocalStack
) -> None:
    before, jobs = predictions(whole_stack, SERVICES, FIRST), job_ids(whole_stack)
    again = command(whole_stack, "run-dag", f"classify_{SERVICES}", "--conf", f'{{"day": "{FIRST}"}}')
    assert again.returncode == 0, again.stdout + again.stderr
    assert predictions(whole_stack, SERVICES, FIRST) == before
    assert job_ids(whole_stack) == jobs


def test_a_night_is_followed_through_an_api_server_that_is_slow_and_drops_every_third_request(
    first_demo: subprocess.CompletedProcess[str], whole_stack: LocalStack
) -> None:
    dag_id, conf = f"classify_{SERVICES}", {"day": FIRST.isoformat()}
    dag = whole_stack.api.dag(dag_id)
    assert dag is not None
    count = "SELECT count(*) FROM dag_run WHERE dag_id = %s"
    with postgres.connect(whole_stack.home, "airflow") as airflow:
        before = airflow.execute(count, [dag_id]).fetchone()
        upstream = httpx.Client(base_url=whole_stack.api.url, timeout=240, trust_env=False)
        with unreliable(upstream, seconds=0.1, drop=lambda number: number % 3 == 0) as url:
            api = AirflowApi(url, whole_stack.password)
            result = run_and_follow(api, dag, conf, timeout=1_200, observer=Silent())
        after = airflow.execute(count, [dag_id]).fetchone()
    assert result.succeeded, result.log_tails
    assert before is not None
    assert after == (before[0] + 1,)


def test_a_misspelt_param_and_the_dag_of_a_broken_spec_are_refused_before_a_run_begins(
    first_demo: subprocess.CompletedProcess[str], whole_stack: LocalStack, specs: Path
) -> None:
    misspelt = command(whole_stack, "run-dag", f"classify_{SERVICES}", "--conf", '{"dya": "2026-11-01"}')
    assert misspelt.returncode == 1
    assert f'classify_{SERVICES} has no Param "dya". Did you mean "day"?' in misspelt.stderr
    sample = (SAMPLES / f"{SERVICES}.yaml").read_text(encoding="utf-8")
    broken = specs / "misread.yaml"
    broken.write_text(sample.replace(f"name: {SERVICES}", "name: misread").replace("MULTI_CLASS", "MANY"))
    try:
        refused = command(whole_stack, "run-dag", "train_misread")
    finally:
        broken.unlink()
    assert refused.returncode == 1
    assert f'{broken}: mode: "MANY" is not a value for mode' in refused.stderr


def test_the_same_training_again_finds_the_version_that_is_there(
    first_demo: subprocess.CompletedProcess[str], whole_stack: LocalStack
) -> None:
    statement = "SELECT version, arn, active FROM nightsort.classifier_versions WHERE classifier = %s"
    before = query(whole_stack, statement, SERVICES)
    trained = comprehend(whole_stack).describe_document_classifier(DocumentClassifierArn=before[0][1])
    result = whole_stack.run_dag(f"train_{SERVICES}")
    assert result.succeeded, result.log_tails
    assert query(whole_stack, statement, SERVICES) == before
    after = comprehend(whole_stack).describe_document_classifier(DocumentClassifierArn=before[0][1])
    times = [described["DocumentClassifierProperties"]["TrainingEndTime"] for described in (trained, after)]
    assert times[0] == times[1]


def test_a_multi_label_classifier_with_one_document_per_file(trained_topics: LocalStack) -> None:
    result = trained_topics.run_dag(f"classify_{TOPICS}", {"day": FIRST.isoformat()})
    assert result.succeeded, result.log_tails
    rows = predictions(trained_topics, TOPICS, FIRST)
    documents = sample_corpus.aws_topics().incoming[FIRST]
    assert {row[2] for row in rows} == {f"{FIRST}/{document.document_id}" for document in documents}
    assert {row[3] for row in rows} == {"classified"}
    several = [row for row in rows if len(row[8]) > 1]
    assert len(several) > len(rows) / 2, "most documents have an action and at least one field"


def test_nothing_runs_that_nobody_started(trained_topics: LocalStack) -> None:
    with postgres.connect(trained_topics.home, "airflow") as connection:
        kinds = connection.execute("SELECT DISTINCT run_type FROM dag_run").fetchall()
        unpaused = connection.execute("SELECT count(*) FROM dag WHERE NOT is_paused").fetchone()
    assert kinds == [("manual",)]
    assert unpaused == (4,), "and yet no nightly run has started"


def test_the_doctor_finds_the_stack_well_from_a_shell_from_a_worker_and_from_the_triggerer(
    trained_topics: LocalStack,
) -> None:
    told = command(trained_topics, "doctor", "--json")
    report = json.loads(told.stdout)
    unwell = [finding for finding in report["findings"] if finding["state"] != "ok"]
    assert (told.returncode, unwell) == (0, []), told.stderr
    assert {"scheduler", "triggerer", "pool comprehend_jobs"} <= {
        line["subject"] for line in report["findings"]
    }
    assert trained_topics.aws_key[1] not in told.stdout + told.stderr
    result = trained_topics.run_dag("nightsort_doctor")
    assert result.succeeded, result.log_tails
    (log,) = trained_topics.home.airflow_logs.rglob("dag_id=nightsort_doctor/**/attempt=1.log")
    lines = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    triggerer = lines[lines.index("triggerer") + 1 :][:2]
    assert triggerer[0].startswith("  ok          answers"), lines
    assert triggerer[1].startswith("  ok          aws_default: Comprehend"), lines


def test_a_classifier_without_a_version_fails_at_once_and_names_the_dag_that_trains_it(
    whole_stack: LocalStack, specs: Path, first_demo: subprocess.CompletedProcess[str]
) -> None:
    untrained = specs / "untrained.yaml"
    sample = (SAMPLES / f"{SERVICES}.yaml").read_text(encoding="utf-8")
    untrained.write_text(
        sample.replace(f"name: {SERVICES}", "name: untrained").replace(f"{SERVICES}/work", "untrained/work"),
        encoding="utf-8",
    )
    try:
        failed = command(whole_stack, "run-dag", "classify_untrained", "--conf", f'{{"day": "{FIRST}"}}')
    finally:
        untrained.unlink()
    assert failed.returncode == 1
    assert "The end of the log of prepare_batches" in failed.stdout
    assert "train_untrained" in failed.stdout
    assert "classify_untrained failed." in failed.stdout


def test_a_broken_spec_shows_as_an_import_error_and_hurts_no_other(
    whole_stack: LocalStack, specs: Path
) -> None:
    broken = specs / "broken.yaml"
    broken.write_text("name: broken\nmode: MULTI_CLAS\n", encoding="utf-8")
    try:
        problems = until(whole_stack.api.import_problems, "the broken spec does not show")
        assert len(problems) == 1
        assert "broken.yaml" in problems[0].stack_trace
        assert "mode" in problems[0].stack_trace
        usable = {dag.dag_id for dag in whole_stack.api.dags() if not dag.has_import_errors}
        assert {
            f"train_{SERVICES}",
            f"classify_{SERVICES}",
            f"train_{TOPICS}",
            f"classify_{TOPICS}",
        } <= usable
    finally:
        broken.unlink()


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("psql -At -c 'SELECT count(*) > 100 FROM nightsort.latest_predictions'", "^t$"),
        ("aws s3 ls s3://nightsort/aws-services/", "PRE incoming/"),
        (
            "aws comprehend list-document-classifiers --query 'length(DocumentClassifierPropertiesList)'",
            "^[12]$",
        ),
        ("airflow dags list", "train_aws-services"),
    ],
)
def test_with_the_exports_the_usual_programs_see_the_stack(
    whole_stack: LocalStack, first_demo: subprocess.CompletedProcess[str], program: str, expected: str
) -> None:
    exports = command(whole_stack, "env")
    assert exports.returncode == 0
    done = subprocess.run(
        ["sh", "-ec", f"{exports.stdout}\n{program}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(expected, done.stdout, re.MULTILINE), done.stdout


def test_our_code_uses_nothing_that_airflow_is_about_to_drop(trained_topics: LocalStack) -> None:
    ours = tuple(str(REPOSITORY / folder) for folder in ("dags", "plugins", "include"))
    warnings = [
        line
        for log in trained_topics.home.logs.rglob("*.log")
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if "Deprecat" in line and any(folder in line for folder in ours)
    ]
    assert warnings == []


def test_no_log_has_errors_or_warnings_of_what_is_right(trained_topics: LocalStack) -> None:
    """A skipped task has no XComs, and Airflow's own imports are its own."""
    lines = [
        line
        for log in trained_topics.home.logs.rglob("*.log*")
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if "XCom not found" in line or "GitWildMatchPattern" in line
    ]
    assert lines == []


# --- where the trip meets people: asked about money, told of bad nights, reading the logs -------------------


def told_in_file(told: Path, text: str) -> str:
    """Return the notifiers of a spec, of which there is one."""
    return f'[{{import_path: tests.file_notifier.FileNotifier, arguments: {{path: {told}, text: "{text}"}}}}]'


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


@pytest.mark.slow
def test_a_night_that_is_late_and_fails_is_told_to_the_specs_notifier(
    trained_topics: LocalStack, specs: Path, tmp_path: Path
) -> None:
    """The run is made as the scheduler makes it, due yesterday at two; the stack itself starts none."""
    told = tmp_path / "told.txt"
    text = "{{ nightsort.event }} {{ nightsort.classifier }} {{ dag_run.dag_id }} {{ dag_run.run_id }}"
    notifiers = told_in_file(told, text)
    spec = spec_like(trained_topics, specs, SERVICES, "late", loaded_by='"06:30"', notifiers=notifiers)
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


@pytest.mark.slow
def test_a_person_is_asked_above_the_budget_and_nobody_within_it(
    trained_topics: LocalStack, specs: Path, tmp_path: Path
) -> None:
    stack = trained_topics
    budget, told = "{training_usd: 0.01, when_over: ask}", tmp_path / "told.txt"
    notifiers = told_in_file(told, "{{ nightsort.event }} {{ dag_run.dag_id }}")
    spec = spec_like(stack, specs, TOPICS, "asking", budget=budget, notifiers=notifiers)

    def answer(run_id: str, option: str) -> None:
        path = f"/dags/train_asking/dagRuns/{run_id}/taskInstances/approve_cost/-1/hitlDetails"
        stack.api._json("PATCH", path, json={"chosen_options": [option], "params_input": {}})

    def over(run_id: str) -> Any:
        run = stack.api.run("train_asking", run_id)
        return run if run.is_over else None

    try:
        run_id = stack.api.trigger("train_asking", {}).run_id
        asked = until(lambda: question(stack, "train_asking", run_id), "nobody is asked")
        assert asked["subject"].startswith("Approve ")
        assert " USD (budget 0.0100 USD) to train asking? Until 20" in asked["subject"]
        assert "| Budget | 0.0100 USD |" in asked["body"]
        assert not [name for name in trained_versions(stack) if name == "asking"]
        assert told.read_text() == "question train_asking\n"
        answer(run_id, "Reject")
        assert until(lambda: over(run_id), "the run does not end").state == "failed"

        body = {"task_ids": ["approve_cost"], "dag_run_id": run_id, "dry_run": False}
        body |= {"include_downstream": True, "only_failed": False, "reset_dag_runs": True}
        stack.api._json("POST", "/dags/train_asking/clearTaskInstances", json=body)
        until(lambda: question(stack, "train_asking", run_id), "nobody is asked again")
        answer(run_id, "Approve")
        assert until(lambda: over(run_id), "the run does not end").state == "success"
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
        assert trained_topics.aws_key[1] not in text, place
        assert not [canary for canary in canaries if canary in text], place


def test_status_shows_every_component_running(whole_stack: LocalStack) -> None:
    shown = command(whole_stack, "status")
    assert shown.returncode == 0
    for component in ("postgres", "local_aws", "api-server", "scheduler", "dag-processor", "triggerer"):
        assert re.search(rf"{component}\s+running", shown.stdout), shown.stdout
