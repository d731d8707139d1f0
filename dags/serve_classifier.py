"""One DAG for each classifier spec with ``real_time``: an endpoint that is open at its hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import DAG, AssetOrTimeSchedule, chain

from nightsort_airflow.assets import active_version_asset
from nightsort_airflow.dag_docs import serve_doc
from nightsort_airflow.dag_parts import (
    ENDPOINT_TASK_ARGS,
    endpoint_params,
    of_spec,
    opening_hours,
    set_params,
    with_endpoint,
)
from nightsort_airflow.operators.serving import (
    CloseEndpointOperator,
    OpenEndpointOperator,
    WatchEndpointOperator,
)
from nightsort_airflow.spec_loading import dag_specs

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.classifier_spec.real_time import RealTime


def serve_dag(spec: ClassifierSpec, real_time: RealTime) -> None:
    """Make the DAG ``serve_<name>``."""
    with DAG(
        # A run for hours must not keep the run of a promotion, or of a closing, waiting.
        **{**of_spec(spec, "serve"), "max_active_runs": 4},
        description=f"Keep an endpoint of {spec.name} open at its hours, with the active version",
        doc_md=serve_doc(spec, real_time),
        schedule=AssetOrTimeSchedule(
            timetable=opening_hours(spec, real_time),
            assets=[active_version_asset(spec.name)],
        ),
        catchup=False,
    ) as dag:
        opened = OpenEndpointOperator(
            task_id="open_endpoint",
            spec=spec,
            open_hours="{{ params.open_hours or '' }}",
            close="{{ params.close }}",
            **ENDPOINT_TASK_ARGS,
        )
        watched = WatchEndpointOperator(task_id="watch_endpoint", spec=spec, **ENDPOINT_TASK_ARGS)
        # Airflow runs a teardown also where a person marks the run as failed.
        closed = CloseEndpointOperator(task_id="close_endpoint", spec=spec, **ENDPOINT_TASK_ARGS).as_teardown(
            on_failure_fail_dagrun=True
        )
        chain(opened, watched, closed)
    set_params(dag, **endpoint_params(spec.name))


for spec, real_time in with_endpoint(dag_specs().specs.values()):
    serve_dag(spec, real_time)
