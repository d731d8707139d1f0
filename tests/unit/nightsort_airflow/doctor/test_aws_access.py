"""A connection that leads nowhere is told within seconds, and as what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nightsort_airflow.doctor.aws_access import AwsAccess, aws_checks
from nightsort_airflow.doctor.findings import State
from nightsort_airflow.doctor.run_checks import examine
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_without_sts_nobody_is_known_but_only_a_silent_comprehend_is_a_failure(tmp_path: Path) -> None:
    access = AwsAccess("aws_nowhere")
    identity, comprehend, looking = examine(aws_checks(access, [local_spec(tmp_path)]))
    assert identity.state is State.CANNOT_TELL
    assert "no such connection, so boto3 uses its own chain" in identity.says
    assert "STS does not answer" in identity.says
    assert access.account is None
    assert comprehend.state is State.FAILED
    assert "does not answer in eu-west-1" in comprehend.says
    assert "VPC endpoint" in comprehend.remedy
    assert looking.state is State.CANNOT_TELL


def test_a_connection_without_region_says_where_to_set_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    identity, *_ = examine(aws_checks(AwsAccess("aws_nowhere"), [local_spec(tmp_path)]))
    assert identity.state is State.FAILED
    assert identity.remedy.startswith("create it with your region: airflow connections add aws_nowhere ")
    monkeypatch.setenv("AIRFLOW_CONN_AWS_NOWHERE", '{"conn_type": "aws"}')
    identity, *_ = examine(aws_checks(AwsAccess("aws_nowhere"), [local_spec(tmp_path)]))
    assert identity.remedy == "set region_name in the extra of the AWS connection aws_nowhere"


def test_a_region_that_has_no_comprehend_is_told_from_a_way_that_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    _, comprehend, _ = examine(aws_checks(AwsAccess("aws_nowhere"), [local_spec(tmp_path)]))
    assert comprehend.state is State.FAILED
    assert "take a region that has Comprehend" in comprehend.remedy
