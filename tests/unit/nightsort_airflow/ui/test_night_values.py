"""Whole nights are in tests/integration/test_ui_pages.py."""

from __future__ import annotations

from dataclasses import replace

from nightsort.tables.night_reports import Job
from nightsort.tables.overview import Spending
from nightsort_airflow.ui.addresses import Addresses
from nightsort_airflow.ui.night_values import NightRead, night_values
from tests.unit.nightsort_airflow.ui.ui_rows import BEGAN, report, run


def test_a_red_night_leads_to_the_job_that_failed() -> None:
    job = Job("b0", 0, 10, "good", "n", "COMPLETED", None, None, None)
    failed = replace(job, attempt=None, job_id="broken", status="FAILED")
    red = report(run=run(state="incomplete", message="1 of 2 missing"), jobs=[job, failed])
    found = NightRead(red, neighbours=("20261031", None), began=BEGAN, month=Spending())
    values = night_values(found, None, None, Addresses("/nightsort"))
    (console,) = [link.address for link in values["links"] if "console" in link.text]
    assert "broken" in console
    assert (values["previous"], values["following"], values["verdict"].word) == (
        "20261031",
        None,
        "incomplete",
    )
