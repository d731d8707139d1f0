"""The whole trip through the real scheduler and triggerer, on both samples, as a person takes it."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from sample_stack import (
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
)

from include.local_stack import postgres, sample_corpus
from include.local_stack.home import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from include.local_stack.stack import LocalStack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_airflow_has_two_dags_for_each_spec_and_no_import_error(sample_stack: LocalStack) -> None:
    deadline = time.monotonic() + 60
    while {dag.dag_id for dag in sample_stack.api.dags()} != DAGS:
        assert time.monotonic() < deadline, sample_stack.api.dags()
        time.sleep(0.5)
    assert sample_stack.api.import_problems() == []


def test_the_demo_trains_classifies_and_says_what_came_of_it(
    first_demo: subprocess.CompletedProcess[str], sample_stack: LocalStack
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
    assert sample_stack.airflow_url in told
    assert sample_stack.password in told
    for way_on in ("psql -c", "make run", "make stop"):
        assert way_on in told


def test_every_document_of_the_night_is_accounted_for(
    first_demo: subprocess.CompletedProcess[str], sample_stack: LocalStack
) -> None:
    ((documents_in, classified, failed, rejected, reasons, state),) = query(
        sample_stack,
        "SELECT documents_in, classified, failed, rejected, reasons, state FROM nightsort.classification_runs"
        " WHERE classifier = %s AND day = %s",
        SERVICES,
        FIRST,
    )
    assert state == "complete"
    assert documents_in == classified + failed + rejected == len(predictions(sample_stack, SERVICES, FIRST))
    # The sample holds one blank document and one doubled id a night, on purpose.
    assert (failed, reasons) == (0, {"blank": 1, "duplicate_id": 1})


def test_a_second_demo_takes_the_next_day_and_trains_nothing(
    first_demo: subprocess.CompletedProcess[str], sample_stack: LocalStack
) -> None:
    second = command(sample_stack, "demo")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "The local stack was up already" in second.stdout
    assert "train_" not in second.stdout.split("What the same")[0]
    assert f"aws-services, {SECOND}, version v" in second.stdout


def test_the_same_night_again_leaves_the_same_table_and_starts_no_second_job(
    first_demo: subprocess.CompletedProcess[str], sample_stack: LocalStack
) -> None:
    before, jobs = predictions(sample_stack, SERVICES, FIRST), job_ids(sample_stack)
    again = command(sample_stack, "run-dag", f"classify_{SERVICES}", "--conf", f'{{"day": "{FIRST}"}}')
    assert again.returncode == 0, again.stdout + again.stderr
    assert predictions(sample_stack, SERVICES, FIRST) == before
    assert job_ids(sample_stack) == jobs


def test_the_same_training_again_finds_the_version_that_is_there(
    first_demo: subprocess.CompletedProcess[str], sample_stack: LocalStack
) -> None:
    statement = "SELECT version, arn, active FROM nightsort.classifier_versions WHERE classifier = %s"
    before = query(sample_stack, statement, SERVICES)
    trained = comprehend(sample_stack).describe_document_classifier(DocumentClassifierArn=before[0][1])
    result = sample_stack.run_dag(f"train_{SERVICES}")
    assert result.succeeded, result.log_tails
    assert query(sample_stack, statement, SERVICES) == before
    after = comprehend(sample_stack).describe_document_classifier(DocumentClassifierArn=before[0][1])
    times = [described["DocumentClassifierProperties"]["TrainingEndTime"] for described in (trained, after)]
    assert times[0] == times[1]


def test_a_multi_label_classifier_with_one_document_per_file(trained_topics: LocalStack) -> None:
    result = trained_topics.run_dag(f"classify_{TOPICS}", {"day": FIRST.isoformat()})
    assert result.succeeded, result.log_tails
    rows = predictions(trained_topics, TOPICS, FIRST)
    names = {document.document_id for document in sample_corpus.aws_topics().incoming[FIRST]}
    assert {row[2] for row in rows} == names
    assert {row[3] for row in rows} == {"classified"}
    several = [row for row in rows if len(row[8]) > 1]
    assert len(several) > len(rows) / 2, "most documents have an action and at least one field"


def test_nothing_runs_that_nobody_started(trained_topics: LocalStack) -> None:
    with postgres.connect(trained_topics.home, "airflow") as connection:
        kinds = connection.execute("SELECT DISTINCT run_type FROM dag_run").fetchall()
        unpaused = connection.execute("SELECT count(*) FROM dag WHERE NOT is_paused").fetchone()
    assert kinds == [("manual",)]
    assert unpaused == (4,), "and yet no nightly run has started"


def test_a_classifier_without_a_version_fails_at_once_and_names_the_dag_that_trains_it(
    sample_stack: LocalStack, specs: Path, first_demo: subprocess.CompletedProcess[str]
) -> None:
    untrained = specs / "untrained.yaml"
    sample = (specs / f"{SERVICES}.yaml").read_text(encoding="utf-8")
    untrained.write_text(
        sample.replace(f"name: {SERVICES}", "name: untrained").replace(f"{SERVICES}/work", "untrained/work"),
        encoding="utf-8",
    )
    try:
        failed = command(sample_stack, "run-dag", "classify_untrained", "--conf", f'{{"day": "{FIRST}"}}')
    finally:
        untrained.unlink()
    assert failed.returncode == 1
    assert "The end of the log of prepare_batches" in failed.stdout
    assert "train_untrained" in failed.stdout
    assert "classify_untrained failed." in failed.stdout


def test_a_broken_spec_shows_as_an_import_error_and_hurts_no_other(
    sample_stack: LocalStack, specs: Path
) -> None:
    broken = specs / "broken.yaml"
    broken.write_text("name: broken\nmode: MULTI_CLAS\n", encoding="utf-8")
    try:
        deadline = time.monotonic() + 60
        while not (problems := sample_stack.api.import_problems()):
            assert time.monotonic() < deadline, "the broken spec does not show"
            time.sleep(0.5)
        assert len(problems) == 1
        assert "broken.yaml" in problems[0].stack_trace
        assert "mode" in problems[0].stack_trace
        usable = {dag.dag_id for dag in sample_stack.api.dags() if not dag.has_import_errors}
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
    sample_stack: LocalStack, first_demo: subprocess.CompletedProcess[str], program: str, expected: str
) -> None:
    exports = command(sample_stack, "env")
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


def test_status_shows_every_component_running(sample_stack: LocalStack) -> None:
    shown = command(sample_stack, "status")
    assert shown.returncode == 0
    for component in ("postgres", "local_aws", "api-server", "scheduler", "dag-processor", "triggerer"):
        assert re.search(rf"{component}\s+running", shown.stdout), shown.stdout
