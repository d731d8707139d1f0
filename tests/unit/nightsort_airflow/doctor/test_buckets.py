"""Documents and work folders that no task could use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nightsort_airflow.doctor.aws_access import AwsAccess
from nightsort_airflow.doctor.buckets import bucket_checks, split
from nightsort_airflow.doctor.findings import Check, State, ok
from nightsort_airflow.doctor.run_checks import examine
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort_airflow.doctor.findings import Finding


def look(folder: Path) -> dict[str, Finding]:
    needs = Check("AWS", "connection", lambda: ok("known"))
    checks = bucket_checks(AwsAccess("aws_nowhere"), [local_spec(folder)], needs)
    return {finding.subject: finding for finding in examine(checks)}


def test_a_uri_is_a_bucket_and_a_key() -> None:
    assert split("s3://bucket/a/b") == ("bucket", "a/b")
    assert split("s3://bucket") == ("bucket", "")


def test_a_work_folder_on_a_disk_is_told_since_comprehend_reads_s3_alone(tmp_path: Path) -> None:
    work = look(tmp_path)[f"work_uri {tmp_path}/work"]
    assert work.state is State.FAILED
    assert "s3://" in work.remedy


def test_local_documents_are_looked_for_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "labelled").mkdir()
    found = look(tmp_path)
    assert found["tickets: labelled documents"].state is State.OK
    assert "every worker has to see it" in found["tickets: labelled documents"].says
    assert found["tickets: incoming documents"].state is State.FAILED
    assert f"there is no {tmp_path}/incoming" in found["tickets: incoming documents"].says
