from __future__ import annotations

import json
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from nightsort.evaluation import LabelMetrics, Metrics
from nightsort.tables.versions import ClassifierVersion
from nightsort_airflow.exceptions import BadInputError
from nightsort_airflow.operators.training import (
    EvaluateClassifierOperator,
    PrepareTrainingDataOperator,
    PromoteClassifierOperator,
    ScoreActiveVersionOperator,
)
from tests.unit.nightsort_airflow.airflow_specs import local_spec, write_labelled

if TYPE_CHECKING:
    from pathlib import Path

ARN = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/tickets/version/"


def version(name: str, *, test: str) -> ClassifierVersion:
    return ClassifierVersion(
        classifier="tickets",
        version=name,
        arn=f"{ARN}{name}",
        mode="MULTI_CLASS",
        language="en",
        fingerprint="f",
        test_fingerprint=test,
        test_documents=10,
    )


@pytest.fixture
def run(context: dict[str, Any]) -> Any:
    moment = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
    dag_run = SimpleNamespace(data_interval_start=None, data_interval_end=None, run_after=moment)
    return {**context, "dag_run": dag_run}


def test_training_data_are_written_and_given_as_small_xcoms(
    run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_labelled(tmp_path, 40)
    task = PrepareTrainingDataOperator(task_id="prepare", spec=local_spec(tmp_path))
    assert task.multiple_outputs
    given = task.execute(run)
    assert json.loads(json.dumps(given)) == given
    assert given["documents_sent"] == given["training_documents"] + given["test_documents"] == 40
    folder = f"{tmp_path}/work/training/{given['version']}"
    assert given["training_output_uri"] == f"{folder}/output/"
    assert given["scores_output_uri"] == f"{folder}/scores/"
    assert (tmp_path / "work" / "training" / given["version"] / "training.csv").is_file()
    told = capsys.readouterr().out
    assert f"Version {given['version']}" in told
    assert "secret text" not in told


def test_the_same_documents_are_the_same_version_in_another_run(run: Any, tmp_path: Path) -> None:
    write_labelled(tmp_path, 40)
    versions = {
        PrepareTrainingDataOperator(task_id="prepare", spec=local_spec(tmp_path)).execute(run)["version"]
        for _ in range(2)
    }
    assert len(versions) == 1


def test_too_few_documents_end_the_task_with_the_labels_named(run: Any, tmp_path: Path) -> None:
    write_labelled(tmp_path, 12)
    with pytest.raises(BadInputError, match="billing") as raised:
        PrepareTrainingDataOperator(task_id="prepare", spec=local_spec(tmp_path)).execute(run)
    assert "secret text" not in str(raised.value)


def test_the_day_is_rendered_in_the_labelled_source(run: Any, tmp_path: Path) -> None:
    write_labelled(tmp_path / "2026-11-18", 40)
    source = {"uri": f"{tmp_path}/{{day}}/labelled/", "format": "csv"}
    spec = local_spec(tmp_path, labelled=source)
    given = PrepareTrainingDataOperator(task_id="prepare", spec=spec, day="2026-11-18").execute(run)
    assert given["documents_sent"] == 40
    with pytest.raises(BadInputError, match="holds no labelled documents"):
        PrepareTrainingDataOperator(task_id="prepare", spec=spec).execute(run)


def test_where_there_is_nothing_to_score_the_task_is_skipped_says_why_and_asks_nobody(run: Any) -> None:
    task = ScoreActiveVersionOperator(
        task_id="score",
        nothing_to_score="no version is active yet",
        document_classifier_arn=None,
        job_name=None,
        input_data_config={"S3Uri": "s3://bucket/test.txt"},
        output_data_config={"S3Uri": "s3://bucket/scores/"},
        data_access_role_arn="arn:aws:iam::123456789012:role/x",
    )
    with pytest.raises(AirflowSkipException, match=r"^Nothing to score: no version is active yet\.$"):
        task.execute(run)


@pytest.mark.parametrize(
    ("active", "reason"),
    [
        (None, "no version is active yet"),
        (version("v2", test="new"), "v2 is the active version"),
        (version("v1", test="new"), "v1, the active version, was measured on the same test data"),
    ],
)
def test_evaluating_says_which_reason_there_is_not_to_score(
    tmp_path: Path, active: ClassifierVersion | None, reason: str
) -> None:
    training = {"version": "v2", "test_fingerprint": "0123456789abcdef"}
    task = EvaluateClassifierOperator(
        task_id="evaluate", spec=local_spec(tmp_path), document_classifier_arn=ARN, training=training
    )
    scoring = task.scoring(cast("Any", None), active, version("v2", test="new"))
    assert scoring.pop("nothing_to_score") == reason
    assert set(scoring.values()) == {None}


def test_the_figures_of_a_version_are_a_small_table_and_its_weakest_labels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = EvaluateClassifierOperator(
        task_id="evaluate", spec=local_spec(tmp_path), document_classifier_arn=ARN, training={}
    )
    weakest = [LabelMetrics("billing", 7, 0.5, 0.25, 1 / 3)]
    task.log_figures(version("v2", test="new"), Metrics(accuracy=0.8308, macro_f1=0.81), weakest)
    told = capsys.readouterr().out
    assert "Version v2, measured on 10 test documents" in told
    assert "accuracy         0.8308" in told
    assert "macro f1         0.8100" in told
    assert "hamming" not in told
    assert "F1 0.33, precision 0.50, recall 0.25, 7 test documents: billing" in told
    assert "Metrics(" not in told


def test_a_version_that_is_active_already_is_left_as_it_is_and_the_database_is_not_asked(
    run: Any, tmp_path: Path
) -> None:
    evaluation = {"version": "v1", "champion": "v1", "metrics": {}, "arn": "arn"}
    task = PromoteClassifierOperator(
        task_id="promote", spec=local_spec(tmp_path), training={}, evaluation=evaluation
    )
    assert task.execute(run) == {
        "version": "v1",
        "against": "v1",
        "promoted": False,
        "reason": "v1 is active already.",
    }
