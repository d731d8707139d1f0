"""The DAG ``nightsort_doctor``: look at this deployment from inside, and say what is missing."""

from __future__ import annotations

from airflow.sdk import DAG, Param

from nightsort_airflow.dag_parts import DEFAULT_ARGS
from nightsort_airflow.operators.doctor import CheckDeploymentOperator

ABOUT = """
**What it does.** `check_deployment` looks at everything that Nightsort needs, from a worker and from the
triggerer: versions, specs, DAG files, connections, roles, buckets, quotas, database. Its log has a line for
each thing: `ok`, `warning`, `failed`, or `cannot tell` with the reason, and what to do.
`nightsort doctor`, where Airflow's command line works, reads Airflow's database as well.

**What it costs.** 0 USD: no training and no job is started; a probe of 70 bytes is written below each
`work_uri`.

**When it is red.** A line of the log says `failed`: do what it says, then run it again. Every check is
explained in `docs/deployment.md`, under "Check a deployment".
"""


def doctor_dag() -> DAG:
    """Make the DAG."""
    with DAG(
        dag_id="nightsort_doctor",
        description="Look at this deployment from inside, and say what is missing",
        doc_md=ABOUT,
        schedule=None,
        max_active_runs=1,
        default_args=DEFAULT_ARGS,
        params={
            "spec": Param(
                None,
                title="Spec",
                description="Look at this classifier spec alone, by its name. Left empty: at all.",
                type=["null", "string"],
                minLength=1,
            )
        },
        tags=["nightsort", "doctor"],
    ) as dag:
        CheckDeploymentOperator(task_id="check_deployment", spec_name="{{ params.spec or '' }}")
    return dag


dag = doctor_dag()
