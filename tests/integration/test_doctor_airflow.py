"""The doctor in an Airflow of its own: what its database tells, and its DAG."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.airflow_environment import ROOT, SAMPLE_SPECS, STORED_DAGS
from tests.integration.local_aws_server import CREDENTIALS, REGION, LocalAwsServer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

EXAMINE = f"""
{STORED_DAGS}
import datetime, json
from airflow.jobs.job import Job
from airflow.models.dag import DagModel
from airflow.models.pool import Pool
from airflow.utils.session import create_session
from nightsort_airflow.doctor.airflow_parts import airflow_checks, pool_slots
from nightsort_airflow.doctor.run_checks import examine

told = {{}}

def look(name):
    findings = examine(airflow_checks([
        f"{{kind}}_{{name}}" for name in ("aws-services", "aws-topics") for kind in ("train", "classify")
    ]))
    told[name] = {{finding.subject: finding.to_dict() for finding in findings}}

look("nothing runs yet")
for slots, deferred in ((0, True), (10, False), (-1, True), (10, True)):
    Pool.create_or_update_pool("comprehend_jobs", slots, "", include_deferred=deferred)
    look(f"{{slots}} slots, {{deferred}}")
told["slots"] = pool_slots()
with create_session() as session:
    for kind, age in (("SchedulerJob", 0), ("TriggererJob", 3600)):
        job = Job(job_type=kind)
        job.prepare_for_execution(session=session)
        job.latest_heartbeat -= datetime.timedelta(seconds=age)
        session.merge(job)
    session.get(DagModel, "train_aws-topics").is_stale = True
    session.get(DagModel, "classify_aws-topics").is_paused = True
look("one died")
with create_session() as session:
    session.get(DagModel, "train_aws-topics").is_stale = False
look("and came back")
print("TOLD", json.dumps(told))
"""

# In the same process, since making Airflow's database takes longer than the rest. A run that succeeds is
# that of a real stack, in tests/e2e.
RUN_THE_DAG = """
import os
os.environ["AIRFLOW_CONN_NIGHTSORT_DB"] = "mysql://u:canary-77@db/x"
print("STATE", bag.dags["nightsort_doctor"].test(run_conf={"spec": "aws-services"}).state)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, aws: LocalAwsServer) -> Path:
    """An AIRFLOW_HOME for all tests here, beside an AWS that has what the sample specs name."""
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="nightsort")
    for name in ("aws-services", "aws-topics"):
        s3.put_object(Bucket="nightsort", Key=f"{name}/labelled/a.csv", Body=b"label,text\na,b\n")
    return tmp_path_factory.mktemp("airflow")


@pytest.fixture
def environment(home: Path, aws: LocalAwsServer, empty_database: str) -> dict[str, str]:
    parts = conninfo_to_dict(empty_database)
    connections: dict[str, dict[str, Any]] = {
        "AWS_DEFAULT": {
            "conn_type": "aws",
            "login": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "password": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            "extra": {"region_name": REGION, "endpoint_url": aws.url},
        },
        "NIGHTSORT_DB": {
            "conn_type": "postgres",
            "host": parts["host"],
            "login": parts["user"],
            "schema": parts["dbname"],
        },
    }
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
        "NIGHTSORT_SPECS": str(SAMPLE_SPECS),
        **{f"AIRFLOW_CONN_{name}": json.dumps(connection) for name, connection in connections.items()},
    }


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], check=False, capture_output=True, text=True, env=environment, cwd=ROOT
    )


def test_airflows_database_tells_of_pool_components_and_dags_and_the_dag_of_all_the_rest(
    environment: dict[str, str],
) -> None:
    done = run(environment, "-c", EXAMINE + RUN_THE_DAG)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("TOLD "))[5:])
    assert_airflow_is_known(told)
    for line in (
        "STATE failed",
        "aws_default: Comprehend",
        "a task cannot read Airflow's database",
        "work_uri s3://nightsort/aws-services/work",
        "is of the type mysql",
        "checks failed: connection nightsort_db.",
    ):
        assert line in done.stdout
    assert "aws-topics: incoming" not in done.stdout
    assert "canary-77" not in done.stdout + done.stderr


def assert_airflow_is_known(told: dict[str, Any]) -> None:
    fresh = told["nothing runs yet"]
    assert fresh["database"]["state"] == "warning"
    for component, command in (("scheduler", "scheduler"), ("triggerer", "triggerer")):
        assert (fresh[component]["state"], fresh[component]["says"]) == ("failed", "never ran")
        assert f"airflow {command}" in fresh[component]["remedy"]
    assert fresh["pool comprehend_jobs"]["state"] == "failed"
    assert fresh["pool comprehend_jobs"]["says"].startswith("does not exist")
    assert "airflow pools set comprehend_jobs 10" in fresh["pool comprehend_jobs"]["remedy"]
    assert fresh["DAGs in the database"]["state"] == "ok"

    pools = {name: found["pool comprehend_jobs"] for name, found in told.items() if "slots, " in name}
    assert {name: pool["state"] for name, pool in pools.items()} == {
        "0 slots, True": "failed",
        "10 slots, False": "warning",
        "-1 slots, True": "warning",
        "10 slots, True": "ok",
    }
    assert "deferred tasks do not count" in pools["10 slots, False"]["says"]
    assert told["slots"] == 10

    died = told["one died"]
    assert died["scheduler"]["state"] == "ok"
    assert died["triggerer"]["state"] == "failed"
    assert died["triggerer"]["says"].startswith("was last alive at 20")
    assert died["DAGs in the database"]["state"] == "failed"
    assert "train_aws-topics" in died["DAGs in the database"]["says"]
    back = told["and came back"]["DAGs in the database"]
    assert back["state"] == "ok"
    assert "classify_aws-topics" in back["says"]
