"""The examples in docs/, as Airflow runs them: rendered, deferred, resumed, on its own database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.airflow_environment import ROOT, STORED_DAGS
from tests.integration.local_aws_server import CREDENTIALS, REGION, local_aws

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

# The executor is the only part of Airflow that is missing: no scheduler, and triggers run in this process.
RUN_TWICE = f"""
{STORED_DAGS}
for _ in range(2):
    run = bag.dags["classify_reviews"].test()
    print("STATE", run.state)
    for ti in run.get_task_instances():
        print("TASK", ti.task_id, ti.state, ti.try_number)
run = bag.dags["reviews_in_real_time"].test()
print("REAL TIME", *sorted(f"{{ti.task_id}} {{ti.state}}" for ti in run.get_task_instances()), run.state)
run = bag.dags["reviews_in_real_time"].test(run_conf={{"documents": "more/"}})
print("FAILS", *sorted(f"{{ti.task_id}} {{ti.state}}" for ti in run.get_task_instances()), run.state)
"""


def run_twice(python: str, dags: Path, home: Path) -> None:
    """Have a Python's Airflow run the example twice, in a home of its own, and look at what came of it."""
    with local_aws() as aws:
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="reviews")
        rows = [f"{label},{label} product {n}\n" for n in range(30) for label in ("good", "bad")]
        s3.put_object(Bucket="reviews", Key="labelled/2026-11.csv", Body="".join(rows))
        s3.put_object(Bucket="reviews", Key="new/monday.txt", Body="a good product\na bad product\n")
        s3.put_object(Bucket="reviews", Key="more/tuesday.txt", Body="a good product again\n")
        # After the two documents of the run that succeeds.
        denied = {"operation": "ClassifyDocument", "code": "AccessDeniedException"}
        aws.control.inject("error", **denied, after=2, times=None)
        connection: dict[str, Any] = {
            "conn_type": "aws",
            "login": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "password": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            "extra": {"region_name": REGION, "endpoint_url": aws.url},
        }
        done = subprocess.run(
            [python, "-c", RUN_TWICE],
            check=False,
            capture_output=True,
            text=True,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(home),
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
                "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
                "NIGHTSORT_POLL_SECONDS": "1",
            },
        )
        told = [line for line in done.stdout.splitlines() if line.startswith(("STATE", "TASK"))]
        tasks = ["TASK classify success 1", "TASK train success 1", "TASK wait_for_training success 1"]
        assert sorted(told) == ["STATE success"] * 2 + sorted(tasks * 2), (
            done.stdout[-3000:] + done.stderr[-3000:]
        )
        comprehend = aws.client("comprehend")
        jobs = comprehend.list_document_classification_jobs()["DocumentClassificationJobPropertiesList"]
        assert [(job["JobName"][-3:], job["JobStatus"]) for job in jobs] == [("-g1", "COMPLETED")]
        models = comprehend.list_document_classifiers()["DocumentClassifierPropertiesList"]
        assert [model["VersionName"] for model in models] == ["v-2026-11"]
        in_real_time = [line for line in done.stdout.splitlines() if line.startswith("REAL TIME")]
        assert in_real_time == [
            "REAL TIME classify success close_endpoint success open_endpoint success success",
        ], done.stdout[-3000:] + done.stderr[-3000:]
        # Its teardown closes the endpoint also where the task before it has failed.
        assert [line for line in done.stdout.splitlines() if line.startswith("FAILS")] == [
            "FAILS classify failed close_endpoint success open_endpoint success failed",
        ], done.stdout[-3000:] + done.stderr[-3000:]
        assert comprehend.list_endpoints()["EndpointPropertiesList"] == []
        keys = [found["Key"] for found in s3.list_objects_v2(Bucket="reviews", Prefix="answers/")["Contents"]]
        assert any(key.endswith("-v-2026-11/output/output.tar.gz") for key in keys)


def test_the_example_runs_and_a_second_run_of_the_day_starts_nothing(tmp_path: Path) -> None:
    run_twice(sys.executable, ROOT / "docs" / "examples", tmp_path)
