"""Late nights and failed runs, told as Airflow tells them: from a spec, by its database, to the notifier."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.airflow_environment import ROOT, SAMPLE_SPECS, STORED_DAGS

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

# What the DAG processor, the scheduler and a worker do, one after the other, with Airflow's own functions.
LATE_AND_FAILED = (
    STORED_DAGS
    + """
import json
from datetime import datetime, timedelta, timezone
import structlog
from airflow.callbacks.callback_requests import DagCallbackRequest
from airflow.dag_processing.processor import _execute_dag_callbacks
from airflow.models.deadline import Deadline
from airflow.models.serialized_dag import SerializedDagModel
from airflow.sdk.execution_time.callback_supervisor import execute_callback
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select
due = datetime(2026, 11, 20, 2, tzinfo=timezone.utc)
with create_session() as session:
    dag = SerializedDagModel.get_dag("classify_late", session=session)
    for number, kind in enumerate((DagRunType.SCHEDULED, DagRunType.MANUAL, DagRunType.BACKFILL_JOB)):
        day = due - timedelta(days=number)
        dag.create_dagrun(
            run_id=kind.value, logical_date=day - timedelta(days=1), run_after=day, run_type=kind,
            data_interval=(day - timedelta(days=1), day), triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.QUEUED, session=session,
        )
    deadlines = session.scalars(select(Deadline)).all()
    print("DEADLINES", json.dumps([[d.dagrun.run_id, d.deadline_time.isoformat()] for d in deadlines]))
    for deadline in deadlines:
        deadline.handle_miss(session)
        data = deadline.callback.data
        done, problem = execute_callback(data["path"], data["kwargs"], "x", None, structlog.get_logger())
        assert done, problem
request = DagCallbackRequest(
    filepath="classify_documents.py", bundle_name="dags-folder", bundle_version=None,
    dag_id="classify_late", run_id="scheduled", is_failure_callback=True, msg="task_failure",
)
_execute_dag_callbacks(bag, request, structlog.get_logger())
"""
)


def test_a_scheduled_night_is_late_at_its_time_and_the_notifier_is_told_of_that_and_of_its_failure(
    tmp_path: Path,
) -> None:
    told = tmp_path / "told.txt"
    text = "{{ nightsort.event }} {{ nightsort.classifier }} {{ dag_run.dag_id }} {{ dag_run.run_id }}"
    spec = (SAMPLE_SPECS / "aws-services.yaml").read_text(encoding="utf-8")
    arguments = json.dumps({"path": str(told), "text": text})
    (tmp_path / "late.yaml").write_text(
        spec.replace("name: aws-services", "name: late")
        + 'loaded_by: "06:30"\ntimezone: Europe/Berlin\n'
        + f"notifiers: [{{import_path: tests.file_notifier.FileNotifier, arguments: {arguments}}}]\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-c", LATE_AND_FAILED],
        check=False,
        capture_output=True,
        text=True,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "NIGHTSORT_SPECS": str(tmp_path),
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (made,) = (line for line in done.stdout.splitlines() if line.startswith("DEADLINES "))
    assert json.loads(made.removeprefix("DEADLINES ")) == [["scheduled", "2026-11-20T05:30:00+00:00"]]
    assert told.read_text(encoding="utf-8").splitlines() == [
        "late late classify_late scheduled",
        "failed late classify_late scheduled",
    ]
