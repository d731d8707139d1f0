"""What is told before an operator ran, and of one that does nothing. The rest: ``test_observed_night.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from airflow.sdk import BaseOperator

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort_airflow.lineage.datasets import Lineage
from nightsort_airflow.lineage.of_operators import OF_OPERATORS, lineage_of
from nightsort_airflow.operators.classification import PrepareBatchesOperator
from nightsort_airflow.operators.failed_documents import PrepareRetriesOperator
from nightsort_airflow.operators.training import (
    PrepareTrainingDataOperator,
    PromoteClassifierOperator,
    ScoreActiveVersionOperator,
)
from tests.contract.plugin_package import classes
from tests.integration.local_aws_server import ROLE
from tests.made_texts import nightly_spec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort_airflow.lineage.datasets import Dataset

SPEC = ClassifierSpec.model_validate(yaml.safe_load(nightly_spec("tickets", "bucket", ROLE)))


def names(datasets: Sequence[Dataset]) -> list[str]:
    return [dataset.name for dataset in datasets]


def test_each_name_is_that_of_an_operator() -> None:
    assert set(OF_OPERATORS) <= {cls.__name__ for cls in classes(BaseOperator)}


def test_before_a_night_is_prepared_its_place_is_not_known_and_its_names_are() -> None:
    operator = PrepareBatchesOperator(task_id="prepare", spec=SPEC)
    before = lineage_of(operator)
    assert names(before.inputs) == ["incoming"]
    assert names(before.outputs) == ["work/tickets/runs/input", "work/tickets/runs/manifests"]
    assert [dataset.place for dataset in before.outputs] == [None, None]
    operator.written_to, operator.written_rows = SPEC.layout.run("20261118").uri, 7
    operator.database_place = ("db", 5432, "labels")
    after = lineage_of(operator)
    assert names(after.inputs) == ["incoming", "labels.nightsort.classifier_versions"]
    assert names(after.outputs) == names(before.outputs)
    assert [(dataset.place, dataset.rows) for dataset in after.outputs] == [
        ("s3://bucket/work/tickets/runs/20261118/input/", 7),
        ("s3://bucket/work/tickets/runs/20261118/manifests/", 7),
    ]


def test_training_data_are_two_files_of_one_version() -> None:
    operator = PrepareTrainingDataOperator(task_id="prepare", spec=SPEC)
    operator.written_to = SPEC.layout.training("v0123456789ab").uri
    found = lineage_of(operator)
    assert names(found.outputs) == ["work/tickets/training/training.csv", "work/tickets/training/test.csv"]
    for dataset in found.outputs:
        assert set(dataset.made_of) == {"label", "text"}
        assert "/v0123456789ab/" in str(dataset.place)


def test_documents_that_are_sent_again() -> None:
    operator = PrepareRetriesOperator(
        task_id="again", spec=SPEC, prepare_task_id="prepare", load_task_id="load"
    )
    assert lineage_of(operator) == Lineage()
    operator.written_to, operator.written_rows = SPEC.layout.run("20261118").uri, 2
    found = lineage_of(operator)
    work = "work/tickets/runs"
    assert names(found.inputs) == [f"{work}/output", f"{work}/input", f"{work}/manifests"]
    assert names(found.outputs) == [f"{work}/input", f"{work}/manifests"]


def test_a_promotion_read_the_scores_of_the_active_version() -> None:
    scores: dict[str, Any] = {"output_uri": "s3://bucket/work/training/v0123456789ab/scores/x/output.tar.gz"}
    operator = PromoteClassifierOperator(
        task_id="promote", spec=SPEC, training={}, evaluation={}, scores=scores
    )
    operator.database_place = ("db", 5432, "labels")
    found = lineage_of(operator)
    assert names(found.inputs) == ["work/training/scores", "labels.nightsort.classifier_versions"]
    assert "labels.nightsort.promotion_decisions" in names(found.outputs)


def test_a_version_that_is_not_scored_read_nothing() -> None:
    operator = ScoreActiveVersionOperator(
        task_id="score",
        nothing_to_score="no version is active yet",
        document_classifier_arn="",
        job_name="",
        input_data_config={},
        output_data_config={},
        data_access_role_arn=ROLE,
    )
    assert lineage_of(operator) == Lineage()


def test_other_operators_tell_nothing() -> None:
    assert lineage_of(BaseOperator(task_id="other")) == Lineage()
