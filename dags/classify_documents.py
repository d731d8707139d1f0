"""One DAG for each classifier spec: classify a day's documents, every night."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, TriggerRule, chain, task_group

from nightsort_airflow.alerts import late_alerts
from nightsort_airflow.assets import active_version_asset, export_asset, predictions_asset
from nightsort_airflow.comprehend_requests import job_parameters
from nightsort_airflow.dag_docs import classify_doc
from nightsort_airflow.dag_parts import (
    BATCH_OF_JOB,
    BATCH_OF_LOAD,
    DAY_OF_RUN,
    DEFERRABLE_TASK_ARGS,
    approving_task,
    cost_approval,
    day_params,
    of_spec,
    paying,
    set_params,
    source_uri_params,
    timetable,
)
from nightsort_airflow.earlier_xcoms import mapped_value, xcom_of
from nightsort_airflow.operators.batch_job import StartBatchJobOperator
from nightsort_airflow.operators.classification import (
    ExportPredictionsOperator,
    LoadPredictionsOperator,
    PrepareBatchesOperator,
)
from nightsort_airflow.operators.failed_documents import PrepareRetriesOperator
from nightsort_airflow.operators.reconcile import ReconcileRunOperator
from nightsort_airflow.spec_loading import dag_specs

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec


def classify_dag(spec: ClassifierSpec) -> None:
    """Make the DAG ``classify_<name>``."""
    with DAG(
        **of_spec(spec, "classify"),
        description=f"Classify a day's documents with {spec.name} and load the predictions",
        doc_md=classify_doc(spec),
        schedule=timetable(spec),
        catchup=False,
        deadline=late_alerts(spec) or None,
    ) as dag:
        prepared = PrepareBatchesOperator(
            task_id="prepare_batches",
            spec=spec,
            day=DAY_OF_RUN,
            source_uri="{{ params.get('source_uri') or '' }}",
            inlets=[active_version_asset(spec.name)],
        )

        def run_jobs(batch: Any, job: Any) -> None:
            started = StartBatchJobOperator(
                task_id="start_job",
                job=job,
                data_access_role_arn=spec.data_access_role_arn,
                job_kwargs=job_parameters(spec),
                aws_conn_id=spec.aws_conn_id,
                map_index_template=BATCH_OF_JOB,
                **DEFERRABLE_TASK_ARGS,
                **paying(spec),
            )
            output: Any = started.output
            LoadPredictionsOperator(
                task_id="load_predictions",
                spec=spec,
                run=xcom_of(prepared, "run"),
                batch=mapped_value(batch),
                job=output,
                map_index_template=BATCH_OF_LOAD,
            )

        classify_batch = task_group(group_id="classify_batch", tooltip="A job and its results")(run_jobs)
        retry_batch = task_group(group_id="retry_batch", tooltip="Failed documents, sent again")(run_jobs)
        retries = PrepareRetriesOperator(
            task_id="prepare_retries",
            spec=spec,
            prepare_task_id="prepare_batches",
            load_task_id="classify_batch.load_predictions",
            approve_task_id=approving_task(spec),
        )
        reconciled = ReconcileRunOperator(
            task_id="reconcile_run",
            spec=spec,
            prepare_task_id="prepare_batches",
            job_task_ids=["classify_batch.start_job", "retry_batch.start_job"],
            load_task_ids=["classify_batch.load_predictions", "retry_batch.load_predictions"],
            retry_task_id="prepare_retries",
            approve_task_id=approving_task(spec),
            outlets=[predictions_asset(spec.name)],
            trigger_rule=TriggerRule.ALL_DONE,
        )
        approved = cost_approval(spec, prepared, night=True)
        classified = classify_batch.expand_kwargs(prepared.output)
        retried = retry_batch.expand_kwargs(retries.output)
        exported = export(spec, prepared)
        chain(prepared, *approved, classified, retries, retried, reconciled, *exported)
    set_params(dag, **day_params(spec.incoming), **source_uri_params(spec.incoming))


def export(spec: ClassifierSpec, prepared: PrepareBatchesOperator) -> list[ExportPredictionsOperator]:
    """Make the task of a spec with ``export``; without, there is none."""
    if spec.export is None:
        return []
    run = xcom_of(prepared, "run")
    outlets = [export_asset(spec.name)]
    return [ExportPredictionsOperator(task_id="export_predictions", spec=spec, run=run, outlets=outlets)]


for spec in dag_specs().specs.values():
    classify_dag(spec)
