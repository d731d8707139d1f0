from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from nightsort_airflow.ui.airflow_state import AirflowFacts, AirflowState
from tests.airflow_environment import STORED_DAGS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

ASK = """
from datetime import date, datetime, timedelta, timezone
from airflow.models.hitl import HITLDetail
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select
from nightsort.naming import run_key
from nightsort_airflow.ui.airflow_state import AirflowState
name = "classify_aws-services"
dag = SerializedDagModel.get_dag(name)
begun = []
def begin(run_id, day, run_type=DagRunType.MANUAL, hours=0, state=DagRunState.RUNNING, conf=None):
    moment = datetime(2026, 11, day, tzinfo=timezone.utc)
    dag.create_dagrun(
        run_id=run_id, run_type=run_type, state=state, run_after=moment, conf=conf,
        logical_date=moment + timedelta(seconds=len(begun)),
        data_interval=(moment - timedelta(hours=hours), moment),
        triggered_by=DagRunTriggeredByType.TEST,
    )
    begun.append(run_id)
begin("first", 1)
begin("second", 2)
with create_session() as session:
    def task(run_id, task_id):
        found = select(TaskInstance).where(TaskInstance.run_id == run_id, TaskInstance.task_id == task_id)
        return session.scalars(found).one()
    for hour, task_id in ((3, "reconcile_run"), (2, "prepare_batches")):
        failed = task("second", task_id)
        failed.state, failed.end_date = "failed", datetime(2026, 11, 2, hour, tzinfo=timezone.utc)
    waits = task("first", "prepare_batches")
    waits.state = "deferred"
    session.add(HITLDetail(ti_id=waits.id, options=["Approve"], subject="Approve 9.00 USD?", params={}))
facts = AirflowState().facts([name], [(name, "first")])
assert facts.dags[name].next_run is not None or facts.dags[name].is_paused, facts
assert facts.latest_runs[name].run_id == "second", facts
assert facts.latest_runs[name].failed_task == "prepare_batches", facts
assert facts.runs[(name, "first")].question == "Approve 9.00 USD?", facts
assert facts.latest_runs[name].run_key == "20261101", "by hand it is the last complete day"
begin("green", 9, state=DagRunState.SUCCESS)
begin("night", 8, DagRunType.SCHEDULED, hours=24)
by_hand = {"day": "2026-10-15", "source_uri": "s3://b/x/"}
begin("hand", 7, conf=by_hand, state=DagRunState.FAILED)
for number in range(12):
    begin(f"older{number:02}", 3, DagRunType.BACKFILL_JOB, hours=24, state=DagRunState.FAILED)
facts = AirflowState().facts([name], [], {name: "America/New_York"})
found = [(run.run_id, run.run_key) for run in facts.unsettled[name]]
key = run_key(date(2026, 10, 15), by_hand["source_uri"])
assert found[:2] == [("night", "20261106"), ("hand", key)], found
assert len(found) == 10 and found[2][0] == "older11", found
assert facts.runs[name, "night"].is_open, facts
assert facts.latest_runs[name].run_id == "older11", facts
print("all true")
"""


def test_it_knows_the_latest_run_the_first_failed_task_and_the_question_that_waits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("NIGHTSORT_SPECS", "nightsort_local/samples")
    done = subprocess.run(
        [sys.executable, "-c", STORED_DAGS + ASK], capture_output=True, text=True, check=False
    )
    assert "all true" in done.stdout, done.stderr[-3000:]


def test_a_database_that_cannot_be_read_costs_no_page() -> None:
    # The tests' Airflow has none.
    assert AirflowState().facts(["classify_x"], [("classify_x", "1")]) == AirflowFacts()
