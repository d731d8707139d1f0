from __future__ import annotations

import pytest

from nightsort_airflow.ui.addresses import Addresses, job_address, s3_address, version_address
from tests.unit.nightsort_airflow.ui.ui_rows import ARN, FACTS, run


@pytest.mark.parametrize(
    ("root", "airflow"), [("/nightsort", ""), ("/data/airflow/nightsort", "/data/airflow")]
)
def test_addresses_begin_with_the_path_that_airflow_is_mounted_at(root: str, airflow: str) -> None:
    to = Addresses(root)
    assert to.overview() == f"{root}/"
    assert to.night("a", "20261101", "rejects.csv") == f"{root}/classifiers/a/nights/20261101/rejects.csv"
    assert to.dag("d") == f"{airflow}/dags/d"
    assert to.task("d", "r", "t", 2) == f"{airflow}/dags/d/runs/r/tasks/t/mapped/2"


def test_what_would_end_a_part_of_an_address_is_encoded() -> None:
    to = Addresses("/nightsort")
    assert to.classifier("a/../b?c#d") == "/nightsort/classifiers/a%2F..%2Fb%3Fc%23d"
    assert to.dag_run("d", "manual__2026-11-01T02:00:00+00:00").endswith(
        "manual__2026-11-01T02%3A00%3A00%2B00%3A00"
    )


def test_a_red_night_links_to_the_log_the_run_and_the_failed_job() -> None:
    links = Addresses("/nightsort").run_links(run(), FACTS, ARN, "new")
    assert [link.text for link in links] == [
        "Log of classify_batch.start_job",
        "Run in Airflow",
        "Failed job in the AWS console",
    ]
    assert links[0].address.endswith("/tasks/classify_batch.start_job/mapped/3")
    assert "new" in links[2].address


def test_the_console_is_that_of_the_arns_partition_and_region() -> None:
    address = job_address(ARN, "123")
    assert address is not None
    assert address.startswith("https://console.amazonaws.cn/")
    assert "region=cn-north-1" in address
    assert job_address("no arn", "123") is job_address(ARN, None) is version_address("no arn") is None
    assert s3_address(ARN, "/a/local/file") is None
