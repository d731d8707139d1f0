"""Labels, ids, logs and names of files are text in what the local stack and the doctor print."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from nightsort.comprehend.prices import Forecast
from nightsort.reports.outcomes import Outcome
from nightsort.storage import plain_access
from nightsort.terminal import Terminal
from nightsort_airflow.doctor import command
from nightsort_airflow.doctor.findings import Finding, State
from nightsort_local.actions import print_failure
from nightsort_local.errors import StackError
from nightsort_local.night_report import Example, NightReport, show_night
from nightsort_local.progress import Progress
from nightsort_local.put_files import put_files
from tests.unit.nightsort.test_terminal import CANNOT_BE_RAW, HOSTILE, STYLES
from tests.unit.nightsort_airflow.ui.ui_rows import RUN

if TYPE_CHECKING:
    from pathlib import Path

LABEL = f"[/billing]{HOSTILE}"


@pytest.fixture
def terminal() -> Terminal:
    return Terminal(file=io.StringIO(), width=400, force_terminal=True)


def said(terminal: Terminal) -> str:
    """What was printed, checked and without our own styles."""
    text = STYLES.sub("", terminal.file.getvalue())  # type: ignore[attr-defined]
    assert not CANNOT_BE_RAW.search(text)
    return text


def test_the_report_of_a_night(terminal: Terminal) -> None:
    report = NightReport(
        classifier="tickets",
        day=date(2026, 11, 1),
        version=HOSTILE,
        outcome=Outcome("incomplete", (HOSTILE,)),
        run=replace(RUN, retried=1),
        reasons={HOSTILE: 1},
        label_counts={LABEL: 1},
        metrics=None,
        cost=Forecast(1, 3, 0.0015),
        training_documents=10,
        examples=(Example(LABEL, LABEL, 0.5, LABEL),),
    )

    show_night(terminal, report)

    assert said(terminal).count("[/billing]a") == 4


def test_a_run_and_the_logs_of_its_tasks(terminal: Terminal) -> None:
    progress = Progress(terminal)
    with progress.step(HOSTILE):
        progress.detail(HOSTILE)
    stack: Any = SimpleNamespace(airflow_url="http://localhost:8080")
    result: Any = SimpleNamespace(dag_id="classify_x", run_id=HOSTILE, log_tails={LABEL: LABEL})

    print_failure(terminal, stack, result)

    assert "The end of the log of [/billing]a" in said(terminal)


def test_a_file_that_cannot_be_put(tmp_path: Path) -> None:
    with pytest.raises(StackError) as refused:
        put_files(tmp_path / HOSTILE, "s3://bucket/x/", plain_access())

    assert not CANNOT_BE_RAW.search(str(refused.value))
    assert "\n" not in str(refused.value)


def test_the_doctors_report(capsys: pytest.CaptureFixture[str]) -> None:
    command._print([Finding("buckets", LABEL, State.FAILED, LABEL, LABEL)])

    assert not CANNOT_BE_RAW.search(capsys.readouterr().out)
