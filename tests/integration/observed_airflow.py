"""A real Airflow that runs both DAGs of a classifier, for tests that look at what it tells other tools."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.airflow_environment import ROOT, STORED_DAGS
from tests.integration.local_aws_server import CREDENTIALS, REGION, ROLE, LocalAwsServer
from tests.integration.operator_trips import as_connection
from tests.made_texts import WORDS, nightly_spec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PAGE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
SECRET = "a-password-that-the-server-does-not-ask-for"  # noqa: S105
NAME, BUCKET, DAY = "observed", "observed", "2026-11-18"

# The scheduler is the only part of Airflow that is missing: triggers run in this process. Then the night is
# counted again as a worker does it, in a process of its own, once for each of the tools that get metrics.
RUN_BOTH = f"""
import json, os, sys
{STORED_DAGS}
for dag_id, conf in (("train_{NAME}", {{}}), ("classify_{NAME}", {{"day": "{DAY}"}})):
    run = bag.dags[dag_id].test(run_conf=conf)
    print("STATE", dag_id, run.state)

from airflow.executors.workloads import ExecuteTask
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.sdk.execution_time.supervisor import InProcessTestSupervisor, supervise_task
from airflow.utils.session import create_session
from sqlalchemy import select

client = InProcessTestSupervisor._api_client()
for settings in json.loads(sys.argv[1]):
    os.environ.update(settings)
    with create_session() as session:
        task = select(TaskInstance).where(TaskInstance.task_id == "reconcile_run")
        clear_task_instances(session.scalars(task).all(), session)
        session.commit()
        again = session.scalars(task).one()
        again.state = "queued"
        session.flush()
        workload = ExecuteTask.make(again)
    supervise_task(ti=workload.ti, bundle_info=workload.bundle_info, dag_rel_path=workload.dag_rel_path,
                   token=workload.token, client=client, subprocess_logs_to_stdout=True)
    with create_session() as session:
        print("AGAIN", session.scalars(task).one().state)

from airflow.models.asset import AssetEvent

for failed in (0, 2):
    with create_session() as session:
        for event in session.scalars(select(AssetEvent)):
            event.extra = {{**event.extra, "failed": failed}}
    print("WATCH", failed, bag.dags["watch_{NAME}"].test().state)
"""  # noqa: S608 - no SQL


def bring_documents(aws: LocalAwsServer) -> list[str]:
    """Put labelled documents and those of a night; return their texts."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    labelled = [
        {"label": label, "text": f"{words} {number}"}
        for number in range(20)
        for label, words in WORDS.items()
    ]
    words = [each.split() for each in WORDS.values()]
    # Half of the words of one label and some of another: scores below 1.
    night = [
        {"id": f"d{n}", "text": " ".join([*words[n % 3][:2], *words[n % 2][2:], str(n)])} for n in range(30)
    ]
    for key, rows in (
        ("labelled/a.jsonl", labelled),
        (f"incoming/{DAY}/a.jsonl", [*night, {"id": "blank", "text": " "}]),
    ):
        body = "".join(json.dumps(row) + "\n" for row in rows)
        s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())
    return [row["text"] for row in (*labelled, *night)]


def airflow_environment(aws: LocalAwsServer, dsn: str, home: Path) -> dict[str, str]:
    """Return the settings of an Airflow with a home, a classifier, and the DAG of docs/monitoring.md."""
    specs = home / "specs"
    specs.mkdir()
    (specs / f"{NAME}.yaml").write_text(nightly_spec(NAME, BUCKET, ROLE) + "export: parquet\n")
    dags = home / "dags"
    dags.mkdir()
    for file in (ROOT / "dags").glob("*.py"):
        shutil.copy(file, dags)
    (watching,) = re.findall(r"```python\n(from airflow\.sdk import DAG, task\n.+?)```", PAGE, re.DOTALL)
    (dags / "watch.py").write_text(watching.replace("tickets", NAME))
    connection: dict[str, Any] = {
        "conn_type": "aws",
        "login": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "password": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        "extra": {"region_name": REGION, "endpoint_url": aws.url},
    }
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
        "AIRFLOW_CONN_NIGHTSORT_DB": json.dumps({**as_connection(dsn), "password": SECRET}),
        "NIGHTSORT_SPECS": str(specs),
        "NIGHTSORT_POLL_SECONDS": "1",
    }


def run_both_dags(environment: Mapping[str, str], *again: Mapping[str, str]) -> str:
    """Train, classify a night, and count it again; return what the process printed. All of it succeeds.

    At last the DAG of docs/monitoring.md looks at the night: at none, then at two documents that failed.

    :param environment: the settings.
    :param again: other settings, for each time that the night is counted again.
    """
    done = subprocess.run(
        [sys.executable, "-c", RUN_BOTH, json.dumps(again)],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    told = done.stdout + done.stderr
    states = [line for line in done.stdout.splitlines() if line.startswith(("STATE ", "AGAIN ", "WATCH "))]
    expected = [f"STATE train_{NAME} success", f"STATE classify_{NAME} success"]
    watched = ["WATCH 0 success", "WATCH 2 failed"]
    assert states == [*expected, *["AGAIN success"] * len(again), *watched], told[-5000:]
    return told
