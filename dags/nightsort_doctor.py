"""The DAG ``nightsort_doctor``: check this deployment from inside, and say what is missing."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from nightsort_airflow.dag_parts import DEFAULT_ARGS
from nightsort_airflow.operators.doctor import CheckDeploymentOperator

ABOUT = """
## When it is red
A line of the log says `failed`. Do what it says, then run the DAG again. `docs/deployment.md`, "Check a
deployment", explains every check.

## What it does
- `check_deployment` checks everything that Nightsort needs, from a worker and from the triggerer: versions,
  specs, DAG files, connections, roles, buckets, quotas, database.
- Its log has one line per check: `ok`, `warning`, `failed`, or `cannot tell` with the reason, and what to do.
- `nightsort doctor` also reads Airflow's database. It needs a machine with Airflow's command line.

## What it costs
0 USD: it starts no training and no job. It writes a probe of 70 bytes below each `work_uri`.
"""


def doctor_dag() -> DAG:
    """Make the DAG."""
    with DAG(
        dag_id="nightsort_doctor",
        description="Check this deployment from inside, and say what is missing",
        doc_md=ABOUT,
        schedule=None,
        max_active_runs=1,
        default_args=DEFAULT_ARGS,
        params={
            "spec": Param(
                None,
                title="Spec",
                description="The name of the only classifier spec to check. Left empty: all specs.",
                type=["null", "string"],
                minLength=1,
            )
        },
        tags=["nightsort", "doctor"],
    ) as dag:
        CheckDeploymentOperator(task_id="check_deployment", spec_name="{{ params.spec or '' }}")
    return dag


dag = doctor_dag()
