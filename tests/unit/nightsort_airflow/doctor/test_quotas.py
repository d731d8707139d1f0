"""Quotas that nobody tells are not taken for granted."""

from __future__ import annotations

from nightsort_airflow.doctor.aws_access import AwsAccess
from nightsort_airflow.doctor.findings import Check, State, ok
from nightsort_airflow.doctor.quotas import quota_checks
from nightsort_airflow.doctor.run_checks import examine


def test_without_service_quotas_the_default_is_named_and_nothing_is_said_to_be_ok() -> None:
    known = Check("AWS", "connection", lambda: ok("known"))
    jobs, trainings = examine(quota_checks(AwsAccess("aws_nowhere"), lambda: 10, known))
    assert jobs.state is trainings.state is State.CANNOT_TELL
    assert "AWS's default is 10" in jobs.says
    assert "console" in jobs.remedy
