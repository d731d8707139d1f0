"""One DAG for each classifier spec: train a version, measure it, promote it if it is better."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import DAG, TriggerRule, chain

from nightsort_airflow.assets import active_version_alias
from nightsort_airflow.comprehend_requests import (
    classifier_parameters,
    job_parameters,
    output_config,
    training_input_config,
)
from nightsort_airflow.dag_docs import train_doc
from nightsort_airflow.dag_parts import (
    DAY_OF_RUN,
    DEFERRABLE_TASK_ARGS,
    approving_task,
    cost_approval,
    day_params,
    of_spec,
    paying,
    set_params,
    training_time_limit,
)
from nightsort_airflow.earlier_xcoms import xcom_of
from nightsort_airflow.operators.comprehend import ComprehendCreateDocumentClassifierOperator
from nightsort_airflow.operators.training import (
    EvaluateClassifierOperator,
    PrepareTrainingDataOperator,
    PromoteClassifierOperator,
    ScoreActiveVersionOperator,
)
from nightsort_airflow.sensors.comprehend import ComprehendDocumentClassifierTrainedSensor
from nightsort_airflow.spec_loading import dag_specs

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec


def train_dag(spec: ClassifierSpec) -> None:
    """Make the DAG ``train_<name>``."""
    with DAG(
        **of_spec(spec, "train"),
        description=f"Train, measure and promote versions of the classifier {spec.name}",
        doc_md=train_doc(spec),
        schedule=None,
    ) as dag:
        prepared = PrepareTrainingDataOperator(task_id="prepare_training_data", spec=spec, day=DAY_OF_RUN)
        created = ComprehendCreateDocumentClassifierOperator(
            task_id="create_classifier",
            document_classifier_name=spec.name,
            version_name=xcom_of(prepared, "version"),
            input_data_config=training_input_config(
                spec, xcom_of(prepared, "training_uri"), xcom_of(prepared, "test_uri")
            ),
            output_data_config=output_config(spec, xcom_of(prepared, "training_output_uri")),
            mode=spec.mode,
            language_code=spec.language,
            data_access_role_arn=spec.data_access_role_arn,
            document_classifier_kwargs=classifier_parameters(spec),
            wait_for_completion=False,
            aws_conn_id=spec.aws_conn_id,
            **paying(spec),
        )
        trained = ComprehendDocumentClassifierTrainedSensor(
            task_id="wait_for_training",
            document_classifier_arn=xcom_of(created),
            expected_documents=xcom_of(prepared, "documents_sent"),
            fail_on_warnings=spec.training_warnings == "fail",
            stop_training_on_kill=spec.stop_training_on_kill,
            time_limit=training_time_limit(spec),
            aws_conn_id=spec.aws_conn_id,
            **DEFERRABLE_TASK_ARGS,
        )
        evaluated = EvaluateClassifierOperator(
            task_id="evaluate_classifier",
            spec=spec,
            document_classifier_arn=xcom_of(created),
            training=xcom_of(prepared),
            approve_task_id=approving_task(spec),
        )
        scored = ScoreActiveVersionOperator(
            task_id="score_active_version",
            nothing_to_score=xcom_of(evaluated, "nothing_to_score"),
            document_classifier_arn=xcom_of(evaluated, "score_arn"),
            job_name=xcom_of(evaluated, "score_job_name"),
            input_data_config={
                "S3Uri": xcom_of(evaluated, "score_input_uri"),
                "InputFormat": "ONE_DOC_PER_LINE",
            },
            output_data_config=output_config(spec, xcom_of(prepared, "scores_output_uri")),
            input_fingerprint=xcom_of(evaluated, "score_fingerprint"),
            data_access_role_arn=spec.data_access_role_arn,
            job_kwargs=job_parameters(spec),
            aws_conn_id=spec.aws_conn_id,
            **DEFERRABLE_TASK_ARGS,
        )
        promoted = PromoteClassifierOperator(
            task_id="promote_classifier",
            spec=spec,
            training=xcom_of(prepared),
            evaluation=xcom_of(evaluated),
            scores=xcom_of(scored),
            outlets=[active_version_alias(spec.name)],
            trigger_rule=TriggerRule.NONE_FAILED,
        )
        approved = cost_approval(spec, prepared, night=False)
        chain(prepared, *approved, created, trained, evaluated, scored, promoted)
    set_params(dag, **day_params(spec.labelled))


for spec in dag_specs().specs.values():
    train_dag(spec)
